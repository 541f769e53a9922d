/**
 * Gathers calls of one turn of the event loop, and those that come while earlier ones are under
 * way, into one statement. A lone call goes at the end of its turn. Each call gets its own
 * answer; when the statement fails, all of its calls fail. A call that has had no turn within the
 * deadline of a statement, or finds too many before it, fails with a StorageFault.
 */
import { systemClock } from "../../base/clock.ts";
import { BEFORE_ALL, later, type Monotonic, msBetween } from "../../protocol/time.ts";
import { DEADLINE_MS } from "../postgres/connection.ts";
import { StorageFault } from "../postgres/fault.ts";

/** Calls that may wait; past it the database is not keeping up. */
const WAITING_MAX = 20_000;

export interface BatcherLimits {
  /** Calls in one statement. Too many: one slow statement holds up everyone in it. */
  batchMax: number;
  /** Statements under way at once. */
  inFlightMax: number;
  /**
   * Milliseconds between the beginning of a statement that several calls shared and the next, 0
   * by default. A single call is read at once; in a storm more calls share one statement.
   */
  stormPaceMs?: number;
}

interface Waiting<Key, Value> {
  key: Key;
  deadlineAtMs: Monotonic;
  resolve: (value: Value) => void;
  reject: (fault: unknown) => void;
}

export class Batcher<Key, Value> {
  readonly #run: (keys: Key[]) => Promise<Value[]>;
  readonly #limits: BatcherLimits;
  #waiting: Waiting<Key, Value>[] = [];
  #inFlight = 0;
  #scheduled = false;
  #nextAtMs = BEFORE_ALL;

  /** `run` answers one value for each key, in order. */
  constructor(run: (keys: Key[]) => Promise<Value[]>, limits: BatcherLimits) {
    this.#run = run;
    this.#limits = limits;
  }

  ask(key: Key): Promise<Value> {
    if (this.#waiting.length >= WAITING_MAX) {
      return Promise.reject(new StorageFault("queue_full", "too many reads wait for their turn"));
    }
    return new Promise((resolve, reject) => {
      const deadlineAtMs = later(systemClock.monotonicMs(), DEADLINE_MS);
      this.#waiting.push({ key, deadlineAtMs, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    if (this.#inFlight >= this.#limits.inFlightMax) return;
    this.#scheduled = true;
    const waitMs = msBetween(systemClock.monotonicMs(), this.#nextAtMs);
    if (waitMs <= 0) setImmediate(() => this.#begin());
    else setTimeout(() => this.#begin(), waitMs);
  }

  #begin(): void {
    this.#scheduled = false;
    const nowMs = systemClock.monotonicMs();
    this.#giveUpLate(nowMs);
    if (this.#waiting.length > 1) this.#nextAtMs = later(nowMs, this.#limits.stormPaceMs ?? 0);
    while (this.#waiting.length > 0 && this.#inFlight < this.#limits.inFlightMax) {
      void this.#flush(this.#waiting.splice(0, this.#limits.batchMax));
    }
  }

  /** The statements before took so long that these would be answered to nobody. */
  #giveUpLate(nowMs: Monotonic): void {
    const inTime = this.#waiting.findIndex(({ deadlineAtMs }) => deadlineAtMs > nowMs);
    const count = inTime < 0 ? this.#waiting.length : inTime;
    for (const { reject } of this.#waiting.splice(0, count)) {
      reject(new StorageFault("too_slow", "a read has had no turn in time"));
    }
  }

  async #flush(batch: Waiting<Key, Value>[]): Promise<void> {
    this.#inFlight++;
    try {
      const values = await this.#run(batch.map((waiting) => waiting.key));
      for (const [i, waiting] of batch.entries()) waiting.resolve(values[i] as Value);
    } catch (fault) {
      for (const waiting of batch) waiting.reject(fault);
    } finally {
      this.#inFlight--;
      this.#schedule();
    }
  }
}
