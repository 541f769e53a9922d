/**
 * Work that takes turns, so that one who asks for much at once waits for themselves and not
 * everybody else for them: pages of lists, joins and `sync` of one user on an edge, and what one
 * session joins and leaves, which keeps its order.
 *
 * [TRN1] At most `atOnceMax` of one key are under way; the others wait, in their order.
 * [TRN2] Past `waitingMax` the caller refuses with `rate_limited`.
 * [TRN3] Keys do not wait for each other, and what comes alone begins at once.
 */
import { type ErrorObject, refused } from "../../protocol/errors.ts";
import type { UserId } from "../../protocol/ids.ts";

const RETRY_AFTER_MS = 1_000;
const PAGES_AT_ONCE_MAX = 2;
/** More than the 600 reads that a client which comes back may ask for at once. */
const PAGES_WAITING_MAX = 1_000;

/** Called once, when the work has been answered. */
export type Done = () => void;

interface Line {
  underWay: number;
  readonly waiting: ((done: Done) => void)[];
}

export const TOO_MANY_READS: ErrorObject = {
  ...refused("rate_limited", "Too many reads of this user wait for their turn.").error,
  retry_after_ms: RETRY_AFTER_MS,
};

export class Turns<Key> {
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #lines = new Map<Key, Line>();

  constructor(atOnceMax: number, waitingMax: number) {
    this.#atOnceMax = atOnceMax;
    this.#waitingMax = waitingMax;
  }

  /** Calls `begin` at once, or when it is its turn. False: too many wait. */
  take(key: Key, begin: (done: Done) => void): boolean {
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { underWay: 0, waiting: [] };
      this.#lines.set(key, line);
    }
    if (line.underWay < this.#atOnceMax) {
      this.#begin(key, line, begin);
      return true;
    }
    if (line.waiting.length >= this.#waitingMax) return false;
    line.waiting.push(begin);
    return true;
  }

  /** As `take`; null: too many wait. */
  run<T>(key: Key, work: () => Promise<T>): Promise<T> | null {
    let settle: (begun: Promise<T>) => void = () => undefined;
    const result = new Promise<T>((resolve) => {
      settle = resolve;
    });
    const isTaken = this.take(key, (done) => {
      const begun = work();
      settle(begun);
      begun.then(done, done);
    });
    return isTaken ? result : null;
  }

  #begin(key: Key, line: Line, begin: (done: Done) => void): void {
    line.underWay++;
    let isDone = false;
    begin(() => {
      if (isDone) return;
      isDone = true;
      line.underWay--;
      const next = line.waiting.shift();
      if (next !== undefined) this.#begin(key, line, next);
      else if (line.underWay === 0) this.#lines.delete(key);
    });
  }
}

export class PageTurns extends Turns<UserId> {
  constructor() {
    super(PAGES_AT_ONCE_MAX, PAGES_WAITING_MAX);
  }
}
