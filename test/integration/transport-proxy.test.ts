/**
 * Behind a proxy, and with nobody's word believed: whom logins and new sessions count for. The
 * proxy is 127.0.0.2 here, and everybody else writes the same headers in vain.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import type { Answer, ErrorAnswer } from "../support/http.ts";
import { noSocketsLeft } from "../support/suite.ts";

const PROXY = "127.0.0.2";
const STRANGER = "127.0.0.3";
const AUTH = { RATE_LIMIT_AUTH: "1/s burst 300" };
/** More than one address may log in at once. */
const LOGINS = 320;

const POLL = "/socket.io/?EIO=4&transport=polling";
/** Of new sessions, for one address and the worker's share. */
const SESSIONS = 40;

/** Fails logins as `from` says on behalf of `client(i)`; answers their statuses. */
async function logsIn(
  troupe: Troupe,
  from: string,
  count: number,
  client: (i: number) => string,
): Promise<number[]> {
  const statuses: number[] = [];
  for (let begun = 0; begun < count; begun += 20) {
    const answers = await Promise.all(
      Array.from({ length: Math.min(20, count - begun) }, (_, i) =>
        // Not even a body: limits come first, and no password is hashed.
        troupe.http.post("/api/auth/login", undefined, {
          from,
          headers: { "x-forwarded-for": client(begun + i) },
        }),
      ),
    );
    statuses.push(...answers.map((answer) => answer.status));
  }
  return statuses;
}

async function opensSessions(
  troupe: Troupe,
  from: string,
  client: (i: number) => string,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < SESSIONS; i++) {
    const headers = { "x-forwarded-for": client(i) };
    answers.push(await troupe.http.get<ErrorAnswer>(POLL, { from, headers }));
  }
  return answers;
}

const limited = (statuses: number[]) => statuses.filter((status) => status === 429).length;

describe.each([
  ["by address", `${PROXY},10.0.0.0/8`],
  ["by number", "1"],
])("TRUST_PROXY %s", (_, trust) => {
  let troupe: Troupe;
  beforeAll(async () => {
    const env = {
      ...AUTH,
      RATE_LIMITS: "on",
      TRUST_PROXY: trust,
      CONNECTION_BURST: "20",
      CONNECTION_RATE_PER_S: "1",
    };
    troupe = await startTroupe({ workers: 1, env });
  });
  afterAll(async () => {
    await troupe.stop();
    await noSocketsLeft();
  });

  test("[PRX5] each client has its own limit, and what it writes itself changes nothing", async () => {
    const everybody = await logsIn(troupe, PROXY, LOGINS, (i) => `1.2.${i >> 8}.${i & 255}`);
    expect(limited(everybody)).toBe(0);
    const forger = await logsIn(troupe, PROXY, LOGINS, (i) => `6.6.${i >> 8}.${i & 255}, 9.9.9.9`);
    expect(limited(forger)).toBeGreaterThan(0);
  });

  test("[PRX6] new sessions are limited by the client's address, at the worker", async () => {
    const everybody = await opensSessions(troupe, PROXY, (i) => `1.2.3.${i}`);
    expect(everybody.every((answer) => answer.status === 200)).toBe(true);
    const one = await opensSessions(troupe, PROXY, (i) => `${i}.6.6.6, 8.8.8.8`);
    expect(one.slice(0, 20).every((answer) => answer.status === 200)).toBe(true);
    const refused = one.find((answer) => answer.status === 429);
    expect(refused?.body.error.code).toBe("rate_limited");
    expect(Number(refused?.headers["retry-after"])).toBeGreaterThan(0);
    const metrics = await troupe.http.get<string>("/metrics", {
      from: PROXY,
      headers: { "x-forwarded-for": "7.7.7.7" },
    });
    expect(metrics.text).toMatch(
      /troupe_refusals_total\{event="handshake",code="rate_limited"\} [1-9]/,
    );
  });

  test("[PRX7] https at the proxy is https for browsers", async () => {
    const says = (proto: string) =>
      troupe.http.get("/healthz", { from: PROXY, headers: { "x-forwarded-proto": proto } });
    expect((await says("https")).headers["strict-transport-security"]).toContain("max-age=");
    expect((await says("http")).headers["strict-transport-security"]).toBeUndefined();
  });
});

describe("without TRUST_PROXY, or from elsewhere than the proxy", () => {
  test.each([
    ["no TRUST_PROXY", {}],
    ["another peer than the one named", { TRUST_PROXY: PROXY }],
  ])("[PRX8] the header is ignored: %s", async (_, trust) => {
    const troupe = await startTroupe({ workers: 1, env: { ...AUTH, RATE_LIMITS: "on", ...trust } });
    try {
      const forger = await logsIn(troupe, STRANGER, LOGINS, (i) => `1.2.${i >> 8}.${i & 255}`);
      expect(limited(forger)).toBeGreaterThan(0);
      const headers = { "x-forwarded-proto": "https" };
      const answer = await troupe.http.get("/healthz", { from: STRANGER, headers });
      expect(answer.headers["strict-transport-security"]).toBeUndefined();
    } finally {
      await troupe.stop();
    }
  });
});
