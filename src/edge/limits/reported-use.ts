/**
 * The use of one kind of limit that edges have reported to the edge that adds it up, by key and by
 * edge. Called by usage-sharing.ts.
 *
 * [RPU1] Use that is as old as the limit takes to refill a quiet part is forgotten.
 * [RPU2] A key becomes loud when its use reaches the quiet part of the burst. Its whole use is then
 *        taken once, and begins at zero again.
 * [RPU3] Memory is bounded: forgotten keys are dropped first, and beyond `keysMax` the oldest half.
 */
import type { Allowance } from "../../base/token-bucket.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";

/** About 250 bytes each. */
const KEYS_MAX = 50_000;
/** Below this number of keys none are swept. */
const SWEEP_MIN = 1_024;

/** A key, its use on all edges, and which edge has spent how much of it. */
export type LoudKey = [key: string, count: number, by: Record<string, number>];

interface Use {
  atMs: Monotonic;
  by: Map<string, number>;
}

export class ReportedUse {
  readonly #quietPerS: number;
  readonly #quietMax: number;
  readonly #keysMax: number;
  readonly #uses = new Map<string, Use>();
  readonly #loud = new Set<string>();
  #sweepAt = SWEEP_MIN;

  /** `part`: of the limit, which may be used without an announcement. */
  constructor({ perS, burst }: Allowance, part: number, keysMax = KEYS_MAX) {
    this.#quietPerS = perS * part;
    this.#quietMax = Math.max(1, burst * part);
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** True: the key is loud. */
  add(key: string, from: string, count: number, nowMs: Monotonic): boolean {
    let use = this.#uses.get(key);
    if (use === undefined) {
      if (this.#uses.size >= Math.min(this.#sweepAt, this.#keysMax)) this.#makeRoom(nowMs);
      use = { atMs: nowMs, by: new Map() };
      this.#uses.set(key, use);
    }
    this.#forget(use, nowMs);
    use.by.set(from, (use.by.get(from) ?? 0) + count);
    if (sumOf(use) < this.#quietMax) return false;
    this.#loud.add(key);
    return true;
  }

  /** At most `max` loud keys, which are quiet from then on. */
  takeLoud(max: number): LoudKey[] {
    const taken: LoudKey[] = [];
    for (const key of this.#loud) {
      if (taken.length >= max) break;
      this.#loud.delete(key);
      const use = this.#uses.get(key);
      this.#uses.delete(key);
      if (use === undefined) continue;
      const by = [...use.by].map(([edge, count]): [string, number] => [edge, Math.round(count)]);
      const count = by.reduce((sum, [, own]) => sum + own, 0);
      taken.push([key, count, Object.fromEntries(by)]);
    }
    return taken;
  }

  /** [RPU1] Everybody's part of the use becomes smaller alike. */
  #forget(use: Use, nowMs: Monotonic): void {
    const before = sumOf(use);
    const after = before - (msBetween(use.atMs, nowMs) / 1000) * this.#quietPerS;
    use.atMs = nowMs;
    if (after <= 0) use.by.clear();
    else for (const [edge, count] of use.by) use.by.set(edge, (count * after) / before);
  }

  /** [RPU3] */
  #makeRoom(nowMs: Monotonic): void {
    for (const [key, use] of this.#uses) {
      this.#forget(use, nowMs);
      if (use.by.size === 0) this.#uses.delete(key);
    }
    this.#sweepAt = Math.max(SWEEP_MIN, 2 * this.#uses.size);
    if (this.#uses.size < this.#keysMax) return;
    let surplus = Math.ceil(this.#keysMax / 2);
    for (const key of this.#uses.keys()) {
      if (surplus-- <= 0) break;
      this.#uses.delete(key);
    }
  }
}

function sumOf({ by }: Use): number {
  let sum = 0;
  for (const count of by.values()) sum += count;
  return sum;
}
