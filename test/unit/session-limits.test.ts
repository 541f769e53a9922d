import { expect, test } from "vitest";
import { SessionLimits, UserLimits } from "../../src/edge/socket/session-limits.ts";
import type { ClientEventName } from "../../src/protocol/events.ts";

const NOW_MS = 1_000_000;

/** Takes until the first that is not allowed; how many were. */
function allowed(limits: SessionLimits, event: ClientEventName | null, nowMs = NOW_MS): number {
  let count = 0;
  while (count < 10_000 && limits.take(event, nowMs).is === "allowed") count++;
  return count;
}

test("[LIM1] a burst gets through, then it is refused with the time to wait", () => {
  const limits = new SessionLimits(new UserLimits());
  expect(allowed(limits, "send_message")).toBe(1_000);
  const verdict = limits.take("send_message", NOW_MS);
  expect(verdict).toEqual({ is: "refused", retryAfterMs: 10 });
  expect(limits.take("send_message", NOW_MS + 10).is).toBe("allowed");
});

test("[LIM1] who waits as told is allowed again, for every kind", () => {
  const limits = new SessionLimits(new UserLimits());
  const events: (ClientEventName | null)[] = ["typing", "mark_read", "sync", "set_status", null];
  for (const event of events) {
    allowed(limits, event);
    const verdict = limits.take(event, NOW_MS);
    if (verdict.is !== "refused") throw new Error(`${event} is ${verdict.is}`);
    expect(limits.take(event, NOW_MS + verdict.retryAfterMs).is).toBe("allowed");
  }
});

test("[LIM2] one kind's flood leaves the others alone", () => {
  const limits = new SessionLimits(new UserLimits());
  allowed(limits, "typing");
  expect(limits.take("send_message", NOW_MS).is).toBe("allowed");
  expect(limits.take("mark_read", NOW_MS).is).toBe("allowed");
});

test("[LIM3] the sessions of a user share what they may", () => {
  const user = new UserLimits();
  allowed(new SessionLimits(user), "send_message");
  expect(new SessionLimits(user).take("send_message", NOW_MS).is).toBe("refused");
  expect(new SessionLimits(new UserLimits()).take("send_message", NOW_MS).is).toBe("allowed");
});

test("[LIM4] who does not stop is ended, who is refused now and then is not", () => {
  const stubborn = new SessionLimits(new UserLimits());
  allowed(stubborn, "typing");
  let refusals = 1;
  while (stubborn.take("typing", NOW_MS).is === "refused") refusals++;
  expect(refusals).toBe(300);
  expect(stubborn.take("typing", NOW_MS).is).toBe("abuse");

  const patient = new SessionLimits(new UserLimits());
  let nowMs = NOW_MS;
  for (let n = 0; n < 1_000; n++) {
    allowed(patient, "typing", nowMs);
    expect(patient.take("typing", nowMs).is).toBe("refused");
    nowMs += 1_000;
  }
});

test("[LIM5] with limits off everything is allowed", () => {
  expect(allowed(new SessionLimits(null), null)).toBe(10_000);
});
