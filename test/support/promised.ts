/**
 * Times that are promised for a machine of its own. Where other suites run beside this one they
 * stretch: there a test holds only that a thing comes, and how. QUIET=1 judges to the letter.
 */
import { availableParallelism, loadavg } from "node:os";

const IS_QUIET = process.env["QUIET"] === "1";
/** The load average is a minute's: of a machine that has just become busy it knows nothing. */
const STRETCH_MIN = 3;

/** `ms` in a quiet run, else `busyMs`. */
export function promised(ms: number, busyMs: number): number {
  return IS_QUIET ? ms : busyMs;
}

/** As many times `ms` as the machine is busy. */
export function stretched(ms: number): number {
  return promised(ms, ms * Math.max(STRETCH_MIN, (loadavg()[0] ?? 0) / availableParallelism()));
}
