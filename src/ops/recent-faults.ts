/**
 * The last faults of one box, for operators: what its log says at `warn` and above, and the few
 * lower events that end a fault. Alike ones in a row are counted, so a storm is one entry.
 *
 * Listens by `tap`: whoever logs needs to know nothing of it, at any LOG_LEVEL.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Fault } from "../protocol/ops.ts";
import { isoOf, type WallTime } from "../protocol/time.ts";

const ENTRIES_MAX = 100;
const DETAIL_CHARS_MAX = 200;

/** Said at `info`, and belongs to the story of a fault. */
const ENDINGS: ReadonlySet<string> = new Set(["relay_joined", "roll_done", "worker_online"]);
/** Keys of a log line that say what happened, the first that is there. */
const DETAIL_KEYS = ["how", "why", "reason", "actor", "name", "host"] as const;

type Level = Fault["level"];
type Line = Readonly<Record<string, unknown>>;
type Entry = Omit<Fault, "at" | "since"> & { atMs: WallTime; sinceMs: WallTime };

export class FaultRing {
  readonly #clock: Pick<Clock, "wallMs">;
  readonly #worker: string | null;
  readonly #entries: Entry[] = [];

  /** `worker`: who speaks, where a line does not say it. */
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

  /** The same logger, listened to. */
  tap(log: Log): Log {
    const ring = this;
    const heard = (name: "info" | "warn" | "error" | "fatal", level: Level) =>
      function (this: Log, line: unknown, ...rest: unknown[]): void {
        if (isLine(line) && (level !== "info" || ENDINGS.has(String(line["event"])))) {
          ring.note(level, line);
        }
        (log[name] as (...args: unknown[]) => void)(line, ...rest);
      };
    // As pino itself makes child loggers: everything else stays the logger's own.
    return Object.assign(Object.create(log) as Log, {
      info: heard("info", "info"),
      warn: heard("warn", "warn"),
      error: heard("error", "error"),
      fatal: heard("fatal", "error"),
    });
  }
}

/** Rings of several boxes as one, newest first. */
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
