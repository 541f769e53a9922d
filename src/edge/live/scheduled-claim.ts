/**
 * A worker's claim on the scheduled messages that it is sending. The claim is short and is renewed
 * while messages are left in it: a worker that dies holds nothing up for longer than `CLAIM_MS`.
 * A worker that could not renew it in time leaves the rest of its messages to the next one.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { ScheduledStore } from "../../ports/scheduled.ts";
import { later, type Monotonic } from "../../protocol/time.ts";

export const CLAIM_MS = 700;
const RENEW_MS = 200;

export interface ClaimOptions {
  clock: Clock;
  log: Log;
  scheduled: Pick<ScheduledStore, "renewScheduled">;
}

export class ScheduledClaim {
  readonly #options: ClaimOptions;
  readonly #ids: Set<string>;
  #claim: string;
  #untilMs: Monotonic;
  #cancelRenewal: () => void = () => undefined;

  /** `askedMs`: when the claim was asked for. */
  constructor(ids: Iterable<string>, claim: string, askedMs: Monotonic, options: ClaimOptions) {
    this.#options = options;
    this.#ids = new Set(ids);
    this.#claim = claim;
    this.#untilMs = later(askedMs, CLAIM_MS);
    this.#renewLater();
  }

  /** Names the claim to storage. */
  get claim(): string {
    return this.#claim;
  }

  /** No other worker sends that message now. */
  holds(id: string): boolean {
    return this.#ids.has(id) && this.#options.clock.monotonicMs() < this.#untilMs;
  }

  /** Nothing more is done about that message here. */
  leave(id: string): void {
    this.#ids.delete(id);
    if (this.#ids.size === 0) this.close();
  }

  close(): void {
    this.#ids.clear();
    this.#cancelRenewal();
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#options.clock.after(RENEW_MS, () => void this.#renew());
  }

  async #renew(): Promise<void> {
    const { clock, log, scheduled } = this.#options;
    const untilMs = later(clock.monotonicMs(), CLAIM_MS);
    const asked = [...this.#ids];
    try {
      const renewed = await scheduled.renewScheduled(asked, this.#claim, CLAIM_MS);
      const kept = new Set(renewed?.ids);
      for (const id of asked) if (!kept.has(id)) this.#ids.delete(id);
      if (renewed !== null) {
        this.#claim = renewed.claim;
        this.#untilMs = untilMs;
      }
    } catch (err) {
      log.warn({ event: "scheduled_claim_unrenewed", err });
    }
    if (this.#ids.size > 0) this.#renewLater();
  }
}
