/**
 * [PUSH] Pushes as a gateway of the operator's own receives them.
 *
 * [PUSH1] Two devices and a browser get exactly the pushes that the contract names, whatever sessions
 *         the reader has, and whatever the reader has set or read.
 * [PUSH2] A push says what the user's content allows, and is signed as webhooks are.
 * [PUSH3] Devices are sent that a message was read elsewhere; browsers are not.
 * [PUSH4] Notifications are pushed by their type.
 * [PUSH5] A device that the gateway does not know is removed; a push that it does not take is sent
 *         again.
 * [PUSH6] Operators see the decisions on any user.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import {
  DEVICE_COUNT,
  decisionsOf,
  type PostedPush,
  postedTo,
  registersDevices,
  sends,
} from "../support/pushes.ts";
import { Receiver, signatureOf } from "../support/receiver.ts";
import { Service } from "../support/service.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/** Longer than a session that is online keeps a push back, on a busy machine. */
const WITHIN_MS = 60_000;

let receiver: Receiver;
let troupe: Troupe;

beforeAll(async () => {
  receiver = await Receiver.start();
  troupe = await startTroupe({
    workers: 2,
    env: {
      PUSH_URL: receiver.url,
      HOOK_SECRET: SECRET,
      RATE_LIMITS: "off",
      PRESENCE_GRACE_MS: "300",
    },
  });
});

afterAll(async () => {
  await troupe.closeSessions();
  await troupe.stop();
  await receiver.dies();
  expect(troupe.errorsLogged()).toEqual([]);
});

const pushedTo = ({ id }: Person, kind = "message"): PostedPush[] =>
  postedTo(receiver).filter(({ user_id, payload }) => user_id === id && payload.kind === kind);

async function people(): Promise<[Person, Person, Person]> {
  const found = await troupe.users("ann", "bob", "cid");
  await registersDevices(found[1]!);
  return found as [Person, Person, Person];
}

const pushed = (bob: Person, count = DEVICE_COUNT) =>
  eventually(
    `${count} pushes to ${bob.user.username}`,
    () => pushedTo(bob).length >= count,
    WITHIN_MS,
  );

const decided = (bob: Person, reason: string) =>
  eventually(
    `the decision ${reason} on a push to ${bob.user.username}`,
    async () => (await decisionsOf(bob)).some((one) => one.reason === reason),
    WITHIN_MS,
  );

const prefs = async (bob: Person, { id }: { id: string }, change: object) =>
  expectStatus<unknown>(await bob.api.patch(`/api/conversations/${id}/prefs`, change), 200);

const setting = async (bob: Person, change: object) =>
  expectStatus<unknown>(await bob.api.patch("/api/me/push", change), 200);

const reads = async (bob: Person, { id }: { id: string }, seq: number) =>
  expectStatus<unknown>(await bob.api.put(`/api/conversations/${id}/read`, { seq }), 200);

const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();

/** From two minutes ago up to two minutes from now, in UTC. */
function quietNow() {
  const clockAt = (ms: number) => new Date(Date.now() + ms).toISOString().slice(11, 16);
  return { from: clockAt(-120_000), to: clockAt(120_000), tz: "UTC" };
}

interface Scene {
  ann: Person;
  bob: Person;
  cid: Person;
  direct: Conversation;
}

/** The reason of the reader's newest decision, and how many pushes come: each row is a scene of its own. */
interface Row {
  what: string;
  act(scene: Scene): Promise<unknown>;
  pushes: number;
  /** A decision that is waited for; absent: pushes are. */
  reason?: string;
}

const ALL = DEVICE_COUNT;

const ROWS: Row[] = [
  {
    what: "no session: at once",
    act: ({ ann, direct }) => sends(ann, direct.id, "hello"),
    pushes: ALL,
  },
  {
    what: "an away session: at once",
    async act({ ann, bob, direct }) {
      await (await bob.connects()).does("set_status", { status: "away" });
      await sends(ann, direct.id, "hello");
    },
    pushes: ALL,
  },
  {
    what: "an invisible session: at once",
    async act({ ann, bob, direct }) {
      await (await bob.connects()).does("set_status", { status: "invisible" });
      await sends(ann, direct.id, "hello");
    },
    pushes: ALL,
  },
  {
    what: "an online session that does not read: later",
    async act({ ann, bob, direct }) {
      await bob.connects();
      await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      expect(pushedTo(bob)).toEqual([]);
    },
    pushes: ALL,
  },
  {
    what: "an online session beside one that is away: later",
    async act({ ann, bob, direct }) {
      await bob.connects();
      await (await bob.connects()).does("set_status", { status: "away" });
      await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      expect(pushedTo(bob)).toEqual([]);
    },
    pushes: ALL,
  },
  {
    what: "an online session that reads",
    async act({ ann, bob, direct }) {
      await bob.connects();
      const { seq } = await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      await reads(bob, direct, seq);
    },
    pushes: 0,
    reason: "read_before",
  },
  {
    what: "an online session that ends",
    async act({ ann, bob, direct }) {
      const session = await bob.connects();
      await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      await session.disconnects();
    },
    pushes: ALL,
  },
  {
    what: "an online session that goes away",
    async act({ ann, bob, direct }) {
      const session = await bob.connects();
      await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      await session.does("set_status", { status: "away" });
    },
    pushes: ALL,
  },
  {
    what: "deleted while it waited",
    async act({ ann, bob, direct }) {
      await bob.connects();
      const { seq } = await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      const path = `/api/conversations/${direct.id}/messages/${seq}`;
      expectStatus<unknown>(await ann.api.delete(path), 200);
    },
    pushes: 0,
    reason: "deleted",
  },
  {
    what: "left while it waited",
    async act({ ann, bob }) {
      const group = await ann.startsGroup(bob);
      await bob.connects();
      await sends(ann, group.id, "hello");
      await decided(bob, "active_session");
      const path = `/api/conversations/${group.id}/members/${bob.id}`;
      expectStatus<unknown>(await bob.api.delete(path), 204);
    },
    pushes: 0,
    reason: "left",
  },
  {
    what: "muted while it waited",
    async act({ ann, bob, direct }) {
      await bob.connects();
      await sends(ann, direct.id, "hello");
      await decided(bob, "active_session");
      await prefs(bob, direct, { muted_until: "forever" });
    },
    pushes: 0,
    reason: "muted",
  },
  {
    what: "muted",
    async act({ ann, bob, direct }) {
      await prefs(bob, direct, { muted_until: inAnHour() });
      await sends(ann, direct.id, "hello");
    },
    pushes: 0,
    reason: "muted",
  },
  {
    what: "the conversation's level none",
    async act({ ann, bob, direct }) {
      await prefs(bob, direct, { level: "none" });
      await sends(ann, direct.id, "hello");
    },
    pushes: 0,
    reason: "level",
  },
  {
    what: "the user's level none, and the conversation's all",
    async act({ ann, bob, direct }) {
      await setting(bob, { level: "none" });
      await prefs(bob, direct, { level: "all" });
      await sends(ann, direct.id, "hello");
    },
    pushes: ALL,
  },
  {
    what: "the level mentions, and no mention",
    async act({ ann, bob, direct }) {
      await setting(bob, { level: "mentions" });
      await sends(ann, direct.id, "hello");
    },
    pushes: 0,
    reason: "level",
  },
  {
    what: "the level mentions, and a mention",
    async act({ ann, bob }) {
      const group = await ann.startsGroup(bob);
      await setting(bob, { level: "mentions" });
      await sends(ann, group.id, `look, @${bob.user.username}`);
    },
    pushes: ALL,
  },
  {
    what: "quiet hours",
    async act({ ann, bob, direct }) {
      await setting(bob, { quiet_hours: quietNow() });
      await sends(ann, direct.id, "hello");
    },
    pushes: 0,
    reason: "quiet_hours",
  },
  {
    what: "snoozed",
    async act({ ann, bob, direct }) {
      await setting(bob, { snoozed_until: inAnHour() });
      await sends(ann, direct.id, "hello");
    },
    pushes: 0,
    reason: "snoozed",
  },
  {
    what: "a sender who is blocked, in a group",
    async act({ ann, bob, cid }) {
      const group = await cid.startsGroup(ann, bob);
      await bob.blocks(ann);
      await sends(ann, group.id, "hello");
    },
    pushes: 0,
    reason: "blocked",
  },
  {
    what: "silent, and then one that is not",
    async act({ ann, direct }) {
      await sends(ann, direct.id, "hush", { silent: true });
      await sends(ann, direct.id, "hello");
    },
    pushes: ALL,
  },
  {
    what: "a thread that the reader follows",
    async act({ ann, bob, cid }) {
      const group = await cid.startsGroup(ann, bob);
      const root = await sends(bob, group.id, "the root");
      const made = await ann.api.post<Conversation>(
        `/api/conversations/${group.id}/messages/${root.seq}/thread`,
      );
      expectStatus<unknown>(await bob.api.post(`/api/conversations/${made.body.id}/follow`), 200);
      await sends(ann, made.body.id, "a reply");
    },
    pushes: ALL,
  },
];

describe("pushes", () => {
  it("[PUSH1] devices get exactly the pushes that the contract names", async () => {
    const scenes: Scene[] = [];
    for (const _ of ROWS) {
      const [ann, bob, cid] = await people();
      scenes.push({ ann, bob, cid, direct: await ann.startsDirect(bob) });
    }
    await Promise.all(
      ROWS.map(async ({ act, pushes, reason }, n) => {
        const scene = scenes[n]!;
        await act(scene);
        if (reason === undefined) await pushed(scene.bob, pushes);
        else await decided(scene.bob, reason);
      }),
    );
    // The last one shows that the queue has come so far.
    const [ann, last] = await people();
    await sends(ann, (await ann.startsDirect(last)).id, "the last");
    await pushed(last);
    const got = ROWS.map(({ what }, n) => `${what}: ${pushedTo(scenes[n]!.bob).length}`);
    expect(got).toEqual(ROWS.map(({ what, pushes }) => `${what}: ${pushes}`));
  });

  it("[PUSH2] says sender and text as the user's content allows, and is signed", async () => {
    const [ann, bob, cid] = await people();
    const group = await cid.startsGroup(ann, bob);
    const long = "é".repeat(300);
    await sends(ann, group.id, long);
    await pushed(bob);
    const [first] = pushedTo(bob);
    const { display_name } = ann.user;
    expect(first!.payload).toEqual({
      v: 1,
      kind: "message",
      conversation_id: group.id,
      seq: 1,
      title: display_name,
      count: 1,
      badge: 1,
      url: `/#/c/${group.id}`,
    });
    for (const received of receiver.received) {
      expect(received.signatures).toContain(signatureOf(received, SECRET));
    }
    await setting(bob, { content: "full" });
    const direct = await ann.startsDirect(bob);
    await sends(ann, direct.id, long);
    await pushed(bob, 2 * ALL);
    const { payload } = pushedTo(bob).at(-1)!;
    expect(payload).toMatchObject({ title: display_name, count: 1, badge: 2 });
    expect([...payload.body!]).toHaveLength(200);
    await setting(bob, { content: "none" });
    await sends(ann, direct.id, "a secret");
    await pushed(bob, 3 * ALL);
    const said = JSON.stringify(pushedTo(bob).slice(2 * ALL));
    expect(said).not.toContain("a secret");
    expect(said).not.toContain(display_name);
    expect(pushedTo(bob).at(-1)!.payload).toMatchObject({ count: 2, badge: 3 });
  });

  it("[PUSH3] what is read elsewhere is told to the devices, and not to the browser", async () => {
    const [ann, bob] = await people();
    const direct = await ann.startsDirect(bob);
    const { seq } = await sends(ann, direct.id, "hello");
    await pushed(bob);
    await eventually("all are noted", async () => (await decisionsOf(bob)).length === ALL);
    await reads(bob, direct, seq);
    await eventually("both are told", () => pushedTo(bob, "read").length >= 2, WITHIN_MS);
    await sends(ann, direct.id, "again");
    await pushed(bob, 2 * ALL);
    const told = pushedTo(bob, "read");
    expect(told.map(({ device }) => device.device_id).sort()).toEqual(["phone", "tablet"]);
    expect(told[0]!.payload).toMatchObject({ conversation_id: direct.id, badge: 0 });
  });

  it("[PUSH4] comments, follows, mentions and services' own notifications are pushed; likes are not", async () => {
    const [ann, bob] = await people();
    const post = await bob.publishes("a post");
    await ann.likes(post);
    await ann.comments(post, "a comment");
    await ann.follows(bob);
    await ann.publishes(`with @${bob.user.username}`);
    await (await Service.of(troupe, "notify")).notifies(bob, "Your order is on its way");
    const count = 4 * ALL;
    await eventually(
      "four notifications",
      () => pushedTo(bob, "notification").length >= count,
      WITHIN_MS,
    );
    const titles = new Set(pushedTo(bob, "notification").map(({ payload }) => payload.title));
    expect(titles.size).toBe(4);
    expect([...titles].join()).not.toContain("liked");
    expect(titles).toContain("Your order is on its way");
  });

  it("[PUSH5] a device that is gone is removed, and what is not taken is sent again", async () => {
    const [ann, bob] = await people();
    const direct = await ann.startsDirect(bob);
    let refusals = 0;
    receiver.answers = ({ body }, response) => {
      const { user_id, device } = JSON.parse(body) as PostedPush;
      if (user_id !== bob.id || device.device_id === "browser") response.writeHead(204).end();
      else if (device.device_id === "phone") response.writeHead(410).end();
      else if (refusals++ === 0) response.writeHead(503).end();
      else response.writeHead(200).end("{}");
    };
    try {
      await sends(ann, direct.id, "hello");
      await decided(bob, "device_gone");
      await decided(bob, "provider_error");
      await eventually("the tablet is pushed again", () => refusals >= 2, WITHIN_MS);
    } finally {
      receiver.answers = (_, response) => response.writeHead(204).end();
    }
    const { items } = expectStatus(
      await bob.api.get<{ items: { device_id: string }[] }>("/api/me/devices"),
      200,
    );
    expect(items.map(({ device_id }) => device_id).sort()).toEqual(["browser", "tablet"]);
    const ids = new Set(
      pushedTo(bob)
        .filter(({ device }) => device.device_id === "tablet")
        .map(({ id }) => id),
    );
    expect(ids.size).toBe(1);
  });

  it("[PUSH6] operators see the decisions, and nobody else does", async () => {
    const [ann, bob] = await people();
    await sends(ann, (await ann.startsDirect(bob)).id, "hello");
    await decided(bob, "sent");
    const { api } = await Service.of(troupe, "ops");
    const path = `/api/ops/users/${bob.id}/pushes`;
    const seen = expectStatus(await api.get<{ items: { reason: string }[] }>(path), 200);
    expect(seen.items.map(({ reason }) => reason)).toContain("sent");
    expectStatus(await ann.api.get(path), 403);
    expectStatus(await api.get("/api/ops/users/99999999/pushes"), 404);
  });
});
