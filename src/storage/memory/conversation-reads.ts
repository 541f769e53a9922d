/** What ConversationStore reads, in memory. */
import type { ConversationStore, Reserves } from "../../../actors/ports.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asUserId, type Conversation, type Message } from "../../protocol/schemas.ts";
import { maskedIn } from "./privacy.ts";
import { hasOpenStreams } from "./streams.ts";
import {
  changedMessages,
  type MemoryTables,
  newestMessages,
  shownConversation,
  visibleIn,
} from "./tables.ts";
import { threadsOf } from "./threads.ts";

type Reads =
  | "load"
  | "reserves"
  | "newest"
  | "changedAfter"
  | "clearedBefore"
  | "lastSends"
  | "sent";

export class MemoryConversationReads implements Pick<ConversationStore, Reads> {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async load(id: ConversationId): Promise<Conversation | null> {
    const stored = this.#tables.conversations.get(id);
    return stored && !stored.isDeleted ? shownConversation(stored) : null;
  }

  async reserves(id: ConversationId): Promise<Reserves> {
    const stored = this.#tables.conversations.get(id);
    if (stored === undefined) return { isApart: false, maskedIds: [] };
    return {
      isApart: this.#tables.isBlocked(stored),
      maskedIds: maskedIn(stored).map(asUserId),
      ...(hasOpenStreams(stored) && { hasStreams: true }),
    };
  }

  async newest(id: ConversationId, limit: number): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? newestMessages(stored, limit) : [];
  }

  async changedAfter(
    id: ConversationId,
    rev: number,
    limit: number,
    fromSeq = 1,
  ): Promise<Message[]> {
    const stored = this.#tables.conversations.get(id);
    return stored ? changedMessages(visibleIn(stored, fromSeq), rev, limit) : [];
  }

  async clearedBefore(id: ConversationId): Promise<Map<UserId, number>> {
    const members = this.#tables.conversations.get(id)?.members.values() ?? [];
    return new Map(
      [...members].flatMap(({ userId, clearedBeforeSeq }) =>
        clearedBeforeSeq === undefined ? [] : [[asUserId(userId), clearedBeforeSeq] as const],
      ),
    );
  }

  async lastSends(id: ConversationId, withinMs: number): Promise<Map<UserId, number>> {
    const ages = new Map<UserId, number>();
    const here = this.#tables.conversations.get(id);
    const talks = here === undefined ? [] : [here, ...threadsOf(this.#tables, id)];
    const messages = talks
      .flatMap((stored) => stored.messages)
      .sort((a, b) => Date.parse(a.created_at) - Date.parse(b.created_at));
    for (const message of messages) {
      const ageMs = this.#tables.nowMs() - Date.parse(message.created_at);
      if (ageMs >= withinMs || message.sender_id === null || message.client_id === null) continue;
      ages.set(asUserId(message.sender_id), ageMs);
    }
    return ages;
  }

  async sent(id: ConversationId, senderId: UserId, clientId: string): Promise<Message | null> {
    const stored = this.#tables.conversations.get(id);
    const seq = stored?.seqs.get(`${senderId} ${clientId}`);
    return seq === undefined ? null : { ...stored!.messages[seq - 1]! };
  }
}
