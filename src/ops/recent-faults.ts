/**
 * The latest faults of one process or thread, for operators: its log lines at `warn` and above,
 * and the few `info` events that end a fault. Equal faults in a row are counted as one entry.
 *
 * It records through `tap`, so modules that log need not know about it, at any LOG_LEVEL.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Fault } from "../protocol/ops.ts";
import { isoOf, type WallTime } from "../protocol/time.ts";

const ENTRIES_MAX = 100;
const DETAIL_CHARS_MAX = 200;

/** Events at level `info` that end a fault. */
const ENDINGS: ReadonlySet<string> = new Set([
  "relay_joined",
  "roll_done",
  "worker_online",
  "writable_again",
]);
/** Keys of a log line that describe the fault; the first one present is used. */
const DETAIL_KEYS = ["how", "why", "reason", "actor", "name", "host"] as const;

type Level = Fault["level"];
type Line = Readonly<Record<string, unknown>>;
type Entry = Omit<Fault, "at" | "since"> & { atMs: WallTime; sinceMs: WallTime };

export class RecentFaults {
  readonly #clock: Pick<Clock, "wallMs">;
  readonly #worker: string | null;
  readonly #entries: Entry[] = [];

  /** `worker`: the source of lines that do not name one. */
  constructor(clock: Pick<Clock, "wallMs">, worker: string | null = null) {
    this.#clock = clock;
    this.#worker = worker;
  }

  note(level: Level, line: Line): void {
    const event = line["event"];
    if (typeof event !== "string") return;
    const atMs = this.#clock.wallMs();
    const worker = typeof line["worker"] === "string" ? line["worker"] : this.#worker;
    const detail = detailOf(line);
    const last = this.#entries.at(-1);
    if (last?.event === event && last.worker === worker && last.level === level) {
      last.atMs = atMs;
      last.count++;
      last.detail = detail;
      return;
    }
    if (this.#entries.length === ENTRIES_MAX) this.#entries.shift();
    this.#entries.push({ atMs, sinceMs: atMs, count: 1, level, event, worker, detail });
  }

  /** Newest first. */
  list(): Fault[] {
    return this.#entries
      .map(({ atMs, sinceMs, ...entry }) => ({ at: isoOf(atMs), since: isoOf(sinceMs), ...entry }))
      .reverse();
  }

  /** A logger that also records to this list. */
  tap(log: Log): Log {
    const ring = this;
    const heard = (name: "info" | "warn" | "error" | "fatal", level: Level) =>
      function (this: Log, line: unknown, ...rest: unknown[]): void {
        if (isLine(line) && (level !== "info" || ENDINGS.has(String(line["event"])))) {
          ring.note(level, line);
        }
        (log[name] as (...args: unknown[]) => void)(line, ...rest);
      };
    // Made as pino makes child loggers, so that everything else is inherited.
    return Object.assign(Object.create(log) as Log, {
      info: heard("info", "info"),
      warn: heard("warn", "warn"),
      error: heard("error", "error"),
      fatal: heard("fatal", "error"),
    });
  }
}

/** Merges the faults of several processes and threads, newest first. */
export function mergedFaults(rings: readonly (readonly Fault[])[]): Fault[] {
  return rings
    .flat()
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .slice(0, ENTRIES_MAX);
}

function detailOf(line: Line): string | null {
  const fault = line["err"] ?? line["error"];
  const key = DETAIL_KEYS.find((name) => typeof line[name] === "string" && line[name] !== "");
  const parts = [key === undefined ? "" : String(line[key])];
  if (fault instanceof Error) parts.push(fault.message);
  const text = parts.filter((part) => part !== "").join(": ");
  return text === "" ? null : text.slice(0, DETAIL_CHARS_MAX);
}

function isLine(line: unknown): line is Line {
  return typeof line === "object" && line !== null;
}
