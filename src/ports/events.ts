/**
 * The event log and the webhooks as the edge and the jobs see them. Implemented on PostgreSQL in
 * src/storage/postgres/event-log.ts and webhooks.ts. Rejects only when storage is out of reach.
 */
import type { OutsideEvent } from "../protocol/outside-events.ts";

/** A place in the log: the events before the `n`th of the row `pos` have been read. */
export interface LogPlace {
  epoch: string;
  pos: number;
  n: number;
  /** The beginning of the id of the last row that was read; "" where none was. */
  mark: string;
}

export interface LogState {
  isOn: boolean;
  epoch: string;
  /** Where the log begins, and where it ends for now. */
  oldest: LogPlace;
  end: LogPlace;
}

/** An event with its place. */
export interface PlacedEvent {
  pos: number;
  n: number;
  event: OutsideEvent;
}

export interface LogPage {
  events: OutsideEvent[];
  next: LogPlace;
  /** There is more to read at once. */
  hasMore: boolean;
}

export interface EventFilter {
  types: readonly string[] | null;
  keys: readonly string[] | null;
}

export interface EventLog {
  /** Begins the log where it is off; resolves when every host writes. */
  begin(): Promise<void>;
  /** Ends it: nothing is written any more, and what is kept goes. */
  end(): Promise<void>;
  /** Makes what a newer version logs beside, where the log is kept. */
  renew(): Promise<void>;
  /**
   * Forgets what is older than so many days, and with `mayEnd` ends a log to which nobody has
   * listened for as long. Whether there is anything to keep up from now on.
   */
  upkeep(retentionDays: number, mayEnd: boolean): Promise<boolean>;
  state(): Promise<LogState>;
  /** Notes that somebody pulls, and whether they named presence. */
  pulled(hasPresence: boolean): Promise<void>;
  /** Null: the place is not of this log any more. */
  read(from: LogPlace, filter: EventFilter, most: number): Promise<LogPage | null>;
  /** Whether anything was committed after the place. */
  hasNews(after: LogPlace): Promise<boolean>;
}
