/** Shows a text that somebody wrote: web addresses as links, mentions emphasised, no markup. */
import { el } from "./dom.ts";
import { splitText } from "./wording.ts";

export function setRichText(node: HTMLElement, body: string): void {
  const parts = splitText(body).map(({ text, href, isMention }) => {
    if (isMention) return el("span", { class: "mention", text });
    if (href === null) return text;
    return el("a", { text, attrs: { href, target: "_blank", rel: "noopener noreferrer" } });
  });
  node.replaceChildren(...parts);
}
