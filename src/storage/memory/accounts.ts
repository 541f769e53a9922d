/** AccountStore in memory; the twin of ../accounts.ts, held to the same suite. */
import type { Account, AccountStore, RefreshGrant, Suspension } from "../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { asUserId, type User } from "../../protocol/schemas.ts";
import { usernameOfSubject } from "../postgres/account-names.ts";
import { STORAGE_REFUSALS } from "../postgres/refusals.ts";
import type { MemoryTables, StoredFamily, StoredUser } from "./tables.ts";

export class MemoryAccounts implements AccountStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async register(
    username: string,
    displayName: string,
    passwordHash: string,
  ): Promise<Result<User>> {
    if (this.#named(username)) return STORAGE_REFUSALS.usernameTaken;
    return ok(this.#add(username, displayName, { passwordHash }));
  }

  async byUsername(username: string): Promise<Account | null> {
    const stored = this.#named(username);
    if (!stored) return null;
    const { user, passwordHash, suspended } = stored;
    return { user: { ...user }, passwordHash, suspended };
  }

  async byId(id: UserId): Promise<User | null> {
    const stored = this.#tables.users.get(id);
    return stored ? { ...stored.user } : null;
  }

  async bySubject(issuer: string, subject: string): Promise<User> {
    for (const stored of this.#tables.users.values()) {
      if (stored.issuer === issuer && stored.subject === subject) return { ...stored.user };
    }
    let attempt = 0;
    let username = usernameOfSubject(issuer, subject, attempt);
    while (this.#named(username)) username = usernameOfSubject(issuer, subject, ++attempt);
    return this.#add(username, username, { issuer, subject });
  }

  async rename(id: UserId, displayName: string): Promise<Result<User>> {
    const stored = this.#tables.users.get(id);
    if (!stored) return REFUSALS.userNotFound;
    stored.user.display_name = displayName;
    return ok({ ...stored.user });
  }

  async suspend(id: UserId, suspended: boolean): Promise<Result<null>> {
    const stored = this.#tables.users.get(id);
    if (!stored) return REFUSALS.userNotFound;
    if (stored.suspended !== suspended) stored.suspensionChangedAtMs = this.#tables.nowMs();
    stored.suspended = suspended;
    return ok(null);
  }

  async suspensionsWithin(ms: number): Promise<Suspension[]> {
    const sinceMs = this.#tables.nowMs() - ms;
    return [...this.#tables.users.values()]
      .filter(({ suspensionChangedAtMs: at }) => at !== null && at >= sinceMs)
      .map(({ user, suspended }) => ({ user: asUserId(user.id), suspended }));
  }

  async rehash(id: UserId, oldHash: string, newHash: string): Promise<void> {
    const stored = this.#tables.users.get(id);
    if (stored?.passwordHash === oldHash) stored.passwordHash = newHash;
  }

  async startFamily(userId: UserId, tokenHash: string, ttlMs: number): Promise<FamilyId> {
    const family: StoredFamily = {
      id: this.#tables.nextId() as FamilyId,
      userId,
      revokedAtMs: null,
    };
    this.#tables.families.set(family.id, family);
    const expiresAtMs = this.#tables.nowMs() + ttlMs;
    this.#tables.tokens.set(tokenHash, { family, expiresAtMs, spent: false });
    return family.id;
  }

  async rotate(
    tokenHash: string,
    nextHash: string,
    ttlMs: number,
  ): Promise<
    | { outcome: "rotated"; grant: RefreshGrant }
    | { outcome: "reused"; family: FamilyId; userId: UserId }
    | { outcome: "suspended" }
    | { outcome: "unknown" }
  > {
    const token = this.#tables.tokens.get(tokenHash);
    if (!token || token.family.revokedAtMs !== null) return { outcome: "unknown" };
    const { family } = token;
    if (token.spent) {
      family.revokedAtMs = this.#tables.nowMs();
      return { outcome: "reused", family: family.id, userId: family.userId };
    }
    if (token.expiresAtMs <= this.#tables.nowMs()) return { outcome: "unknown" };
    if (this.#tables.users.get(family.userId)!.suspended) return { outcome: "suspended" };
    token.spent = true;
    const expiresAtMs = this.#tables.nowMs() + ttlMs;
    this.#tables.tokens.set(nextHash, { family, expiresAtMs, spent: false });
    const { user } = this.#tables.users.get(family.userId)!;
    return { outcome: "rotated", grant: { user: { ...user }, family: family.id } };
  }

  async revokeByToken(tokenHash: string): Promise<{ family: FamilyId; userId: UserId } | null> {
    const family = this.#tables.tokens.get(tokenHash)?.family;
    if (!family) return null;
    family.revokedAtMs ??= this.#tables.nowMs();
    return { family: family.id, userId: family.userId };
  }

  async revokedWithin(ms: number): Promise<FamilyId[]> {
    const sinceMs = this.#tables.nowMs() - ms;
    return [...this.#tables.families.values()]
      .filter((family) => family.revokedAtMs !== null && family.revokedAtMs >= sinceMs)
      .map((family) => family.id);
  }

  #named(username: string): StoredUser | undefined {
    for (const stored of this.#tables.users.values()) {
      if (stored.user.username === username) return stored;
    }
    return undefined;
  }

  #add(username: string, displayName: string, rest: Partial<StoredUser>): User {
    const id = asUserId(this.#tables.nextId());
    const created_at = this.#tables.nowIso();
    const user = { id, username, display_name: displayName, created_at };
    this.#tables.users.set(id, {
      user,
      passwordHash: null,
      issuer: null,
      subject: null,
      suspended: false,
      suspensionChangedAtMs: null,
      lastSeenAt: null,
      ...rest,
    });
    return { ...user };
  }
}
