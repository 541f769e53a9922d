/** One flood, judged: honest people's p99 against their calm, and the processes' weight. */
import { expect } from "vitest";
import type { Troupe } from "./cluster.ts";
import { Flood, type FloodFacts, type FloodKind, type HonestPeople } from "./flood.ts";

/** The promise; below the floor it is the machine's noise that is being compared. */
const TIMES_CALM = 2;
const FLOOR_MS = 25;
/** 500 connections at 40 KB each and what V8 has not collected yet; a leak goes on growing. */
const GROWTH_MB_MAX = 64;
const CONNECTIONS = 500;
const RENEWED_PER_S = 500;
const ATTACKERS = "127.0.0.2";

/** Fails where the flood is felt; answers what the attackers saw. */
export async function endures(
  troupe: Troupe,
  people: HonestPeople,
  kind: FloodKind,
): Promise<FloodFacts> {
  const before = people.weights();
  const calm = await people.feels();
  const flood = await Flood.begins({
    port: troupe.port,
    from: ATTACKERS,
    kind,
    count: CONNECTIONS,
    perS: RENEWED_PER_S,
  });
  try {
    const attacked = await people.feels();
    const grownMb = people.weights().map((mb, i) => mb - (before[i] ?? Number.NaN));
    const figures = JSON.stringify({ kind, calm, attacked, grownMb, flood: flood.facts });
    process.stdout.write(`${figures}\n`);
    const bound = (calmMs: number) => Math.max(FLOOR_MS, calmMs * TIMES_CALM);
    expect(attacked.ackMs, `acks: ${figures}`).toBeLessThanOrEqual(bound(calm.ackMs));
    expect(attacked.readMs, `reads: ${figures}`).toBeLessThanOrEqual(bound(calm.readMs));
    for (const mb of grownMb) expect(mb, `memory: ${figures}`).toBeLessThanOrEqual(GROWTH_MB_MAX);
    return flood.facts;
  } finally {
    await flood.ends();
  }
}
