/**
 * The page for those who are signed out: one form that signs in or registers, with what is
 * wrong said beside the field it concerns.
 */
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Account } from "./account.ts";
import { el, setAttr, setText } from "./dom.ts";
import { SERVER_URL } from "./server-url.ts";

const USERNAME = /^[A-Za-z0-9_.]{3,32}$/;
const PASSWORD_MIN = 8;
const PASSWORD_MAX = 200;

interface Problem {
  field: "username" | "password" | null;
  text: string;
}

function problemOf(error: ErrorObject, isRegistering: boolean): Problem {
  switch (error.code) {
    case "conflict":
      return { field: "username", text: "This username is taken. Try another one." };
    case "unauthorized":
      return { field: "password", text: "Username and password do not match." };
    case "rate_limited": {
      const waitS = Math.ceil((error.retry_after_ms ?? 1000) / 1000);
      return { field: null, text: `Too many tries. Please wait ${waitS} s.` };
    }
    default:
      return {
        field: null,
        text: error.message || (isRegistering ? "Registering failed." : "Signing in failed."),
      };
  }
}

function checkFields(username: string, password: string): Problem | null {
  if (!USERNAME.test(username)) {
    return { field: "username", text: "3–32 letters, digits, dots or underscores." };
  }
  if (password.length < PASSWORD_MIN || password.length > PASSWORD_MAX) {
    return { field: "password", text: `At least ${PASSWORD_MIN} characters.` };
  }
  return null;
}

function field(id: string, label: string, attrs: Record<string, string>) {
  const problemId = `${id}-problem`;
  const input = el("input", { attrs: { id, name: id, required: true, ...attrs } });
  const problem = el("p", { class: "field-problem", attrs: { id: problemId } });
  setAttr(input, "aria-describedby", problemId);
  const node = el("div", { class: "field" }, el("label", { text: label, attrs: { for: id } }));
  node.append(input, problem);
  const show = (text: string): void => {
    setText(problem, text);
    setAttr(input, "aria-invalid", text === "" ? null : "true");
  };
  return { node, input, show };
}

/** `notice`: why the person is here again, if there is something to say. */
/** Where accounts are an outside issuer's, the server says so in index.html. */
export const hasOutsideAccounts = (): boolean =>
  document.documentElement.dataset["accounts"] === "outside";

/** In place of the form, which could sign nobody in. */
export function createOutsideNotice(): HTMLElement {
  const card = el("section", { class: "sign-in-card" });
  const guide = el("a", {
    text: "How an application connects",
    attrs: { href: `${SERVER_URL}docs/sdk` },
  });
  card.append(
    el("img", { attrs: { src: `${SERVER_URL}favicon.svg`, alt: "", width: "48", height: "48" } }),
    el("h1", { text: "Sign in where your account is" }),
    el("p", {
      class: "tagline",
      text: "Accounts of this server belong to another service. Open the application that you use it with.",
    }),
    guide,
  );
  return el("main", { class: "sign-in" }, card);
}

export function createSignInForm(
  account: Account,
  notice: string | null,
  onSignedIn: () => void,
): HTMLElement {
  let isRegistering = false;
  let isBusy = false;
  const username = field("username", "Username", {
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "32",
  });
  const password = field("password", "Password", { type: "password", maxlength: "200" });
  const problem = el("p", { class: "form-problem", text: notice ?? "", attrs: { role: "alert" } });
  const submit = el("button", { class: "button-primary", attrs: { type: "submit" } });
  const other = el("button", { class: "button-quiet", attrs: { type: "button" } });
  const heading = el("h1");

  const show = (found: Problem | null): void => {
    username.show(found?.field === "username" ? found.text : "");
    password.show(found?.field === "password" ? found.text : "");
    setText(problem, found?.field === null ? found.text : "");
    if (found?.field === "username") username.input.focus();
    if (found?.field === "password") password.input.focus();
  };

  const relabel = (): void => {
    setText(heading, isRegistering ? "Join Troupe" : "Welcome back");
    setText(submit, isBusy ? "One moment…" : isRegistering ? "Create account" : "Sign in");
    setText(other, isRegistering ? "I have an account" : "Create an account");
    setAttr(password.input, "autocomplete", isRegistering ? "new-password" : "current-password");
    submit.disabled = isBusy;
    other.disabled = isBusy;
  };

  const onSubmit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const name = username.input.value.trim();
    const secret = password.input.value;
    const wrong = checkFields(name, secret);
    show(wrong);
    if (wrong || isBusy) return;
    isBusy = true;
    relabel();
    const answer = await (isRegistering ? account.register : account.signIn)(name, secret);
    isBusy = false;
    relabel();
    if (answer.ok) onSignedIn();
    else show(problemOf(answer.error, isRegistering));
  };

  other.addEventListener("click", () => {
    isRegistering = !isRegistering;
    show(null);
    relabel();
    username.input.focus();
  });

  relabel();
  const form = el("form", { class: "sign-in-card", attrs: { novalidate: true } });
  form.addEventListener("submit", onSubmit);
  const logo = el("img", {
    attrs: { src: `${SERVER_URL}favicon.svg`, alt: "", width: "48", height: "48" },
  });
  const tagline = el("p", { class: "tagline", text: "Conversations that keep up with you." });
  form.append(logo, heading, tagline, problem, username.node, password.node, submit, other);
  return el("main", { class: "sign-in" }, form);
}
