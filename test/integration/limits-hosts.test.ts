/** Limits over hosts: told through Redis, and each host by itself while it is away. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { typesEagerly } from "../support/eager.ts";
import { Flooder } from "../support/flooder.ts";
import type { Person } from "../support/person.ts";
import { whyNoRedis } from "../support/redis.ts";
import { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";

const TYPING = { perS: 20, burst: 100 };
const SECONDS = 5;
const BUDGET = TYPING.burst + TYPING.perS * SECONDS;

describe.skipIf(whyNoRedis !== null)(`two hosts${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  let cluster: ClusterOfHosts;
  let a: Troupe;
  let b: Troupe;

  beforeAll(async () => {
    cluster = await ClusterOfHosts.start(2, {
      RATE_LIMITS: "on",
      RATE_LIMIT_TYPING: `${TYPING.perS}/s burst ${TYPING.burst}`,
    });
    [a, b] = cluster.hosts as [Troupe, Troupe];
  });

  afterEach(async (context) => {
    await Promise.all(cluster.hosts.map((host) => host.closeSessions()));
    if (context.task.result?.state === "fail") console.error(cluster.logTail());
  });

  afterAll(async () => {
    await cluster?.discard();
    await noSocketsLeft();
  });

  /** What a user gets who asks on both hosts at once, as fast as answers come. */
  async function asksBoth(person: Person, other: Person): Promise<number[]> {
    const direct = await person.startsDirect(other);
    const sessions = [
      await connectsTo(a, person),
      await connectsTo(b, person),
      await connectsTo(a, person),
      await connectsTo(b, person),
    ];
    const untilMs = performance.now() + SECONDS * 1_000;
    return Promise.all(sessions.map((session) => typesEagerly(session, direct.id, untilMs)));
  }

  it("[SPN2] a user of both hosts gets the limit once, and a quarter at most", async () => {
    const [ann, bob] = await a.users("ann", "bob");
    const counts = await asksBoth(ann!, bob!);
    const allowed = counts.reduce((sum, count) => sum + count, 0);
    expect(allowed).toBeGreaterThan(TYPING.burst);
    expect(allowed).toBeLessThan(1.25 * BUDGET + TYPING.burst / 2);
  });

  it("[SPN2] guesses at one account count on both", async () => {
    const ann = await a.user("ann");
    const { username } = ann.user;
    let wrong = 0;
    for (let n = 0; n < 24; n++) {
      const { http } = n % 2 === 0 ? a : b;
      const answer = await http.post("/api/auth/login", { username, password: "a guess." });
      if (answer.status === 401) wrong++;
      else expect(answer.status).toBe(429);
    }
    expect(wrong).toBeGreaterThanOrEqual(9);
    // A quarter more than 10, and guesses that were made before the other host had heard of one: by
    // themselves the two would allow 20.
    expect(wrong).toBeLessThanOrEqual(15);
  });

  it("[LIM4] who was ended for abuse on one host is refused by the other", async () => {
    const [ann, bob] = await a.users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const flooder = new Flooder(a, ann!, direct.id, { perS: 10_000, again: false });
    try {
      const attack = await flooder.untilClosed(15_000);
      expect(attack.ended?.code).toBe("rate_limited");
    } finally {
      await flooder.stops();
    }
    const error = await Session.refused(b, { token: ann!.token });
    expect(error).toMatchObject({ code: "rate_limited" });
    expect(error.retry_after_ms).toBeGreaterThan(0);
  });

  it("[SPN2] while Redis is away each host goes on counting by itself", {
    timeout: 60_000,
  }, async () => {
    const [ann, bob] = await a.users("ann", "bob");
    cluster.redis.freezes();
    try {
      await Promise.all([cluster.untilAway(a), cluster.untilAway(b)]);
      const [a1, b1, a2, b2] = await asksBoth(ann!, bob!);
      for (const onOneHost of [a1! + a2!, b1! + b2!]) {
        expect(onOneHost).toBeGreaterThan(TYPING.burst);
        expect(onOneHost).toBeLessThanOrEqual(BUDGET + TYPING.perS);
      }
    } finally {
      cluster.redis.thaws();
    }
    await cluster.untilJoined();
  });
});
