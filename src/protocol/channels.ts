/**
 * Channels: conversations for audiences. Their members are rows in storage, and no answer lists
 * them: the object holds the reader's own entry, and an event holds those moderators and above whom
 * it concerns. The edges know which of their sessions watch a channel.
 */
import type { ConversationId, UserId } from "./ids.ts";
import { isAtLeast, type Role } from "./permissions.ts";
import type { Conversation } from "./schemas.ts";

/** Members of one channel. */
export const CHANNEL_MEMBERS_MAX = 1_000_000;

/** Roles that are announced: their changes take a `rev`, and the conversation's actor knows them. */
export const isStaff = (role: Role | null): boolean => isAtLeast(role, "moderator");

/**
 * On a user's own topic, with the name `channel_membership`: the user's membership of a channel
 * began, ended or changed. `conversation`: as the user sees it from now on.
 */
export interface ChannelMembership {
  conversation: Conversation;
  is: "joined" | "left" | "changed";
  /** The user may read and watch it. */
  may_read: boolean;
  /** Sessions that watch have received it as a change of the channel. */
  is_published?: true;
}

/** On a channel's topic, with the name `channel_left`: these users may not watch it any more. */
export interface ChannelLeft {
  conversation_id: ConversationId;
  user_ids: UserId[];
}

/** On a channel's topic of activity, with the name `channel_activity`: where the channel stands. */
export interface ChannelActivity {
  rev: number;
  last_seq: number;
  last_n?: number;
  first_n?: number;
}
