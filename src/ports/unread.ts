/**
 * What the event `message.unread` asks of storage: src/storage/postgres/unread.ts, for
 * src/jobs/unread.ts. Types only. Rejects only when storage is out of reach.
 */
import type { UserId } from "../protocol/ids.ts";

export interface UnreadStore {
  /**
   * Notes who has not read what is older than so many seconds. `isOn`: the event log is kept.
   * `hasMore`: call again at once.
   */
  look(afterS: number): Promise<{ isOn: boolean; hasMore: boolean }>;
  /** Users whose turn it is, at most `most`, by rising id after that one. */
  due(after: string, most: number): Promise<UserId[]>;
  /** Writes the event, unless nothing is unread any more. */
  tell(user: UserId): Promise<void>;
  /** The user has a session: no event is written of what waits. */
  drop(user: UserId): Promise<void>;
}
