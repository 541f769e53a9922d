/** Tries out webhooks for the edge: whether an address may be one, and how it answers a test. */
import { randomUUID } from "node:crypto";
import { type Clock, stopwatch } from "../base/clock.ts";
import type { Probe } from "../ports/outbound.ts";
import { outsideEvent } from "../protocol/outside-events.ts";
import { epochMsOf, isoOf } from "../protocol/time.ts";
import type { Addresses } from "./addresses.ts";
import type { Post } from "./request.ts";
import { newSecret } from "./signature.ts";
import { webhookRequest } from "./webhook-request.ts";

const TIMEOUT_MS = 10_000;

export function createProbe(addresses: Addresses, post: Post, clock: Clock): Probe {
  return {
    problemOf: (url) => addresses.problemOf(url, "service"),
    newSecret,
    async test(id, target) {
      const event = outsideEvent({
        id: `evt_test_${randomUUID()}`,
        type: "webhook.test",
        at: isoOf(clock.wallMs()),
        key: `webhook:${id}`,
        data: { webhook_id: id },
      });
      const request = webhookRequest(target, [event], false, epochMsOf(clock.wallMs()));
      const elapsedMs = stopwatch();
      try {
        const { status } = await post({ ...request, timeoutMs: TIMEOUT_MS });
        const delivered = status >= 200 && status < 300;
        const problem = delivered ? null : `It answered ${status}.`;
        return { delivered, status, problem, ms: Math.round(elapsedMs()) };
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        return { delivered: false, status: null, problem, ms: Math.round(elapsedMs()) };
      }
    },
  };
}
