/** GraphStore in memory; the twin of ../graph.ts, held to the same suite. */
import type { GraphStore } from "../../../actors/social-ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { asConversationId, asUserId } from "../../protocol/schemas.ts";
import { SOCIAL_REFUSALS, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import { setEdge } from "./social-tables.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryGraph implements GraphStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async follow(
    by: UserId,
    user: UserId,
    following: boolean,
  ): Promise<Result<{ changed: boolean }>> {
    const { users, social } = this.#tables;
    if (by === user) return SOCIAL_REFUSALS.followsSelf;
    if (!users.has(user)) return REFUSALS.userNotFound;
    if (following && social.isBlocked(by, user)) return STORAGE_REFUSALS.apart;
    const changed = setEdge(social.follows, by, user, following);
    if (changed) {
      this.#tables.noteChanged([by]);
      social.followedAt.set(`${by} ${user}`, Number(this.#tables.nextId()));
    }
    return ok({ changed });
  }

  async block(
    by: UserId,
    user: UserId,
    blocked: boolean,
  ): Promise<Result<{ changed: boolean; isBlocked: boolean; direct: ConversationId | null }>> {
    const { users, social } = this.#tables;
    if (by === user) return SOCIAL_REFUSALS.blocksSelf;
    if (!users.has(user)) return REFUSALS.userNotFound;
    const changed = setEdge(social.blocks, by, user, blocked);
    if (changed) this.#tables.noteChanged([by, user]);
    if (blocked) {
      setEdge(social.follows, by, user, false);
      setEdge(social.follows, user, by, false);
    }
    const direct = this.#tables.directOf([by, user]);
    return ok({
      changed,
      isBlocked: social.isBlocked(by, user),
      direct: direct ? asConversationId(direct.id) : null,
    });
  }

  async idsByName(names: readonly string[]): Promise<Map<string, UserId>> {
    const wanted = new Set(names);
    const found = new Map<string, UserId>();
    for (const { user } of this.#tables.users.values()) {
      if (wanted.has(user.username)) found.set(user.username, asUserId(user.id));
    }
    return found;
  }

  async blockedAmong(user: UserId, users: readonly UserId[]): Promise<UserId[]> {
    return users.filter((other) => this.#tables.social.isBlocked(user, other));
  }

  async displayName(id: UserId): Promise<string | null> {
    return this.#tables.users.get(id)?.user.display_name ?? null;
  }
}
