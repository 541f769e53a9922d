/**
 * Delivers the events of one webhook, for as long as its job is this host's. Each key has one
 * request under way at a time, and its next follows after a 2xx; up to `KEYS_AT_ONCE` keys go beside
 * each other.
 *
 * States of a key: it has events → one request at a time, until it has none; a request fails → it
 * waits for its next try, and its events for it → after the last try it is parked, until somebody
 * asks to go on.
 *
 * [WHK1] The events of a key arrive in order, at least once; the next only after a 2xx.
 * [WHK2] A key that fails holds up no other key.
 * [WHK3] A delivery is recorded before the next event of its key is sent: the death of a host
 *        repeats the requests that were under way and nothing else.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Post } from "../../outbound/request.ts";
import { retryAfterOf } from "../../outbound/retry-after.ts";
import { webhookRequest } from "../../outbound/webhook-request.ts";
import type { QueuedEvent, QueueLook, WebhookQueue } from "../../ports/webhooks.ts";
import type { OutsideEvent } from "../../protocol/outside-events.ts";
import { epochMsOf } from "../../protocol/time.ts";

export interface DeliveryTimes {
  /** Between two looks for new events. */
  lookMs: number;
  /** A request, from the name's resolution to the end of the answer. */
  requestMs: number;
  /** Before the second, third … try; the last figure again and again, until the key is parked. */
  retryMs: readonly number[];
  /** Tries in all before the key is parked. */
  triesMax: number;
}

const HOUR_MS = 3_600_000;
const FIRST_RETRIES_MS = [5_000, 30_000, 120_000, 600_000, HOUR_MS];
const HOURLY_TRIES = 72;

export const DELIVERY_TIMES: DeliveryTimes = {
  lookMs: 250,
  requestMs: 10_000,
  retryMs: FIRST_RETRIES_MS,
  triesMax: 1 + FIRST_RETRIES_MS.length + HOURLY_TRIES,
};

const KEYS_AT_ONCE = 32;
const BATCH_MAX = 100;
/** Rows of the log in one look. */
const ROWS_AT_ONCE = 500;
/** While more keys than this wait, no further events are queued: they wait in the log. */
const KEYS_WAITING_MAX = 5_000;

export interface DelivererOptions {
  id: string;
  queue: WebhookQueue;
  post: Post;
  /** Writes the addresses of files. */
  links?: (text: string) => string;
  clock: Clock;
  log: Log;
  times?: Partial<DeliveryTimes>;
}

type Outcome = { is: "ok" } | { is: "disable" } | { is: "failed"; retryAfterMs: number };

export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #times: DeliveryTimes;
  /** Keys that have something to deliver and wait for their turn. */
  readonly #waiting = new Set<string>();
  readonly #working = new Map<string, Promise<void>>();
  #look: QueueLook | null = null;
  #fault: unknown = null;
  #wake: () => void = () => undefined;

  constructor(options: DelivererOptions) {
    this.#options = options;
    this.#times = { ...DELIVERY_TIMES, ...options.times };
  }

  /** Resolves when the webhook is disabled or removed, or when `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { id, queue } = this.#options;
    const woken = () => this.#wake();
    signal.addEventListener("abort", woken);
    try {
      for (const key of await queue.waiting(id)) this.#waiting.add(key);
      while (!signal.aborted && this.#fault === null) {
        if (this.#waiting.size < KEYS_WAITING_MAX) {
          const look = await queue.look(id, ROWS_AT_ONCE);
          if (look === null || !look.isEnabled) break;
          this.#look = look;
          for (const key of [...look.fresh, ...look.due]) this.#waiting.add(key);
        }
        this.#begin(signal);
        if (this.#look?.hasMore !== true || this.#waiting.size >= KEYS_WAITING_MAX) {
          await this.#pause(this.#times.lookMs);
        }
      }
    } finally {
      signal.removeEventListener("abort", woken);
      await Promise.all(this.#working.values());
    }
    if (this.#fault !== null) throw this.#fault;
  }

  #begin(signal: AbortSignal): void {
    for (const key of this.#waiting) {
      if (this.#working.size >= KEYS_AT_ONCE) return;
      if (this.#working.has(key)) continue;
      this.#waiting.delete(key);
      const work = this.#deliver(key, signal)
        .catch((fault: unknown) => {
          // Storage is out of reach: the job is tried again.
          this.#fault ??= fault;
          this.#wake();
        })
        .finally(() => {
          this.#working.delete(key);
          this.#begin(signal);
        });
      this.#working.set(key, work);
    }
  }

  /** Delivers what the key has, until it has nothing or fails. */
  async #deliver(key: string, signal: AbortSignal): Promise<void> {
    const { id, queue, log } = this.#options;
    while (!signal.aborted && this.#look !== null && this.#look.isEnabled) {
      const look = this.#look;
      const { events, attempts } = await queue.next(id, key, look.isBatch ? BATCH_MAX : 1);
      const last = events.at(-1);
      if (last === undefined) return;
      const bodies = events.flatMap(({ event }) => (event === null ? [] : [event]));
      const outcome: Outcome =
        bodies.length === 0 ? { is: "ok" } : await this.#send(look, bodies, signal);
      // A host that has lost its lease records nothing: another one sends this again.
      if (signal.aborted && outcome.is !== "ok") return;
      switch (outcome.is) {
        case "ok":
          await queue.delivered(id, events);
          break;
        case "disable":
          log.warn({ event: "webhook_disabled", webhook: id, why: "it answered 410" });
          look.isEnabled = false;
          await queue.disable(id);
          return;
        case "failed":
          await this.#failed(key, last, attempts, outcome.retryAfterMs);
          return;
      }
    }
  }

  async #failed(
    key: string,
    { pos, n }: QueuedEvent,
    attempts: number,
    retryAfterMs: number,
  ): Promise<void> {
    const { id, queue, log } = this.#options;
    const { retryMs, triesMax } = this.#times;
    const isParked = attempts + 1 >= triesMax;
    if (isParked) log.warn({ event: "webhook_parked", webhook: id, key });
    const planned = retryMs[Math.min(attempts, retryMs.length - 1)] ?? 0;
    const retryInMs = isParked ? null : Math.max(planned, retryAfterMs);
    await queue.failed(id, { key, retryInMs, pos, n });
  }

  async #send(
    { url, secrets, isBatch }: QueueLook,
    events: readonly OutsideEvent[],
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { post, clock, links } = this.#options;
    const request = webhookRequest(
      { url, secrets },
      events,
      isBatch,
      epochMsOf(clock.wallMs()),
      links,
    );
    try {
      const answer = await post({ ...request, timeoutMs: this.#times.requestMs, signal });
      if (answer.status >= 200 && answer.status < 300) return { is: "ok" };
      if (answer.status === 410) return { is: "disable" };
      const retryAfterMs = retryAfterOf(answer.headers["retry-after"], epochMsOf(clock.wallMs()));
      return { is: "failed", retryAfterMs };
    } catch {
      // No answer: refused, cut off, too late, or an address that may not be called.
      return { is: "failed", retryAfterMs: 0 };
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}
