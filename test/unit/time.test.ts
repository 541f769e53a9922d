/**
 * Two clocks (src/protocol/time.ts).
 *
 * [TIM1] Only clock modules read the machine's clocks.
 * [TIM2] A step of the wall clock, in either direction, changes timestamps and nothing else:
 *        limits, heartbeats, presence, typing, asks, leases and what else waits go on as before.
 * [TIM3] A session ends when its token had time left for when it was verified, also where the
 *        clock is set meanwhile; a token that is shown again is judged by the wall clock.
 * [TIM4] An ended login stays refused for as long as a token of it can be good by either clock.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pino from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KnownRevocations } from "../../src/edge/auth/revocations.ts";
import { createTokens } from "../../src/edge/auth/tokens.ts";
import { KeyedBuckets } from "../../src/edge/limits/keyed-buckets.ts";
import { Heartbeat, PING_INTERVAL_MS } from "../../src/edge/transport/heartbeat.ts";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";
import { msBetween, wallTime } from "../../src/protocol/time.ts";
import { MemoryNetwork } from "../../src/relay/memory.ts";
import { ASK_DEADLINE_MS, Gateway } from "../../src/runtime/gateway.ts";
import { GRACE_MS, type SimWorker, World } from "../support/actor-world.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { expiring, FarEnd } from "../support/far-end.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DAY_MS = 86_400_000;
const STEPS_MS = [1_000, 30_000, 2 * 3_600_000, 30 * DAY_MS].flatMap((ms) => [ms, -ms]);

describe("the machine's clocks", () => {
  const READS = /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bprocess\.hrtime\b/;
  /** Other files that may read them, and why. */
  const EXCEPTIONS: [of: RegExp, why: string][] = [
    [/^src\/(base|client)\/clock\.ts$/, "the clock modules"],
    [/^src\/ops\/vitals\.ts$/, "stamps that cross processes: hrtime is one for the machine"],
    [/^src\/web\//, "a page shows times of day, and keeps a login across reloads"],
  ];

  it("[TIM1] are read by the clock modules only", () => {
    const found = ["src", "actors"]
      .flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).map((name) =>
          join(folder, name).replaceAll("\\", "/"),
        ),
      )
      .filter((path) => path.endsWith(".ts") && !EXCEPTIONS.some(([of]) => of.test(path)))
      .filter((path) => READS.test(readFileSync(join(ROOT, path), "utf8")));
    expect(found).toEqual([]);
  });
});

describe.each(STEPS_MS)("a step of the wall clock by %i ms", (stepMs) => {
  let clock: FakeClock;

  beforeEach(() => {
    clock = new FakeClock();
  });

  it("[TIM2] leaves a spent budget as it was, and it fills again as before", async () => {
    const buckets = new KeyedBuckets({ perS: 1, burst: 2 });
    const take = () => buckets.take("ann", clock.monotonicMs());
    expect([take(), take(), take()]).toEqual([0, 0, 1_000]);
    clock.stepWall(stepMs);
    expect(take()).toBe(1_000);
    await clock.advance(1_000);
    expect([take(), take()]).toEqual([0, 1_000]);
  });

  it("[TIM2] leaves pings in their order, and gives up who does not answer", async () => {
    const heartbeat = new Heartbeat<{ ping(): void; terminate(): void }>(clock);
    const log: string[] = [];
    const one = (name: string) => ({
      ping: () => log.push(`ping ${name}`),
      terminate: () => log.push(`end ${name}`),
    });
    heartbeat.add(one("old"));
    await clock.advance(1_000);
    clock.stepWall(stepMs);
    heartbeat.add(one("new"));
    await clock.advance(PING_INTERVAL_MS - 1_000 + 500);
    expect(log).toEqual(["ping old"]);
    await clock.advance(1_000);
    expect(log).toEqual(["ping old", "ping new"]);
    await clock.advance(20_000);
    expect(log).toEqual(["ping old", "ping new", "end old", "end new"]);
    heartbeat.stop();
  });

  it("[TIM2] leaves an ask its deadline", async () => {
    const gateway = new Gateway({ clock, self: "w1", side: "edge", send: () => undefined });
    let code = "";
    void gateway.ask("user", "7", "status", {}).then((answer) => {
      code = answer.ok ? "ok" : answer.error.code;
    });
    clock.stepWall(stepMs);
    await clock.advance(ASK_DEADLINE_MS - 1_000);
    expect(code).toBe("");
    await clock.advance(2_000);
    expect(code).toBe("unavailable");
    gateway.close();
  });

  it("[TIM2] leaves hosts their leases, and ends those of the dead in time", async () => {
    const network = new MemoryNetwork(clock);
    const renew = (host: string) => {
      const none = { mayLook: false, has: { number: 0, digest: "" }, verdicts: [] };
      const lease = { cluster: "c", host, members: "[]", number: 0, digest: "", ...none };
      const { change } = network.renew(lease);
      return change.is === "all" ? [...change.members.keys()] : change.is;
    };
    renew("a");
    renew("b");
    clock.stepWall(stepMs);
    expect(renew("a")).toEqual(["a", "b"]);
    await clock.advance(3_000);
    expect(renew("a")).toEqual(["a", "b"]);
    await clock.advance(1_000);
    // Nobody can ask the second witness about b.
    expect(renew("a")).toEqual(["a", "b"]);
    await clock.advance(1_000);
    expect(renew("a")).toEqual(["a"]);
  });

  it("[TIM3] judges a token that is shown by the wall clock", async () => {
    const tokens = await createTokens({
      issuer: "troupe",
      audience: "troupe",
      secrets: ["a secret of the tests, long enough for HS256"],
      keys: null,
      ttlS: 900,
      maxAgeS: 86_400,
      keepsOwnClaims: false,
      clock,
    });
    const { token } = await tokens.issue("42" as UserId, {
      family: "7" as FamilyId,
      afterMs: null,
    });
    await tokens.check(token);
    clock.stepWall(stepMs);
    const isOver = stepMs >= 900_000;
    for (const answer of [tokens.known(token), await tokens.check(token)]) {
      expect(answer?.ok).toBe(!isOver);
    }
  });

  it("[TIM4] leaves an ended login refused while a token of it may be good", async () => {
    const known = new KnownRevocations({
      clock,
      log: pino({ level: "silent" }),
      accessTokenTtlS: 900,
      accounts: {
        shutOutWithin: async () => ({
          families: [],
          suspensions: [],
          cuts: [],
          tokens: [],
          rulesRev: 0,
        }),
      },
      exchange: () => ({
        publish: (_topic, { name, body }) =>
          known.onEvent({ name, body } as Parameters<typeof known.onEvent>[0]),
      }),
      onRevoked: () => undefined,
      onRulesRev: () => undefined,
      onCut: () => undefined,
      onRevokedFound: () => undefined,
      onSuspended: () => undefined,
    });
    const login = "7" as FamilyId;
    known.revoke(login, "42" as UserId);
    clock.stepWall(stepMs);
    await clock.advance(899_000);
    known.revoke("8" as FamilyId, "42" as UserId);
    expect(known.isRevoked(login)).toBe(true);
    await clock.advance(2_000);
    known.revoke("9" as FamilyId, "42" as UserId);
    // Set back, the wall clock still lets such a token in.
    expect(known.isRevoked(login)).toBe(stepMs < -2_000);
  });
});

describe.each(STEPS_MS)("in a cluster whose wall clock steps by %i ms", (stepMs) => {
  let world: World;
  let worker: SimWorker;

  beforeEach(() => {
    world = new World(5);
    worker = world.addWorker();
  });

  afterEach(async () => {
    for (const session of [...worker.edge.sessions.all()]) worker.edge.sessions.close(session);
    await world.close();
  });

  async function pair() {
    const [ann, bob] = await world.users(2);
    const room = await world.direct([ann!, bob!]);
    return { ann: ann!, bob: bob!, room };
  }

  async function begins(user: UserId, lifeMs = 1e9): Promise<FarEnd> {
    const far = new FarEnd({ user, ...expiring(world.clock, lifeMs) });
    const opening = worker.edge.sessions.open(far.session);
    await world.passes(200);
    const opened = await opening;
    far.begins();
    worker.edge.sessions.begun(far.session, opened!);
    await world.passes(200);
    return far;
  }

  const statuses = (far: FarEnd) => far.events("user_status");

  it("[TIM2] who goes is offline after the grace period, last seen by the new clock", async () => {
    const { ann, bob } = await pair();
    const far = await begins(ann);
    const watcher = await begins(bob);
    const before = statuses(watcher).length;
    worker.edge.sessions.close(far.session);
    await world.passes(GRACE_MS / 2);
    world.clock.stepWall(stepMs);
    expect(statuses(watcher).length).toBe(before);
    await world.passes(GRACE_MS / 2 + 200);
    const last = statuses(watcher).at(-1)!;
    expect(last).toMatchObject({ user_id: ann, status: "offline" });
    const seen = wallTime(Date.parse(String(last["last_seen_at"])));
    const agoMs = msBetween(seen, world.clock.wallMs());
    expect(agoMs).toBeGreaterThan(GRACE_MS - 100);
    expect(agoMs).toBeLessThan(GRACE_MS + 1_000);
  });

  it("[TIM2] typing ends after its silence, no sooner and no later", async () => {
    const { ann, bob, room } = await pair();
    const far = await begins(ann);
    const watcher = await begins(bob);
    const ack = { ok: () => undefined, refuse: () => undefined };
    worker.edge.commands.typing(far.session, { conversation_id: room, is_typing: true }, ack);
    await world.passes(200);
    const typing = () => watcher.events("typing").map((event) => event["is_typing"]);
    expect(typing()).toEqual([true]);
    world.clock.stepWall(stepMs);
    await world.passes(4_000);
    expect(typing()).toEqual([true]);
    await world.passes(1_500);
    expect(typing()).toEqual([true, false]);
  });

  it("[TIM3] a session ends when its token had time left for, and is told a minute ahead", async () => {
    const { ann } = await pair();
    const sinceMs = world.clock.monotonicMs();
    const far = await begins(ann, 120_000);
    world.clock.stepWall(stepMs);
    await world.passes(59_000 - msBetween(sinceMs, world.clock.monotonicMs()));
    expect(far.events("token_expiring")).toEqual([]);
    await world.passes(2_000);
    expect(far.events("token_expiring")).toHaveLength(1);
    await world.passes(58_000);
    expect(far.events("session_ended")).toEqual([]);
    await world.passes(2_000);
    expect(far.events("session_ended")).toMatchObject([{ code: "token_expired" }]);
  });
});
