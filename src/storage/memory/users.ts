/** UserStore in memory; the twin of ../users.ts, held to the same suite. */
import type { LastSeen, PrivacySet, UserStore } from "../../../actors/ports.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Privacy, PrivacyPatch } from "../../protocol/privacy.ts";
import { asConversationId, type User } from "../../protocol/schemas.ts";
import { hidesPresence, maskReads, privacyOf } from "./privacy.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryUsers implements UserStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async lastSeen(id: UserId): Promise<LastSeen | undefined> {
    const stored = this.#tables.users.get(id);
    if (stored === undefined) return undefined;
    return { at: stored.lastSeenAt, isReserved: hidesPresence(this.#tables, id) };
  }

  async profile(id: UserId): Promise<User | null> {
    const stored = this.#tables.users.get(id);
    return stored === undefined ? null : { ...stored.user };
  }

  async privacy(id: UserId): Promise<Privacy> {
    return privacyOf(this.#tables, id);
  }

  async setPrivacy(id: UserId, patch: PrivacyPatch): Promise<PrivacySet> {
    const before = privacyOf(this.#tables, id);
    this.#tables.privacy.set(id, { ...this.#tables.privacy.get(id), ...patch });
    const privacy = privacyOf(this.#tables, id);
    if (privacy.receipts === before.receipts) return { privacy, conversationIds: [] };
    const conversations = this.#tables.conversationsOf(id);
    for (const stored of conversations) maskReads(this.#tables, stored);
    return { privacy, conversationIds: conversations.map((it) => asConversationId(it.id)) };
  }

  /** The memory twin keeps no event log. */
  cameOnline = async (): Promise<void> => undefined;

  /** The memory twin pushes nothing. */
  releasePushes = async (): Promise<void> => undefined;

  async saveLastSeen(id: UserId, at: string): Promise<void> {
    const stored = this.#tables.users.get(id);
    if (!stored) return;
    if (stored.lastSeenAt === null || stored.lastSeenAt < at) stored.lastSeenAt = at;
  }
}
