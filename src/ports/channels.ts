/** What an edge reads of channels. */
import type { ChannelActivity } from "../protocol/channels.ts";
import type { ConversationId, UserId } from "../protocol/ids.ts";

export interface ChannelQueries {
  /**
   * Those of `users` who may read the channel: its members, or everybody but the banned. Everybody
   * who knows a channel may read its deletion.
   */
  channelReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]>;
  /** Where each of these channels stands that exists. */
  channelActivity(ids: readonly ConversationId[]): Promise<Map<ConversationId, ChannelActivity>>;
}
