/**
 * Readables for what is drawn: they tell of changes less often than these happen, so that a burst of
 * events does not draw as often as it has events. What they read is always the newest.
 */
import { BEFORE_ALL, msBetween } from "../protocol/time.ts";
import { systemClock } from "./clock.ts";
import type { Readable } from "./store.ts";

/** A tab that is hidden draws no frames. */
const FRAME_MAX_MS = 100;

/** A browser has frames; a server draws once. */
interface Frames {
  requestAnimationFrame?(draw: () => void): number;
  cancelAnimationFrame(frame: number): void;
}
const browser = globalThis as unknown as Frames;

/**
 * Tells of a change with the next frame, and of those that follow no sooner than `gapMs` after it, so
 * that what comes alone shows at once.
 */
export function calm<T>(source: Readable<T>, gapMs = 0): Readable<T> {
  const { requestAnimationFrame } = browser;
  if (requestAnimationFrame === undefined) return source;
  return {
    get: source.get,
    subscribe(listener) {
      let cancel: (() => void) | null = null;
      let toldMs = BEFORE_ALL;
      const tell = (): void => {
        cancel?.();
        cancel = null;
        toldMs = systemClock.monotonicMs();
        listener();
      };
      const unsubscribe = source.subscribe(() => {
        if (cancel !== null) return;
        const waitMs = gapMs - msBetween(toldMs, systemClock.monotonicMs());
        if (waitMs > 0) {
          cancel = systemClock.after(waitMs, tell);
          return;
        }
        const frame = requestAnimationFrame(tell);
        const stop = systemClock.after(FRAME_MAX_MS, tell);
        cancel = () => {
          browser.cancelAnimationFrame(frame);
          stop();
        };
      });
      return () => {
        cancel?.();
        unsubscribe();
      };
    },
  };
}
