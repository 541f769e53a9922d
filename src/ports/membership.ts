/** Reads about who may come into conversations: invitations and bans. Implemented in src/storage. */
import type { ConversationId, UserId } from "../protocol/ids.ts";
import type { Ban, Invitation, Invite } from "../protocol/schemas.ts";

/** `forbidden`: the reader's role does not allow it. */
export type MembershipPage<T> =
  | { is: "page"; items: T[]; next_cursor: string | null }
  | { is: "not_found" }
  /** A thread has none of its own. */
  | { is: "thread" }
  | { is: "forbidden" }
  | { is: "bad_cursor" };

export interface FoundInvite {
  conversationId: ConversationId;
  inviteId: string;
  shown: Invitation;
  /** Neither expired nor used up. */
  isOpen: boolean;
  /** The reader is a member of the conversation. */
  isMember: boolean;
}

export interface MembershipQueries {
  /** The bans that last, by rising user id; for members who may ban. */
  bans(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Ban>>;
  ban(id: ConversationId, userId: UserId): Promise<Ban | null>;
  /** The reader's own invitations that have not expired, of a moderator all; newest first. */
  invites(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
  ): Promise<MembershipPage<Invite>>;
  /**
   * The invitation of a token, by its SHA-256 in hex. Null where there is none, or the reader is
   * banned or blocked by or from the inviter.
   */
  invitation(reader: UserId, tokenHash: string): Promise<FoundInvite | null>;
}
