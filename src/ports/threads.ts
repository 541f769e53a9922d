/** Reads about threads that go past the actors. Implemented in src/storage. */

import type { ConversationSummary } from "../protocol/conversation-list.ts";
import type { ConversationId, UserId } from "../protocol/ids.ts";

/** A followed thread as a session begins with it. */
export interface OpenedThread {
  id: ConversationId;
  rev: number;
  parent: ConversationId;
}

export interface ThreadQueries {
  /**
   * The threads that `reader` follows, newest activity first. `cursor` comes from an earlier page;
   * undefined result: bad cursor.
   */
  threads(
    reader: UserId,
    isUnread: boolean,
    limit: number,
    cursor: string | null,
  ): Promise<{ items: ConversationSummary[]; next_cursor: string | null } | undefined>;
  /** Those of these threads that `reader` may read at this moment. */
  readableThreads(reader: UserId, ids: readonly ConversationId[]): Promise<ConversationId[]>;
  /** Those of `users` who may read the thread. All of them where it is deleted. */
  threadReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]>;
  /**
   * At most `limit` roots whose summary should have been written by now. No other worker receives
   * them for `leaseMs`.
   */
  claimSummaries(
    limit: number,
    leaseMs: number,
  ): Promise<{ parent: ConversationId; seq: number }[]>;
}
