/** AccountStore in memory; the twin of ../accounts.ts, held to the same suite. */
import type {
  Account,
  AccountStore,
  EndedFamily,
  LoginOrigin,
  NewOutsideUser,
  PutUser,
  RefreshGrant,
  ShutOut,
  StoredLogin,
  SuspensionTerms,
  UserChange,
} from "../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { asUserId, type User } from "../../protocol/schemas.ts";
import { usernameOfSubject } from "../postgres/account-names.ts";
import { STORAGE_REFUSALS } from "../postgres/refusals.ts";
import type { MemoryTables, StoredFamily, StoredUser } from "./tables.ts";

/** As in sql/functions/rotate_refresh_token.sql. */
const REPEATED_WITHIN_MS = 10_000;

/** As in ../postgres/accounts.ts. */
const RENAMED_MS = 30 * 86_400_000;

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
    if (this.#isTaken(username, null)) return STORAGE_REFUSALS.usernameTaken;
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

  async bySubject(
    issuer: string,
    subject: string,
    wished: NewOutsideUser,
  ): Promise<{ user: User; created: boolean }> {
    for (const stored of this.#tables.users.values()) {
      if (stored.issuer === issuer && stored.subject === subject) {
        return { user: { ...stored.user }, created: false };
      }
    }
    let attempt = 0;
    let username = wished.username ?? usernameOfSubject(issuer, subject, attempt++);
    while (this.#isTaken(username, null)) username = usernameOfSubject(issuer, subject, attempt++);
    const made = this.#add(username, wished.displayName ?? username, { issuer, subject });
    const { user } = this.#tables.users.get(made.id)!;
    if (wished.imageUrl !== null) user.image_url = wished.imageUrl;
    return { user: { ...user }, created: true };
  }

  async changeUser(id: UserId, change: UserChange): Promise<Result<PutUser>> {
    const stored = this.#tables.users.get(id);
    return stored ? this.#change(stored, change, RENAMED_MS) : REFUSALS.userNotFound;
  }

  async putExternal(
    users: readonly { externalId: string; change: UserChange }[],
  ): Promise<Result<PutUser>[]> {
    return users.map(({ externalId, change }) => {
      const known = [...this.#tables.users.values()].find(
        ({ user }) => user.external_id === externalId,
      );
      if (known !== undefined) return this.#change(known, change, 0);
      const { username } = change;
      if (username !== undefined && this.#isTaken(username, null)) {
        return STORAGE_REFUSALS.usernameTaken;
      }
      const made = this.#add(username ?? "", change.display_name ?? "", {});
      const { user } = this.#tables.users.get(made.id)!;
      user.external_id = externalId;
      user.username = username ?? `u${user.id}`;
      while (username === undefined && this.#namesakes(user) > 1) user.username += "_";
      user.display_name = change.display_name ?? user.username;
      assign(user, change);
      return ok({ user: { ...user }, created: true, changed: true });
    });
  }

  async setPassword(id: UserId, hash: string): Promise<Result<FamilyId[]>> {
    const stored = this.#tables.users.get(id);
    if (stored === undefined) return REFUSALS.userNotFound;
    if (stored.issuer !== null) return STORAGE_REFUSALS.outsideUser;
    stored.passwordHash = hash;
    const ended = [...this.#tables.families.values()].filter(
      (family) => family.userId === id && family.revokedAtMs === null,
    );
    for (const family of ended) family.revokedAtMs = this.#tables.nowMs();
    return ok(ended.map((family) => family.id));
  }

  async suspend(id: UserId, suspension: SuspensionTerms | null): Promise<Result<null>> {
    const stored = this.#tables.users.get(id);
    if (!stored) return REFUSALS.userNotFound;
    const nowMs = this.#tables.nowMs();
    const before = stored.suspension;
    const after = suspension && {
      atMs: stored.suspended ? (before?.atMs ?? nowMs) : nowMs,
      untilMs: suspension.until === null ? null : Date.parse(suspension.until),
      reason: suspension.reason,
    };
    const isSame = JSON.stringify(before ?? null) === JSON.stringify(after);
    if (!isSame) stored.suspensionChangedAtMs = nowMs;
    stored.suspension = after;
    stored.suspended = suspension !== null;
    return ok(null);
  }

  async cutTokens(id: UserId): Promise<number | null> {
    const stored = this.#tables.users.get(id);
    if (stored === undefined) return null;
    const nowMs = this.#tables.nowMs();
    stored.tokensCutAtMs = Math.max(nowMs, (stored.tokensCutAtMs ?? 0) + 1);
    for (const family of this.#tables.families.values()) {
      if (family.userId === id) family.revokedAtMs ??= nowMs;
    }
    return stored.tokensCutAtMs;
  }

  async shutOutWithin(familiesMs: number, othersMs: number): Promise<ShutOut> {
    const nowMs = this.#tables.nowMs();
    for (const stored of this.#tables.users.values()) {
      const untilMs = stored.suspension?.untilMs ?? null;
      if (!stored.suspended || untilMs === null || untilMs > nowMs) continue;
      stored.suspended = false;
      stored.suspensionChangedAtMs = untilMs;
    }
    const isWithin = (atMs: number | null, ms: number) => atMs !== null && atMs >= nowMs - ms;
    const users = [...this.#tables.users.values()];
    return {
      families: [...this.#tables.families.values()]
        .filter(({ revokedAtMs }) => isWithin(revokedAtMs, familiesMs))
        .map(({ id }) => id),
      suspensions: users
        .filter(({ suspensionChangedAtMs }) => isWithin(suspensionChangedAtMs, othersMs))
        .map(({ user, suspended }) => ({ user: asUserId(user.id), suspended })),
      cuts: users
        .filter(({ tokensCutAtMs }) => isWithin(tokensCutAtMs, othersMs))
        .map(({ user, tokensCutAtMs }) => ({ user: asUserId(user.id), atMs: tokensCutAtMs! })),
      tokens: [...this.#tables.serviceTokens.values()]
        .filter(({ revoked_at: at }) => isWithin(at === null ? null : Date.parse(at), othersMs))
        .map(({ jti }) => jti),
      rulesRev: this.#tables.wordRules.rev,
    };
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

  #liveFamilies(): StoredFamily[] {
    const nowMs = this.#tables.nowMs();
    return [...this.#tables.families.values()].filter(
      ({ revokedAtMs, expiresAtMs }) => revokedAtMs === null && expiresAtMs > nowMs,
    );
  }

  #change(stored: StoredUser, change: UserChange, everyMs: number): Result<PutUser> {
    const { user } = stored;
    const before = JSON.stringify(user);
    const { username } = change;
    const nowMs = this.#tables.nowMs();
    if (username !== undefined && username !== user.username) {
      if (everyMs > 0 && stored.renamedAtMs !== null && stored.renamedAtMs > nowMs - everyMs) {
        return STORAGE_REFUSALS.renamedLately;
      }
      if (this.#isTaken(username, user.id)) return STORAGE_REFUSALS.usernameTaken;
      const reserved = { userId: user.id, untilMs: nowMs + RENAMED_MS };
      this.#tables.reservedNames.set(user.username, reserved);
      user.username = username;
      stored.renamedAtMs = nowMs;
    }
    assign(user, change);
    return ok({ user: { ...user }, created: false, changed: JSON.stringify(user) !== before });
  }

  #isTaken(username: string, by: string | null): boolean {
    const reserved = this.#tables.reservedNames.get(username);
    if (reserved !== undefined && reserved.untilMs > this.#tables.nowMs()) {
      if (reserved.userId !== by) return true;
    }
    return this.#named(username) !== undefined;
  }

  #namesakes({ username }: User): number {
    return [...this.#tables.users.values()].filter(({ user }) => user.username === username).length;
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
      tokensCutAtMs: null,
      renamedAtMs: null,
      lastSeenAt: null,
      ...rest,
    });
    return { ...user };
  }
}

/** Keys that are null have nothing to say and are left out. */
function assign(user: User, { display_name, image_url, data, trusted }: UserChange): void {
  if (display_name !== undefined) user.display_name = display_name;
  const optional = { image_url, data, trusted };
  for (const key of ["image_url", "data", "trusted"] as const) {
    const value = optional[key];
    if (value === null) delete user[key];
    else if (value !== undefined) Object.assign(user, { [key]: value });
  }
}
