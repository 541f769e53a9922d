/** AccountStore in memory; the twin of ../accounts.ts, held to the same suite. */
import type {
  Account,
  AccountStore,
  EndedFamily,
  LoginOrigin,
  RefreshGrant,
  StoredLogin,
  Suspension,
} from "../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { asUserId, type User } from "../../protocol/schemas.ts";
import { usernameOfSubject } from "../postgres/account-names.ts";
import { STORAGE_REFUSALS } from "../postgres/refusals.ts";
import type { MemoryTables, StoredFamily, StoredUser } from "./tables.ts";

/** As in sql/functions/rotate_refresh_token.sql. */
const REPEATED_WITHIN_MS = 10_000;

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

  async byUsername(username: string, address: string): Promise<Account | null> {
    const stored = this.#named(username);
    if (!stored) return null;
    const { user, passwordHash, suspended } = stored;
    const isKnownAddress = [...this.#tables.families.values()].some(
      (family) => family.userId === user.id && family.origin.address === address,
    );
    return { user: { ...user }, passwordHash, suspended, isKnownAddress };
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

  async changePassword(
    id: UserId,
    oldHash: string,
    newHash: string,
    kept: FamilyId | null,
  ): Promise<FamilyId[] | null> {
    const stored = this.#tables.users.get(id);
    if (stored === undefined || stored.passwordHash !== oldHash) return null;
    stored.passwordHash = newHash;
    const ended = [...this.#tables.families.values()].filter(
      (family) => family.userId === id && family.revokedAtMs === null && family.id !== kept,
    );
    for (const family of ended) family.revokedAtMs = this.#tables.nowMs();
    return ended.map((family) => family.id);
  }

  async startFamily(
    userId: UserId,
    tokenHash: string,
    ttlMs: number,
    origin: LoginOrigin,
  ): Promise<FamilyId> {
    const nowMs = this.#tables.nowMs();
    const expiresAtMs = nowMs + ttlMs;
    const family: StoredFamily = {
      id: this.#tables.nextId() as FamilyId,
      userId,
      createdAtMs: nowMs,
      lastUsedAtMs: nowMs,
      expiresAtMs,
      revokedAtMs: null,
      origin,
    };
    this.#tables.families.set(family.id, family);
    this.#tables.tokens.set(tokenHash, { family, expiresAtMs, spentAtMs: null });
    return family.id;
  }

  async rotate(
    tokenHash: string,
    nextHash: string,
    ttlMs: number,
  ): Promise<
    | { outcome: "rotated" | "repeated"; grant: RefreshGrant }
    | ({ outcome: "reused" } & EndedFamily)
    | { outcome: "suspended" }
    | { outcome: "unknown" }
  > {
    const nowMs = this.#tables.nowMs();
    const token = this.#tables.tokens.get(tokenHash);
    if (!token || token.family.revokedAtMs !== null) return { outcome: "unknown" };
    const { family, spentAtMs } = token;
    const { user, suspended } = this.#tables.users.get(family.userId)!;
    const grant = { user: { ...user }, family: family.id };
    if (spentAtMs !== null) {
      const next = this.#tables.tokens.get(nextHash);
      const isRepeated =
        spentAtMs > nowMs - REPEATED_WITHIN_MS &&
        next?.family === family &&
        next.spentAtMs === null &&
        next.expiresAtMs > nowMs;
      if (isRepeated) return suspended ? { outcome: "suspended" } : { outcome: "repeated", grant };
      family.revokedAtMs = nowMs;
      return { outcome: "reused", family: family.id, userId: family.userId };
    }
    if (token.expiresAtMs <= nowMs) return { outcome: "unknown" };
    if (suspended) return { outcome: "suspended" };
    token.spentAtMs = nowMs;
    const expiresAtMs = nowMs + ttlMs;
    family.expiresAtMs = expiresAtMs;
    family.lastUsedAtMs = nowMs;
    this.#tables.tokens.set(nextHash, { family, expiresAtMs, spentAtMs: null });
    return { outcome: "rotated", grant };
  }

  async revokeByToken(tokenHash: string): Promise<EndedFamily | null> {
    const family = this.#tables.tokens.get(tokenHash)?.family;
    if (!family) return null;
    family.revokedAtMs ??= this.#tables.nowMs();
    return { family: family.id, userId: family.userId };
  }

  async revokeByRoot(rootHash: string): Promise<EndedFamily | null> {
    const family = this.#liveFamilies().find(({ origin }) => origin.rootHash === rootHash);
    if (family === undefined) return null;
    family.revokedAtMs = this.#tables.nowMs();
    return { family: family.id, userId: family.userId };
  }

  async endFamily(userId: UserId, id: FamilyId): Promise<boolean> {
    const family = this.#liveFamilies().find((one) => one.userId === userId && one.id === id);
    if (family === undefined) return false;
    family.revokedAtMs = this.#tables.nowMs();
    return true;
  }

  async families(userId: UserId, before: string | null, limit: number): Promise<StoredLogin[]> {
    return this.#liveFamilies()
      .filter(({ userId: of, id }) => of === userId && (before === null || +id < +before))
      .sort((one, other) => +other.id - +one.id)
      .slice(0, limit)
      .map(({ id, createdAtMs, lastUsedAtMs, origin }) => ({
        id,
        created_at: new Date(createdAtMs).toISOString(),
        last_used_at: new Date(lastUsedAtMs).toISOString(),
        address: origin.address,
        user_agent: origin.userAgent,
      }));
  }

  async revokedWithin(ms: number): Promise<FamilyId[]> {
    const sinceMs = this.#tables.nowMs() - ms;
    return [...this.#tables.families.values()]
      .filter((family) => family.revokedAtMs !== null && family.revokedAtMs >= sinceMs)
      .map((family) => family.id);
  }

  #liveFamilies(): StoredFamily[] {
    const nowMs = this.#tables.nowMs();
    return [...this.#tables.families.values()].filter(
      ({ revokedAtMs, expiresAtMs }) => revokedAtMs === null && expiresAtMs > nowMs,
    );
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
