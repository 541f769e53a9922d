/**
 * How long to wait before trying again: full jitter below a doubling ceiling, so that a crowd
 * that lost its server does not come back as one.
 */
const CEILING_FIRST_MS = 500;
const CEILING_MAX_MS = 15_000;
/** Never at once: a server that refuses everybody would be asked in a loop. */
const FLOOR_MS = 50;

/** `attempt` counts from 0; `chance` is from 0 to below 1. */
export function backOffMs(attempt: number, chance: number): number {
  const ceilingMs = Math.min(CEILING_MAX_MS, CEILING_FIRST_MS * 2 ** attempt);
  return Math.max(FLOOR_MS, Math.floor(chance * ceilingMs));
}
