/** Repeatable chance: the same seed, the same test. */
import { randomBytes } from "node:crypto";

/** The run's seed: TEST_SEED, or a fresh one; printed, so that a failure can be run again. */
export function seedFor(title: string): number {
  const given = process.env["TEST_SEED"];
  const seed = given === undefined ? randomBytes(4).readUInt32LE() : Number(given);
  console.info(`${title}: TEST_SEED=${seed}`);
  return seed;
}

/** An integer from 0 to below `n`. */
export type Chance = (n: number) => number;

/** mulberry32 (Tommy Ettinger, public domain). */
export function chanceFrom(seed: number): Chance {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}
