/**
 * Who somebody is: accounts, logins and the tokens of HTTP calls and socket handshakes. Puts
 * users, families and revocations on top of tokens.ts and passwords.ts.
 *
 * A login is a refresh-token family: each refresh spends one token for the next, a spent one
 * shown again means that somebody else has it, and revokes the family; access tokens name
 * their family and are refused with it. Refresh tokens are stored as SHA-256 only.
 * Rejects only with OutOfReach; everything else is a Result.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Logger } from "pino";
import type { Clock } from "../../base/clock.ts";
import type { WorkerConfig } from "../../config/config.ts";
import type { AccountStore } from "../../ports/edge.ts";
import { ok, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import { type FamilyId, isId, type UserId } from "../../protocol/ids.ts";
import { type Facts, RULES } from "../../protocol/policy.ts";
import { SERVICE_SCOPES } from "../../protocol/route-spec.ts";
import { asUserId, type Tokens as TokenAnswer, type User } from "../../protocol/schemas.ts";
import { later, type Monotonic, msBetween, type WallTime } from "../../protocol/time.ts";
import type { IssuerKeySet } from "../../runtime/control.ts";
import type { EdgeLimits } from "../limits/limits.ts";
import { reached } from "../storage-reachable.ts";
import { isReservedName } from "./account-rules.ts";
import { type AskIssuerKeys, createHeldKeys } from "./jwks.ts";
import { createPasswordTurns, hashPassword, isPassword, isWeakHash } from "./passwords.ts";
import { type Claims, createTokens } from "./tokens.ts";

/** The caller of a request or the user of a session. */
export interface Identity {
  userId: UserId;
  /** The login; null for service tokens and outside issuers. */
  family: FamilyId | null;
  /** As the token says. */
  expiresAtMs: WallTime;
  /**
   * The same moment on the monotonic clock, taken when the token was verified: setting the wall
   * clock neither ends a session that began with it nor lets it live longer.
   */
  endsAtMs: Monotonic;
  scope: readonly string[];
}

/** Whom this edge knows to be shut out; what it is told, every edge of every host hears. */
export interface Revocations {
  isRevoked(family: FamilyId): boolean;
  isSuspended(user: UserId): boolean;
  /** Refuses the family's tokens and ends its sessions. */
  revoke(family: FamilyId, userId: UserId): void;
  /** Refuses the user's tokens and ends their sessions, or lets them in again. */
  suspend(user: UserId, suspended: boolean): void;
}

export interface AuthDeps {
  config: WorkerConfig;
  accounts: AccountStore;
  revocations: Revocations;
  limits: Pick<EdgeLimits, "loginTry" | "registration">;
  /** Used where JWT_JWKS_URL is set. */
  askIssuerKeys: AskIssuerKeys;
  clock: Clock;
  log: Logger;
}

/** A password that account-rules.ts allows is the caller's to check. */
export interface NewAccount {
  username: string;
  password: string;
  displayName: string | undefined;
}

export interface Auth {
  /** Refuses: unauthorized, token_expired, forbidden (suspended), unavailable. Never rejects. */
  verify(token: string): Promise<Result<Identity>>;
  /** `verify` where memory is enough, else undefined: no promise on the hot path. */
  known(token: string): Result<Identity> | undefined;
  /** Refuses: forbidden (not possible here), conflict (the name), rate_limited. */
  register(account: NewAccount, address: string): Promise<Result<TokenAnswer>>;
  /** `address`: whom a wrong password counts for, beside the account. */
  login(username: string, password: string, address: string): Promise<Result<TokenAnswer>>;
  refresh(refreshToken: string): Promise<Result<TokenAnswer>>;
  /** Ends a login; a token that never was is no error. */
  logout(refreshToken: string): Promise<Result<null>>;
  /** The outside issuer's keys are others now. */
  onIssuerKeys(set: IssuerKeySet): void;
  /** Idempotent. Refuses: not_found. */
  suspend(user: UserId, suspended: boolean): Promise<Result<null>>;
}

/**
 * The user of a service token, whose `sub` names a program: no account has this id, and the
 * routes of users refuse it.
 */
export const SERVICE_USER = asUserId("0");

/** What a verified token says about its bearer; who is suspended has no identity. */
export function factsOf({ userId, scope }: Identity): Facts {
  const isService = userId === SERVICE_USER;
  return {
    user: !isService,
    notify: isService && scope.includes("notify"),
    admin: isService && scope.includes("admin"),
    ops: isService && scope.includes("ops"),
  };
}

const isServiceScope = (word: string) => (SERVICE_SCOPES as readonly string[]).includes(word);
const USERNAME = /^[a-z0-9_.]{3,32}$/;
const REFRESH_BYTES = 32;
/** Subjects of an outside issuer whose user is known: about 150 bytes each. */
const SUBJECTS_MAX = 50_000;

const NOT_VALID = refused("unauthorized", "The access token is not valid.");
const REVOKED = refused("unauthorized", "This login has ended. Log in again.");
const WRONG_LOGIN = refused("unauthorized", "The username or the password is wrong.");
const WRONG_REFRESH = refused("unauthorized", "The refresh token is not valid. Log in again.");
const SUSPENDED = RULES.admitted;
const OUTSIDE = refused(
  "forbidden",
  "This server trusts an outside token issuer: accounts and tokens are had there.",
);

const CLOSED = refused("forbidden", "Accounts cannot be registered on this server.");
const RESERVED = refused("conflict", "That username is taken.");

export async function createAuth(deps: AuthDeps): Promise<Auth> {
  const { config, accounts, revocations, limits, clock, log } = deps;
  const outside = config.jwtJwksUrl !== null;
  // What was checked with a withdrawn key must be checked again.
  const keys = outside ? createHeldKeys(deps.askIssuerKeys, () => tokens.forget()) : null;
  const tokens = await createTokens({
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    secret: outside ? null : config.jwtSecret,
    keys: keys?.keyOf ?? null,
    ttlS: config.accessTokenTtlS,
    clock,
  });
  const turns = createPasswordTurns();
  const subjects = new Map<string, UserId>();
  const refreshTtlMs = config.refreshTokenTtlS * 1000;

  function identityOf(claims: Claims, userId: UserId): Result<Identity> {
    const { family, expiresAtMs, scope } = claims;
    if (revocations.isSuspended(userId)) return SUSPENDED;
    if (family !== null && revocations.isRevoked(family)) return REVOKED;
    const endsAtMs = later(clock.monotonicMs(), msBetween(clock.wallMs(), expiresAtMs));
    return ok({ userId, family, expiresAtMs, endsAtMs, scope });
  }

  /** The user a token speaks for; undefined when only the store can tell. */
  function userOf(claims: Claims): UserId | null | undefined {
    // Whatever its subject: a program must not become a user, nor act as one.
    if (claims.scope.some(isServiceScope)) return SERVICE_USER;
    if (outside) return subjects.get(claims.subject);
    if (isId(claims.subject)) return asUserId(claims.subject);
    return claims.scope.length > 0 ? SERVICE_USER : null;
  }

  async function userOfSubject(subject: string): Promise<UserId> {
    const user = await reached(accounts.bySubject(config.jwtIssuer, subject));
    if (subjects.size >= SUBJECTS_MAX) subjects.clear();
    subjects.set(subject, asUserId(user.id));
    return asUserId(user.id);
  }

  async function answerWith(user: User, family: FamilyId, refreshToken: string) {
    const { token, expiresInS } = await tokens.issue(asUserId(user.id), family);
    return ok({
      user,
      access_token: token,
      refresh_token: refreshToken,
      expires_in: expiresInS,
    });
  }

  async function begin(user: User): Promise<Result<TokenAnswer>> {
    const refreshToken = newRefreshToken();
    const family = await reached(
      accounts.startFamily(asUserId(user.id), hashOf(refreshToken), refreshTtlMs),
    );
    return answerWith(user, family, refreshToken);
  }

  /** The password is at hand only now: a hash from before the cost was raised is made anew. */
  async function strengthen(user: User, password: string, hash: string): Promise<void> {
    if (!isWeakHash(hash)) return;
    const stronger = await hashPassword(password);
    await reached(accounts.rehash(asUserId(user.id), hash, stronger));
  }

  return {
    known(token) {
      const claims = tokens.known(token);
      if (claims === undefined || !claims.ok) return claims;
      const userId = userOf(claims.value);
      if (userId === undefined) return undefined;
      return userId === null ? NOT_VALID : identityOf(claims.value, userId);
    },

    async verify(token) {
      try {
        const claims = tokens.known(token) ?? (await tokens.check(token));
        if (!claims.ok) return claims;
        const userId = userOf(claims.value) ?? null;
        if (userId !== null) return identityOf(claims.value, userId);
        if (!outside) return NOT_VALID;
        return identityOf(claims.value, await userOfSubject(claims.value.subject));
      } catch (fault) {
        log.error({ event: "token_check_failed", err: fault });
        return REFUSALS.unavailable;
      }
    },

    async register({ username, password, displayName }, address) {
      if (outside) return OUTSIDE;
      if (!config.registration) return CLOSED;
      const name = username.toLowerCase();
      if (isReservedName(name)) return RESERVED;
      const limited = limits.registration(address);
      if (limited !== null) return { ok: false, error: limited };
      const hash = await turns.inTurn(address, () => hashPassword(password));
      if (!hash.ok) return hash;
      const user = await reached(accounts.register(name, displayName ?? name, hash.value));
      return user.ok ? begin(user.value) : user;
    },

    async login(username, password, address) {
      if (outside) return OUTSIDE;
      const name = username.toLowerCase();
      // What can be nobody's name is not looked up: PostgreSQL would not even take some of it.
      const account = USERNAME.test(name) ? await reached(accounts.byUsername(name)) : null;
      const turn = await turns.inTurn(address, async () => {
        // Asked when the turn comes: guesses sent all at once wait here, and count.
        const place = limits.loginTry(name, address);
        if ("code" in place) return { ok: false as const, error: place };
        const hash = account?.passwordHash ?? null;
        if (!(await isPassword(password, hash))) {
          place.failed();
          return WRONG_LOGIN;
        }
        place.succeeded();
        if (account !== null && hash !== null) await strengthen(account.user, password, hash);
        return ok(null);
      });
      if (!turn.ok) return turn;
      if (!turn.value.ok) return turn.value;
      if (account === null) return WRONG_LOGIN;
      return account.suspended ? SUSPENDED : begin(account.user);
    },

    async refresh(refreshToken) {
      if (outside) return OUTSIDE;
      const next = newRefreshToken();
      const turn = await reached(accounts.rotate(hashOf(refreshToken), hashOf(next), refreshTtlMs));
      switch (turn.outcome) {
        case "rotated":
          return answerWith(turn.grant.user, turn.grant.family, next);
        case "reused":
          log.warn({ event: "refresh_token_reused", user_id: turn.userId, family: turn.family });
          revocations.revoke(turn.family, turn.userId);
          return WRONG_REFRESH;
        case "suspended":
          return SUSPENDED;
        case "unknown":
          return WRONG_REFRESH;
      }
    },

    async logout(refreshToken) {
      if (outside) return OUTSIDE;
      const ended = await reached(accounts.revokeByToken(hashOf(refreshToken)));
      if (ended !== null) revocations.revoke(ended.family, ended.userId);
      return ok(null);
    },

    onIssuerKeys(set) {
      keys?.adopt(set);
    },

    async suspend(user, suspended) {
      const done = await reached(accounts.suspend(user, suspended));
      if (!done.ok) return done;
      // Said also when nothing changed: the first time it may not have been heard everywhere.
      revocations.suspend(user, suspended);
      log.info({ event: "suspension", user_id: user, suspended });
      return done;
    },
  };
}

function newRefreshToken(): string {
  return randomBytes(REFRESH_BYTES).toString("base64url");
}

function hashOf(refreshToken: string): string {
  return createHash("sha256").update(refreshToken).digest("hex");
}
