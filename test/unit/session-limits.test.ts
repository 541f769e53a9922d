import { beforeEach, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/config/limit-keys.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { SessionLimits } from "../../src/edge/session/session-limits.ts";
import { COST_OF_EVENT } from "../../src/protocol/costs.ts";
import type { ClientEventName } from "../../src/protocol/events.ts";
import { monotonic } from "../../src/protocol/time.ts";
import { FakeClock } from "../support/fake-clock.ts";

const NOW_MS = 1_000_000;
const NONE = Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((kind) => [kind, null]));

let tally: Tally;
let limits: EdgeLimits;

beforeEach(() => {
  tally = new Tally();
  limits = edgeWith(DEFAULT_LIMITS);
});

function edgeWith(some: Partial<Limits>): EdgeLimits {
  const clock = new FakeClock();
  return new EdgeLimits({ limits: { ...(NONE as Limits), ...some }, clock, tally });
}

const sessionOf = (user: string) => new SessionLimits(limits, user);

/** Takes until the first that is not allowed; how many were. */
function allowed(session: SessionLimits, event: ClientEventName | null, nowMs = NOW_MS): number {
  let count = 0;
  while (count < 10_000 && session.take(event, monotonic(nowMs)).is === "allowed") count++;
  return count;
}

test("[LIM1] a burst gets through, then it is refused with the time to wait", () => {
  const session = sessionOf("1");
  expect(allowed(session, "send_message")).toBe(1_000);
  const verdict = session.take("send_message", monotonic(NOW_MS));
  expect(verdict).toEqual({ is: "refused", retryAfterMs: 10 });
  expect(session.take("send_message", monotonic(NOW_MS + 10)).is).toBe("allowed");
});

test("[LIM1] who waits as told is allowed again, for every kind", () => {
  const session = sessionOf("1");
  const events: (ClientEventName | null)[] = ["typing", "mark_read", "sync", "set_status", null];
  for (const event of events) {
    allowed(session, event);
    const verdict = session.take(event, monotonic(NOW_MS));
    if (verdict.is !== "refused") throw new Error(`${event} is ${verdict.is}`);
    expect(session.take(event, monotonic(NOW_MS + verdict.retryAfterMs)).is).toBe("allowed");
  }
});

test("[LIM2] one kind's flood leaves the others alone", () => {
  const session = sessionOf("1");
  allowed(session, "typing");
  expect(session.take("send_message", monotonic(NOW_MS)).is).toBe("allowed");
  expect(session.take("mark_read", monotonic(NOW_MS)).is).toBe("allowed");
});

test("[LIM2] [CST1] an event that reads much is charged for it, or refused with the time to wait", () => {
  const session = sessionOf("1");
  const conversations = Array.from({ length: 500 }, (_, n) => ({
    conversation_id: `${n + 1}`,
    after_rev: 0,
  }));
  const units = COST_OF_EVENT.sync.more?.({ conversations }) ?? {};
  expect(units).toEqual({ read: 10 });
  let syncs = 0;
  while (session.take("sync", monotonic(NOW_MS)).is === "allowed") {
    if (session.charge(units, monotonic(NOW_MS)).is === "allowed") syncs++;
  }
  expect(syncs).toBe(54);
  expect(session.charge(units, monotonic(NOW_MS))).toEqual({ is: "refused", retryAfterMs: 500 });
});

test("[LIM3] the sessions of a user share what they may, also one after the other", () => {
  allowed(sessionOf("1"), "send_message");
  expect(sessionOf("1").take("send_message", monotonic(NOW_MS)).is).toBe("refused");
  expect(sessionOf("2").take("send_message", monotonic(NOW_MS)).is).toBe("allowed");
});

test("[LIM4] who does not stop is ended, who is refused now and then is not", () => {
  const stubborn = sessionOf("1");
  allowed(stubborn, "typing");
  let refusals = 1;
  while (stubborn.take("typing", monotonic(NOW_MS)).is === "refused") refusals++;
  expect(refusals).toBe(300);
  expect(stubborn.take("typing", monotonic(NOW_MS)).is).toBe("abuse");

  const patient = sessionOf("2");
  let nowMs = NOW_MS;
  for (let n = 0; n < 1_000; n++) {
    allowed(patient, "typing", nowMs);
    expect(patient.take("typing", monotonic(nowMs)).is).toBe("refused");
    nowMs += 1_000;
  }
});

test("[LIM4] whose session was ended waits before the next, and longer for several", () => {
  const clock = new FakeClock();
  limits = new EdgeLimits({ limits: DEFAULT_LIMITS, clock, tally });
  expect(limits.handshake("1")).toBeNull();
  limits.endedForAbuse("1");
  expect(limits.handshake("1")).toMatchObject({ code: "rate_limited", retry_after_ms: 10_000 });
  expect(limits.handshake("2")).toBeNull();
  limits.endedForAbuse("1");
  expect(limits.handshake("1")).toMatchObject({ retry_after_ms: 20_000 });
});

test("[LIM5] with limits off everything is allowed", () => {
  const session = new SessionLimits(null, "1");
  expect(allowed(session, null)).toBe(10_000);
  for (let n = 0; n < 10_000; n++) expect(session.arrived(monotonic(NOW_MS))).toBe(true);
  expect(session.isDue(1, monotonic(NOW_MS))).toBe(true);
});

test("[LIM5] one kind can be off alone", () => {
  limits = edgeWith({ typing: { perS: 1, burst: 5 } });
  expect(allowed(sessionOf("1"), "send_message")).toBe(10_000);
  expect(allowed(sessionOf("1"), "typing")).toBe(5);
});

test("[LIM6] past its rate a session's packets are due one by one, none earlier for waiting", () => {
  limits = edgeWith({ session: { perS: 100, burst: 10 } });
  const session = sessionOf("1");
  for (let n = 0; n < 10; n++) expect(session.arrived(monotonic(NOW_MS))).toBe(true);
  for (let n = 0; n < 50; n++) expect(session.arrived(monotonic(NOW_MS))).toBe(false);
  expect(session.isDue(50, monotonic(NOW_MS))).toBe(false);
  expect(session.isDue(50, monotonic(NOW_MS + 10))).toBe(true);
  expect(session.isDue(49, monotonic(NOW_MS + 10))).toBe(false);
  expect(session.isDue(1, monotonic(NOW_MS + 500))).toBe(true);
  expect(session.isDue(0, monotonic(NOW_MS + 500))).toBe(false);
  expect(session.isDue(0, monotonic(NOW_MS + 510))).toBe(true);
});

test("[LIM6] what finds no room to wait is refused, and ends in abuse", () => {
  limits = edgeWith({ session: { perS: 100, burst: 10 }, refused: { perS: 1, burst: 3 } });
  const session = sessionOf("1");
  for (let n = 0; n < 20; n++) session.arrived(monotonic(NOW_MS));
  const verdicts = [1, 2, 3, 4].map(() => session.overrun(monotonic(NOW_MS)));
  expect(verdicts.map(({ is }) => is)).toEqual(["refused", "refused", "refused", "abuse"]);
  expect(verdicts[0]).toEqual({ is: "refused", retryAfterMs: 110 });
});

test("allowed and refused are counted by kind", () => {
  allowed(sessionOf("1"), "set_status");
  const counts: string[] = [];
  tally.each((kind, verdict, count) => counts.push(`${kind} ${verdict} ${count}`));
  expect(counts).toEqual(["watch allowed 200", "watch refused 1"]);
});
