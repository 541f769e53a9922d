import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WATCH_REASON, Watches } from "../../src/edge/live/presence-watches.ts";
import { ReservedStatuses } from "../../src/edge/live/reserved-statuses.ts";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { SightPair } from "../../src/ports/privacy.ts";
import type { UserId } from "../../src/protocol/ids.ts";
import { FULL_SIGHT, type Sight } from "../../src/protocol/privacy.ts";
import type { PresenceStatus, Status } from "../../src/protocol/schemas.ts";
import { idIn } from "../../src/protocol/topics.ts";
import { FLAG, FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { Gateway } from "../../src/runtime/gateway.ts";
import { Placement } from "../../src/runtime/view.ts";
import { deferred } from "../support/box-behaviour.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { FarEnd } from "../support/far-end.ts";
import { viewOf } from "../support/view-of.ts";

const ANN = "1" as UserId;
const ME = "9" as UserId;
const BOB = "2" as UserId;
const EVERY = { topics: null, ageMs: 0 };

let clock: FakeClock;
let interests: TopicSubscriptions;
let gateway: Gateway;
let watches: Watches;
let frames: string[];
let sent: Frame[];
let truth: Map<UserId, PresenceStatus>;
let primary: () => Promise<void>;
/** Resolves when the statuses that were read are answered. */
let slowly: () => Promise<void>;
/** The users that exist; null: all. */
let users: Set<UserId> | null;
/** The sight that viewers have of users, by "viewer user", where it is not the full one. */
let sights: Map<string, Sight>;
/** Users of local sessions who hide something. */
let reservedUsers: Set<UserId>;

beforeEach(() => {
  clock = new FakeClock();
  frames = [];
  sent = [];
  truth = new Map();
  users = null;
  primary = () => Promise.resolve();
  slowly = () => Promise.resolve();
  interests = new TopicSubscriptions({
    clock,
    subscribe: (topics) => {
      frames.push(...topics.map((topic) => `+${topic}`));
      return primary();
    },
    unsubscribe: (topics) => frames.push(...topics.map((topic) => `-${topic}`)),
    onDropped: (topic) => watches.dropped(idIn("status", topic)!),
  });
  gateway = new Gateway({ clock, self: "w1", side: "edge", send: (f) => sent.push(f) });
  const found = (asked: readonly UserId[]) => asked.filter((user) => users?.has(user) !== false);
  const existing = async (asked: readonly UserId[]) => new Set(found(asked));
  const statuses = async (asked: readonly UserId[]) => {
    const read = found(asked).map((user) => statusOf(user));
    await slowly();
    return read;
  };
  sights = new Map();
  reservedUsers = new Set();
  const queries = {
    sights: async (pairs: readonly SightPair[]) =>
      pairs.map(({ viewer, user }) => sights.get(`${viewer} ${user}`) ?? FULL_SIGHT),
  };
  const isBlocked = () => false;
  watches = new Watches({
    ...{ clock, gateway, interests, statuses, isBlocked, existing },
    isReserved: (user) => reservedUsers.has(user),
    reserved: new ReservedStatuses({ clock, log: pino({ level: "silent" }), queries, isBlocked }),
  });
});

afterEach(() => {
  watches.close();
  interests.close();
  gateway.close();
});

function statusOf(user: UserId, status = truth.get(user) ?? "offline"): Status {
  return { user_id: user, status, last_seen_at: null };
}

function says(user: UserId, status: PresenceStatus, note = "", from = "w1"): void {
  const event = frame(FRAME.event, {
    key: `user_status:${user}`,
    name: "user_status",
    from,
    view: 1,
    note,
    body: JSON.stringify(statusOf(user, status)),
  });
  watches.onEvent(idIn("status", event.key)!, event, viewOf(1, ["w1"]));
}

const heard = (far: FarEnd) => far.events("user_status").map((one) => one["status"]);

/** What a session is answered that asks for these. */
async function answered(...users: UserId[]): Promise<Status[]> {
  let told: Status[] = [];
  await watches.read(new FarEnd({ user: ME }).begins().session, users, (statuses) => {
    told = statuses;
  });
  return told;
}

async function watcher(...users: UserId[]): Promise<FarEnd> {
  const far = new FarEnd({ user: "9" }).begins();
  await watches.add(far.session, users, WATCH_REASON.asked);
  return far;
}

test("[WCH1] each change is told once to everyone who watches", async () => {
  const [one, other] = [await watcher(ANN), await watcher(ANN, BOB)];
  says(ANN, "online");
  says(ANN, "online");
  says(ANN, "away");
  says(BOB, "online");
  expect(heard(one)).toEqual(["online", "away"]);
  expect(heard(other)).toEqual(["online", "away", "online"]);
});

test("[WCH1] what was asked for is known, and not said again", async () => {
  truth.set(ANN, "online");
  const far = await watcher(ANN);
  expect(await answered(ANN)).toEqual([statusOf(ANN)]);
  says(ANN, "online");
  expect(heard(far)).toEqual([]);
});

test("[WCH1] an answer older than the event that overtook it does not stand", async () => {
  const far = await watcher(ANN);
  const reading = answered(ANN);
  says(ANN, "online");
  expect(await reading).toEqual([statusOf(ANN, "online")]);
  expect(heard(far)).toEqual(["online"]);
});

test("[WCH6] whenever a change is told, the answer after it does not say what was before", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const far = await watcher(ANN);
    says(ANN, "offline");
    const told: unknown[] = [];
    const me = new FarEnd({ user: ME }).begins().session;
    const reading = watches.read(me, [ANN], (statuses) => {
      told.push(...heard(far), ...statuses.map(({ status }) => status));
    });
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    says(ANN, "online");
    await reading;
    expect(told.at(-1), `told after ${turns} turns`).toBe(
      told.includes("online") ? "online" : "offline",
    );
    watches.removeUsers(far.session, [ANN]);
  }
});

test("[WCH6] a change that comes while a block ends is told once", async () => {
  const far = await watcher(ANN);
  says(ANN, "offline");
  truth.set(ANN, "online");
  const ending = watches.apartChanged(far.session, ANN, false);
  says(ANN, "online");
  await ending;
  expect(heard(far)).toEqual(["offline", "online"]);
});

test("[WCH7] after a gap who comes next is not told what was known before it", async () => {
  const gone = await watcher(ANN);
  says(ANN, "offline");
  watches.onDoubt(EVERY);
  watches.removeUsers(gone.session, [ANN]);
  truth.set(ANN, "online");
  await clock.advance(2_000);
  const next = await watcher(ANN);
  expect(await answered(ANN)).toEqual([statusOf(ANN, "online")]);
  says(ANN, "away");
  expect(heard(next)).toEqual(["away"]);
});

/** The users of an ask for many, and what they were sent to be. */
function compared({ body }: Frame): Record<string, unknown>[] {
  const letters = JSON.parse(body) as {
    body: { told: PresenceStatus; former?: string };
    isPeek: boolean;
    ids: string[];
  }[];
  return letters.map(({ body, isPeek, ids }) => ({ ...body, isPeek, ids }));
}

/** The actors' worker answers: `statuses` differ from what was sent, `undone` could not be asked. */
function answers(asked: Frame, statuses: Status[], undone: UserId[] = []): void {
  const body = JSON.stringify({ answers: statuses, undone });
  gateway.onAnswer(frame(FRAME.answer, { corr: asked.corr, flags: FLAG.ok, body }));
}

test("[WCH5] after a gap those who watch are sent what differs", async () => {
  const far = await watcher(ANN, BOB);
  says(ANN, "online");
  says(ANN, "offline");
  says(BOB, "online");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w1", slot: "w1" }],
    draining: [],
    away: [],
  });
  watches.onDoubt(EVERY);
  await clock.advance(2_000);
  expect(sent.map(compared)).toEqual([
    [
      { told: "offline", isPeek: true, ids: [ANN] },
      { told: "online", isPeek: false, ids: [BOB] },
    ],
  ]);
  answers(sent[0]!, [statusOf(ANN, "online")]);
  await settled();
  expect(heard(far)).toEqual(["online", "offline", "online", "online"]);
});

test("[WCH10] a gap that names topics concerns the users named and no others", async () => {
  await watcher(ANN, BOB);
  says(ANN, "online");
  says(BOB, "online");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w1", slot: "w1" }],
    draining: [],
    away: [],
  });
  watches.onDoubt({
    topics: ["conversations:1", `user_status:${BOB}`, "user_status:77"],
    ageMs: 0,
  });
  await clock.advance(2_000);
  expect(sent.flatMap(compared)).toEqual([{ told: "online", isPeek: false, ids: [BOB] }]);
  watches.onDoubt({ topics: ["conversations:1"], ageMs: 0 });
  expect(clock.pending).toBe(1);
});

test("[CMP2] only users who could not be asked about are asked about again", async () => {
  await watcher(ANN, BOB);
  says(ANN, "online");
  says(BOB, "online");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w1", slot: "w1" }],
    draining: [],
    away: [],
  });
  watches.onDoubt(EVERY);
  await clock.advance(2_000);
  answers(sent[0]!, [], [BOB]);
  await clock.advance(500);
  expect(sent.slice(1).flatMap(compared)).toEqual([{ told: "online", isPeek: false, ids: [BOB] }]);
});

test("[CMP2] an answer older than an event that came meanwhile does not stand", async () => {
  const far = await watcher(ANN);
  says(ANN, "online");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w1", slot: "w1" }],
    draining: [],
    away: [],
  });
  watches.onDoubt(EVERY);
  await clock.advance(2_000);
  says(ANN, "away");
  answers(sent[0]!, [statusOf(ANN, "offline")]);
  await settled();
  expect(heard(far)).toEqual(["online", "away"]);
});

test("[CMP2] an answer older than two events, of which the second brought the status back, does not stand", async () => {
  const far = await watcher(ANN);
  says(ANN, "online");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w1", slot: "w1" }],
    draining: [],
    away: [],
  });
  watches.onDoubt(EVERY);
  await clock.advance(2_000);
  says(ANN, "away");
  says(ANN, "online");
  answers(sent[0]!, [statusOf(ANN, "away")]);
  await settled();
  expect(heard(far)).toEqual(["online", "away", "online"]);
});

test("[WCH2] [CMP3] the new owner is asked about every user with a known status, and activates no offline one", async () => {
  await watcher(ANN, BOB);
  says(ANN, "online");
  says(BOB, "offline");
  gateway.setView({
    number: 2,
    workers: [{ incarnation: "w2", slot: "w2" }],
    draining: [],
    away: [],
  });
  watches.onView(viewOf(2, ["w2"]), viewOf(1, ["w1"]));
  expect(sent).toMatchObject([{ to: "w2", key: "user", name: "compare_status", flags: FLAG.many }]);
  const lists = compared(sent[0]!);
  expect(lists).toHaveLength(2);
  expect(lists).toContainEqual({ told: "online", isPeek: false, ids: [ANN] });
  expect(lists).toContainEqual({ told: "offline", isPeek: true, ids: [BOB] });
});

test("[WCH2] [FOW2] [PRS13] the new owner learns which worker it took the user from, where that is away", async () => {
  await watcher(ANN, BOB);
  says(ANN, "online");
  says(BOB, "offline");
  const now = new Placement({ ...viewOf(2, ["w2"]).view, away: ["w1"] });
  gateway.setView(now.view);
  watches.onView(now, viewOf(1, ["w1"]));
  const lists = compared(sent[0]!);
  expect(lists).toHaveLength(2);
  expect(lists).toContainEqual({ told: "online", former: "w1", isPeek: false, ids: [ANN] });
  expect(lists).toContainEqual({ told: "offline", isPeek: true, ids: [BOB] });
});

test("[WCH2] a host that is cut off from more hosts than it hears asks nothing", async () => {
  await watcher(ANN);
  says(ANN, "online");
  const now = new Placement({ ...viewOf(2, ["w2"]).view, away: ["w1", "w3"] });
  gateway.setView(now.view);
  watches.onView(now, viewOf(1, ["w1", "w3"]));
  expect(sent).toEqual([]);
  // Back, and w1 died meanwhile: also of users whose actor has been here since.
  gateway.setView(viewOf(3, ["w2"]).view);
  watches.onView(viewOf(3, ["w2"]), now);
  expect(compared(sent[0]!)).toEqual([{ told: "online", isPeek: false, ids: [ANN] }]);
});

test("[WCH2] a status that was asked for before the move is compared once it is known", async () => {
  const answer = deferred<void>();
  slowly = () => answer.promise;
  await watcher(ANN);
  truth.set(ANN, "online");
  const told = answered(ANN);
  await settled();
  gateway.setView(viewOf(2, ["w2"]).view);
  watches.onView(viewOf(2, ["w2"]), viewOf(1, ["w1"]));
  expect(sent).toEqual([]);
  answer.resolve();
  expect(await told).toEqual([statusOf(ANN, "online")]);
  expect(sent).toMatchObject([{ to: "w2", key: "user", name: "compare_status", flags: FLAG.many }]);
  expect(compared(sent[0]!)).toEqual([{ told: "online", isPeek: false, ids: [ANN] }]);
});

test("[WCH2] a worker that owns the user no more is not believed", async () => {
  const far = await watcher(ANN);
  const old = frame(FRAME.event, {
    key: `user_status:${ANN}`,
    from: "w1",
    view: 1,
    body: JSON.stringify(statusOf(ANN, "offline")),
  });
  says(ANN, "online");
  watches.onEvent(ANN, old, viewOf(2, ["w2"]));
  expect(heard(far)).toEqual(["online"]);
});

test("[WCH3] said again after a move: news only to who was told something else", async () => {
  const [fresh, told] = [await watcher(ANN), await watcher(BOB)];
  says(BOB, "online");
  says(ANN, "online", "restated");
  says(BOB, "away", "restated");
  expect(heard(fresh)).toEqual([]);
  expect(heard(told)).toEqual(["online", "away"]);
});

test("[WCH4] a second watcher waits for the confirmation as the first does", async () => {
  const confirmed = deferred<void>();
  primary = () => confirmed.promise;
  const done: string[] = [];
  void watcher(ANN).then(() => done.push("first"));
  await settled();
  void watcher(ANN).then(() => done.push("second"));
  await settled();
  expect(done).toEqual([]);
  confirmed.resolve();
  await settled();
  expect(done).toEqual(["first", "second"]);
});

test("[WCH4] after the last watcher the topic lingers, then it is dropped and forgotten", async () => {
  const [one, other] = [await watcher(ANN), await watcher(ANN)];
  says(ANN, "online");
  watches.removeUsers(one.session, [ANN, BOB]);
  watches.removeUsers(one.session, [ANN]);
  await clock.advance(30_000);
  says(ANN, "away");
  expect(heard(other)).toEqual(["online", "away"]);
  expect(heard(one)).toEqual(["online"]);
  watches.removeUsers(other.session, [ANN]);
  await clock.advance(30_000);
  expect(frames).toEqual([`+user_status:${ANN}`, `-user_status:${ANN}`]);
});

test("[WCH4] watched twice by one session it is one watch", async () => {
  const far = await watcher(ANN);
  await watches.add(far.session, [ANN, ANN], WATCH_REASON.asked);
  says(ANN, "online");
  expect(heard(far)).toEqual(["online"]);
  watches.removeUsers(far.session, [ANN]);
  await clock.advance(30_000);
  expect(interests.size).toBe(0);
});

test("[WCH8] a user that does not exist is answered offline, and nothing is subscribed to", async () => {
  const nobody = ["404", "405"] as UserId[];
  users = new Set([ANN]);
  const far = new FarEnd({ user: ME }).begins();
  expect(await watches.ask(far.session, [ANN, ...nobody])).toBe(true);
  expect((await answered(ANN, ...nobody)).map(({ user_id, status }) => [user_id, status])).toEqual([
    [ANN, "offline"],
    ["404", "offline"],
    ["405", "offline"],
  ]);
  expect(frames).toEqual([`+user_status:${ANN}`]);
  expect(far.session.watches.size).toBe(1);
});

test("[WCH8] a session watches at most 1,000 users, and what is refused changes nothing", async () => {
  const far = new FarEnd({ user: ME }).begins();
  const from = (first: number, count: number) =>
    Array.from({ length: count }, (_, n) => `${first + n}` as UserId);
  await watches.addAutomatic(far.session, from(1_000, 600), WATCH_REASON.peer);
  expect(far.session.watches.size).toBe(500);
  expect(await watches.ask(far.session, from(2_000, 500))).toBe(true);
  expect(await watches.ask(far.session, from(3_000, 1))).toBe(false);
  expect(far.session.watches.size).toBe(1_000);
  // Those that it watches already need no room.
  expect(await watches.ask(far.session, from(2_000, 500))).toBe(true);
  watches.removeUsers(far.session, from(2_000, 1));
  expect(await watches.ask(far.session, from(3_000, 1))).toBe(true);
});

test("[WCH8] who is followed last takes the place of who was followed first, never of a peer", async () => {
  const far = new FarEnd({ user: ME }).begins();
  const watched = () => [...far.session.watches.keys()].map(({ user }) => user);
  const peers = Array.from({ length: 498 }, (_, n) => `${1_000 + n}` as UserId);
  await watches.addAutomatic(far.session, peers, WATCH_REASON.peer);
  for (const user of ["1", "2", "3", "4"]) {
    await watches.addAutomatic(far.session, [user as UserId], WATCH_REASON.follow);
  }
  expect(watched()).toHaveLength(500);
  expect(watched()).toEqual(expect.arrayContaining([...peers, "3", "4"]));
  await watches.addAutomatic(far.session, ["5000", "5001", "5002"] as UserId[], WATCH_REASON.peer);
  expect(watched()).toEqual(expect.arrayContaining([...peers, "5000", "5001"]));
  expect(watched()).toHaveLength(500);
  await watches.addAutomatic(far.session, [ANN], WATCH_REASON.follow);
  expect(watched()).not.toContain(ANN);
});

const HIDDEN: Sight = { presence: false, last_seen: false };
const hiddenFrom = (viewer: UserId, user: UserId) => sights.set(`${viewer} ${user}`, HIDDEN);

/** The user has changed what others see. */
function changesPrivacy(user: UserId, status: PresenceStatus, note: string): void {
  const event = frame(FRAME.event, {
    key: `user_status:${user}`,
    name: "privacy_changed",
    from: "w1",
    view: 1,
    note,
    body: JSON.stringify(statusOf(user, status)),
  });
  watches.onEvent(user, event, viewOf(1, ["w1"]));
}

test("[RSV1] a session that may not see a status any more hears offline once, then nothing", async () => {
  const far = await watcher(ANN);
  says(ANN, "online");
  hiddenFrom(ME, ANN);
  changesPrivacy(ANN, "online", "reserved");
  await settled();
  for (const status of ["away", "online"] as const) says(ANN, status, "reserved");
  await settled();
  expect(heard(far)).toEqual(["online", "offline"]);
  expect(await answered(ANN)).toEqual([statusOf(ANN, "offline")]);
  sights.clear();
  changesPrivacy(ANN, "online", "was_reserved");
  await settled();
  expect(heard(far)).toEqual(["online", "offline", "online"]);
});

test("[RSV1] a session that never saw a status hears nothing of it, others do", async () => {
  hiddenFrom(ME, ANN);
  const far = await watcher(ANN);
  const other = new FarEnd({ user: "8" }).begins();
  await watches.add(other.session, [ANN], WATCH_REASON.asked);
  for (const status of ["online", "away", "offline"] as const) says(ANN, status, "reserved");
  await settled();
  expect(heard(far)).toEqual([]);
  expect(heard(other)).toEqual(["online", "away", "offline"]);
});

test("[RSV1] a user who hides sees nothing of those who may not see them", async () => {
  const far = await watcher(ANN);
  says(ANN, "online");
  hiddenFrom(ME, ANN);
  reservedUsers.add(ME);
  truth.set(ANN, "online");
  await watches.viewerChanged(far.session, false);
  await settled();
  says(ANN, "away");
  await settled();
  expect(heard(far)).toEqual(["online", "offline"]);
});

test("[RSV2] the time last seen is left out for those who may see the presence only", async () => {
  sights.set(`${ME} ${ANN}`, { presence: true, last_seen: false });
  const far = await watcher(ANN);
  const event = frame(FRAME.event, {
    key: `user_status:${ANN}`,
    ...{ name: "user_status", from: "w1", view: 1, note: "reserved" },
    body: JSON.stringify({ ...statusOf(ANN, "away"), last_seen_at: "2026-01-01T00:00:00.000Z" }),
  });
  watches.onEvent(ANN, event, viewOf(1, ["w1"]));
  await settled();
  expect(far.events("user_status")).toEqual([statusOf(ANN, "away")]);
});
