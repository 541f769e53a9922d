/**
 * The dialog that starts a conversation, with one person or a group, found by their exact
 * usernames.
 */

import { isolated } from "../../protocol/isolated.ts";
import type { User } from "../../protocol/schemas.ts";
import { isText, TITLE_MAX } from "../../protocol/text.ts";
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { showDialog } from "./dialog.ts";
import { el, iconButton, keyedList, setAttr, setText } from "./dom.ts";

const USERNAME = /^[A-Za-z0-9_.]{3,32}$/;

export function openNewTalk(chat: Chat, onCreated: (conversationId: string) => void): void {
  const chosen: User[] = [];
  let isBusy = false;
  const node = el("dialog", { class: "dialog", attrs: { "aria-labelledby": "new-talk" } });
  const username = el("input", {
    attrs: {
      id: "find-username",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      maxlength: "32",
      "aria-describedby": "find-problem",
    },
  });
  const problem = el("p", { class: "field-problem", attrs: { id: "find-problem", role: "alert" } });
  const add = el("button", { class: "button-quiet", text: "Add", attrs: { type: "submit" } });
  const people = el("ul", { class: "chosen", attrs: { "aria-label": "Chosen people" } });
  const title = el("input", { attrs: { id: "group-title", autocomplete: "off" } });
  const titleField = el("div", { class: "field" });
  titleField.append(
    el("label", { text: "Group name (optional)", attrs: { for: "group-title" } }),
    title,
  );
  const start = el("button", { class: "button-primary", attrs: { type: "button" } });

  const renderPeople = keyedList<User>(
    people,
    (user) => user.id,
    (user) => {
      const avatar = createAvatar(false);
      avatar.update(user.id, user.display_name || user.username, null);
      const remove = iconButton("close", `Remove ${user.username}`, () => {
        chosen.splice(chosen.indexOf(user), 1);
        render();
        username.focus();
      });
      const name = el("span", { text: isolated(user.display_name || user.username) });
      return { node: el("li", {}, avatar.node, name, remove), update: () => undefined };
    },
  );

  const render = (): void => {
    renderPeople(chosen);
    const isGroup = chosen.length > 1 || title.value.trim() !== "";
    setText(start, isGroup ? "Create group" : "Start conversation");
    start.disabled = isBusy || chosen.length === 0;
    add.disabled = isBusy;
    titleField.hidden = chosen.length < 2 && title.value === "";
  };

  const fail = (text: string): false => {
    setText(problem, text);
    setAttr(username, "aria-invalid", text === "" ? null : "true");
    return false;
  };

  /** Adds who is named in the field; false if nobody can be added. */
  const addPerson = async (): Promise<boolean> => {
    const name = username.value.trim().replace(/^@/, "").toLowerCase();
    fail("");
    if (!USERNAME.test(name)) return fail("Enter a username: 3–32 letters, digits, . or _");
    if (name === chat.store.get().me.username) return fail("That is you.");
    if (chosen.some((user) => user.username === name)) return fail("Already chosen.");
    isBusy = true;
    render();
    const answer = await chat.findUser(name);
    isBusy = false;
    if (answer.ok) {
      chosen.push(answer.value);
      username.value = "";
    } else {
      fail(answer.error.code === "not_found" ? `Nobody is called ${name}.` : answer.error.message);
    }
    render();
    username.focus();
    return answer.ok;
  };

  const create = async (): Promise<void> => {
    if (username.value.trim() !== "" && !(await addPerson())) return;
    const name = title.value.trim();
    if (chosen.length === 0) return;
    if (name !== "" && !isText(name, TITLE_MAX)) {
      fail("That name is too long.");
      return;
    }
    isBusy = true;
    render();
    const memberIds = chosen.map((user) => user.id);
    const answer = await chat.create(memberIds, name === "" ? null : name);
    isBusy = false;
    render();
    if (!answer.ok) fail(answer.error.message);
    else {
      node.close();
      onCreated(answer.value.id);
    }
  };

  const form = el("form", { class: "find", attrs: { novalidate: true } }, username, add);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // A second Enter on an empty field goes on.
    if (username.value.trim() === "" && chosen.length > 0) void create();
    else void addPerson();
  });
  title.addEventListener("input", render);
  start.addEventListener("click", create);
  render();

  const body = el("div", { class: "dialog-body" });
  const head = el("header", {}, el("h2", { text: "New conversation", attrs: { id: "new-talk" } }));
  head.append(iconButton("close", "Close", () => node.close()));
  const label = el("label", { text: "Username", attrs: { for: "find-username" } });
  const hint = el("p", { class: "hint", text: "Add more than one person for a group." });
  body.append(head, label, form, problem, people, hint, titleField, start);
  node.append(body);
  showDialog(node);
  username.focus();
}
