/** Messages that are older than their conversations keep them. Types only. */
import type { ConversationId } from "../protocol/ids.ts";

export interface RetentionStore {
  /**
   * Conversations in which messages have been too old for `ageMs`; those of threads begin at a later
   * seq already, those of others when their actors have been asked (`trim`). `except`: those that
   * have been asked in vain.
   */
  due(ageMs: number, limit: number, except: readonly ConversationId[]): Promise<ConversationId[]>;
  /**
   * Deletes old messages of some conversations, up to `most` of each, with all that belongs to them;
   * false: no conversation has any.
   */
  forget(most: number): Promise<boolean>;
}
