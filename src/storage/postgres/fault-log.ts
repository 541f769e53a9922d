/**
 * Counts and logs what storage refuses: one line a second and reason, with the number of refusals
 * and the reason in words. Every process and thread that uses storage has one.
 */
import type { Clock } from "../../base/clock.ts";
import { CountedLines } from "../../base/counted-lines.ts";
import type { Log } from "../../base/log.ts";
import type { Tally } from "../../base/metrics.ts";
import { STORAGE_REASONS, type StorageFault } from "./fault.ts";

export interface FaultLogOptions {
  /** Counted by reason. */
  tally: Tally;
  clock: Clock;
  log: Pick<Log, "error">;
}

/** pg's message for a query after this process has closed its own pool: a drain, not a fault. */
const AFTER_CLOSE = /after calling end on the pool/;

export class FaultLog {
  readonly #options: FaultLogOptions;
  readonly #lines: CountedLines;

  constructor(options: FaultLogOptions) {
    this.#options = options;
    this.#lines = new CountedLines(options.clock);
  }

  /** `refusals`: how many callers were refused because of this fault. */
  note({ reason, message }: StorageFault, refusals = 1): void {
    if (AFTER_CLOSE.test(message)) return;
    this.#options.tally.add(reason, "", refusals);
    this.#lines.note(reason, refusals, message, (count, said) => {
      const why = STORAGE_REASONS[reason];
      this.#options.log.error({ event: "storage_refused", reason, count, why, said });
    });
  }

  close(): void {
    this.#lines.close();
  }
}
