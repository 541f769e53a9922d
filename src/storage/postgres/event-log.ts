/**
 * EventLog on PostgreSQL. The log is written by triggers that are made when it begins and dropped
 * when it ends (sql/functions/event_triggers.sql): so all hosts begin at once, whatever version
 * they have, and nobody pays for a log that is not kept.
 *
 * [EVL1] Readers see a row once it is committed, in the order that sequence_events gives.
 * [EVL2] A place that is older than what is kept, or of another epoch or another database's history
 *        (it was restored), is not read from.
 */
import type { EventFilter, EventLog, LogPage, LogPlace, LogState } from "../../ports/events.ts";
import { isWanted, namesIn, type OutsideEvent } from "../../protocol/outside-events.ts";
import { eventOf, type LogRow } from "./event-rows.ts";
import { StorageFault } from "./fault.ts";
import type { Database } from "./pool.ts";

const TRIGGERS = { text: "SELECT e.trigger_name FROM event_triggers() e" };
const SET_TRIGGER = { text: "SELECT set_event_trigger($1, $2) AS is_changed" };
const BEGIN = {
  text: `UPDATE event_log_state s SET is_on = true, pulled_at = clock_timestamp(),
      epoch = left(replace(gen_random_uuid()::text, '-', ''), 12),
      pruned_pos = s.last_pos, has_presence = false
    WHERE NOT s.is_on`,
};
const END = { text: "UPDATE event_log_state s SET is_on = false WHERE s.is_on" };
const SEQUENCE = { name: "sequence_events", text: "SELECT sequence_events() AS last" };
const STATE = {
  name: "event_log_state",
  text: `SELECT s.is_on, s.epoch, s.last_pos, s.pruned_pos,
      (SELECT left(l.uid, 6) FROM event_log l WHERE l.pos = s.last_pos) AS last_mark
    FROM event_log_state s`,
};
const PULLED = {
  name: "events_pulled",
  text: `UPDATE event_log_state s SET pulled_at = clock_timestamp(),
      has_presence = s.has_presence OR $1
    WHERE s.pulled_at IS NULL OR s.pulled_at < clock_timestamp() - interval '1 minute'
      OR ($1 AND NOT s.has_presence)`,
};
const PRUNE = {
  text: "SELECT * FROM prune_events($1::interval, $2::interval, $3, $4)",
};
const IS_KEPT = {
  text: `SELECT s.is_on OR EXISTS (SELECT 1 FROM event_log) AS is_kept FROM event_log_state s`,
};
const MARK_AT = {
  name: "event_mark",
  text: "SELECT left(l.uid, 6) AS mark FROM event_log l WHERE l.pos = $1",
};
const READ = {
  name: "read_events",
  text: `SELECT l.pos, l.uid, l.at, array_to_json(l.events) AS events FROM event_log l
    WHERE l.pos >= $1 AND l.pos <= $2 ORDER BY l.pos LIMIT $3`,
};
const EXTERNAL = {
  name: "external_names",
  text: `SELECT 'user:' || u.id AS key, u.external_id AS name FROM users u
      WHERE u.id = ANY ($1::bigint[]) AND u.external_id IS NOT NULL
    UNION ALL
    SELECT 'conversation:' || c.id, c.external_id FROM conversations c
      WHERE c.id = ANY ($2::bigint[]) AND c.external_id IS NOT NULL`,
};

/** Rows of one read; of a narrow filter so many reads are one page, then the caller goes on. */
const ROWS_AT_ONCE = 100;
const READS_A_PAGE = 50;
/** Somebody else's long statement may hold a table. */
const TRIGGER_TRIES = 5;

/** An event that a webhook could not be sent is kept for so long. */
const QUEUED_MAX = "30 days";
const PRUNED_AT_ONCE = 2_000;
const ROUNDS_MAX = 50;

interface PrunedRow {
  has_more: boolean;
  is_idle: boolean;
}

interface StateRow {
  is_on: boolean;
  epoch: string;
  last_pos: string;
  pruned_pos: string;
  last_mark: string | null;
}

export class PostgresEventLog implements EventLog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(): Promise<void> {
    // A log that ends at this moment may have dropped a trigger of a beginning one.
    do {
      await this.#setTriggers(true);
      // Rows from before the last trigger was there may lack events.
      await this.#sequenceAll();
      await this.#database.write(BEGIN, []);
    } while (await this.#setTriggers(true));
  }

  async end(): Promise<void> {
    await this.#database.write(END, []);
    await this.#setTriggers(false);
  }

  async renew(): Promise<void> {
    if ((await this.state()).isOn) await this.#setTriggers(true);
  }

  async upkeep(retentionDays: number, mayEnd: boolean): Promise<boolean> {
    for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
      const values = [`${retentionDays} days`, QUEUED_MAX, PRUNED_AT_ONCE, mayEnd];
      const [row] = await this.#database.write<PrunedRow>(PRUNE, values);
      if (row!.is_idle) await this.end();
      if (!row!.has_more) break;
    }
    const [row] = await this.#database.read<{ is_kept: boolean }>(IS_KEPT, []);
    return row!.is_kept;
  }

  async state(): Promise<LogState> {
    await this.#database.write(SEQUENCE, []);
    const [row] = await this.#database.read<StateRow>(STATE, []);
    return stateOf(row!);
  }

  async pulled(hasPresence: boolean): Promise<void> {
    await this.#database.write(PULLED, [hasPresence]);
  }

  async hasNews({ pos }: LogPlace): Promise<boolean> {
    const [row] = await this.#database.write<{ last: string }>(SEQUENCE, []);
    return Number(row!.last) >= pos;
  }

  async read(from: LogPlace, filter: EventFilter, most: number): Promise<LogPage | null> {
    const state = await this.state();
    if (!(await this.#isOf(state, from))) return null;
    const last = state.end.pos - 1;
    const events: OutsideEvent[] = [];
    let next = from;
    for (let reads = 0; reads < READS_A_PAGE && next.pos <= last; reads++) {
      const rows = await this.#database.read<LogRow>(READ, [next.pos, last, ROWS_AT_ONCE]);
      for (const row of rows) {
        const pos = Number(row.pos);
        const mark = row.uid.slice(0, 6);
        const begin = pos === next.pos ? next.n : 0;
        for (let n = begin; n < row.events.length; n++) {
          const { t, k } = row.events[n]!;
          if (!isMeant(t, k, filter)) continue;
          if (events.length === most) {
            // Before the first event of a row the mark is that of the row before.
            const stopped = n > 0 ? { epoch: from.epoch, pos, n, mark } : next;
            return this.#page(events, stopped, true);
          }
          events.push(eventOf(row, n, row.events[n]!));
        }
        next = { epoch: from.epoch, pos: pos + 1, n: 0, mark };
      }
      if (rows.length < ROWS_AT_ONCE) break;
    }
    return this.#page(events, next, next.pos <= last);
  }

  /** [EVL2] */
  async #isOf(state: LogState, { epoch, pos, n, mark }: LogPlace): Promise<boolean> {
    if (epoch !== state.epoch || pos < state.oldest.pos || pos > state.end.pos) return false;
    if (mark === "") return true;
    const [row] = await this.#database.read<{ mark: string }>(MARK_AT, [n > 0 ? pos : pos - 1]);
    return row === undefined || row.mark === mark;
  }

  async #page(events: OutsideEvent[], next: LogPlace, hasMore: boolean): Promise<LogPage> {
    await nameExternally(this.#database, events);
    return { events, next, hasMore };
  }

  async #sequenceAll(): Promise<void> {
    for (let before = "", last = "-"; before !== last; ) {
      before = last;
      const [row] = await this.#database.write<{ last: string }>(SEQUENCE, []);
      last = row!.last;
    }
  }

  /** Whether any was made or dropped. */
  async #setTriggers(isOn: boolean): Promise<boolean> {
    const names = await this.#database.read<{ trigger_name: string }>(TRIGGERS, []);
    let isChanged = false;
    for (const { trigger_name } of names) {
      isChanged = (await this.#setTrigger(trigger_name, isOn)) || isChanged;
    }
    return isChanged;
  }

  async #setTrigger(name: string, isOn: boolean): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        const [row] = await this.#database.write<{ is_changed: boolean }>(SET_TRIGGER, [
          name,
          isOn,
        ]);
        return row!.is_changed;
      } catch (error) {
        const isHeld = error instanceof StorageFault && error.reason === "locked";
        if (!isHeld || tries === TRIGGER_TRIES) throw error;
      }
    }
  }
}

function isMeant(type: string, key: string, { types, keys }: EventFilter): boolean {
  return (
    (types === null ? isWanted(type, ["*"]) : isWanted(type, types)) &&
    (keys === null || keys.includes(key))
  );
}

function stateOf({ is_on, epoch, last_pos, pruned_pos, last_mark }: StateRow): LogState {
  return {
    isOn: is_on,
    epoch,
    oldest: { epoch, pos: Number(pruned_pos) + 1, n: 0, mark: "" },
    end: { epoch, pos: Number(last_pos) + 1, n: 0, mark: last_mark ?? "" },
  };
}

/** Adds the application's own names for what the events name. */
export async function nameExternally(
  database: Database,
  events: readonly OutsideEvent[],
): Promise<void> {
  const named = events.map((event) => namesIn(event));
  const all = new Set(named.flatMap((names) => [...names]));
  const idsOf = (kind: string) =>
    [...all].filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length));
  if (all.size === 0) return;
  const values = [idsOf("user:"), idsOf("conversation:")];
  const rows = await database.read<{ key: string; name: string }>(EXTERNAL, values);
  if (rows.length === 0) return;
  const names = new Map(rows.map(({ key, name }) => [key, name]));
  for (const [i, event] of events.entries()) {
    const own = [...named[i]!].flatMap((key) => {
      const name = names.get(key);
      return name === undefined ? [] : [[key, name] as const];
    });
    if (own.length > 0) event.external_ids = Object.fromEntries(own);
  }
}
