/**
 * The small menu of one message or post. Keyboard: arrows move, Enter chooses, Esc closes and gives
 * the focus back; a click or a scroll elsewhere closes.
 */
import { el } from "./dom.ts";

const MARGIN_PX = 8;

export interface MenuItem {
  label: string;
  isDangerous?: boolean;
  choose(): void;
}

export interface MessageMenu {
  node: HTMLElement;
  open(items: readonly MenuItem[], anchor: HTMLElement): void;
  close(): void;
}

export function createMessageMenu(): MessageMenu {
  const node = el("div", { class: "menu", attrs: { role: "menu", hidden: true } });
  let anchor: HTMLElement | null = null;

  const onOutside = (event: Event): void => {
    if (!(event.target instanceof Node) || !node.contains(event.target)) close(false);
  };

  function close(givesFocusBack: boolean): void {
    if (node.hidden) return;
    node.hidden = true;
    document.removeEventListener("pointerdown", onOutside, true);
    document.removeEventListener("scroll", onOutside, true);
    anchor?.removeAttribute("aria-expanded");
    if (givesFocusBack) anchor?.focus();
  }

  const place = (at: DOMRect): void => {
    const { offsetWidth, offsetHeight } = node;
    const left = Math.min(at.left, innerWidth - offsetWidth - MARGIN_PX);
    const isRoomBelow = at.bottom + offsetHeight + MARGIN_PX < innerHeight;
    const top = isRoomBelow ? at.bottom + 4 : at.top - offsetHeight - 4;
    node.style.left = `${Math.max(MARGIN_PX, left)}px`;
    node.style.top = `${Math.max(MARGIN_PX, top)}px`;
  };

  node.addEventListener("keydown", (event) => {
    const items = [...node.querySelectorAll("button")];
    const at = items.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      items[(at + step + items.length) % items.length]?.focus();
    }
  });

  return {
    node,
    open(items, opener) {
      close(false);
      anchor = opener;
      node.replaceChildren(
        ...items.map((item) => {
          const attrs = { type: "button", role: "menuitem" };
          const button = el("button", { text: item.label, attrs });
          button.classList.toggle("dangerous", item.isDangerous === true);
          button.addEventListener("click", () => {
            close(true);
            item.choose();
          });
          return button;
        }),
      );
      node.hidden = false;
      opener.setAttribute("aria-expanded", "true");
      place(opener.getBoundingClientRect());
      node.querySelector("button")?.focus({ preventScroll: true });
      document.addEventListener("pointerdown", onOutside, true);
      document.addEventListener("scroll", onOutside, true);
    },
    close: () => close(false),
  };
}
