/** `troupe capacity`: which deployment carries which users, and what breaks first. Called by cli.ts. */
import { setTimeout as delay } from "node:timers/promises";
import { stopwatch } from "../../base/clock.ts";
import { planFor } from "../../capacity/plan.ts";
import type { Outcome } from "../users.ts";
import { readMetrics, type Seen, seenBetween } from "./from-metrics.ts";
import { type CapacityCommand, profileOf } from "./options.ts";
import { planJson, planText } from "./report.ts";

/** `token`: what the metrics want, if they want one. */
export async function capacity(options: CapacityCommand, token: string | null): Promise<Outcome> {
  const seen = options.from === null ? null : await watched(options.from, token);
  if (typeof seen === "string") return { exitCode: 1, text: `${seen}\n` };
  const plan = planFor(profileOf(options, seen?.profile ?? {}), options.host);
  if (typeof plan === "string") return { exitCode: 1, text: `${plan}\n` };
  const text = options.json
    ? `${JSON.stringify(planJson(plan, seen), null, 2)}\n`
    : planText(plan, seen);
  return { exitCode: 0, text };
}

/** A sentence where the metrics cannot be read. */
async function watched(
  { url, forMs }: NonNullable<CapacityCommand["from"]>,
  token: string | null,
): Promise<Seen | string> {
  const first = await readMetrics(url, token);
  if (!first.ok) return first.problem;
  const elapsedMs = stopwatch();
  await delay(forMs);
  const last = await readMetrics(url, token);
  if (!last.ok) return last.problem;
  return seenBetween(first.reading, last.reading, elapsedMs() / 1_000);
}
