/** Waiting for what cannot announce itself: a port, a process, an HTTP answer. */
import { setTimeout as delay } from "node:timers/promises";

const PAUSE_MS = 25;

/** Milliseconds until `holds` was true, or null when it was not within `deadlineMs`. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  deadlineMs: number,
  pauseMs = PAUSE_MS,
): Promise<number | null> {
  const beganMs = performance.now();
  for (;;) {
    if (await holds()) return Math.round(performance.now() - beganMs);
    if (performance.now() - beganMs > deadlineMs) return null;
    await delay(pauseMs);
  }
}

/** `promise`, or `late` after `ms`. The promise must not reject. */
export async function withinMs<T, L>(promise: Promise<T>, ms: number, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const lateness = new Promise<L>((done) => {
    timer = setTimeout(() => done(late), ms);
  });
  try {
    return await Promise.race([promise, lateness]);
  } finally {
    clearTimeout(timer);
  }
}
