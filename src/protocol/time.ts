/**
 * Two kinds of time. Wall time says when something happened; a person or NTP may set it, in both
 * directions, so only timestamps are made of it. Monotonic time runs evenly whatever is done to
 * the wall clock; every duration, deadline and rate is measured in it. Both are milliseconds at
 * run time, but the types do not mix: comparing or subtracting one from the other does not
 * compile.
 *
 * A monotonic time has a meaning only in the thread that read it. Another thread, process or
 * host is sent a duration instead.
 */
declare const kind: unique symbol;

/** Milliseconds since the epoch. */
export interface WallTime {
  readonly [kind]: "wall";
}

/** Milliseconds since some moment before this thread first looked. */
export interface Monotonic {
  readonly [kind]: "monotonic";
}

export function wallTime(epochMs: number): WallTime {
  return epochMs as unknown as WallTime;
}

export function monotonic(ms: number): Monotonic {
  return ms as unknown as Monotonic;
}

/** Before every time that a monotonic clock has ever shown. */
export const BEFORE_ALL = /* @__PURE__ */ monotonic(Number.NEGATIVE_INFINITY);
/** A deadline that never passes. */
export const NEVER = /* @__PURE__ */ monotonic(Number.POSITIVE_INFINITY);

/** The time `ms` after `at`; before it if `ms` is negative. */
export function later<T extends WallTime | Monotonic>(at: T, ms: number): T {
  return ((at as unknown as number) + ms) as unknown as T;
}

/** Milliseconds from the one to the other; negative if `to` is the earlier one. */
export function msBetween(from: WallTime, to: WallTime): number;
export function msBetween(from: Monotonic, to: Monotonic): number;
export function msBetween(from: WallTime | Monotonic, to: WallTime | Monotonic): number {
  return (to as unknown as number) - (from as unknown as number);
}

export function earlierOf(one: Monotonic, other: Monotonic): Monotonic {
  return other < one ? other : one;
}

export function epochMsOf(at: WallTime): number {
  return at as unknown as number;
}

/** As timestamps travel: ISO 8601 in UTC. */
export function isoOf(at: WallTime): string {
  return new Date(epochMsOf(at)).toISOString();
}
