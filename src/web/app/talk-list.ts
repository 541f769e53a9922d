/**
 * The list of conversations, newest activity first: last words, unread count, presence.
 */

import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { el, type KeyedEntry, keyedList, setAttr, setText } from "./dom.ts";
import { nameOf, peerIdOf, presenceOf, titleOf } from "./selection.ts";
import type { State, Talk } from "./state.ts";
import { isSystem, systemWords } from "./system-words.ts";
import { counted, shortTime, typingText } from "./wording.ts";

function lastWords(state: State, talk: Talk): { text: string; atMs: number | null } {
  const waiting = talk.outgoing.at(-1);
  if (waiting) return { text: `You: ${waiting.body}`, atMs: waiting.createdAtMs };
  const last = talk.lastMessage;
  if (!last) return { text: "No messages yet", atMs: Date.parse(talk.conversation.created_at) };
  if (isSystem(last)) {
    return { text: systemWords(state, last), atMs: Date.parse(last.created_at) };
  }
  const words = last.deleted_at === null ? last.body : "Message deleted";
  const isGroup = talk.conversation.kind === "group";
  const sender =
    last.sender_id === state.me.id ? "You" : isGroup ? nameOf(state, last.sender_id ?? "") : "";
  return { text: sender ? `${sender}: ${words}` : words, atMs: Date.parse(last.created_at) };
}

function createRow(chat: Chat, talk: Talk): KeyedEntry<Talk> {
  const avatar = createAvatar(talk.conversation.kind === "group");
  const title = el("span", { class: "row-title" });
  const words = el("span", { class: "row-words" });
  const time = el("time", { class: "row-time" });
  const presence = el("span", { class: "visually-hidden" });
  const unread = el("span", { class: "badge", attrs: { "aria-hidden": "true" } });
  const news = el("span", { class: "visually-hidden" });
  const link = el("a", { class: "row", attrs: { href: `#/c/${talk.conversation.id}` } });
  const top = el("span", { class: "row-line" }, title, presence, time);
  const bottom = el("span", { class: "row-line" }, words, unread, news);
  link.append(avatar.node, top, bottom);
  return {
    node: el("li", {}, link),
    update(next) {
      const state = chat.store.get();
      const peerId = peerIdOf(state, next);
      const status = peerId === null ? null : presenceOf(state, peerId);
      const last = lastWords(state, next);
      const count = next.unread;
      const typing = next.typing.map((userId) => nameOf(state, userId));
      avatar.update(peerId ?? next.conversation.id, titleOf(state, next), status);
      setText(title, titleOf(state, next));
      // Read as "Birch online": a comma would stand after a space there.
      setText(presence, status ?? "");
      setText(words, typing.length > 0 ? typingText(typing) : last.text);
      setAttr(words, "data-typing", typing.length > 0);
      setText(time, last.atMs === null ? "" : shortTime(last.atMs, Date.now()));
      setText(unread, count > 99 ? "99+" : String(count));
      setText(news, count === 0 ? "" : counted(count, "unread message"));
      unread.hidden = count === 0;
      setAttr(link, "data-unread", count > 0);
      setAttr(link, "aria-current", state.openId === next.conversation.id ? "page" : null);
    },
  };
}

export interface TalkList {
  node: HTMLElement;
  update(state: State): void;
}

export function createTalkList(chat: Chat, onCompose: () => void): TalkList {
  const list = el("ul", { class: "talk-list", attrs: { "aria-label": "Conversations" } });
  const empty = el("div", { class: "empty" });
  const start = el("button", { class: "button-primary", text: "Start a conversation" });
  start.type = "button";
  start.addEventListener("click", onCompose);
  empty.append(
    el("p", { class: "empty-title", text: "No conversations yet" }),
    el("p", { text: "Find someone by their username and say hello." }),
    start,
  );
  empty.hidden = true;
  const render = keyedList<Talk>(
    list,
    (talk) => talk.conversation.id,
    (talk) => createRow(chat, talk),
  );
  return {
    node: el("div", { class: "talk-list-scroll" }, list, empty),
    update(state) {
      const talks = [...state.talks.values()];
      render(talks);
      empty.hidden = talks.length > 0 || !state.isListed;
      chat.people.need(
        talks.flatMap((talk) => {
          const peerId = peerIdOf(state, talk);
          const sender = talk.lastMessage?.sender_id ?? [];
          const shown = talk.conversation.members.slice(0, 4).map((member) => member.user_id);
          return peerId === null ? shown.concat(sender, talk.typing) : [peerId];
        }),
      );
    },
  };
}
