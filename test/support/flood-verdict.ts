/** One flood, judged: honest people's p99 against their calm, and the processes' weight. */
import { expect } from "vitest";
import type { Troupe } from "./cluster.ts";
import { type Felt, Flood, type FloodFacts, type FloodKind, type HonestPeople } from "./flood.ts";

/** The promise; below the floor it is the machine's noise that is being compared. */
const TIMES_CALM = 2;
const FLOOR_MS = 25;
/** Somebody else's work on the machine can hit the attacked windows only; a real harm hits all. */
const ROUNDS = 3;
/** 500 connections at 40 KB each and what V8 has not collected yet; a leak goes on growing. */
const GROWTH_MB_MAX = 64;
const CONNECTIONS = 500;
const RENEWED_PER_S = 500;
const ATTACKERS = "127.0.0.2";

interface Round {
  calm: Felt;
  attacked: Felt;
  grownMb: number[];
  flood: FloodFacts;
}

/** Fails where the flood is felt, in every round; answers what the attackers saw in the last. */
export async function endures(
  troupe: Troupe,
  people: HonestPeople,
  kind: FloodKind,
): Promise<FloodFacts> {
  const rounds: Round[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const round = await attacks(troupe, people, kind);
    rounds.push(round);
    const figures = JSON.stringify({ kind, ...round });
    process.stdout.write(`${figures}\n`);
    for (const mb of round.grownMb) {
      expect(mb, `memory: ${figures}`).toBeLessThanOrEqual(GROWTH_MB_MAX);
    }
    if (isBorne(round.calm.ackMs, round.attacked.ackMs)) {
      if (isBorne(round.calm.readMs, round.attacked.readMs)) return round.flood;
    }
  }
  throw new Error(`${kind} was felt in each of ${ROUNDS} rounds: ${JSON.stringify(rounds)}`);
}

function isBorne(calmMs: number, attackedMs: number): boolean {
  return attackedMs <= Math.max(FLOOR_MS, calmMs * TIMES_CALM);
}

async function attacks(troupe: Troupe, people: HonestPeople, kind: FloodKind): Promise<Round> {
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
    const grownMb = people.weights().map((mb, i) => Math.round(mb - (before[i] ?? Number.NaN)));
    return { calm, attacked, grownMb, flood: flood.facts };
  } finally {
    await flood.ends();
  }
}
