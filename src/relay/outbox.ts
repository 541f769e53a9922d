/**
 * Actor frames to one other host: in order, in batches, tried again until they are taken or
 * their time is over. While one batch is on its way the next gathers.
 *
 * [OBX1] Batches carry rising numbers and go one at a time, so a receiver that drops what is
 *        not above the last number drops exactly the repeats.
 * [OBX2] What is given up is said (`onLost`), never passed over in silence.
 */
import type { Clock } from "../clock.ts";

const DEADLINE_MS = 5_000;
const RETRY_MS = 100;
/** What waits for a host that does not take it; past it the asks are as good as lost. */
const QUEUE_BYTES_MAX = 32 * 1024 * 1024;

export interface OutboxOptions {
  clock: Clock;
  /** Rising, and never used before by this host. */
  nextNumber(): number;
  /** Resolves with how many took it; rejects when Redis did not say. */
  deliver(number: number, frames: readonly Uint8Array[]): Promise<number>;
  /** A batch was given up. */
  onLost(): void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isUnderWay = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** `bytes` are copied: they are the caller's again afterwards. */
  push(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#waitingBytes > QUEUE_BYTES_MAX) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#options.onLost();
    }
    this.#waiting.push(Uint8Array.prototype.slice.call(bytes));
    this.#waitingBytes += bytes.length;
    if (this.#isScheduled || this.#isUnderWay) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#run();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const frames = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      await this.#deliver(this.#options.nextNumber(), frames);
    }
    this.#isUnderWay = false;
  }

  async #deliver(number: number, frames: readonly Uint8Array[]): Promise<void> {
    const { clock, deliver, onLost } = this.#options;
    const untilMs = clock.nowMs() + DEADLINE_MS;
    while (!this.#isClosed) {
      try {
        // Nobody took it: the host's subscriber is just coming back, or the host is gone.
        if ((await deliver(number, frames)) > 0) return;
      } catch {
        // Unknown whether it arrived: sent again under the same number.
      }
      if (clock.nowMs() >= untilMs) {
        onLost();
        return;
      }
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
  }
}

/** The receiving side: which batches of each host have been seen. */
export class Inbox {
  readonly #lastNumbers = new Map<string, number>();

  /** False: a repeat. */
  isNew(host: string, number: number): boolean {
    if (number <= (this.#lastNumbers.get(host) ?? 0)) return false;
    this.#lastNumbers.set(host, number);
    return true;
  }
}
