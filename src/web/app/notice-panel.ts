/**
 * The list behind the bell, newest first: beside the rail on a desktop, over the page on a
 * phone. Those that were unread when it was opened stay marked until it is closed.
 */
import type { Notification } from "../../protocol/social.ts";
import type { Chat } from "./chat.ts";
import { el, iconButton, keyedList, setText } from "./dom.ts";
import { oncePerFrame } from "./frame.ts";
import { createNoticeRow, type NoticeRow, placeOf } from "./notice-row.ts";

const OLDER_AHEAD_PX = 400;

export interface NoticePanel {
  node: HTMLElement;
  isOpen(): boolean;
  /** Opens it; the focus goes into the list. */
  open(): void;
  close(givesFocusBack: boolean): void;
  refresh(): void;
  stop(): void;
}

export function createNoticePanel(
  chat: Chat,
  bell: HTMLElement,
  openPerson: (userId: string) => void,
): NoticePanel {
  const { inbox } = chat.social;
  const fresh = new Set<string>();

  const list = el("ol", { class: "notices", attrs: { "aria-labelledby": "notices-title" } });
  const status = el("p", { class: "feed-status", attrs: { role: "status" } });
  const problem = el("p", { class: "inline-problem", attrs: { role: "alert" } });
  const retry = el("button", {
    class: "button-link",
    text: "Try again",
    attrs: { type: "button" },
  });
  retry.addEventListener("click", () => void inbox.refresh());
  const failure = el("div", { class: "feed-failure", attrs: { hidden: true } }, problem, retry);
  const empty = el("div", { class: "empty", attrs: { hidden: true } });
  empty.append(
    el("p", { class: "empty-title", text: "Nothing yet" }),
    el("p", { text: "Likes, comments, mentions and new followers show here." }),
  );
  const scroller = el("div", { class: "notices-scroller" }, list, empty, status, failure);
  const title = el("h2", { text: "Notifications", attrs: { id: "notices-title", tabindex: "-1" } });
  const header = el("header", { class: "pane-header" }, title);
  header.append(iconButton("close", "Close notifications", () => close(true)));
  const node = el("section", {
    class: "notice-panel",
    attrs: { id: "notices", "aria-labelledby": "notices-title", hidden: true },
  });
  node.append(header, scroller);

  const choose = (notice: Notification): void => {
    const place = placeOf(notice);
    if (place !== null) {
      close(false);
      location.hash = place;
    } else if (notice.actor_id !== null) {
      close(false);
      openPerson(notice.actor_id);
    }
  };
  const renderRows = keyedList<NoticeRow>(
    list,
    ({ notice }) => notice.id,
    () => createNoticeRow(chat.store.get, choose),
  );

  const loadOlder = (): void => {
    const belowPx = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    const { nextCursor, problem: why } = inbox.store.get();
    if (nextCursor !== null && why === null && belowPx < OLDER_AHEAD_PX) void inbox.loadOlder();
  };

  const render = (): void => {
    if (node.hidden) return;
    const { items, problem: why, nextCursor, isLoaded } = inbox.store.get();
    for (const notice of items) if (notice.read_at === null) fresh.add(notice.id);
    chat.people.need(items.flatMap((notice) => notice.actor_id ?? []));
    renderRows(items.map((notice) => ({ notice, isFresh: fresh.has(notice.id) })));
    empty.hidden = items.length > 0 || !isLoaded;
    setText(status, why === null && (!isLoaded || nextCursor !== null) ? "Loading…" : "");
    failure.hidden = why === null;
    setText(problem, why ?? "");
    loadOlder();
  };
  // Not by frames: what is marked read in the same turn must have been seen as unread.
  const unsubscribe = inbox.store.subscribe(render);
  const frame = oncePerFrame(render);
  scroller.addEventListener("scroll", loadOlder);

  const onOutside = (event: Event): void => {
    const at = event.target;
    if (!(at instanceof Node) || node.contains(at) || bell.contains(at)) return;
    close(false);
  };

  function close(givesFocusBack: boolean): void {
    if (node.hidden) return;
    node.hidden = true;
    fresh.clear();
    bell.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", onOutside, true);
    inbox.setOpen(false);
    if (givesFocusBack) bell.focus();
  }

  return {
    node,
    isOpen: () => !node.hidden,
    open() {
      if (!node.hidden) return;
      node.hidden = false;
      bell.setAttribute("aria-expanded", "true");
      document.addEventListener("pointerdown", onOutside, true);
      render();
      scroller.scrollTop = 0;
      inbox.setOpen(true);
      title.focus({ preventScroll: true });
    },
    close,
    refresh: frame.ask,
    stop() {
      close(false);
      unsubscribe();
      frame.cancel();
    },
  };
}
