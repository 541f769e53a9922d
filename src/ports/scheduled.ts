/** Messages that are sent at a later time. Implemented in src/storage; edges use it alone. */
import type { AppData } from "../protocol/app-data.ts";
import type { Result } from "../protocol/errors.ts";
import type { ConversationId, UserId } from "../protocol/ids.ts";
import type { MessageContent } from "../protocol/message-content.ts";
import type { Scheduled } from "../protocol/scheduled-routes.ts";
import type { Message } from "../protocol/schemas.ts";

export interface ScheduledWish {
  clientId: string;
  /** ISO 8601. */
  sendAt: string;
  body: string;
  replyToSeq: number | null;
  content: MessageContent;
}

export interface ScheduledChange {
  sendAt?: string;
  body?: string;
  /** Null removes it. */
  data?: AppData | null;
  /** None: they are removed. */
  attachments?: { file_id: string }[];
}

/** A scheduled message whose time has come. */
export interface DueMessage {
  id: string;
  userId: UserId;
  conversationId: ConversationId;
  clientId: string;
  body: string;
  replyToSeq: number | null;
  content: MessageContent;
}

/** Messages that one worker sends; `claim` names this hold on them. */
export interface ClaimedMessages {
  claim: string;
  due: DueMessage[];
}

export type ScheduleOutcome =
  | { created: true; item: Scheduled }
  | { created: false; item: Scheduled | Message };

export type ScheduledPage =
  | { is: "page"; items: Scheduled[]; next_cursor: string | null }
  | { is: "bad_cursor" };

export interface ScheduledStore {
  /**
   * The same client_id again answers what there is: the item, or the message that was sent.
   * Refuses: not_found (the user may not read the conversation), conflict (SCHEDULED_MAX).
   */
  schedule(user: UserId, id: ConversationId, wish: ScheduledWish): Promise<Result<ScheduleOutcome>>;
  /** By rising time. `id` null: in all conversations. */
  scheduled(
    user: UserId,
    id: ConversationId | null,
    limit: number,
    cursor: string | null,
  ): Promise<ScheduledPage>;
  /** Null where there is none, or it is being sent. */
  scheduledItem(user: UserId, itemId: string): Promise<Scheduled | null>;
  /** Refuses: not_found (likewise), invalid_payload (too large, or nothing would be left). */
  reschedule(user: UserId, itemId: string, change: ScheduledChange): Promise<Result<Scheduled>>;
  /** False where there is none, or it is being sent. */
  unschedule(user: UserId, itemId: string): Promise<boolean>;
  /**
   * At most `limit` of those whose time has come, by rising time. No other worker receives them for
   * `leaseMs`, nor later ones of the same conversations, nor of a user there whose earlier one
   * waits.
   */
  claimScheduled(limit: number, leaseMs: number): Promise<ClaimedMessages>;
  /**
   * Holds these for another `leaseMs`, under a new name. A message that the answer leaves out is not
   * held any more: it is done, it was put off, or the claim had run out. Null: none is held.
   */
  renewScheduled(
    itemIds: readonly string[],
    claim: string,
    leaseMs: number,
  ): Promise<{ claim: string; ids: string[] } | null>;
  /** It was sent, or will never be. */
  scheduledDone(itemId: string): Promise<void>;
  /** It is tried again then. Nothing happens where the claim has run out and another one holds it. */
  scheduledLater(itemId: string, claim: string, delayMs: number): Promise<void>;
}
