/**
 * The scrolling list of the open talk's messages. Stays at its end while the reader is there,
 * keeps the reader's place when older messages come in above, fetches those on scroll-up, and
 * offers a way down when new ones arrive out of sight.
 */
import type { Chat } from "./chat.ts";
import { el, keyedList, setText } from "./dom.ts";
import { icon } from "./icons.ts";
import { createRow, type RowActions } from "./message-row.ts";
import { nameOf, openTalkOf } from "./selection.ts";
import type { State } from "./state.ts";
import { isSystem, systemWords } from "./system-words.ts";
import { type Row, timelineOf } from "./timeline.ts";

/** This near to the end counts as at the end. */
const END_SLACK_PX = 48;
const UNREAD_MARGIN_PX = 8;
/** Older messages are fetched this far ahead of the top. */
const OLDER_AHEAD_PX = 400;

export interface MessageList {
  node: HTMLElement;
  update(state: State): void;
  scrollToEnd(): void;
  stop(): void;
}

export function createMessageList(
  chat: Chat,
  actions: RowActions,
  announce: (text: string) => void,
): MessageList {
  const list = el("ol", { class: "messages", attrs: { "aria-label": "Messages" } });
  const older = el("p", { class: "older", attrs: { role: "status" } });
  const empty = el("p", { class: "talk-empty", text: "No messages yet. Say hello!" });
  const scroller = el("div", { class: "scroller", attrs: { tabindex: "0" } }, older, list, empty);
  const downCount = el("span");
  const down = el("button", { class: "down", attrs: { type: "button" } }, icon("down"), downCount);
  down.hidden = true;
  const render = keyedList<Row>(
    list,
    (row) => row.key,
    (row) => createRow(row, actions),
  );
  let shownId: string | null = null;
  /** The reader has been brought to where the unread messages of this talk begin. */
  let isPlaced = false;
  let announcedSeq = 0;
  let firstKey: string | null = null;
  let isAtEnd = true;
  let isLoadingOlder = false;

  const scrollToEnd = (): void => {
    scroller.scrollTop = scroller.scrollHeight;
  };

  /** More unread than fit: start reading at the first of them. */
  const showUnreadLine = (): void => {
    const line = list.querySelector<HTMLElement>(".unread-line");
    if (!line) return;
    const abovePx = line.offsetTop - scroller.scrollTop;
    if (abovePx < 0) scroller.scrollTop += abovePx - UNREAD_MARGIN_PX;
  };

  const noteEnd = (next: boolean): void => {
    isAtEnd = next;
    chat.attention.setAtEnd(next);
  };

  const loadOlder = async (): Promise<void> => {
    const id = shownId;
    const talk = id === null ? undefined : chat.store.get().talks.get(id);
    if (id === null || isLoadingOlder || !talk?.isLoaded || !talk.hasOlder) return;
    isLoadingOlder = true;
    setText(older, "Loading earlier messages…");
    const isMore = await chat.loadOlder(id);
    setText(older, "");
    // After the messages are shown, a user who is still at the top gets the next page: no scroll
    // event would ask for it.
    requestAnimationFrame(() => {
      isLoadingOlder = false;
      if (isMore && scroller.scrollTop < OLDER_AHEAD_PX) void loadOlder();
    });
  };

  scroller.addEventListener("scroll", () => {
    const belowPx = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    noteEnd(belowPx < END_SLACK_PX);
    down.hidden = belowPx < scroller.clientHeight / 2 + END_SLACK_PX;
    if (scroller.scrollTop < OLDER_AHEAD_PX) void loadOlder();
  });
  down.addEventListener("click", scrollToEnd);

  // The keyboard of a phone, the composer growing, a rotation: the end stays in sight.
  const resizing = new ResizeObserver(() => {
    if (isAtEnd) scrollToEnd();
  });
  resizing.observe(scroller);

  const announceNews = (state: State): void => {
    const talk = shownId === null ? undefined : state.talks.get(shownId);
    const last = talk?.lastMessage;
    if (!last || last.seq <= announcedSeq) return;
    announcedSeq = last.seq;
    if (last.sender_id !== state.me.id && last.deleted_at === null) {
      const who = nameOf(state, last.sender_id ?? "");
      announce(isSystem(last) ? systemWords(state, last) : `${who}: ${last.body}`);
    }
  };

  return {
    node: el("div", { class: "message-area" }, scroller, down),
    update(state) {
      const talk = openTalkOf(state);
      if (!talk) {
        shownId = null;
        return;
      }
      const isSwitched = shownId !== talk.conversation.id;
      if (isSwitched) {
        shownId = talk.conversation.id;
        announcedSeq = talk.conversation.last_seq;
        render([]);
        noteEnd(true);
        isPlaced = false;
      }
      // One message now and a page of them in a moment would jump; offline it is all there is.
      const canLoad = state.link.kind !== "reconnecting" && state.link.kind !== "stopped";
      const rows = talk.isLoaded || !canLoad ? timelineOf(state, talk) : [];
      const fromEndPx = scroller.scrollHeight - scroller.scrollTop;
      const firstBefore = firstKey;
      // Not the day above it, which stays.
      firstKey = rows.find((row) => row.kind === "message")?.key ?? null;
      render(rows);
      empty.hidden = rows.length > 0 || !talk.isLoaded;
      if (isAtEnd) scrollToEnd();
      // Rows came in above: what the reader looked at stays where it was.
      else if (!isSwitched && firstKey !== firstBefore) {
        scroller.scrollTop = scroller.scrollHeight - fromEndPx;
      }
      if (!isPlaced && talk.isLoaded) {
        isPlaced = true;
        showUnreadLine();
      }
      const { unread } = talk;
      setText(downCount, unread > 0 ? String(unread) : "");
      down.setAttribute("aria-label", unread > 0 ? `${unread} new messages` : "Newest messages");
      if (!isSwitched) announceNews(state);
      chat.people.need(rows.flatMap((row) => (row.kind === "message" ? row.senderId : [])));
      if (talk.isLoaded && scroller.scrollTop < OLDER_AHEAD_PX) queueMicrotask(loadOlder);
    },
    scrollToEnd,
    stop: () => resizing.disconnect(),
  };
}
