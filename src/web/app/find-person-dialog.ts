/** The dialog that finds someone by their exact username and shows their card. */
import type { User } from "../../protocol/schemas.ts";
import type { Chat } from "./chat.ts";
import { showDialog } from "./dialog.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";

const USERNAME = /^[a-z0-9_.]{3,32}$/;

export function openFindPerson(chat: Chat, onFound: (user: User) => void): void {
  const node = el("dialog", { class: "dialog", attrs: { "aria-labelledby": "find-person" } });
  const username = el("input", {
    attrs: {
      id: "person-username",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      maxlength: "33",
      "aria-describedby": "person-problem",
    },
  });
  const problem = el("p", {
    class: "field-problem",
    attrs: { id: "person-problem", role: "alert" },
  });
  const find = el("button", { class: "button-primary", text: "Find", attrs: { type: "submit" } });

  const fail = (text: string): void => {
    setText(problem, text);
    setAttr(username, "aria-invalid", text === "" ? null : "true");
  };

  const submit = async (): Promise<void> => {
    const name = username.value.trim().replace(/^@/, "").toLowerCase();
    fail("");
    if (!USERNAME.test(name)) return fail("Enter a username: 3–32 letters, digits, . or _");
    find.disabled = true;
    const answer = await chat.findUser(name);
    find.disabled = false;
    if (answer.ok) {
      node.close();
      onFound(answer.value);
    } else {
      fail(answer.error.code === "not_found" ? `Nobody is called ${name}.` : answer.error.message);
    }
  };

  const form = el("form", { class: "find", attrs: { novalidate: true } }, username, find);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  const head = el("header", {}, el("h2", { text: "Find people", attrs: { id: "find-person" } }));
  head.append(iconButton("close", "Close", () => node.close()));
  const label = el("label", { text: "Username", attrs: { for: "person-username" } });
  node.append(el("div", { class: "dialog-body" }, head, label, form, problem));
  showDialog(node);
  username.focus();
}
