/** ChannelStore in memory; the twin of ../postgres/channels.ts. */
import type { ChannelStanding, ChannelStore } from "../../../actors/channel-ports.ts";
import type { ChannelQueries } from "../../ports/channels.ts";
import type { ChannelActivity } from "../../protocol/channels.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asConversationId } from "../../protocol/schemas.ts";
import { MemorySocialQueries } from "./social-queries.ts";
import { compareIds, type MemoryTables, shownMember, standingIn } from "./tables.ts";

export class MemoryChannels implements ChannelStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async standing(id: ConversationId, user: UserId): Promise<ChannelStanding> {
    const stored = this.#tables.conversations.get(id);
    const member = stored?.members.get(user);
    return {
      member: member === undefined ? null : shownMember(member, user),
      clearedBefore: member?.clearedBeforeSeq ?? 1,
      isBanned: stored !== undefined && this.#tables.isBanned(stored, user),
    };
  }
}

export class MemoryChannelQueries extends MemorySocialQueries implements ChannelQueries {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    super(tables);
    this.#tables = tables;
  }

  async channelReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]> {
    const isGone = this.#tables.conversations.get(id)?.isDeleted === true;
    return users.filter((user) => isGone || this.#tables.readableOf(user, id) !== undefined);
  }

  async channelActivity(ids: readonly ConversationId[]) {
    const found = new Map<ConversationId, ChannelActivity>();
    for (const id of ids) {
      const stored = this.#tables.conversations.get(id);
      if (stored !== undefined) {
        found.set(id, { rev: stored.rev, ...standingIn(stored, "").counted });
      }
    }
    return found;
  }
}

/** The channels of a user, as a session begins with them. */
export function openedChannels(tables: MemoryTables, user: string) {
  const channels = tables
    .conversationsOf(user)
    .filter(({ kind }) => kind === "channel")
    .sort((a, b) => compareIds(b.id, a.id))
    .map((stored) => ({
      conversation_id: asConversationId(stored.id),
      rev: stored.rev,
      ...standingIn(stored, user).standing,
    }));
  return { channels };
}
