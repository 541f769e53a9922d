import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NotificationFeeds } from "../../src/edge/socket/notification-feeds.ts";
import type { Packet } from "../../src/edge/socket/packet.ts";
import type { Session } from "../../src/edge/socket/session.ts";
import type { Log } from "../../src/log.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import type { Notification } from "../../src/protocol/social.ts";
import { FRAME, frame } from "../../src/runtime/frames.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const ANN = "1" as UserId;

let clock: FakeClock;
let stored: number[];
let isStorageAway: boolean;
let told: number[];
let feeds: NotificationFeeds;

beforeEach(() => {
  clock = new FakeClock();
  stored = [];
  told = [];
  isStorageAway = false;
  const session = {
    send: (packet: Packet) => told.push(seqIn(packet)),
  } as unknown as Session;
  feeds = new NotificationFeeds({
    clock,
    log: { warn: () => undefined } as unknown as Log,
    queries: {
      async notificationsAfter(_user, seq, limit) {
        if (isStorageAway) throw new Error("away");
        const after = stored.filter((it) => it > seq).slice(0, limit);
        return after.map((it) => ({ seq: it }) as Notification);
      },
    },
    sessionsOf: () => [session],
  });
  feeds.begin(ANN);
});

afterEach(() => expect(clock.pending).toBe(0));

function seqIn(packet: Packet): number {
  return Number(/"seq":(\d+)/.exec(packet.text)?.[1]);
}

function hears(seq: number): void {
  const body = JSON.stringify({ seq });
  feeds.onEvent(ANN, frame(FRAME.event, { name: "notification", rev: seq, body }));
}

describe("notifications of a local user", () => {
  test("[NTF1] one after the other they are passed on; a repeat is not", () => {
    feeds.stands(ANN, 4);
    for (const seq of [5, 6, 6, 5]) hears(seq);
    expect(told).toEqual([5, 6]);
  });

  test("[NTF1] what was missed is read before what shows it", async () => {
    feeds.stands(ANN, 4);
    stored = [5, 6, 7, 8];
    hears(7);
    hears(8);
    await settled();
    expect(told).toEqual([5, 6, 7, 8]);
  });

  test("[NTF1] a gap without an event after it: the reading shows it", async () => {
    feeds.stands(ANN, 4);
    stored = [5];
    feeds.stands(ANN, 5);
    feeds.stands(ANN, 5);
    await settled();
    expect(told).toEqual([5]);
  });

  test("[NTF2] a seq that has been replaced is not waited for", async () => {
    feeds.stands(ANN, 4);
    stored = [9];
    hears(9);
    await settled();
    hears(10);
    expect(told).toEqual([9, 10]);
  });

  test("[NTF1] many at once come page by page, and storage that is away is asked again", async () => {
    feeds.stands(ANN, 0);
    stored = Array.from({ length: 450 }, (_, n) => n + 1);
    isStorageAway = true;
    hears(450);
    await settled();
    isStorageAway = false;
    await clock.advance(500);
    expect(told).toEqual(stored);
  });

  test("[NTF1] what comes before the first session is read counts from there", () => {
    hears(3);
    feeds.stands(ANN, 3);
    hears(4);
    expect(told).toEqual([3, 4]);
  });
});
