/**
 * A group's details: its name, its members and how they are, adding and removing, leaving.
 * Follows the state while it is open, and closes when the group is gone.
 */
import type { Result } from "../../protocol/errors.ts";
import type { Member } from "../../protocol/schemas.ts";
import { isText, TITLE_MAX } from "../../protocol/text.ts";
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { askToConfirm, showDialog } from "./dialog.ts";
import { el, iconButton, type KeyedEntry, keyedList, setText } from "./dom.ts";
import { nameOf, presenceOf } from "./selection.ts";
import type { State } from "./state.ts";

/** A list longer than this helps nobody, and each name is a request. */
const MEMBERS_SHOWN_MAX = 200;

export function openGroup(chat: Chat, conversationId: string): void {
  const node = el("dialog", { class: "dialog", attrs: { "aria-labelledby": "group-dialog" } });
  const problem = el("p", { class: "field-problem", attrs: { role: "alert" } });
  const meId = chat.store.get().me.id;

  const show = (answer: Result<unknown>): boolean => {
    setText(problem, answer.ok ? "" : answer.error.message);
    return answer.ok;
  };

  const createMember = (first: Member): KeyedEntry<Member> => {
    const avatar = createAvatar(false);
    const name = el("span", { class: "member-name" });
    const role = el("span", { class: "member-role" });
    const remove = iconButton("close", "Remove from the group", () => {
      const who = nameOf(chat.store.get(), first.user_id);
      askToConfirm(`Remove ${who} from the group?`, "Remove", async () => {
        show(await chat.removeMember(conversationId, first.user_id));
      });
    });
    return {
      node: el("li", {}, avatar.node, name, role, remove),
      update({ user_id }) {
        const state = chat.store.get();
        const ownerId = state.talks.get(conversationId)?.conversation.owner_id;
        const presence = user_id === meId ? null : presenceOf(state, user_id);
        avatar.update(user_id, nameOf(state, user_id), presence);
        setText(
          name,
          user_id === meId ? `${nameOf(state, user_id)} (you)` : nameOf(state, user_id),
        );
        setText(role, user_id === ownerId ? "owner" : "");
        remove.hidden = ownerId !== meId || user_id === meId;
      },
    };
  };

  const list = el("ul", { class: "members", attrs: { "aria-label": "Members" } });
  const renderMembers = keyedList<Member>(list, (member) => member.user_id, createMember);

  const textForm = (
    id: string,
    label: string,
    action: string,
    submit: (text: string) => Promise<boolean>,
  ) => {
    const input = el("input", { attrs: { id, autocomplete: "off", spellcheck: "false" } });
    const button = el("button", { class: "button-quiet", text: action, attrs: { type: "submit" } });
    const form = el("form", { class: "find", attrs: { novalidate: true } }, input, button);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      const isDone = await submit(input.value.trim());
      button.disabled = false;
      if (isDone) input.focus();
    });
    const field = el("div", { class: "field" }, el("label", { text: label, attrs: { for: id } }));
    field.append(form);
    return { field, input };
  };

  const naming = textForm("group-name", "Name", "Rename", async (text) => {
    if (isText(text, TITLE_MAX)) return show(await chat.rename(conversationId, text));
    setText(problem, `A name has 1–${TITLE_MAX} characters.`);
    return false;
  });
  const adding = textForm("add-member", "Add a member by username", "Add", async (text) => {
    if (text === "") return false;
    const found = await chat.findUser(text.toLowerCase());
    if (!found.ok) {
      setText(
        problem,
        found.error.code === "not_found" ? `Nobody is called ${text}.` : found.error.message,
      );
      return false;
    }
    const isAdded = show(await chat.addMember(conversationId, found.value.id));
    if (isAdded) adding.input.value = "";
    return isAdded;
  });

  const leave = el("button", {
    class: "button-quiet",
    text: "Leave group",
    attrs: { type: "button" },
  });
  leave.addEventListener("click", () =>
    askToConfirm("Leave this group?", "Leave", async () => {
      show(await chat.removeMember(conversationId, meId));
    }),
  );

  const others = el("p", { class: "hint" });
  let isLoading = false;
  const load = async (): Promise<void> => {
    isLoading = true;
    isLoading = !show(await chat.loadMembers(conversationId));
  };

  const render = (state: State): void => {
    const talk = state.talks.get(conversationId);
    if (!talk) {
      node.close();
      return;
    }
    if (talk.conversation.members_partial && !isLoading) void load();
    const members = talk.conversation.members.slice(0, MEMBERS_SHOWN_MAX);
    const hidden = talk.memberCount - members.length;
    others.hidden = hidden === 0;
    setText(others, `and ${hidden} others`);
    chat.people.need(members.map((member) => member.user_id));
    renderMembers(members);
  };

  const head = el("header", {}, el("h2", { text: "Group", attrs: { id: "group-dialog" } }));
  head.append(iconButton("close", "Close", () => node.close()));
  naming.input.value = chat.store.get().talks.get(conversationId)?.conversation.title ?? "";
  node.append(
    el(
      "div",
      { class: "dialog-body" },
      head,
      naming.field,
      list,
      others,
      adding.field,
      problem,
      leave,
    ),
  );
  const unsubscribe = chat.store.subscribe(render);
  node.addEventListener("close", unsubscribe);
  render(chat.store.get());
  showDialog(node);
}
