/**
 * Actor frames to one other host: in order, in batches, retried until the host takes them or their
 * time is up. While one batch is on its way the next one gathers.
 *
 * [OBX1] Batches carry rising numbers and are sent one at a time, so a receiver that drops numbers
 *        not above the last one drops exactly the repeats.
 * [OBX2] Frames that are given up are reported (`onLost`).
 * [OBX3] The waiting bytes are bounded.
 * [OBX4] A gap is sent before every frame that was pushed after it.
 * [OBX5] A doubt is kept until the host has taken it.
 */
import type { Clock } from "../base/clock.ts";
import { type Doubt, joinedDoubt } from "../protocol/doubt.ts";
import { later } from "../protocol/time.ts";

const DEADLINE_MS = 5_000;
const RETRY_MS = 100;
/** The most bytes that may wait for a host; further asks would time out anyway. */
const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
/** How many hosts' last numbers are remembered; each restart of a host counts as another host. */
const HOSTS_MAX = 1_000;

export interface Batch {
  number: number;
  isAfterGap: boolean;
  /** A batch with a doubt has no frames. */
  doubt: Doubt | null;
  frames: readonly Uint8Array[];
}

export interface OutboxOptions {
  clock: Clock;
  /** Returns rising numbers that this host has never used. */
  nextNumber(): number;
  /** Resolves with how many hosts received it; rejects when that is unknown. */
  deliver(batch: Batch): Promise<number>;
  /** Called when frames were given up. */
  onLost(): void;
  queueBytesMax?: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #queueBytesMax: number;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isGapWaiting = false;
  #doubt: Doubt | null = null;
  #isUnderWay = false;
  #isScheduled = false;
  #isClosed = false;
  readonly #whenSent: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX;
  }

  /** Copies `bytes`, so the caller may reuse them. */
  push(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#waitingBytes > this.#queueBytesMax) {
      this.#forget();
      this.#options.onLost();
    }
    this.#waiting.push(Uint8Array.prototype.slice.call(bytes));
    this.#waitingBytes += bytes.length;
    this.#schedule();
  }

  /** [OBX4] */
  gap(): void {
    if (this.#isClosed) return;
    this.#isGapWaiting = true;
    this.#schedule();
  }

  /** [OBX5] */
  doubt(doubt: Doubt): void {
    if (this.#isClosed) return;
    this.#doubt = joinedDoubt(this.#doubt, doubt);
    this.#schedule();
  }

  /** The doubt that the host has not taken yet. */
  get untaken(): Doubt | null {
    return this.#doubt;
  }

  /** Resolves when everything has been taken or given up. */
  sent(): Promise<void> {
    if (!this.#isScheduled && !this.#isUnderWay) return Promise.resolve();
    return new Promise((resolve) => this.#whenSent.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    this.#forget();
  }

  #forget(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isUnderWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    while (this.#hasMore && !this.#isClosed) {
      await this.#bringDoubt();
      await this.#bringFrames();
    }
    this.#isUnderWay = false;
    for (const resolve of this.#whenSent.splice(0)) resolve();
  }

  get #hasMore(): boolean {
    return this.#waiting.length > 0 || this.#isGapWaiting || this.#doubt !== null;
  }

  async #bringDoubt(): Promise<void> {
    const doubt = this.#doubt;
    if (doubt === null) return;
    const number = this.#options.nextNumber();
    const isTaken = await this.#deliver({ number, isAfterGap: false, doubt, frames: [] });
    // [OBX5] A doubt that was added meanwhile is sent next.
    if (isTaken && this.#doubt === doubt) this.#doubt = null;
  }

  async #bringFrames(): Promise<void> {
    const frames = this.#waiting;
    const isAfterGap = this.#isGapWaiting;
    if (frames.length === 0 && !isAfterGap) return;
    this.#forget();
    this.#isGapWaiting = false;
    const number = this.#options.nextNumber();
    const isTaken = await this.#deliver({ number, isAfterGap, doubt: null, frames });
    if (!isTaken && !this.#isClosed) this.#options.onLost();
  }

  /** False when nobody received it in time. */
  async #deliver(batch: Batch): Promise<boolean> {
    const { clock, deliver } = this.#options;
    const untilMs = later(clock.monotonicMs(), DEADLINE_MS);
    while (!this.#isClosed) {
      try {
        // Nobody received it: the host's subscriber is reconnecting, or the host is gone.
        if ((await deliver(batch)) > 0) return true;
      } catch {
        // It is unknown whether it arrived, so it is sent again under the same number.
      }
      if (this.#isClosed || clock.monotonicMs() >= untilMs) return false;
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
    return false;
  }
}

/** The receiving side: which batches of each host have been seen. */
export class Inbox {
  readonly #lastNumbers = new Map<string, number>();

  /** False for a repeat. */
  isNew(host: string, number: number): boolean {
    const last = this.#lastNumbers.get(host);
    if (last !== undefined && number <= last) return false;
    // The least recently seen host is dropped first.
    this.#lastNumbers.delete(host);
    this.#lastNumbers.set(host, number);
    if (this.#lastNumbers.size > HOSTS_MAX) {
      const [oldest] = this.#lastNumbers.keys();
      this.#lastNumbers.delete(oldest!);
    }
    return true;
  }
}
