/**
 * The elements of one row of the message list: a bubble, a day, or the line of the unread.
 */
import { createAvatar } from "./avatar.ts";
import type { Chat } from "./chat.ts";
import { el, iconButton, type KeyedEntry, setAttr, setText } from "./dom.ts";
import { type IconName, icon, setIcon } from "./icons.ts";
import { setRichText } from "./rich-text.ts";
import { nameOf, openTalkOf, type Tick } from "./selection.ts";
import type { MessageRow, Row } from "./timeline.ts";
import { dayName, fullTime, timeOfDay } from "./wording.ts";

const TICK_ICON: Record<Tick, IconName> = {
  sending: "circle",
  failed: "alert",
  sent: "check",
  delivered: "checks",
  read: "checks",
};

const TICK_TEXT: Record<Tick, string> = {
  sending: "Sending",
  failed: "Not sent",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
};

export interface RowActions {
  chat: Chat;
  openMenu(row: MessageRow, button: HTMLElement): void;
}

function createBubble(first: MessageRow, actions: RowActions): KeyedEntry<Row> {
  let row = first;
  let shownBody: string | null = null;
  const avatar = createAvatar(false);
  const sender = el("span", { class: "sender" });
  const quoteName = el("span", { class: "quote-name" });
  const quoteBody = el("span", { class: "quote-body" });
  const quote = el("div", { class: "quote" }, quoteName, quoteBody);
  const body = el("span", { class: "body" });
  const edited = el("span", { class: "edited", text: "edited" });
  const time = el("time");
  const tickIcon = icon("circle");
  const tickText = el("span", { class: "visually-hidden" });
  const tick = el("span", { class: "tick" }, tickIcon, tickText);
  const meta = el("span", { class: "meta" }, edited, time, tick);
  const menu = iconButton("more", "Message options", () => actions.openMenu(row, menu));
  setAttr(menu, "aria-haspopup", "menu");
  menu.classList.add("menu-button");
  const bubble = el("div", { class: "bubble" }, sender, quote, body, meta);
  const problem = el("span", { attrs: { role: "alert" } });
  const retry = el("button", {
    class: "button-link",
    text: "Try again",
    attrs: { type: "button" },
  });
  retry.addEventListener("click", () => actions.chat.retry(row.clientId));
  const discard = el("button", {
    class: "button-link",
    text: "Discard",
    attrs: { type: "button" },
  });
  discard.addEventListener("click", () => actions.chat.discard(row.clientId));
  const stop = el("button", { class: "button-link", text: "Stop", attrs: { type: "button" } });
  stop.addEventListener("click", () => {
    const id = actions.chat.store.get().openId;
    if (id !== null && row.seq !== null) void actions.chat.stopStream(id, row.seq);
  });
  const writing = el("div", { class: "writing" }, el("span", { text: "Still writing …" }), stop);
  const failure = el("div", { class: "failure" }, problem, retry, discard);
  const line = el("div", { class: "bubble-line" }, avatar.node, bubble, menu);
  const node = el("li", { class: "message" }, line, writing, failure);

  return {
    node,
    update(next) {
      if (next.kind !== "message") return;
      row = next;
      const state = actions.chat.store.get();
      const talk = openTalkOf(state);
      const isNamed = !row.isOwn && talk?.conversation.kind === "group";
      const name = nameOf(state, row.senderId);
      setAttr(node, "data-own", row.isOwn);
      setAttr(node, "data-first", row.isFirst);
      setAttr(node, "data-last", row.isLast);
      setAttr(node, "data-deleted", row.isDeleted);
      setAttr(node, "data-tick", row.tick);
      avatar.node.hidden = !isNamed;
      avatar.update(row.senderId, name, null);
      // Screen readers hear the sender of each message; sighted people see it once a group.
      setText(sender, row.isOwn ? "You" : name);
      sender.classList.toggle("visually-hidden", !isNamed || !row.isFirst);
      quote.hidden = row.quote === null;
      if (row.quote) {
        const { senderId } = row.quote;
        setText(
          quoteName,
          senderId === state.me.id ? "You" : senderId ? nameOf(state, senderId) : "",
        );
        setText(quoteBody, row.quote.body);
      }
      const words = row.isDeleted ? "Message deleted" : row.body;
      if (words !== shownBody) {
        shownBody = words;
        setRichText(body, words);
      }
      edited.hidden = !row.isEdited || row.isDeleted;
      setText(time, timeOfDay(row.atMs));
      setAttr(time, "title", fullTime(row.atMs));
      setAttr(time, "datetime", new Date(row.atMs).toISOString());
      tick.hidden = row.tick === null;
      if (row.tick) {
        setIcon(tickIcon, TICK_ICON[row.tick]);
        setText(tickText, TICK_TEXT[row.tick]);
        setAttr(tick, "title", TICK_TEXT[row.tick]);
      }
      menu.hidden = row.seq === null || row.isDeleted;
      setAttr(node, "data-streaming", row.isStreaming);
      writing.hidden = !row.isStreaming;
      stop.hidden = !row.mayStop;
      failure.hidden = row.problem === null;
      setText(problem, row.problem === null ? "" : `Not sent. ${row.problem}`);
    },
  };
}

export function createRow(first: Row, actions: RowActions): KeyedEntry<Row> {
  if (first.kind === "message") return createBubble(first, actions);
  const label = el("span");
  const classes = { day: "day", unread: "unread-line", system: "system-line" };
  const node = el("li", { class: classes[first.kind] }, label);
  return {
    node,
    update(next) {
      if (next.kind === "day") setText(label, dayName(next.atMs, Date.now()));
      if (next.kind === "unread") setText(label, "New messages");
      if (next.kind === "system") setText(label, next.words);
    },
  };
}
