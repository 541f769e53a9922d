import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { isoOf } from "../../src/protocol/time.ts";
import { type SimWorker, World } from "../support/actor-world.ts";
import { expiring, FarEnd, type FarEndOptions } from "../support/far-end.ts";

let world: World;
let worker: SimWorker;
let ann: UserId;
let bob: UserId;

beforeEach(async () => {
  world = new World(7);
  worker = world.addWorker();
  await world.passes(50);
  [ann, bob] = (await world.users(2)) as [UserId, UserId];
});

afterEach(async () => {
  for (const session of [...worker.edge.sessions.all()]) worker.edge.sessions.close(session);
  await world.close();
});

/** A session that is open and has begun, as the socket server does it. */
async function begins(user: UserId, options: FarEndOptions = {}): Promise<FarEnd> {
  const far = new FarEnd({ ...options, user });
  const { sessions } = worker.edge;
  const opening = sessions.open(far.session);
  await world.passes(100);
  const opened = await opening;
  if (opened === null) throw new Error(`no user ${user}`);
  far.begins();
  sessions.begun(far.session, opened);
  await world.passes(20);
  return far;
}

const status = async (user: UserId) => {
  const asked = worker.edge.exchange.gateway.ask("user", user, "status", {});
  await world.passes(50);
  const answer = await asked;
  return answer.ok ? answer.value.status : answer.error.code;
};

describe("beginning and ending", () => {
  test("[SES1] the user's actor hears of it", async () => {
    const far = await begins(ann);
    expect(await status(ann)).toBe("online");
    worker.edge.sessions.close(far.session);
    await world.passes(6_000);
    expect(await status(ann)).toBe("offline");
  });

  test("[SES2] a session that is over leaves nothing behind", async () => {
    const room = await world.direct([ann, bob]);
    const far = await begins(ann);
    const { sessions, streams } = worker.edge;
    expect(far.session.streams.size).toBe(1);
    expect(far.session.watches.size).toBe(1);
    sessions.close(far.session);
    sessions.close(far.session);
    expect(sessions.size).toBe(0);
    expect([...far.session.streams, ...far.session.watches]).toEqual([]);
    expect([...sessions.ofUser(ann)]).toEqual([]);
    await world.passes(30_000);
    expect(streams.get(room)).toBeUndefined();
    expect(world.switchboard.topics).toBe(0);
  });

  test("[SES2] one that typed has stopped, for the others", async () => {
    const room = await world.direct([ann, bob]);
    const other = await world.connected(bob, worker);
    const client = await world.connected(ann, worker);
    void client.says("typing", { conversation_id: room, is_typing: true });
    await world.passes(100);
    expect([...other.conversation(room).typing]).toEqual([ann]);
    client.disconnects();
    await world.passes(100);
    expect([...other.conversation(room).typing]).toEqual([]);
  });

  test("[SES2] closed while it opens, it begins nothing", async () => {
    const far = new FarEnd({ user: ann });
    const opening = worker.edge.sessions.open(far.session);
    worker.edge.sessions.close(far.session);
    await world.passes(100);
    await opening;
    expect(far.session.streams.size).toBe(0);
    await world.passes(30_000);
    expect(world.switchboard.topics).toBe(0);
  });

  test("[SES1] there is no such user: null", async () => {
    const far = new FarEnd({ user: "999999" });
    const opening = worker.edge.sessions.open(far.session);
    await world.passes(100);
    expect(await opening).toBeNull();
    worker.edge.sessions.close(far.session);
  });

  test("[SES1] when the actor moves, its new place knows every session", async () => {
    const users = await world.users(8);
    for (const user of users) await begins(user);
    world.addWorker();
    await world.passes(7_000);
    for (const user of users) expect(await status(user), user).toBe("online");
  });
});

describe("expiry", () => {
  test("[SES3] is announced a minute ahead, once, and ends the session", async () => {
    const expiry = expiring(world.clock, 120_000);
    const far = await begins(ann, expiry);
    await world.passes(59_000);
    expect(far.events("token_expiring")).toEqual([]);
    await world.passes(2_000);
    expect(far.events("token_expiring")).toEqual([{ expires_at: isoOf(expiry.expiresAtMs) }]);
    await world.passes(60_000);
    expect(far.events("token_expiring")).toHaveLength(1);
    expect(far.events("session_ended")).toMatchObject([{ code: "token_expired", reconnect: true }]);
    expect(far.closings).toEqual([true]);
  });

  test("[SES3] where less is left it is announced at once", async () => {
    const far = await begins(ann, expiring(world.clock, 10_000));
    expect(far.events("token_expiring")).toHaveLength(1);
  });

  test("[SES3] a refreshed one lives on", async () => {
    const far = await begins(ann, expiring(world.clock, 30_000));
    Object.assign(far.session, expiring(world.clock, 300_000));
    far.session.isExpiryAnnounced = false;
    worker.edge.sessions.recheck(far.session);
    await world.passes(100_000);
    expect(far.events("session_ended")).toEqual([]);
  });
});

test("[SES4] an ended login ends its own sessions for good, and no others", async () => {
  const mine = await begins(ann, { family: "11" });
  const other = await begins(ann, { family: "12" });
  const bobs = await begins(bob, { family: "11" });
  worker.edge.sessions.endFamily("11" as FamilyId, asUserId(ann));
  expect(mine.events("session_ended")).toMatchObject([{ code: "logged_out", reconnect: false }]);
  expect([...other.events("session_ended"), ...bobs.events("session_ended")]).toEqual([]);
});
