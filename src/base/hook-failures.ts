/**
 * Counts and logs failures of the application's hooks; the counts are in `/metrics`. A hook that fails
 * may fail for every message of a busy server.
 *
 * [HKF1] Each hook and kind of failure has at most one log line a second, with the number of failures and
 *        the newest reason.
 */
import type { Clock } from "./clock.ts";
import { CountedLines } from "./counted-lines.ts";
import type { Log } from "./log.ts";
import type { Tally } from "./metrics.ts";

/** `file`: of ACTORS_DIR, in process. `url`: HOOK_URL. */
export type FailedHook = "file" | "url";

/**
 * `failed`: it has thrown, or could not be reached. `answer`: none, or of another form. `late`: its time
 * was up. `hung`: its thread was ended. `crowded`: too many questions waited. `stopping`: the server stops.
 */
export type HookFailure = "failed" | "answer" | "late" | "hung" | "crowded" | "stopping";

export interface HookFailuresOptions {
  tally: Tally;
  clock: Clock;
  log: Pick<Log, "warn">;
}

export class HookFailures {
  readonly #tally: Tally;
  readonly #log: HookFailuresOptions["log"];
  readonly #lines: CountedLines;

  constructor({ tally, clock, log }: HookFailuresOptions) {
    this.#tally = tally;
    this.#log = log;
    this.#lines = new CountedLines(clock);
  }

  note(hook: FailedHook, kind: HookFailure, why: string, by = 1): void {
    this.#tally.add(hook, kind, by);
    this.#lines.note(`${hook} ${kind}`, by, why, (count, newest) =>
      this.#log.warn({ event: "hook_failed", hook, kind, count, why: newest }),
    );
  }

  close(): void {
    this.#lines.close();
  }
}
