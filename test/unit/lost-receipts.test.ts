/** Receipts that an edge missed, with real streams over the memory store. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { Streams } from "../../src/edge/live/conversation-streams.ts";
import { LostReceipts } from "../../src/edge/live/lost-receipts.ts";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { idIn } from "../../src/protocol/topics.ts";
import type { Frame } from "../../src/runtime/frames.ts";
import { settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";
import { SoloActors } from "../support/solo-actors.ts";
import { viewOf } from "../support/view-of.ts";

const SOLO = viewOf(1, ["w1"]);
const RETRIES_MS = 10_000;

let actors: SoloActors;
let interests: TopicSubscriptions;
let streams: Streams;
let receipts: LostReceipts;
let ends: FarEnd[];
let isStorageAway: boolean;
let ann: UserId;
let bob: UserId;
let room: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  ends = [];
  isStorageAway = false;
  const { clock, storage } = actors;
  interests = new TopicSubscriptions({
    clock,
    subscribe: () => Promise.resolve(),
    unsubscribe: () => undefined,
    onDropped: (topic) => streams.dropped(idIn("conversation", topic)!),
  });
  receipts = new LostReceipts({
    clock,
    queries: {
      movedCursors: async (ids, withinMs) => {
        if (isStorageAway) throw new Error("no route");
        return storage.queries.movedCursors(ids, withinMs);
      },
    },
    deliver: (id, user, receipt) => streams.get(id)?.cursorsMoved(user, receipt),
  });
  streams = new Streams({
    clock,
    log: createLogger({ level: "silent" }),
    queries: storage.queries,
    interests,
    liveMax: 500,
    links: (text) => text,
    onLeft: () => undefined,
    onLostReceipts: (ids, ageMs) => receipts.look(ids, ageMs),
    onNotLive: () => undefined,
    sessionsOf: (user) => ends.filter((far) => far.session.user === user).map((far) => far.session),
  });
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
  await says(ann, "a");
  await says(ann, "b");
});
afterEach(() => {
  streams.close();
  receipts.close();
  interests.close();
  actors.host.close();
});

const asks = (op: string, user: UserId, body: object) =>
  actors.asks(`conversation:${room}`, op, { user, session: "", ...body });
const says = (user: UserId, body: string) =>
  asks("send", user, { client_id: body, body, reply_to_seq: null });
const reads = (user: UserId, seq: number) => asks("mark", user, { seq, read: true });
const doubts = async (ageMs: number) => {
  streams.onDoubt({ topics: null, ageMs });
  await settled();
};
async function comes(user: UserId): Promise<FarEnd> {
  const far = new FarEnd({ user }).begins();
  ends.push(far);
  await streams.attach(far.session, new Map([[room, 3]]));
  await settled();
  return far;
}
const heard = (far: FarEnd) => far.events("receipt");

test("[LRC1] after a gap everybody receives how far somebody has read meanwhile, once", async () => {
  const [reader, other] = [await comes(bob), await comes(ann)];
  await actors.clock.advance(60_000);
  await reads(bob, 2);
  await actors.clock.advance(20_000);
  await doubts(20_000);
  const cursors = { conversation_id: room, user_id: bob, delivered_seq: 2, read_seq: 2 };
  expect(heard(other)).toEqual([cursors]);
  expect(heard(reader)).toEqual([{ ...cursors, unread_count: 0 }]);
  await doubts(20_000);
  expect(heard(other)).toHaveLength(1);
});

test("[LRC1] not what was received, nor what a send has moved, nor what is older", async () => {
  const other = await comes(ann);
  await reads(bob, 1);
  await actors.clock.advance(60_000);
  await doubts(1_000);
  expect(heard(other)).toEqual([]);
  await reads(bob, 2);
  const event = actors.events.at(-1) as Frame;
  expect(event.name).toBe("receipt");
  streams.onEvent(room, event, SOLO);
  await doubts(1_000);
  expect(heard(other)).toHaveLength(1);
  await says(bob, "c");
  await doubts(1_000);
  expect(heard(other)).toHaveLength(1);
});

test("[LRC1] who hides how far they have read tells their own sessions alone", async () => {
  await actors.storage.ports.users.setPrivacy(bob, { receipts: false });
  const [reader, other] = [await comes(bob), await comes(ann)];
  await reads(bob, 2);
  await doubts(0);
  expect(heard(other)).toEqual([]);
  expect(heard(reader)).toMatchObject([{ user_id: bob, read_seq: 2, unread_count: 0 }]);
});

test("[LRC1] while storage is away it is tried again, for as long a time as then passed", async () => {
  const other = await comes(ann);
  await reads(bob, 2);
  isStorageAway = true;
  await doubts(0);
  await actors.clock.advance(RETRIES_MS);
  expect(heard(other)).toEqual([]);
  isStorageAway = false;
  await actors.clock.advance(RETRIES_MS);
  expect(heard(other)).toMatchObject([{ user_id: bob, read_seq: 2 }]);
});
