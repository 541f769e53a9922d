/**
 * Pulls of the event log: cursors in and out, and those that wait for the next event. While anybody
 * waits, this worker looks for news a few times a second, once for all of them.
 */
import type { Clock } from "../../../base/clock.ts";
import type { EventFilter, EventLog, LogPage, LogPlace } from "../../../ports/events.ts";
import { PULLED_MAX } from "../../../protocol/event-routes.ts";
import { later } from "../../../protocol/time.ts";

const LOOK_MS = 200;
/** How long rows that hold nothing of what is asked for are searched, also without waiting. */
const SEARCH_MS = 2_000;

/** A place as callers see it: text that only this module reads. */
export function cursorOf({ epoch, pos, n, mark }: LogPlace): string {
  return Buffer.from(JSON.stringify([epoch, pos, n, mark])).toString("base64url");
}

/** Null: no cursor of ours. */
export function placeOf(cursor: string): LogPlace | null {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    // Not JSON.
    return null;
  }
  if (!Array.isArray(parts) || parts.length !== 4) return null;
  const [epoch, pos, n, mark] = parts as unknown[];
  const isPlace =
    typeof epoch === "string" &&
    typeof mark === "string" &&
    Number.isSafeInteger(pos) &&
    Number.isSafeInteger(n) &&
    (pos as number) > 0 &&
    (n as number) >= 0;
  return isPlace ? { epoch, pos: pos as number, n: n as number, mark } : null;
}

export class Pulls {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #closed = new AbortController();

  constructor(log: EventLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Those that wait are answered with what there is. */
  close(): void {
    this.#closed.abort();
  }

  /** The first page with an event, or what there is when the time is up; null: gone. */
  async pull(from: LogPlace, filter: EventFilter, waitMs: number): Promise<LogPage | null> {
    const begunMs = this.#clock.monotonicMs();
    const untilMs = later(begunMs, waitMs);
    const searchedUntilMs = later(begunMs, Math.max(waitMs, SEARCH_MS));
    for (let place = from; ; ) {
      const page = await this.#log.read(place, filter, PULLED_MAX);
      if (page === null || page.events.length > 0) return page;
      const isOver = () => this.#closed.signal.aborted || this.#clock.monotonicMs() >= untilMs;
      place = page.next;
      if (page.hasMore && this.#clock.monotonicMs() < searchedUntilMs) continue;
      if (isOver()) return page;
      while (!(await this.#log.hasNews(place))) {
        if (isOver()) return page;
        await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(LOOK_MS, done);
      const { signal } = this.#closed;
      signal.addEventListener("abort", done, { once: true });
      function done(): void {
        cancel();
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}
