/**
 * Where posts and comments are written: grows with its text, counts down near the limit, keeps
 * the text until the server has taken it, and says beside it when that failed.
 */
import type { Result } from "../../protocol/errors.ts";
import { BODY_MAX, codePoints, isText } from "../../protocol/text.ts";
import { el, setAttr, setText } from "./dom.ts";
import { typedText } from "./wording.ts";

/** From here on the characters left are shown. */
const COUNT_FROM = BODY_MAX - 200;
const HEIGHT_MAX_PX = 240;

export interface WriteBoxProps {
  id: string;
  label: string;
  placeholder: string;
  action: string;
  /** Enter sends, and Shift+Enter breaks the line; otherwise Ctrl or Cmd with Enter sends. */
  isSentByEnter: boolean;
  send(body: string): Promise<Result<unknown>>;
}

export interface WriteBox {
  node: HTMLElement;
  focus(): void;
  clear(): void;
}

export function createWriteBox(props: WriteBoxProps): WriteBox {
  let isBusy = false;
  const problemId = `${props.id}-problem`;
  const input = el("textarea", {
    attrs: {
      id: props.id,
      rows: "1",
      placeholder: props.placeholder,
      "aria-label": props.label,
      "aria-describedby": problemId,
      maxlength: String(BODY_MAX * 2),
      enterkeyhint: props.isSentByEnter ? "send" : null,
    },
  });
  const count = el("span", { class: "count", attrs: { role: "status" } });
  const send = el("button", {
    class: "button-primary",
    text: props.action,
    attrs: { type: "submit" },
  });
  const problem = el("p", { class: "inline-problem", attrs: { id: problemId, role: "alert" } });
  const foot = el("div", { class: "write-foot" }, problem, count, send);
  const form = el("form", { class: "write-box", attrs: { novalidate: true } }, input, foot);

  const resize = (): void => {
    // Through the CSSOM: the page's policy allows no style attributes in markup.
    input.style.height = "auto";
    if (input.scrollHeight > 0) {
      input.style.height = `${Math.min(input.scrollHeight + 2, HEIGHT_MAX_PX)}px`;
    }
    const length = codePoints(input.value);
    setText(count, length > COUNT_FROM ? String(BODY_MAX - length) : "");
    count.classList.toggle("over", length > BODY_MAX);
    send.disabled = isBusy || !isText(typedText(input.value), BODY_MAX);
  };

  const submit = async (): Promise<void> => {
    const body = typedText(input.value);
    if (isBusy || !isText(body, BODY_MAX)) return;
    isBusy = true;
    setText(problem, "");
    setAttr(input, "readonly", true);
    resize();
    const answer = await props.send(body);
    isBusy = false;
    setAttr(input, "readonly", null);
    if (answer.ok) input.value = "";
    else setText(problem, answer.error.message);
    resize();
  };

  input.addEventListener("input", resize);
  input.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key !== "Enter" || event.isComposing) return;
    const isSend = props.isSentByEnter ? !event.shiftKey : event.ctrlKey || event.metaKey;
    if (!isSend) return;
    event.preventDefault();
    void submit();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
    input.focus();
  });
  // Keeps a phone's keyboard open: the button must not take the focus from the text.
  send.addEventListener("pointerdown", (event) => event.preventDefault());
  resize();

  return {
    node: form,
    focus: () => input.focus(),
    clear() {
      input.value = "";
      setText(problem, "");
      resize();
    },
  };
}
