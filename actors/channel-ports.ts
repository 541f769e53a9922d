/** What a channel's actor needs of storage; see channel.ts. */
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Member } from "../src/protocol/schemas.ts";

/** How one user stands in a channel. */
export interface ChannelStanding {
  /** With the user's own cursors; null: no member. */
  member: Member | null;
  /** The first seq that is shown to a member who has cleared what is older; else 1. */
  clearedBefore: number;
  isBanned: boolean;
}

export interface ChannelStore {
  /** Reads of one turn share a statement. */
  standing(id: ConversationId, user: UserId): Promise<ChannelStanding>;
}
