/**
 * Gathers calls of one turn of the event loop, and those that come while earlier ones are under
 * way, into one statement. A lone call goes at the end of its turn. Each call gets its own
 * answer; when the statement fails, all of its calls fail.
 */
export interface BatcherLimits {
  /** Calls in one statement. Too many: one slow statement holds up everyone in it. */
  batchMax: number;
  /** Statements under way at once. */
  inFlightMax: number;
  /**
   * Milliseconds between the beginnings of two statements, 0 by default. A lone call still goes
   * at once; of a storm's calls more share one statement, and each waits this much at the most.
   */
  everyMs?: number;
}

interface Waiting<Key, Value> {
  key: Key;
  resolve: (value: Value) => void;
  reject: (fault: unknown) => void;
}

export class Batcher<Key, Value> {
  readonly #run: (keys: Key[]) => Promise<Value[]>;
  readonly #limits: BatcherLimits;
  #waiting: Waiting<Key, Value>[] = [];
  #inFlight = 0;
  #scheduled = false;
  #lastBeganAtMs = Number.NEGATIVE_INFINITY;

  /** `run` answers one value for each key, in order. */
  constructor(run: (keys: Key[]) => Promise<Value[]>, limits: BatcherLimits) {
    this.#run = run;
    this.#limits = limits;
  }

  ask(key: Key): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    if (this.#inFlight >= this.#limits.inFlightMax) return;
    this.#scheduled = true;
    const { everyMs = 0 } = this.#limits;
    const waitMs = everyMs === 0 ? 0 : this.#lastBeganAtMs + everyMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#begin());
    else setTimeout(() => this.#begin(), waitMs);
  }

  #begin(): void {
    this.#scheduled = false;
    this.#lastBeganAtMs = performance.now();
    while (this.#waiting.length > 0 && this.#inFlight < this.#limits.inFlightMax) {
      void this.#flush(this.#waiting.splice(0, this.#limits.batchMax));
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
