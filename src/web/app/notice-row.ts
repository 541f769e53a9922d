/** The elements of one notification, and where it leads. */
import type { Notification } from "../../protocol/social.ts";
import { createAvatar } from "./avatar.ts";
import { el, type KeyedEntry, setAttr, setText } from "./dom.ts";
import { type IconName, icon, setIcon } from "./icons.ts";
import { postAddress, talkAddress } from "./route.ts";
import { nameOf } from "./selection.ts";
import type { State } from "./state.ts";
import { fullTime, shortTime } from "./wording.ts";

const ICONS: Readonly<Record<string, IconName>> = {
  like: "heart",
  comment: "comment",
  follow: "person",
  mention: "at",
};

export interface NoticeRow {
  notice: Notification;
  /** Unread when the list was opened, or since. */
  isFresh: boolean;
}

/** Where it happened; null where there is nothing to open but whoever did it. */
export function placeOf({ post_id, data }: Notification): string | null {
  if (post_id !== null) return postAddress(post_id);
  // A mention in a conversation says which.
  const id = typeof data === "object" && data !== null && "conversation_id" in data;
  return id && typeof data.conversation_id === "string" ? talkAddress(data.conversation_id) : null;
}

export function createNoticeRow(
  state: () => State,
  choose: (notice: Notification) => void,
): KeyedEntry<NoticeRow> {
  let shown: Notification | null = null;
  const avatar = createAvatar(false);
  const sign = icon("bell");
  const picture = el("span", { class: "notice-picture" }, avatar.node);
  picture.append(el("span", { class: "notice-sign" }, sign));
  const text = el("span", { class: "notice-text" });
  const time = el("time", { class: "notice-time" });
  const fresh = el("span", { class: "visually-hidden", text: "New" });
  const words = el("span", { class: "notice-words" }, fresh, text, time);
  const button = el("button", { class: "notice", attrs: { type: "button" } }, picture, words);
  button.addEventListener("click", () => {
    if (shown) choose(shown);
  });
  return {
    node: el("li", {}, button),
    update({ notice, isFresh }) {
      shown = notice;
      const { actor_id, type, message, created_at } = notice;
      const atMs = Date.parse(created_at);
      avatar.node.hidden = actor_id === null;
      if (actor_id !== null) avatar.update(actor_id, nameOf(state(), actor_id), null);
      setIcon(sign, ICONS[type] ?? "bell");
      setAttr(picture, "data-type", type in ICONS ? type : "other");
      setText(text, message);
      setText(time, shortTime(atMs, Date.now()));
      setAttr(time, "datetime", created_at);
      setAttr(time, "title", fullTime(atMs));
      setAttr(button, "data-fresh", isFresh);
      fresh.hidden = !isFresh;
    },
  };
}
