/** What the dialogs share, and the smallest of them: a question before something is lost. */
import { el } from "./dom.ts";

/** Shows `node` until it closes, then takes it away. Esc and a click beside it close it. */
export function showDialog(node: HTMLDialogElement): void {
  node.addEventListener("close", () => node.remove());
  node.addEventListener("pointerdown", (event) => {
    if (event.target === node) node.close();
  });
  document.body.append(node);
  node.showModal();
}

export function askToConfirm(question: string, action: string, onConfirmed: () => void): void {
  const attrs = { "aria-labelledby": "question" };
  const node = el("dialog", { class: "dialog", attrs });
  const cancel = el("button", { class: "button-quiet", text: "Cancel", attrs: { type: "button" } });
  const confirm = el("button", { class: "button-danger", text: action, attrs: { type: "button" } });
  cancel.addEventListener("click", () => node.close());
  confirm.addEventListener("click", () => {
    node.close();
    onConfirmed();
  });
  const buttons = el("div", { class: "dialog-buttons" }, cancel, confirm);
  const title = el("h2", { text: question, attrs: { id: "question" } });
  node.append(el("div", { class: "dialog-body" }, title, buttons));
  showDialog(node);
}
