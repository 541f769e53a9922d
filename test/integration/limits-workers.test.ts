/** Limits over the workers of one host: spreading connections over them gains nearly nothing. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { metric } from "../support/cluster-of-hosts.ts";
import { typesEagerly } from "../support/eager.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { Flooder } from "../support/flooder.ts";
import type { Person } from "../support/person.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const WORKERS = 4;
const TYPING = { perS: 20, burst: 100 };
const HTTP = { perS: 20, burst: 100 };

const troupe = troupeForFile({
  workers: WORKERS,
  env: {
    RATE_LIMITS: "on",
    RATE_LIMIT_TYPING: `${TYPING.perS}/s burst ${TYPING.burst}`,
    RATE_LIMIT_HTTP_USER: `${HTTP.perS}/s burst ${HTTP.burst}`,
  },
});

/** What may be allowed in `seconds`: the limit, a quarter, and what was on its way at first. */
const bound = ({ perS, burst }: { perS: number; burst: number }, seconds: number) =>
  1.25 * (burst + perS * seconds) + burst / 2;

/** Floods until the session is ended. */
async function isEndedForAbuse(person: Person, talk: Conversation): Promise<void> {
  const flooder = new Flooder(troupe(), person, talk.id, { perS: 10_000, again: false });
  try {
    const attack = await flooder.untilClosed(15_000);
    expect(attack.ended).toMatchObject({ code: "rate_limited", reconnect: true });
  } finally {
    await flooder.stops();
  }
}

describe("four workers", () => {
  it("[SPN1] ten sessions of one user get the limit of one, and a quarter at most", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const sessions = await troupe().sessionOnEachWorker(ann!);
    while (sessions.length < 10) sessions.push(await ann!.connects());
    const seconds = 8;
    const untilMs = performance.now() + seconds * 1_000;
    const counts = await Promise.all(
      sessions.map((session) => typesEagerly(session, direct.id, untilMs)),
    );
    const allowed = counts.reduce((sum, count) => sum + count, 0);
    expect(allowed).toBeGreaterThan(TYPING.burst);
    expect(allowed).toBeLessThan(bound(TYPING, seconds));
    // Nobody was ended for it, and whoever was calm heard nothing of it.
    for (const session of sessions) expect(session.heard("session_ended")).toEqual([]);
    const bobs = await bob!.connects();
    await bobs.types(direct.id, true);
  });

  it("[SPN1] one account's passwords can be guessed as often as on one worker", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const { username } = ann!.user;
    let wrong = 0;
    for (let n = 0; n < 40; n++) {
      const answer = await troupe().http.post("/api/auth/login", {
        username,
        password: "a guess.",
      });
      if (answer.status === 401) wrong++;
      else expect(answer.status).toBe(429);
    }
    expect(wrong).toBeGreaterThanOrEqual(9);
    expect(wrong).toBeLessThanOrEqual(14);
    expect((await bob!.signsInAgain()).id).toBe(bob!.id);
  });

  it("[SPN1] calls of one user over many connections are one budget", async () => {
    const ann = await troupe().user("ann");
    const startedMs = performance.now();
    let allowed = 0;
    for (let n = 0; n < 60; n++) {
      const answers = await Promise.all(upTo(10).map(() => ann.api.get("/api/me")));
      allowed += answers.filter(({ status }) => status === 200).length;
      for (const { status, headers } of answers) {
        if (status === 200) continue;
        expect(status).toBe(429);
        expect(Number(headers["retry-after"])).toBeGreaterThan(0);
      }
    }
    expect(allowed).toBeGreaterThanOrEqual(HTTP.burst - 10);
    expect(allowed).toBeLessThan(bound(HTTP, (performance.now() - startedMs) / 1_000));
  });

  it("[LIM4] who was ended for abuse is refused by every worker, and let in again later", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    await isEndedForAbuse(ann!, direct);
    // All at once, for each answer comes late; one after the other they go to every worker.
    const refusals = await Promise.all(
      upTo(2 * WORKERS).map(() => Session.refused(troupe(), { token: ann!.token })),
    );
    for (const { code } of refusals) expect(code).toBe("rate_limited");
    const retryAfterMs = Math.max(...refusals.map((error) => error.retry_after_ms ?? 0));
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(10_000);
    await bob!.connects();
    await eventually(
      "ann's penalty is over",
      async () => (await ann!.connects()).isConnected,
      retryAfterMs + 5_000,
    );
  });

  it("[OPS] what was allowed, refused and ended shows in /metrics, by kind", async () => {
    const counted = (kind: string, verdict: string) =>
      metric(troupe(), "troupe_limits_total", { kind, verdict });
    const ended = () => metric(troupe(), "troupe_sessions_ended_total", { code: "rate_limited" });
    const [ann, bob, eve] = await troupe().users("ann", "bob", "eve");
    const direct = await ann!.startsDirect(bob!);
    const session = await ann!.connects();
    const before = await counted("typing", "allowed");
    await session.types(direct.id, true);
    expect(await counted("typing", "allowed")).toBe(before + 1);

    const asks: Record<string, () => Promise<unknown>> = {
      typing: () => session.emits("typing", { conversation_id: direct.id, is_typing: true }),
      login: () => {
        const body = { username: ann!.user.username, password: "a guess." };
        return troupe().http.post("/api/auth/login", body);
      },
      http_user: () => ann!.api.get("/api/me"),
    };
    for (const [kind, ask] of Object.entries(asks)) {
      const refused = await counted(kind, "refused");
      await eventually(
        `${kind} is refused`,
        async () => {
          await Promise.all(upTo(50).map(ask));
          return (await counted(kind, "refused")) > refused;
        },
        10_000,
      );
    }
    const [endedBefore, refusedBefore] = [await ended(), await counted("ended", "refused")];
    await isEndedForAbuse(eve!, await eve!.startsDirect(bob!));
    expect(await ended()).toBe(endedBefore + 1);
    await Session.refused(troupe(), { token: eve!.token });
    expect(await counted("ended", "refused")).toBe(refusedBefore + 1);
  });
});
