import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { Streams } from "../../src/edge/live/conversation-streams.ts";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { Queries } from "../../src/ports/edge.ts";
import type { JoinedOrder } from "../../src/protocol/actor-ops.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { idIn } from "../../src/protocol/topics.ts";
import { FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { Placement } from "../../src/runtime/view.ts";
import { deferred } from "../support/box-behaviour.ts";
import { settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";
import { SoloActors } from "../support/solo-actors.ts";
import { viewOf } from "../support/view-of.ts";

let actors: SoloActors;
let interests: TopicSubscriptions;
let streams: Streams;
let local: FarEnd[];
let frames: string[];
let ann: UserId;
let bob: UserId;
let room: ConversationId;
/** Held reads of storage, each waiting for the test. */
let held: ReturnType<typeof deferred<void>>[] | null;
let primary: () => Promise<void>;
let isStorageAway: boolean;

beforeEach(async () => {
  actors = new SoloActors();
  local = [];
  frames = [];
  held = null;
  isStorageAway = false;
  primary = () => Promise.resolve();
  interests = new TopicSubscriptions({
    clock: actors.clock,
    subscribe: (topics) => {
      frames.push(...topics.map((topic) => `+${topic}`));
      return primary();
    },
    unsubscribe: (topics) => frames.push(...topics.map((topic) => `-${topic}`)),
    onDropped: (topic) => streams.dropped(idIn("conversation", topic)!),
  });
  const read = async <T>(query: () => Promise<T>): Promise<T> => {
    const answer = query();
    if (held !== null) {
      const wait = deferred<void>();
      held.push(wait);
      await wait.promise;
    }
    if (isStorageAway) throw new Error("no route");
    return answer;
  };
  const { queries } = actors.storage;
  const slow: Pick<
    Queries,
    "revs" | "visibleFrom" | "changes" | "conversation" | "threadReaders" | "channelReaders"
  > = {
    revs: (ids) => read(() => queries.revs(ids)),
    visibleFrom: (id) => queries.visibleFrom(id),
    channelReaders: (...args) => queries.channelReaders(...args),
    threadReaders: (...args) => queries.threadReaders(...args),
    changes: (...args) => read(() => queries.changes(...args)),
    conversation: (...args) => read(() => queries.conversation(...args)),
  };
  streams = new Streams({
    clock: actors.clock,
    log: createLogger({ level: "silent" }),
    queries: slow,
    interests,
    liveMax: 500,
    links: (text) => text,
    onLeft: () => undefined,
    onLostReceipts: () => undefined,
    onNotLive: () => undefined,
    sessionsOf: (user) =>
      local.filter((far) => far.session.user === user).map((far) => far.session),
  });
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
});

afterEach(() => {
  streams.close();
  interests.close();
  actors.host.close();
});

function comes(user: UserId): FarEnd {
  const far = new FarEnd({ user }).begins();
  local.push(far);
  return far;
}

/** What a session reads of the conversation when it opens. */
function known(): Map<ConversationId, number> {
  return new Map([[room, actors.storage.tables.conversations.get(room)!.rev]]);
}

/** Sends `count` messages, which this edge hears of only by `hears`. */
async function says(count: number): Promise<Frame[]> {
  const from = actors.events.length;
  for (let n = 0; n < count; n++) {
    const body = { user: ann, session: "", client_id: `c${actors.events.length}`, body: "x" };
    await actors.asks(`conversation:${room}`, "send", { ...body, reply_to_seq: null });
  }
  return actors.events.slice(from);
}

/** Ann edits the first message, which this edge hears of only by `hears`. */
async function edits(): Promise<Frame> {
  const body = { user: ann, session: "", seq: 1, body: "y" };
  await actors.asks(`conversation:${room}`, "edit", body);
  return actors.events.at(-1)!;
}

const SOLO = viewOf(1, ["w1"]);
const onEvent = (event: Frame, placement: Placement) =>
  streams.onEvent(idIn("conversation", event.key)!, event, placement);
const hears = (events: Frame[]) => {
  for (const event of events) onEvent(event, SOLO);
};
const revs = (far: FarEnd) => far.events("message").map((one) => one["rev"]);

describe("opening", () => {
  test("[STS1] it subscribes, then reads, then takes what came meanwhile", async () => {
    held = [];
    const far = comes(bob);
    const attached = streams.attach(far.session, known());
    await settled();
    expect(frames).toEqual([`+conversations:${room}`]);
    const events = await says(2);
    hears(events);
    expect(far.texts).toEqual([]);
    for (const wait of held) wait.resolve();
    held = null;
    await attached;
    await settled();
    expect(revs(far)).toEqual([2, 3]);
  });

  test("[STS1] nothing is read before the primary has confirmed", async () => {
    const confirmed = deferred<void>();
    primary = () => confirmed.promise;
    held = [];
    void streams.attach(comes(bob).session, known());
    await settled();
    expect(held).toEqual([]);
    confirmed.resolve();
    await settled();
    expect(held).toHaveLength(1);
  });

  test("[STS1] storage away: it tries until it is back, and misses nothing", async () => {
    isStorageAway = true;
    const far = comes(bob);
    const attached = streams.attach(far.session, known());
    await actors.clock.advance(2_000);
    isStorageAway = false;
    await actors.clock.advance(1_000);
    await attached;
    hears(await says(1));
    expect(revs(far)).toEqual([2]);
  });

  test("[STS1] a primary that answered late keeps the topic for as long as it is wanted", async () => {
    primary = () => Promise.reject(new Error("no answer"));
    const far = comes(bob);
    const attached = streams.attach(far.session, known());
    await settled();
    primary = () => Promise.resolve();
    await actors.clock.advance(2_000);
    await attached;
    await actors.clock.advance(60_000);
    hears(await says(1));
    expect(revs(far)).toEqual([2]);
  });

  test("[STS1] after the last session it lingers, then the topic is dropped", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    streams.get(room)!.detach(far.session);
    await actors.clock.advance(30_000);
    expect(frames).toEqual([`+conversations:${room}`, `-conversations:${room}`]);
    expect(streams.get(room)).toBeUndefined();
  });
});

describe("entering", () => {
  test("[STS2] behind the stream: what is lacking is read first, then it is live", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(3));
    streams.enter(late.session, room, 2);
    await settled();
    expect(revs(late)).toEqual([3, 4]);
    hears(await says(1));
    expect(revs(late)).toEqual([3, 4, 5]);
  });

  test("[STS2] what comes while it reads comes after, once", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(2));
    held = [];
    streams.enter(late.session, room, 1);
    streams.enter(late.session, room, 1);
    hears(await says(2));
    while (held.length > 0) {
      held.shift()!.resolve();
      await settled();
    }
    expect(revs(late)).toEqual([2, 3, 4, 5]);
  });

  test("[STS2] what it lacked is told as it was, also when it has been replaced since", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(1));
    const edited = await edits();
    streams.enter(late.session, room, 1);
    await settled();
    expect(late.events("message")).toMatchObject([{ rev: 2, body: "x" }]);
    hears([edited]);
    expect(late.events("message_updated")).toMatchObject([{ rev: 3, body: "y" }]);
  });

  test("[STS2] all that it lacked was replaced and is forgotten: no endless reading", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(1));
    const edited = await edits();
    actors.storage.tables.pruneReplaced(-1);
    streams.enter(late.session, room, 1);
    await settled();
    expect(late.texts).toEqual([]);
    hears([edited]);
    expect(late.events("message_updated")).toMatchObject([{ rev: 3 }]);
  });

  test("[STS2] storage away while it reads: it hears what it lacks when storage is back", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(2));
    isStorageAway = true;
    const entered = streams.enter(late.session, room, 1);
    await actors.clock.advance(2_000);
    hears(await says(1));
    isStorageAway = false;
    await actors.clock.advance(1_000);
    await entered;
    expect(revs(late)).toEqual([2, 3, 4]);
  });

  test("[STS2] the stream it is to enter was let go meanwhile: it enters another", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(2));
    isStorageAway = true;
    const entered = streams.enter(late.session, room, 1);
    streams.get(room)!.detach(ready.session);
    await actors.clock.advance(60_000);
    expect(streams.get(room), "the stream lingers").toBeUndefined();
    isStorageAway = false;
    await actors.clock.advance(1_000);
    await entered;
    hears(await says(1));
    expect(revs(late)).toEqual([2, 3, 4]);
  });

  test("[STS2] ahead of the stream it hears nothing twice", async () => {
    const [ready, early] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    const events = await says(3);
    streams.enter(early.session, room, 3);
    hears(events);
    expect(revs(early)).toEqual([4]);
    expect(revs(ready)).toEqual([2, 3, 4]);
  });

  test("[STS2] while the stream opens, it enters where it belongs", async () => {
    held = [];
    const [first, second] = [comes(ann), comes(bob)];
    const attached = streams.attach(first.session, known());
    await settled();
    const events = await says(2);
    streams.enter(second.session, room, 2);
    const opening = held;
    held = null;
    for (const wait of opening) wait.resolve();
    await attached;
    hears(events);
    await settled();
    expect(revs(second)).toEqual([3]);
  });

  test("[ISO1] removed and taken in again while it reads: nothing of the time between", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    const acting = { user: ann, session: "" };
    await says(1);
    await actors.changes(`conversation:${room}`, "remove_member", { ...acting, user_id: bob });
    await says(1);
    await actors.changes(`conversation:${room}`, "add_members", { ...acting, user_ids: [bob] });
    hears(await says(1));
    await settled();
    streams.get(room)!.detach(late.session);
    late.texts.length = 0;
    streams.enter(late.session, room, 1);
    await settled();
    const all = late.texts.map(
      (text) => (JSON.parse(text.slice(1)) as [string, { rev: number }])[1].rev,
    );
    expect(all).toEqual([2, 3, 5, 6]);
    hears(await says(1));
    expect(revs(late).at(-1)).toBe(7);
  });

  test("[ISO1] removed while it reads: it hears that, and nothing after it", async () => {
    const [ready, late] = [comes(ann), comes(bob)];
    await streams.attach(ready.session, known());
    await settled();
    hears(await says(2));
    const acting = { user: ann, session: "" };
    await actors.changes(`conversation:${room}`, "remove_member", { ...acting, user_id: bob });
    streams.enter(late.session, room, 1);
    await settled();
    hears(actors.events.slice(-1));
    hears(await says(1));
    expect(late.heard.map((one) => one.split(" ")[0])).toEqual([
      "message",
      "message",
      "conversation_updated",
    ]);
  });
});

test("[STS6] a change of members that is read again carries the rev of that change", async () => {
  const far = comes(bob);
  await streams.attach(far.session, known());
  await settled();
  const acting = { user: ann, session: "" };
  await actors.changes(`conversation:${room}`, "update", { ...acting, title: "Another" });
  const missed = await says(2);
  hears(missed.slice(-1));
  await settled();
  expect(far.events("conversation_updated")).toMatchObject([{ rev: 2, title: "Another" }]);
  expect(revs(far)).toEqual([3, 4]);
});

describe("owners that move", () => {
  const typing = (from: string, viewNumber: number) =>
    frame(FRAME.event, {
      key: `conversations:${room}`,
      name: "typing",
      from,
      view: viewNumber,
      except: ann,
      body: `{"conversation_id":"${room}","user_id":"${ann}","is_typing":true}`,
    });

  test("[STS3] typing ends with the owner that knew of it, and the old one is not believed", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    onEvent(typing("w1", 1), SOLO);
    const moved = viewOf(2, ["w2"]);
    streams.onView(moved, SOLO);
    onEvent(typing("w1", 1), moved);
    expect(far.events("typing").map((one) => one["is_typing"])).toEqual([true, false]);
    await actors.clock.advance(5_000);
  });

  test("[STS4] what the dead owner committed and did not say is found, and looked for twice", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    await says(1);
    streams.onView(viewOf(2, ["w2"]), SOLO);
    await settled();
    expect(revs(far)).toEqual([2]);
    await says(1);
    await actors.clock.advance(2_000);
    expect(revs(far)).toEqual([2, 3]);
  });

  test("[STS4] also when it had lost the conversation to another worker just before it died", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    const moved = viewOf(2, ["w2"]);
    streams.onView(new Placement({ ...moved.view, draining: ["w1"] }), SOLO);
    await says(1);
    await settled();
    expect(revs(far)).toEqual([]);
    streams.onView(viewOf(3, ["w2"]), new Placement({ ...moved.view, draining: ["w1"] }));
    await settled();
    expect(revs(far)).toEqual([2]);
  });

  test("[STS4] also when the owner died while this host was cut off from it", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    const joined = viewOf(1, ["other"]);
    const alone = new Placement({ ...viewOf(2, ["w1"]).view, away: ["other"] });
    streams.onView(alone, joined);
    await says(1);
    await settled();
    expect(revs(far)).toEqual([]);
    streams.onView(viewOf(3, ["w1", "new"]), alone);
    await settled();
    expect(revs(far)).toEqual([2]);
    await says(1);
    await actors.clock.advance(2_000);
    expect(revs(far)).toEqual([2, 3]);
  });

  test("[STS5] a receipt of the old owner counts", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    const receipt = frame(FRAME.event, {
      key: `conversations:${room}`,
      name: "receipt",
      from: "w1",
      view: 1,
      body: `{"user_id":"${ann}","read_seq":1}`,
    });
    onEvent(receipt, viewOf(2, ["w2"]));
    expect(far.events("receipt")).toHaveLength(1);
  });
});

describe("after a gap between hosts", () => {
  const doubt = () => ({ topics: [`conversations:${room}`], ageMs: 0 });

  test("[STS7] a conversation whose events are in doubt is read, no other", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    await says(2);
    streams.onDoubt({ topics: ["conversations:999999", `user_status:${ann}`], ageMs: 0 });
    await actors.clock.advance(5_000);
    expect(revs(far)).toEqual([]);
    streams.onDoubt(doubt());
    await settled();
    expect(revs(far)).toEqual([2, 3]);
  });

  test("[STS7] also where a reading is under way that began before", async () => {
    const far = comes(bob);
    await streams.attach(far.session, known());
    await settled();
    const missed = await says(2);
    held = [];
    hears(missed.slice(-1));
    await settled();
    const [reading] = held;
    held = null;
    await says(1);
    streams.onDoubt(doubt());
    await settled();
    reading!.resolve();
    await settled();
    expect(revs(far)).toEqual([2, 3, 4]);
  });
});

test("[ISO1] taken in by news of one's own: told once, then everything after", async () => {
  const [carl] = (await actors.users(1)) as [UserId];
  const [far, ready] = [comes(carl), comes(ann)];
  await streams.attach(ready.session, known());
  await settled();
  await actors.changes(`conversation:${room}`, "add_members", {
    user: ann,
    session: "",
    user_ids: [carl],
  });
  const [updated, joined] = actors.events.slice(-2) as [Frame, Frame];
  const { conversation } = JSON.parse(joined.body) as JoinedOrder;
  const body = JSON.stringify(conversation);
  streams.joined([far.session], room, conversation.rev, body);
  hears([updated]);
  streams.joined([far.session], room, conversation.rev, body);
  hears(await says(1));
  await settled();
  expect(far.heard.map((one) => one.split(" ")[0])).toEqual(["conversation_updated", "message"]);
});

describe("what is hidden", () => {
  test("[STM7] a session of version 1 receives the conversation in the place of a hidden change", async () => {
    const [one, two] = [comes(bob), new FarEnd({ user: bob, contract: "1.1" }).begins()];
    local.push(two);
    hears(await says(2));
    for (const far of [one, two]) void streams.attach(far.session, known());
    await settled();
    streams.get(room)!.visibleFrom.set(bob, 2);
    hears([await edits()]);
    await settled();
    hears(await says(1));
    await settled();
    const updated = one.events("conversation_updated");
    expect(updated.map(({ id, rev }) => ({ id, rev }))).toEqual([{ id: room, rev: 4 }]);
    expect(two.events("rev_skipped")).toEqual([{ conversation_id: room, rev: 4 }]);
    for (const far of [one, two]) {
      expect(far.events("message_updated")).toEqual([]);
      expect(revs(far)).toEqual([5]);
    }
  });
});

test("[THE3] what a thread missed is not read again for a user who has left its parent", async () => {
  const created = await actors.storage.ports.threads.create(room, 1, ann);
  expect(created.ok).toBe(false);
  await says(1);
  const made = await actors.storage.ports.threads.create(room, 1, ann);
  if (!made.ok) throw new Error(made.error.message);
  const thread = made.value.thread.id as ConversationId;
  await actors.storage.ports.threads.follow(thread, bob, true, null);
  const [anns, bobs] = [comes(ann), comes(bob)];
  const now = () => actors.storage.tables.conversations.get(thread)!.rev;
  for (const { session } of [anns, bobs]) void streams.enter(session, thread, now(), room);
  await settled();
  const parent = room;
  room = thread;
  await says(1);
  await actors.storage.ports.conversations.change(parent, [
    { by: ann, does: "remove", userId: bob },
  ]);
  const [, later] = [await says(1), await says(1)];
  hears(later);
  await settled();
  expect(revs(anns)).toEqual([2, 3, 4]);
  expect(bobs.events("message")).toEqual([]);
});
