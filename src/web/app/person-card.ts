/**
 * The small card of one person: who they are and how, following and blocking them, and the way
 * to a conversation with them. Follows the state while it is open.
 */
import type { Result } from "../../protocol/errors.ts";
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { askToConfirm, showDialog } from "./dialog.ts";
import { el, iconButton, setAttr, setText } from "./dom.ts";
import { talkAddress } from "./route.ts";
import { nameOf } from "./selection.ts";
import { presenceText } from "./wording.ts";

export function openPerson(chat: Chat, userId: string): void {
  const { social, store } = chat;
  const isMe = userId === store.get().me.id;
  let isBusy = false;

  const node = el("dialog", { class: "dialog", attrs: { "aria-labelledby": "person-name" } });
  const avatar = createAvatar(false);
  const name = el("h2", { attrs: { id: "person-name" } });
  const username = el("p", { class: "person-username" });
  const presence = el("p", { class: "person-presence" });
  const problem = el("p", { class: "field-problem", attrs: { role: "alert" } });
  const button = (style: string, work: () => void): HTMLButtonElement =>
    el("button", { class: style, attrs: { type: "button" }, on: { click: work } });

  const doing = async (work: () => Promise<Result<unknown>>): Promise<boolean> => {
    if (isBusy) return false;
    isBusy = true;
    setText(problem, "");
    const answer = await work();
    isBusy = false;
    if (!answer.ok) setText(problem, answer.error.message);
    return answer.ok;
  };

  const isFollowed = (): boolean => social.relations.get().following.has(userId);
  const isBlocked = (): boolean => social.relations.get().blocked.has(userId);
  const follow = button("button-primary", () => {
    void doing(() => social.follow(userId, !isFollowed()));
  });
  const message = button("button-quiet", async () => {
    await doing(async () => {
      const answer = await chat.create([userId], null);
      if (answer.ok) {
        node.close();
        location.hash = talkAddress(answer.value.id);
      }
      return answer;
    });
  });
  setText(message, "Message");
  const block = button("button-quiet person-block", () => {
    if (isBlocked()) {
      void doing(() => social.block(userId, false));
      return;
    }
    const question = `Block ${nameOf(store.get(), userId)}? You will not see each other's posts.`;
    askToConfirm(question, "Block", () => void doing(() => social.block(userId, true)));
  });

  const render = (): void => {
    const state = store.get();
    const user = state.users.get(userId);
    const status = state.statuses.get(userId);
    chat.people.need([userId]);
    avatar.update(userId, nameOf(state, userId), isMe ? null : (status?.status ?? null));
    setText(name, nameOf(state, userId));
    setText(username, user?.username ? `@${user.username}` : "");
    setText(presence, isMe ? "This is you" : presenceText(status, Date.now()));
    setText(follow, isFollowed() ? "Following" : "Follow");
    setAttr(follow, "title", isFollowed() ? "Follow no longer" : null);
    follow.classList.toggle("is-on", isFollowed());
    setText(block, isBlocked() ? "Unblock" : "Block");
    follow.hidden = isMe || isBlocked();
    message.hidden = isMe || isBlocked();
    block.hidden = isMe;
  };

  const head = el(
    "header",
    {},
    el("span"),
    iconButton("close", "Close", () => node.close()),
  );
  const buttons = el("div", { class: "person-buttons" }, follow, message, block);
  const body = el("div", { class: "dialog-body person" });
  body.append(head, avatar.node, name, username, presence, buttons, problem);
  node.append(body);
  const endLook = isMe ? () => undefined : chat.lookAt(userId);
  const unsubscribes = [endLook, store.subscribe(render), social.relations.subscribe(render)];
  node.addEventListener("close", () => {
    for (const unsubscribe of unsubscribes) unsubscribe();
  });
  render();
  showDialog(node);
}
