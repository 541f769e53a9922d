/** How long to wait before a dead worker (or the database) is started again. Pure. */

export interface BackOffLimits {
  firstMs: number;
  maxMs: number;
  /** A worker that ran this long started well: the count starts over after it. */
  healthyMs: number;
}

export const BACK_OFF: BackOffLimits = { firstMs: 100, maxMs: 10_000, healthyMs: 30_000 };

/** Consecutive deaths, none of them after a healthy run. */
export interface BackOff {
  deaths: number;
}

export const RESTED: BackOff = { deaths: 0 };

/** The delay after a death: none the first time, then 100, 200, 400 ms … up to the maximum. */
export function stepBackOff(
  backOff: BackOff,
  livedMs: number,
  limits: BackOffLimits = BACK_OFF,
): { backOff: BackOff; delayMs: number } {
  const before = livedMs >= limits.healthyMs ? 0 : backOff.deaths;
  const delayMs = before === 0 ? 0 : Math.min(limits.firstMs * 2 ** (before - 1), limits.maxMs);
  return { backOff: { deaths: before + 1 }, delayMs };
}
