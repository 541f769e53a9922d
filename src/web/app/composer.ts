/**
 * Where messages are written: Enter sends, Shift+Enter breaks the line, Esc leaves an edit or
 * a reply. Keeps a draft for each conversation and tells of typing.
 */
import { BODY_MAX, codePoints, isText } from "../../protocol/text.ts";
import type { Chat } from "./chat.ts";
import { el, iconButton, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { typedText } from "./wording.ts";

/** From here on the characters left are shown. */
const COUNT_FROM = BODY_MAX - 200;
const HEIGHT_MAX_PX = 180;

/** What the text in the composer will be: a new message, an answer, or an own one changed. */
export type Purpose =
  | { kind: "new" }
  | { kind: "reply"; seq: number; label: string }
  | { kind: "edit"; seq: number; body: string };

export interface Composer {
  node: HTMLElement;
  /** Another talk is open, or none. */
  setTalk(conversationId: string | null): void;
  setPurpose(purpose: Purpose): void;
  focus(): void;
}

export function createComposer(
  chat: Chat,
  onSent: () => void,
  onProblem: (text: string) => void,
): Composer {
  const drafts = new Map<string, string>();
  let talkId: string | null = null;
  let purpose: Purpose = { kind: "new" };

  const input = el("textarea", {
    attrs: {
      rows: "1",
      placeholder: "Write a message",
      "aria-label": "Message",
      enterkeyhint: "send",
      maxlength: String(BODY_MAX * 2),
    },
  });
  const count = el("span", { class: "count", attrs: { role: "status" } });
  const send = el("button", { class: "send", attrs: { type: "submit", "aria-label": "Send" } });
  send.append(icon("send"));
  const purposeText = el("span");
  const purposeBar = el("div", { class: "purpose" }, purposeText);
  purposeBar.append(iconButton("close", "Cancel", () => setPurpose({ kind: "new" })));
  const form = el("form", { class: "composer" }, purposeBar, input, count, send);

  const resize = (): void => {
    // Through the CSSOM: the page's policy allows no style attributes in markup.
    input.style.height = "auto";
    input.style.height = `${Math.min(input.scrollHeight, HEIGHT_MAX_PX)}px`;
    const length = codePoints(input.value);
    setText(count, length > COUNT_FROM ? String(BODY_MAX - length) : "");
    count.classList.toggle("over", length > BODY_MAX);
    send.disabled = !isText(input.value.trim(), BODY_MAX);
  };

  const sayTyping = (isTyping: boolean): void => {
    if (talkId === null) return;
    if (isTyping) chat.typing(talkId);
    else chat.stopTyping(talkId);
  };

  const setValue = (text: string): void => {
    input.value = text;
    resize();
  };

  function setPurpose(next: Purpose): void {
    const wasEdit = purpose.kind === "edit";
    if (next.kind === "edit") {
      if (!wasEdit && talkId !== null) drafts.set(talkId, input.value);
      setValue(next.body);
    } else if (wasEdit && talkId !== null) setValue(drafts.get(talkId) ?? "");
    purpose = next;
    purposeBar.hidden = next.kind === "new";
    if (next.kind === "edit") setText(purposeText, "Editing your message");
    if (next.kind === "reply") setText(purposeText, next.label);
    if (next.kind !== "new") input.focus();
  }

  const submitEdit = async (id: string, seq: number, body: string): Promise<void> => {
    const answer = await chat.edit(id, seq, body);
    if (!answer.ok) onProblem(`Not changed. ${answer.error.message}`);
  };

  const submit = (): void => {
    const body = typedText(input.value);
    if (talkId === null || !isText(body, BODY_MAX)) return;
    sayTyping(false);
    if (purpose.kind === "edit") {
      if (body !== purpose.body) void submitEdit(talkId, purpose.seq, body);
      setPurpose({ kind: "new" });
    } else {
      chat.send(talkId, body, purpose.kind === "reply" ? purpose.seq : null);
      drafts.delete(talkId);
      setValue("");
      setPurpose({ kind: "new" });
    }
    onSent();
  };

  input.addEventListener("input", () => {
    resize();
    sayTyping(input.value.trim() !== "");
  });
  input.addEventListener("blur", () => sayTyping(false));
  input.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && purpose.kind !== "new") {
      event.stopPropagation();
      setPurpose({ kind: "new" });
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
    input.focus();
  });
  // Keeps a phone's keyboard open: the button must not take the focus from the text.
  send.addEventListener("pointerdown", (event) => event.preventDefault());

  return {
    node: form,
    setTalk(conversationId) {
      if (conversationId === talkId) return;
      sayTyping(false);
      setPurpose({ kind: "new" });
      if (talkId !== null) drafts.set(talkId, input.value);
      talkId = conversationId;
      setValue(conversationId === null ? "" : (drafts.get(conversationId) ?? ""));
    },
    setPurpose,
    focus: () => input.focus(),
  };
}
