/**
 * The operator's token: kept for this tab and until it closes, sent in a header, never put into
 * an address. And the form that asks for it.
 */
import { el, setAttr, setText } from "./dom.ts";
import { icon } from "./icons.ts";

const KEY = "troupe.ops.token";

export function storedToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

/** `notice`: why it is asked for again. `onToken` answers what is wrong with it, or null. */
export function createTokenForm(
  notice: string | null,
  onToken: (token: string) => Promise<string | null>,
): HTMLElement {
  const input = el("input", {
    attrs: {
      id: "token",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      "aria-describedby": "token-hint token-problem",
    },
  });
  const problem = el("p", {
    class: "problem",
    text: notice ?? "",
    attrs: { id: "token-problem", role: "alert" },
  });
  const submit = el("button", { class: "button-primary", text: "Open", attrs: { type: "submit" } });
  const hint = el("p", { class: "hint", attrs: { id: "token-hint" } });
  hint.append(
    "A service token with the scope ops. The first start of Troupe prints one; ",
    el("code", { text: "troupe token --scope ops" }),
    " makes another.",
  );
  const form = el(
    "form",
    { class: "token-form" },
    el("h1", {}, icon("circle"), "Troupe operations"),
    el("label", { text: "Operator's token", attrs: { for: "token" } }),
    input,
    problem,
    submit,
    hint,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (token === "") return;
    setAttr(submit, "disabled", true);
    void onToken(token).then((wrong) => {
      setAttr(submit, "disabled", null);
      if (wrong === null) return;
      setText(problem, wrong);
      setAttr(input, "aria-invalid", "true");
      input.select();
    });
  });
  queueMicrotask(() => input.focus());
  return el("main", { class: "token-page" }, form);
}
