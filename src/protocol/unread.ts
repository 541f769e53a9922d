/**
 * Unread is arithmetic. Every message carries `n`: how many messages that count there are up to and
 * with it. Whether a message counts is fixed at its send, so that the number of unread messages is a
 * difference of two such numbers and nothing is ever counted. This is the one place that knows the
 * rule; its twin in SQL is the function unread_count. Pure.
 *
 * [UNC1] A message counts unless it is `system` or `silent`.
 * [UNC2] A number that equals the `seq` beside it is left out: `n`, `last_n`, `read_n`.
 */

/** One user's own point in a conversation, which nobody else sees. */
export interface OwnMarks {
  read_seq: number;
  /** n at the read cursor; left out where it equals `read_seq`. */
  read_n?: number;
  /** n before what the user has cleared. */
  cleared_n?: number;
  /** n before the message from which the user has marked the conversation unread. */
  unread_from_n?: number;
}

/** A conversation, as far as the rule reads it. */
export interface Counted {
  last_seq: number;
  /** n of the newest message; left out where it equals `last_seq`. */
  last_n?: number;
  /** n before the first message that retention has left. */
  first_n?: number;
}

export function unreadCount(conversation: Counted, own: OwnMarks): number {
  const last = conversation.last_n ?? conversation.last_seq;
  const read = own.unread_from_n ?? own.read_n ?? own.read_seq;
  return Math.max(0, last - Math.max(conversation.first_n ?? 0, own.cleared_n ?? 0, read));
}

/** [UNC1] */
export function countsAsUnread({ type, silent }: { type?: string; silent?: boolean }): boolean {
  return type !== "system" && silent !== true;
}

/** The keys of a user's own point with the count, as answers and events for that user have them. */
export function ownUnread(
  conversation: Counted,
  own: OwnMarks,
): OwnMarks & { first_n?: number; unread_count: number } {
  const { first_n } = conversation;
  return {
    ...own,
    ...(first_n !== undefined && { first_n }),
    unread_count: unreadCount(conversation, own),
  };
}
