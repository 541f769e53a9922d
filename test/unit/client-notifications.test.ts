/** The SDK's notifications: one list and one count out of events and pages. */
import { describe, expect, it } from "vitest";
import {
  type NotificationState,
  takeNewest,
  takeNotification,
  takeOlder,
  takeRead,
} from "../../src/client/notifications.ts";
import type { Notification } from "../../src/protocol/social.ts";

const EMPTY: NotificationState = { items: [], unread: 0, isLoaded: false, nextCursor: null };
const AT = "2026-01-01T00:00:00.000Z";

function one(id: number, seq: number, read_at: string | null = null): Notification {
  const of = { actor_id: null, post_id: null, comment_id: null, data: null, created_at: AT };
  return { id: `${id}`, seq, type: "like", message: "", count: 1, read_at, ...of };
}
const page = (items: Notification[], unread_count: number, next_cursor: string | null = null) => ({
  items,
  unread_count,
  next_cursor,
});
const seqs = ({ items }: NotificationState) => items.map(({ seq }) => seq);

describe("notifications", () => {
  it("[CNF62] one that grew moves up and counts once", () => {
    const first = takeNotification(EMPTY, one(1, 1));
    const grown = takeNotification(first, { ...one(1, 2), count: 2 });
    expect(grown).toMatchObject({ unread: 1, items: [{ seq: 2, count: 2 }] });
    expect(takeNotification(grown, one(1, 1))).toBe(grown);
    const read = takeRead(grown, 2, AT, 0);
    expect(takeNotification(read, { ...one(1, 3), count: 3 }).unread).toBe(1);
  });

  it("[CNF62] the newest page is exact, and what came live since is added to it", () => {
    const live = takeNotification(EMPTY, one(5, 5));
    const loaded = takeNewest(live, page([one(4, 4), one(3, 3, AT)], 7, "next"));
    expect(loaded).toMatchObject({ unread: 8, nextCursor: "next", isLoaded: true });
    expect(seqs(loaded)).toEqual([5, 4, 3]);
    const older = takeOlder(loaded, page([one(2, 2)], 8, null));
    expect(seqs(older)).toEqual([5, 4, 3, 2]);
    expect(takeNewest(older, page([one(6, 6), one(5, 5)], 9, "other"))).toMatchObject({
      unread: 9,
      nextCursor: null,
    });
  });

  it("[CNF62] a page that does not reach down to what is held takes its place", () => {
    const held = takeNewest(EMPTY, page([one(1, 1)], 1, null));
    const later = takeNewest(held, page([one(9, 9), one(8, 8)], 9, "next"));
    expect(seqs(later)).toEqual([9, 8]);
    expect(later.nextCursor).toBe("next");
  });

  it("[CNF62] a mark reads all up to it; what came meanwhile stays unread", () => {
    const held = [one(1, 1), one(2, 2), one(3, 3)].reduce(takeNotification, EMPTY);
    expect(takeRead(held, 2, AT, 0)).toMatchObject({
      unread: 1,
      items: [{ read_at: null }, { read_at: AT }, { read_at: AT }],
    });
  });
});
