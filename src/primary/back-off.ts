/** How long to wait before a dead worker (or the database) is started again. Pure. */

export interface BackOffLimits {
  firstMs: number;
  maxMs: number;
  /** Who lived this long had no start trouble: the count begins anew. */
  healthyMs: number;
}

export const BACK_OFF: BackOffLimits = { firstMs: 100, maxMs: 10_000, healthyMs: 30_000 };

/** Deaths in a row, none of them after a healthy life. */
export interface BackOff {
  deaths: number;
}

export const RESTED: BackOff = { deaths: 0 };

/** After a death: at once the first time, then 100, 200, 400 ms … up to the most. */
export function stepBackOff(
  backOff: BackOff,
  livedMs: number,
  limits: BackOffLimits = BACK_OFF,
): { backOff: BackOff; delayMs: number } {
  const before = livedMs >= limits.healthyMs ? 0 : backOff.deaths;
  const delayMs = before === 0 ? 0 : Math.min(limits.firstMs * 2 ** (before - 1), limits.maxMs);
  return { backOff: { deaths: before + 1 }, delayMs };
}
