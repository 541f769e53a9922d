/**
 * Waiting for what cannot announce itself (a port, a process, an HTTP answer): asked again
 * until it holds, with a deadline and a sentence about what was missing.
 */
import { setTimeout as delay } from "node:timers/promises";

const PAUSE_MS = 25;

/** Resolves with the first value of `probe` that is not undefined or false. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 5000,
): Promise<T> {
  const startedMs = performance.now();
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      // A probe may fail while what it looks at is not there yet; the last reason is reported.
      last = error;
    }
    if (performance.now() - startedMs > deadlineMs) {
      const reason = last === undefined ? "" : `: ${String(last)}`;
      throw new Error(`not within ${deadlineMs} ms: ${what}${reason}`, { cause: last });
    }
    await delay(PAUSE_MS);
  }
}

/** `promise`, or an error that says what did not come. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = 5000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${deadlineMs} ms: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
