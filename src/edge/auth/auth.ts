/**
 * Authentication: accounts, logins and the tokens of HTTP calls and socket handshakes. Adds users,
 * families and revocations to tokens.ts and passwords.ts.
 *
 * A login is a refresh-token family: each refresh spends one token for the next, and access tokens
 * name their family and are refused with it. A spent token shown again means that somebody else
 * has it, and revokes the family, unless it is the newest one within 10 s (refresh-tokens.ts).
 *
 * [OTK1] A token of an outside issuer is a user's, whatever its scopes say.
 * [OTK2] But where SERVICE_SUBJECTS names its `sub`: then it is a program's, and its scopes are the
 *        words `troupe:<scope>`.
 *
 * Rejects only with StorageUnreachable; everything else is a Result.
 */
import type { Logger } from "pino";
import type { Clock } from "../../base/clock.ts";
import type { WorkerConfig } from "../../config/config.ts";
import { secretsOf } from "../../config/jwt-secrets.ts";
import type { Account, AccountStore, SuspensionTerms } from "../../ports/edge.ts";
import type { ServiceStore } from "../../ports/services.ts";
import { type ErrorObject, ok, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import { type FamilyId, isId, type UserId } from "../../protocol/ids.ts";
import { RULES } from "../../protocol/policy.ts";
import { SERVICE_SCOPES } from "../../protocol/route-spec.ts";
import { asUserId, type Tokens as TokenAnswer, type User } from "../../protocol/schemas.ts";
import { epochMsOf, later, msBetween } from "../../protocol/time.ts";
import type { IssuerKeySet } from "../../runtime/control.ts";
import type { EdgeLimits } from "../limits/limits.ts";
import { orUnreachable } from "../storage-reachable.ts";
import { type AccessLog, createAccessLog } from "./access-log.ts";
import { isReservedName } from "./account-rules.ts";
import { type Identity, isCut, SERVICE_USER } from "./identity.ts";
import { type AskIssuerKeys, createHeldKeys } from "./jwks.ts";
import { createPasswordQueue, hashPassword, isPassword, isWeakHash } from "./passwords.ts";
import { createOutsideUsers, type NameRules } from "./profile.ts";
import { createRefreshTokens } from "./refresh-tokens.ts";
import { tokenProblemIn } from "./token-refusals.ts";
import { type Claims, createTokens } from "./tokens.ts";

/** Revoked logins and suspended users known to this edge; changes are published to all edges. */
export interface Revocations {
  isRevoked(family: FamilyId): boolean;
  isSuspended(user: UserId): boolean;
  /** Refuses the family's tokens and ends its sessions. */
  revoke(family: FamilyId, userId: UserId): void;
  /** Refuses the user's tokens and ends their sessions, or lets them in again. */
  suspend(user: UserId, suspended: boolean): void;
  /** The user's cut in milliseconds since the epoch; null: there is none. */
  cutOf(user: UserId): number | null;
  /** Refuses the user's tokens that were issued until then, and ends their sessions. */
  cut(user: UserId, atMs: number): void;
  isTokenEnded(jti: string): boolean;
  endToken(jti: string): void;
}

export interface AuthDeps {
  config: WorkerConfig;
  accounts: AccountStore;
  services: Pick<ServiceStore, "noteToken">;
  revocations: Revocations;
  limits: Pick<EdgeLimits, "loginTry" | "registration">;
  /** Used where JWT_JWKS_URL is set. */
  askIssuerKeys: AskIssuerKeys;
  /** Judges the names of an outside issuer's users; null: they are taken as they are. */
  wordRules: NameRules | null;
  clock: Clock;
  log: Logger;
}

/** A password that account-rules.ts allows is the caller's to check. */
export interface NewAccount {
  username: string;
  password: string;
  displayName: string | undefined;
}

export interface PasswordChange {
  old: string;
  new: string;
}

/** Where a call comes from. */
export interface Client {
  /** The key for limits: an IPv4 address or an IPv6 /64. */
  address: string;
  /** At most 200 characters. */
  userAgent: string | null;
}

export interface Auth {
  /** For refusals that are decided elsewhere. */
  readonly access: AccessLog;
  /**
   * Refuses: unauthorized, token_expired, forbidden (suspended), unavailable. Never rejects. With
   * `act`, what the token was shown for, an `unauthorized` is in the log; HTTP notes its own.
   */
  verify(token: string, act?: string): Promise<Result<Identity>>;
  /** `verify` where memory is enough, else undefined: no promise on the hot path. */
  known(token: string): Result<Identity> | undefined;
  /** Refuses: forbidden (not possible here), conflict (the name), rate_limited. */
  register(account: NewAccount, client: Client): Promise<Result<TokenAnswer>>;
  login(username: string, password: string, client: Client): Promise<Result<TokenAnswer>>;
  refresh(refreshToken: string, client: Client): Promise<Result<TokenAnswer>>;
  /** Ends a login; an unknown token is not an error. */
  logout(refreshToken: string): Promise<Result<null>>;
  /** Ends the user's other logins. Refuses: forbidden (a wrong old one), rate_limited. */
  changePassword(caller: Identity, change: PasswordChange, client: Client): Promise<Result<null>>;
  /** Whether it is the user's password. Refuses: forbidden (it is not), rate_limited. */
  confirmPassword(user: UserId, password: string, client: Client): Promise<Result<null>>;
  /** Ends one of the user's logins. Refuses: not_found. */
  endLogin(user: UserId, family: FamilyId): Promise<Result<null>>;
  /** The outside issuer's keys have changed. */
  onIssuerKeys(set: IssuerKeySet): void;
  /** Null lifts the suspension. Idempotent. Refuses: not_found. */
  suspend(user: UserId, suspension: SuspensionTerms | null): Promise<Result<null>>;
  /** An access token for a service's user. Refuses: not_found, forbidden (suspended). */
  mint(user: UserId, ttlS: number): Promise<Result<{ access_token: string; expires_in: number }>>;
  /**
   * Sets the password of one of the server's own accounts and ends its logins. Refuses: not_found,
   * conflict (an outside issuer's user), rate_limited (too many passwords wait).
   */
  setPassword(user: UserId, password: string, address: string): Promise<Result<null>>;
  /** Ends every token, login and session of the user from before now. Refuses: not_found. */
  cutTokens(user: UserId): Promise<Result<null>>;
}

const isServiceScope = (word: string) => (SERVICE_SCOPES as readonly string[]).includes(word);
/** Before the scopes of service tokens in an outside issuer's. */
const OUTSIDE_PREFIX = "troupe:";
const USERNAME = /^[a-z0-9_.]{3,32}$/;
/** Longer ids of service tokens are none of ours. */
const JTI_CHARS_MAX = 128;

const NOT_VALID = refused("unauthorized", "The access token is not valid.");
const REVOKED = refused("unauthorized", "This login has ended. Log in again.");
const WRONG_LOGIN = refused("unauthorized", "The username or the password is wrong.");
const WRONG_REFRESH = refused("unauthorized", "The refresh token is not valid. Log in again.");
const ENDED = refused("unauthorized", "This service token has been revoked.");
const SUSPENDED = RULES.admitted;
const OUTSIDE = refused(
  "forbidden",
  "This server trusts an outside token issuer: accounts and tokens are had there.",
);

const WRONG_OLD = refused("forbidden", "The old password is wrong.");
const NO_LOGIN = refused("not_found", "No such login.");
const CLOSED = refused("forbidden", "Accounts cannot be registered on this server.");
const RESERVED = refused("conflict", "That username is taken.");

export async function createAuth(deps: AuthDeps): Promise<Auth> {
  const { config, accounts, revocations, limits, clock, log } = deps;
  const outside = config.jwtJwksUrl !== null;
  // Tokens that were checked with a withdrawn key must be checked again.
  const keys = outside ? createHeldKeys(deps.askIssuerKeys, () => tokens.forget()) : null;
  const tokens = await createTokens({
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    secrets: outside || config.jwtSecret === null ? null : secretsOf(config.jwtSecret),
    keys: keys?.keyOf ?? null,
    ttlS: config.accessTokenTtlS,
    maxAgeS: config.tokenMaxAgeS,
    keepsOwnClaims: config.extensions !== undefined,
    clock,
  });
  const turns = createPasswordQueue();
  const access = createAccessLog(log, clock);
  // With an outside issuer there are no refresh tokens.
  const refreshTokens = createRefreshTokens(secretsOf(config.jwtSecret ?? "")[0]);
  const outsideUsers = createOutsideUsers(config.jwtIssuer, accounts, deps.wordRules);
  const refreshTtlMs = config.refreshTokenTtlS * 1000;

  function identityOf(claims: Claims, userId: UserId): Result<Identity> {
    const { family, expiresAtMs } = claims;
    const scope = outside ? outsideScope(claims) : claims.scope;
    if (revocations.isSuspended(userId)) return SUSPENDED;
    if (family !== null && revocations.isRevoked(family)) return REVOKED;
    const { issuedAtMs, jti, subject } = claims;
    const isService = userId === SERVICE_USER;
    if (isService && jti !== null && revocations.isTokenEnded(jti)) return ENDED;
    if (!isService && isCut(issuedAtMs, revocations.cutOf(userId))) return REVOKED;
    const endsAtMs = later(clock.monotonicMs(), msBetween(clock.wallMs(), expiresAtMs));
    const service = isService ? { subject, jti } : null;
    const identity = { userId, family, expiresAtMs, endsAtMs, issuedAtMs, scope, service };
    return ok({ ...identity, claims: claims.own });
  }

  /** A token that the command line of this or an earlier version made may not be known yet. */
  function noteService({ jti, subject, scope, issuedAtMs, expiresAtMs }: Claims): void {
    if (jti === null || jti.length > JTI_CHARS_MAX) return;
    const noted = {
      jti,
      subject,
      scope: scope.join(" "),
      issuedAtMs: issuedAtMs ?? epochMsOf(clock.wallMs()),
      expiresAtMs: epochMsOf(expiresAtMs),
    };
    deps.services.noteToken(noted).catch((err: unknown) => {
      // It works all the same, and is noted when it is checked the next time.
      log.warn({ event: "service_token_unnoted", jti, err });
    });
  }

  const serviceSubjects = new Set(config.serviceSubjects);

  /**
   * What an outside issuer lets one of its programs do. A user's scopes mean nothing here: words
   * such as "admin" are common, and at many issuers a client asks for the scopes it likes.
   */
  function outsideScope({ subject, scope }: Claims): readonly string[] {
    if (!serviceSubjects.has(subject)) return [];
    return scope
      .filter((word) => word.startsWith(OUTSIDE_PREFIX))
      .map((word) => word.slice(OUTSIDE_PREFIX.length));
  }

  /** The user a token speaks for; undefined when only the store can tell. */
  function userOf(claims: Claims): UserId | null | undefined {
    // A program must not become a user, nor act as one.
    if (outside) {
      const { subject } = claims;
      return serviceSubjects.has(subject) ? SERVICE_USER : outsideUsers.known(subject);
    }
    if (claims.scope.some(isServiceScope)) return SERVICE_USER;
    if (isId(claims.subject)) return asUserId(claims.subject);
    return claims.scope.length > 0 ? SERVICE_USER : null;
  }

  async function identified(token: string): Promise<Result<Identity>> {
    const known = tokens.known(token);
    const claims = known ?? (await tokens.check(token));
    if (!claims.ok) return claims;
    const userId = userOf(claims.value) ?? null;
    if (userId === SERVICE_USER && known === undefined) noteService(claims.value);
    if (userId !== null) return identityOf(claims.value, userId);
    if (!outside) return NOT_VALID;
    // Claims from memory are without the profile, which a new user begins with.
    const full = known === undefined ? claims : await tokens.check(token);
    if (!full.ok) return full;
    const { subject, profile } = full.value;
    return identityOf(full.value, await outsideUsers.admit(subject, profile));
  }

  async function answerWith(user: User, family: FamilyId, refreshToken: string) {
    const userId = asUserId(user.id);
    const issue = { family, afterMs: revocations.cutOf(userId) };
    const { token, expiresInS } = await tokens.issue(userId, issue);
    return ok({
      user,
      access_token: token,
      refresh_token: refreshToken,
      expires_in: expiresInS,
    });
  }

  async function begin(user: User, { address, userAgent }: Client): Promise<Result<TokenAnswer>> {
    const { text, hash, rootHash } = refreshTokens.first();
    const origin = { rootHash, address, userAgent };
    const family = await orUnreachable(
      accounts.startFamily(asUserId(user.id), hash, refreshTtlMs, origin),
    );
    return answerWith(user, family, text);
  }

  /**
   * Calls `then` if `password` is the account's, in the queue of password checks; null if it is
   * wrong or there is no account. Refuses: rate_limited (too many guesses, or too many wait).
   */
  async function whereRight<T>(
    name: string,
    account: Account | null,
    password: string,
    address: string,
    then: (hash: string) => Promise<T>,
  ): Promise<Result<T | null>> {
    const turn = await turns.inTurn(address, async (): Promise<Result<T | null>> => {
      // Asked in the turn: guesses that are sent all at once wait before it, and count.
      const place = limits.loginTry(name, address, account?.isKnownAddress === true);
      if ("code" in place) return { ok: false, error: place };
      const hash = account?.passwordHash ?? null;
      if (!(await isPassword(password, hash)) || hash === null) {
        place.failed();
        return ok(null);
      }
      place.succeeded();
      return ok(await then(hash));
    });
    return turn.ok ? turn.value : turn;
  }

  /** Replaces a hash of a lower cost; only a login has the password. */
  async function strengthen(user: User, password: string, hash: string): Promise<void> {
    if (!isWeakHash(hash)) return;
    const stronger = await hashPassword(password);
    await orUnreachable(accounts.rehash(asUserId(user.id), hash, stronger));
  }

  return {
    access,

    known(token) {
      const claims = tokens.known(token);
      if (claims === undefined || !claims.ok) return claims;
      const userId = userOf(claims.value);
      if (userId === undefined) return undefined;
      return userId === null ? NOT_VALID : identityOf(claims.value, userId);
    },

    async verify(token, act) {
      try {
        const identity = await identified(token);
        if (act !== undefined && !identity.ok && identity.error.code === "unauthorized") {
          const problem = tokenProblemIn(identity.error);
          access.note({ event: "access_refused", act, reason: "unauthorized", ...problem });
        }
        return identity;
      } catch (fault) {
        log.error({ event: "token_check_failed", err: fault });
        return REFUSALS.unavailable;
      }
    },

    async register({ username, password, displayName }, client) {
      if (outside) return OUTSIDE;
      if (!config.registration) return CLOSED;
      const name = username.toLowerCase();
      if (isReservedName(name)) return RESERVED;
      const limited = limits.registration(client.address);
      if (limited !== null) return { ok: false, error: limited };
      const hash = await turns.inTurn(client.address, () => hashPassword(password));
      if (!hash.ok) return hash;
      const user = await orUnreachable(accounts.register(name, displayName ?? name, hash.value));
      if (!user.ok) return user;
      access.note({ event: "registered", user_id: asUserId(user.value.id), ...noted(client) });
      return begin(user.value, client);
    },

    async login(username, password, client) {
      if (outside) return OUTSIDE;
      const { address } = client;
      const name = username.toLowerCase();
      // Text that cannot be a username is not looked up; PostgreSQL would refuse some of it.
      const account = USERNAME.test(name)
        ? await orUnreachable(accounts.byUsername(name, address))
        : null;
      const user = account === null ? null : asUserId(account.user.id);
      const refuse = (refusal: { ok: false; error: ErrorObject }) => {
        const { code } = refusal.error;
        const reason = account?.suspended === true && code === "forbidden" ? "suspended" : code;
        access.note({
          event: "login_refused",
          ...(user !== null && { user_id: user }),
          reason,
          ...noted(client),
        });
        return refusal;
      };
      const right = await whereRight(name, account, password, address, async (hash) => {
        if (account !== null) await strengthen(account.user, password, hash);
        return true;
      });
      if (!right.ok) return refuse(right);
      if (right.value === null || account === null || user === null) return refuse(WRONG_LOGIN);
      if (account.suspended) return refuse(SUSPENDED);
      access.note({ event: "login", user_id: user, ...noted(client) });
      return begin(account.user, client);
    },

    async refresh(refreshToken, client) {
      if (outside) return OUTSIDE;
      const shown = refreshTokens.read(refreshToken);
      const next = refreshTokens.after(shown);
      const turn = await orUnreachable(accounts.rotate(shown.hash, next.hash, refreshTtlMs));
      if (turn.outcome === "rotated" || turn.outcome === "repeated") {
        return answerWith(turn.grant.user, turn.grant.family, next.text);
      }
      if (turn.outcome === "suspended") return SUSPENDED;
      const ended =
        turn.outcome === "reused"
          ? turn
          : shown.rootHash === null
            ? null
            : await orUnreachable(accounts.revokeByRoot(shown.rootHash));
      access.note({
        event: "refresh_refused",
        ...(ended !== null && { user_id: ended.userId }),
        reason: ended === null ? "unknown" : "reused",
        ...noted(client),
      });
      if (ended !== null) revocations.revoke(ended.family, ended.userId);
      return WRONG_REFRESH;
    },

    async logout(refreshToken) {
      if (outside) return OUTSIDE;
      const { hash, rootHash } = refreshTokens.read(refreshToken);
      let ended = await orUnreachable(accounts.revokeByToken(hash));
      if (ended === null && rootHash !== null) {
        ended = await orUnreachable(accounts.revokeByRoot(rootHash));
      }
      if (ended === null) return ok(null);
      access.note({ event: "logout", user_id: ended.userId });
      revocations.revoke(ended.family, ended.userId);
      return ok(null);
    },

    async changePassword({ userId, family }, change, client) {
      if (outside) return OUTSIDE;
      const user = await orUnreachable(accounts.byId(userId));
      const account =
        user === null
          ? null
          : await orUnreachable(accounts.byUsername(user.username, client.address));
      const name = user?.username ?? "";
      const done = await whereRight(name, account, change.old, client.address, async (hash) => {
        const newHash = await hashPassword(change.new);
        return orUnreachable(accounts.changePassword(userId, hash, newHash, family));
      });
      if (!done.ok || done.value === null) {
        const refusal = done.ok ? WRONG_OLD : done;
        const reason = refusal.error.code;
        access.note({
          event: "password_change_refused",
          user_id: userId,
          reason,
          ...noted(client),
        });
        return refusal;
      }
      access.note({ event: "password_changed", user_id: userId, ...noted(client) });
      for (const other of done.value) revocations.revoke(other, userId);
      return ok(null);
    },

    async confirmPassword(user, password, client) {
      if (outside) return OUTSIDE;
      const known = await orUnreachable(accounts.byId(user));
      const name = known?.username ?? "";
      const account =
        known === null ? null : await orUnreachable(accounts.byUsername(name, client.address));
      const right = await whereRight(name, account, password, client.address, async () => true);
      if (!right.ok) return right;
      return right.value === null ? WRONG_OLD : ok(null);
    },

    async endLogin(user, family) {
      if (!(await orUnreachable(accounts.endFamily(user, family)))) return NO_LOGIN;
      access.note({ event: "login_ended", user_id: user });
      revocations.revoke(family, user);
      return ok(null);
    },

    onIssuerKeys(set) {
      keys?.adopt(set);
    },

    async suspend(user, suspension) {
      const done = await orUnreachable(accounts.suspend(user, suspension));
      if (!done.ok) return done;
      const suspended = suspension !== null;
      // Published also when nothing changed, since the first time may not have arrived everywhere.
      revocations.suspend(user, suspended);
      log.info({ event: "suspension", user_id: user, suspended });
      return done;
    },

    async mint(id, ttlS) {
      if (outside) return OUTSIDE;
      const user = await orUnreachable(accounts.byId(id));
      if (user === null) return REFUSALS.userNotFound;
      if (revocations.isSuspended(id)) return SUSPENDED;
      const issue = { family: null, ttlS, afterMs: revocations.cutOf(id) };
      const { token, expiresInS } = await tokens.issue(id, issue);
      return ok({ access_token: token, expires_in: expiresInS });
    },

    async setPassword(user, password, address) {
      if (outside) return OUTSIDE;
      const hash = await turns.inTurn(address, () => hashPassword(password));
      if (!hash.ok) return hash;
      const ended = await orUnreachable(accounts.setPassword(user, hash.value));
      if (!ended.ok) return ended;
      access.note({ event: "password_changed", user_id: user });
      for (const family of ended.value) revocations.revoke(family, user);
      return ok(null);
    },

    async cutTokens(user) {
      const atMs = await orUnreachable(accounts.cutTokens(user));
      if (atMs === null) return REFUSALS.userNotFound;
      access.note({ event: "tokens_revoked", user_id: user });
      revocations.cut(user, atMs);
      return ok(null);
    },
  };
}

function noted({ address, userAgent }: Client) {
  return userAgent === null ? { address } : { address, user_agent: userAgent };
}
