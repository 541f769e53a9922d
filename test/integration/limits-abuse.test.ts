/**
 * An abusive session at 10,000 events a second, from a process of its own, against a Troupe
 * with its limits as they are by default: others notice nothing, and it is gone.
 */
import { describe, expect, it } from "vitest";
import { quantile, sendsCalmly } from "../support/calm.ts";
import { metric } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { IS_JUDGED } from "../support/flood.ts";
import { Flooder } from "../support/flooder.ts";
import { RawWebSocket } from "../support/raw.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const EVENTS_PER_S = 10_000;
const GONE_WITHIN_MS = 5_000;
const CALM_MS = 3_000;
const FLOODED_MS = 5_000;
/**
 * Judged closely on a quiet machine (FLOODS=1), as in flood-verdict.ts. Below the floor it is
 * other work on the machine that is being compared.
 */
const JUDGED = IS_JUDGED ? { timesCalm: 2, floorMs: 40 } : { timesCalm: 4, floorMs: 150 };
/** Of so many one must be undisturbed by the machine; a cost would show in all. */
const ROUNDS = 3;

const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "on" } });

/** Two people on each worker who talk to each other. */
async function honestPeople(): Promise<{ session: Session; conversation: string }[]> {
  const [cat, dan] = await troupe().users("cat", "dan");
  const direct = await cat!.startsDirect(dan!);
  const sessions = [
    ...(await troupe().sessionOnEachWorker(cat!)),
    ...(await troupe().sessionOnEachWorker(dan!)),
  ];
  return sessions.map((session) => ({ session, conversation: direct.id }));
}

interface Round {
  calmP99: number;
  floodedP99: number;
}

/** Honest sends before, during and after a flood; `look` is called at its end. */
async function withFlood(
  again: boolean,
  look: (flooder: Flooder) => Promise<void>,
): Promise<Round> {
  const people = await honestPeople();
  const [eve, bob] = await troupe().users("eve", "bob");
  const target = await eve!.startsDirect(bob!);
  const calm = await sendsCalmly(people, CALM_MS);
  const flooder = new Flooder(troupe(), eve!, target.id, { perS: EVENTS_PER_S, again });
  let floodedP99: number;
  try {
    await flooder.untilItFloods();
    floodedP99 = quantile(await sendsCalmly(people, FLOODED_MS), 0.99);
    await look(flooder);
  } finally {
    await flooder.stops();
  }
  calm.push(...(await sendsCalmly(people, CALM_MS)));
  const sent = await bob!.reads(target.id);
  // Nothing but the budget got through: the burst, and its refill until now.
  expect(sent.length).toBeLessThan(1.25 * (1_000 + (100 * 2 * FLOODED_MS) / 1_000));
  await troupe().closeSessions();
  return { calmP99: quantile(calm, 0.99), floodedP99 };
}

/** Runs rounds until the flood was not felt in one. */
async function isUnfelt(round: () => Promise<Round>): Promise<void> {
  const rounds: Round[] = [];
  while (rounds.length < ROUNDS) {
    const { calmP99, floodedP99 } = await round();
    rounds.push({ calmP99, floodedP99 });
    if (floodedP99 < Math.max(JUDGED.timesCalm * calmP99, JUDGED.floorMs)) return;
  }
  throw new Error(`others felt the flood, p99 in ms: ${JSON.stringify(rounds)}`);
}

describe("an abusive session", () => {
  it("[CTR-LIM6] costs others nothing measurable, and is gone within five seconds", {
    timeout: 90_000,
  }, async () => {
    await isUnfelt(() =>
      withFlood(false, async (flooder) => {
        const attack = await flooder.untilClosed(GONE_WITHIN_MS);
        expect(attack.ms).toBeLessThan(GONE_WITHIN_MS);
        expect(attack.limited).toBeGreaterThan(0);
        expect(attack.ended).toMatchObject({ code: "rate_limited", reconnect: true });
      }),
    );
  });

  it("[CTR-LIM7] that comes back at once, again and again, is refused before it costs anything", {
    timeout: 90_000,
  }, async () => {
    await isUnfelt(() =>
      withFlood(true, async ({ attacks, floods }) => {
        // Ten seconds' penalty: its first session, and no other until then.
        expect(floods).toBe(1);
        expect(attacks[0]?.ended?.code).toBe("rate_limited");
        for (const { refused } of attacks.slice(1)) expect(refused?.code).toBe("rate_limited");
        // The refusals of the handshake come late, so the client has not tried often.
        expect(attacks.length).toBeLessThan(10);
      }),
    );
  });
});

describe("what is not abuse", () => {
  const held = () => metric(troupe(), "troupe_limits_total", { kind: "session", verdict: "held" });

  it("[LIM6] an outbox and marks that pile up offline go through at once, only slower", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const session = await ann!.connects();
    const before = await held();
    const sends = upTo(900).map((n) => session.sends(direct.id, `${n}`));
    const messages = await Promise.all(sends);
    const marks = messages.map(({ seq }) => session.marksRead(direct.id, seq));
    expect((await Promise.all(marks)).at(-1)?.read_seq).toBe(900);
    expect(session.heard("session_ended")).toEqual([]);
    expect(await held()).toBeGreaterThan(before);
    // In the order in which they were sent.
    expect(messages.map(({ body }) => body)).toEqual(upTo(900).map(String));
  });

  it("[LIM6] packets that are no events, and WebSocket's own pings, are held back too", async () => {
    for (const flood of ["pongs", "pings"] as const) {
      const ann = await troupe().user("ann");
      const raw = await RawWebSocket.signedIn(troupe().port, ann.token);
      const before = await held();
      for (const _ of upTo(3_000)) {
        if (flood === "pongs") raw.writes("3");
        else raw.ws.ping();
      }
      await eventually(`the flood of ${flood} is held back`, async () => (await held()) > before);
      raw.writes('427["set_status",{"status":"away"}]');
      expect(await raw.frame((text) => text.startsWith("437"), "its answer")).toContain(
        '"ok":true',
      );
      raw.end();
    }
  });

  it("[CTR-LIM8] a burst of some hundred calls by one user, and many users of one address, pass", async () => {
    const ann = await troupe().user("ann");
    for (const _ of upTo(6)) {
      const answers = await Promise.all(upTo(50).map(() => ann.api.get("/api/me")));
      expect(answers.map(({ status }) => status)).toEqual(upTo(50).map(() => 200));
    }
    const crowd = await troupe().users(...upTo(60).map((n) => `c${n}`));
    expect(new Set(crowd.map(({ id }) => id)).size).toBe(60);
  });
});
