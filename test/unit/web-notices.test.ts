/** The page's notifications, addresses and words: counted once, never back. */
import { describe, expect, it } from "vitest";
import type { Notification } from "../../src/protocol/social.ts";
import {
  NO_NOTICES,
  type NoticePage,
  type NoticeState,
  withFirstPage,
  withNotice,
  withOlderNotices,
  withReadUpTo,
  withSyncedNotices,
  withUnreadCount,
} from "../../src/web/app/notice-state.ts";
import { routeOf } from "../../src/web/app/route.ts";
import { shortCount, splitText, typedText } from "../../src/web/app/wording.ts";

const AT = "2026-05-04T10:00:00.000Z";

function notice(seq: number, changes: Partial<Notification> = {}): Notification {
  return {
    id: `1${seq}`,
    seq,
    type: "like",
    message: "Grace liked your post",
    actor_id: "2",
    post_id: "5",
    comment_id: null,
    count: 1,
    data: null,
    created_at: AT,
    read_at: null,
    ...changes,
  };
}

const page = (items: Notification[], unread: number, next: string | null = null): NoticePage => ({
  items,
  unread_count: unread,
  next_cursor: next,
});
const seqs = (state: NoticeState) => state.items.map((item) => item.seq);
const held = withFirstPage(NO_NOTICES, page([notice(3), notice(2), notice(1, { read_at: AT })], 2));

describe("notifications", () => {
  it("[WNO1] a new one counts, one that grew moves up and counts once", () => {
    const more = withNotice(held, notice(4));
    expect([more.unread, seqs(more)]).toEqual([3, [4, 3, 2, 1]]);
    const grown = withNotice(more, notice(5, { id: "14", count: 7 }));
    expect([grown.unread, seqs(grown)]).toEqual([3, [5, 3, 2, 1]]);
    expect(grown.items[0]?.count).toBe(7);
  });

  it("[WNO2] one that was read and grew is unread again", () => {
    const grown = withNotice(held, notice(4, { id: "11", count: 2 }));
    expect([grown.unread, seqs(grown)]).toEqual([3, [4, 3, 2]]);
  });

  it("[WNO3] an older version of what is held changes nothing", () => {
    const grown = withNotice(held, notice(4, { id: "13", count: 2 }));
    const late = withNotice(grown, notice(3));
    expect([late.unread, late.items[0]?.count]).toEqual([2, 2]);
  });

  it("[WNO4] the first page's count is exact, with what came live beyond it", () => {
    const raced = withFirstPage(withNotice(held, notice(4)), page([notice(3), notice(2)], 2));
    expect([raced.unread, raced.seq]).toEqual([3, 4]);
    const caught = withFirstPage(raced, page([notice(4), notice(3), notice(2)], 3));
    expect(caught.unread).toBe(3);
  });

  it("[WNO5] what sync brings is in the list, and the next page counts it", () => {
    const synced = withSyncedNotices(withUnreadCount(held, 4), [notice(4), notice(5)]);
    expect([seqs(synced), synced.seq, synced.unread]).toEqual([[5, 4, 3, 2, 1], 5, 4]);
    expect(withSyncedNotices(held, [])).toBe(held);
  });

  it("[WNO6] marking read leaves only what is newer unread, and a stale page does not undo it", () => {
    const read = withReadUpTo(withNotice(held, notice(4)), 3, AT);
    expect([read.unread, read.items.filter((item) => item.read_at === null)]).toEqual([
      1,
      [notice(4)],
    ]);
    const stale = withFirstPage(read, page([notice(3), notice(2)], 2));
    expect(stale.items.find((item) => item.seq === 3)?.read_at).toBe(AT);
  });

  it("[WNO7] older pages stand below, and the newest page asked for again leaves them", () => {
    const first = withFirstPage(NO_NOTICES, page([notice(9)], 1, "c9"));
    const older = withOlderNotices(first, page([notice(8), notice(7)], 1, null));
    expect([seqs(older), older.nextCursor]).toEqual([[9, 8, 7], null]);
    expect(withFirstPage(older, page([notice(9)], 1, "c9")).nextCursor).toBeNull();
  });
});

describe("addresses and words", () => {
  it("[WNO8] addresses name what is open, and nonsense is the list", () => {
    expect(routeOf("#/c/12")).toEqual({ view: "talks", talkId: "12" });
    expect(routeOf("#/p/7")).toEqual({ view: "post", postId: "7" });
    expect(routeOf("#/feed")).toEqual({ view: "feed" });
    for (const hash of ["", "#/", "#/p/0", "#/c/x", "#/p/1/2"]) {
      expect(routeOf(hash)).toEqual({ view: "talks", talkId: null });
    }
  });

  it("[WNO9] mentions are told from addresses and the dot behind them", () => {
    const mentions = (text: string) =>
      splitText(text).flatMap((part) => (part.isMention ? part.text : []));
    expect(mentions("@ada, and @linus.t.")).toEqual(["@ada", "@linus.t"]);
    expect(mentions("mail ada@example.org or https://x.example/@ada")).toEqual([]);
    expect(mentions("@ab is too short, (@grace) is not")).toEqual(["@grace"]);
    const text = "hi @ada\nsee https://a.example/ @grace";
    expect(
      splitText(text)
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
  });

  it("[WNO10] what is typed loses control characters and outer space only", () => {
    expect(typedText(" a\r\nb\u0007\tc \n")).toBe("a\nb\tc");
  });

  it("[WNO11] large counts stay short", () => {
    expect([0, 999].map(shortCount)).toEqual(["0", "999"]);
    expect(shortCount(12_345).length).toBeLessThan(6);
  });
});
