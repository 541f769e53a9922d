/** UserStore in memory; the twin of ../users.ts, held to the same suite. */
import type { UserStore } from "../../../actors/ports.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { User } from "../../protocol/schemas.ts";
import type { MemoryTables } from "./tables.ts";

export class MemoryUsers implements UserStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async lastSeen(id: UserId): Promise<string | null | undefined> {
    return this.#tables.users.get(id)?.lastSeenAt;
  }

  async profile(id: UserId): Promise<User | null> {
    const stored = this.#tables.users.get(id);
    return stored === undefined ? null : { ...stored.user };
  }

  async saveLastSeen(id: UserId, at: string): Promise<void> {
    const stored = this.#tables.users.get(id);
    if (!stored) return;
    if (stored.lastSeenAt === null || stored.lastSeenAt < at) stored.lastSeenAt = at;
  }
}
