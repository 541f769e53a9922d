/** Reads about streamed messages that go past the actors. Implemented in src/storage. */
import type { ConversationId } from "../protocol/ids.ts";

export interface StreamQueries {
  /**
   * At most `limit` conversations with open streams of which nothing was stored lately. No other
   * worker receives them for `leaseMs`.
   */
  claimStreams(limit: number, leaseMs: number): Promise<ConversationId[]>;
}
