/**
 * Access tokens: issued (HS256, own issuer) and verified (own, or an outside issuer's by JWKS).
 * Algorithms are pinned, issuer and audience checked, `sub` and `exp` required; expiry is
 * exact. Verified tokens are remembered until they expire, and a token with exactly our own form is
 * verified by its HMAC alone: jose takes 0.1–0.25 ms and a hop to another thread, and after a
 * deploy every client shows its token at once. Any other token is verified by jose.
 *
 * [OTK3] An outside issuer's token is refused at an age of TOKEN_MAX_AGE_S.
 * [OTK4] An outside issuer's ID token is refused where it can be distinguished from an access token.
 *
 * It knows neither users nor revocations; auth.ts adds those.
 */
import { createHmac, randomUUID, timingSafeEqual, webcrypto } from "node:crypto";
import {
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Clock } from "../../base/clock.ts";
import { kidOf } from "../../config/jwt-secrets.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { asFamilyId } from "../../protocol/schemas.ts";
import { epochMsOf, later, msBetween, type WallTime, wallTime } from "../../protocol/time.ts";
import { type Profile, profileOf } from "./profile.ts";
import { AGED, EXPIRED, invalid, NO_KEYS, refusalOf } from "./token-refusals.ts";

/** The claims of a verified token. */
export interface Claims {
  subject: string;
  /** The login it belongs to; null for service tokens and outside issuers. */
  family: FamilyId | null;
  expiresAtMs: WallTime;
  /** `iat_ms`, else the whole second of `iat`, in milliseconds since the epoch; null: neither. */
  issuedAtMs: number | null;
  /** The token's own id; null where it has none. */
  jti: string | null;
  scope: readonly string[];
  /**
   * What an outside issuer's token says of its user; null in the server's own tokens, and where the
   * claims are from memory.
   */
  profile: Profile | null;
  /** What the application had put into the token; null: nothing, or nobody here asks for it. */
  own: OwnClaims | null;
  /** By what it ends: its `exp`, or the greatest age that an outside issuer's token may have. */
  endsBy: "exp" | "age";
}

/** Claims that have no meaning for this server. */
export type OwnClaims = Readonly<Record<string, unknown>>;

/** The properties of a new token beside its user. */
export interface Issue {
  /** The login; null for a token that a service has minted. */
  family: FamilyId | null;
  ttlS?: number;
  /** The user's cut: the token is dated after it, even if this host's clock is behind. */
  afterMs: number | null;
}

export interface TokenOptions {
  issuer: string;
  audience: string;
  /** HS256 secrets: the first signs, all verify. Null where an outside issuer signs. */
  secrets: readonly [string, ...string[]] | null;
  /** The outside issuer's keys; null for the own issuer. */
  keys: JWTVerifyGetKey | null;
  ttlS: number;
  /** The greatest age of an outside issuer's token. */
  maxAgeS: number;
  /** Whether the application's own claims are kept. */
  keepsOwnClaims: boolean;
  clock: Clock;
}

export interface Tokens {
  /** Throws where an outside issuer signs: callers ask `canIssue` first. */
  issue(userId: UserId, issue: Issue): Promise<{ token: string; expiresInS: number }>;
  readonly canIssue: boolean;
  /** Refuses: unauthorized, token_expired; unavailable when an outside issuer's keys are. */
  check(token: string): Promise<Result<Claims>>;
  /** The same from memory, or undefined when this token has not been checked lately. */
  known(token: string): Result<Claims> | undefined;
  /** Checks every token again: the keys have changed. */
  forget(): void;
}

/** About 1 KB each with the token's text: 20 MB at the most, for the sessions of one worker. */
const KNOWN_MAX = 20_000;
/** Longer than any token we make; hashing megabytes for a stranger is not our job. */
export const TOKEN_CHARS_MAX = 8192;
/** For `nbf` of an issuer whose clock is ahead of ours. Expiry gets no tolerance. */
const CLOCK_TOLERANCE_S = 5;
/** RFC 7515, 7.1: three parts without padding; jose would read some that are not. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** OpenID Connect Core, section 2: a subject has at most 255 ASCII characters. */
const SUBJECT = /^[\x20-\x7e]{1,255}$/;
/** RFC 7519, 5.1, and RFC 9068: no type, or one that means an access token. */
const TYPES = [undefined, "jwt", "at+jwt", "application/jwt", "application/at+jwt"];
/** The header as jose encodes it for a token that names no secret, such as version 1's. */
const PLAIN_HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");
const CLAIMS_KNOWN: ReadonlySet<string> = new Set(
  "iss sub aud exp nbf iat jti iat_ms scope fam".split(" "),
);
const OUTSIDE_ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"];

/** A token of another type, such as a logout token; its signature may well be right. */
class NoAccessToken extends Error {}

/** The issuer's keys cannot be had; thrown by `keys`, answered `unavailable`. */
export class KeysUnavailable extends Error {}

export async function createTokens(options: TokenOptions): Promise<Tokens> {
  const { issuer, audience, clock, keys } = options;
  const own = options.secrets === null ? null : await ownKeysOf(options.secrets);
  const known = new Map<string, Claims>();
  /** Raised when the keys change: what is being checked meanwhile is not kept. */
  let generation = 0;

  async function verified(token: string): Promise<JWTPayload> {
    const plain = keys === null && own !== null ? ownPayload(token, own.byHeader) : null;
    if (plain !== null && plain.iss === issuer && plain.aud === audience) return plain;
    const rules = {
      issuer,
      audience,
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(epochMsOf(clock.wallMs())),
    };
    const { payload, protectedHeader } = await (keys !== null
      ? jwtVerify(token, keys, { ...rules, algorithms: OUTSIDE_ALGORITHMS })
      : verifiedByOwn(token, { ...rules, algorithms: ["HS256"] }));
    if (TYPES.includes(protectedHeader.typ?.toLowerCase())) return payload;
    // A logout token, a DPoP proof: signed by the same issuer, and no key to anything here.
    throw new NoAccessToken();
  }

  /** By the secret that signed it, whichever that is. */
  async function verifiedByOwn(token: string, rules: JWTVerifyOptions) {
    if (own === null) throw new Error("neither a JWT secret nor an outside issuer is set");
    for (const { key } of own.all.slice(1)) {
      try {
        return await jwtVerify(token, key, rules);
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      }
    }
    return jwtVerify(token, own.all[0].key, rules);
  }

  /** An outside issuer's token is good until `exp`, and no longer than the greatest age allows. */
  function outsideClaims(payload: JWTPayload): Result<Claims> {
    const read = claimsOf(payload);
    if (!read.ok) return read;
    const claims = { ...read.value, profile: profileOf(payload) };
    const sign = signOfIdToken(payload);
    if (sign !== null) return invalid(sign, "this is an ID token; an access token is needed");
    const nowMs = clock.wallMs();
    const { iat } = payload;
    if (iat === undefined) {
      // Its age is unknown; that it is at most so old is sure only where so little is left.
      return msBetween(nowMs, claims.expiresAtMs) <= options.maxAgeS * 1000
        ? ok(claims)
        : invalid("iat", "it is missing, and exp is later than TOKEN_MAX_AGE_S allows");
    }
    const issuedAtMs = wallTime(iat * 1000);
    if (msBetween(nowMs, issuedAtMs) > CLOCK_TOLERANCE_S * 1000) {
      return invalid("iat", "it is in the future");
    }
    const oldestMs = later(issuedAtMs, options.maxAgeS * 1000);
    return ok(
      oldestMs < claims.expiresAtMs ? { ...claims, expiresAtMs: oldestMs, endsBy: "age" } : claims,
    );
  }

  function remember(token: string, claims: Claims): void {
    if (known.size >= KNOWN_MAX) {
      // Insertion order, renewed on use: the first is the one unused for longest.
      const oldest = known.keys().next();
      if (!oldest.done) known.delete(oldest.value);
    }
    known.set(token, { ...claims, profile: null });
  }

  return {
    canIssue: keys === null && own !== null,

    async issue(userId, { family, ttlS = options.ttlS, afterMs }) {
      if (own === null) throw new Error("there is no secret to sign with");
      const [{ key, kid }] = own.all;
      const nowMs = Math.max(epochMsOf(clock.wallMs()), afterMs === null ? 0 : afterMs + 1);
      const nowS = Math.floor(nowMs / 1000);
      const token = await new SignJWT({ ...(family !== null && { fam: family }), iat_ms: nowMs })
        .setProtectedHeader({ alg: "HS256", typ: "JWT", kid })
        .setSubject(userId)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(nowS)
        .setExpirationTime(nowS + ttlS)
        .setJti(randomUUID())
        .sign(key);
      return { token, expiresInS: ttlS };
    },

    known(token) {
      const claims = known.get(token);
      if (claims === undefined) return undefined;
      known.delete(token);
      if (claims.expiresAtMs <= clock.wallMs()) return claims.endsBy === "age" ? AGED : EXPIRED;
      known.set(token, claims);
      return ok(claims);
    },

    forget() {
      generation++;
      known.clear();
    },

    async check(token) {
      if (token.length > TOKEN_CHARS_MAX || !COMPACT.test(token)) {
        return invalid(null, `it is no JWT of at most ${TOKEN_CHARS_MAX} characters`);
      }
      const began = generation;
      try {
        const payload = await verified(token);
        const claims = keys === null ? loginClaims(payload) : outsideClaims(payload);
        if (!claims.ok) return claims;
        if (options.keepsOwnClaims) claims.value.own = ownClaimsOf(payload);
        const { expiresAtMs, endsBy } = claims.value;
        if (expiresAtMs <= clock.wallMs()) return endsBy === "age" ? AGED : EXPIRED;
        if (began === generation) remember(token, claims.value);
        return claims;
      } catch (error) {
        if (error instanceof KeysUnavailable) return NO_KEYS;
        if (error instanceof NoAccessToken) {
          return invalid("typ", "it is not that of an access token", "header");
        }
        // Everything else that jose throws says what is wrong with the token.
        if (error instanceof errors.JOSEError) return refusalOf(error);
        throw error;
      }
    },
  };
}

/** The payload of a token with our own header, signature and kinds of claims; null: look closer. */
function ownPayload(token: string, byHeader: OwnKeys["byHeader"]): JWTPayload | null {
  const header = token.slice(0, token.indexOf("."));
  const secrets = byHeader.get(header);
  if (secrets === undefined) return null;
  const end = token.lastIndexOf(".");
  const signed = token.slice(0, end);
  const theirs = Buffer.from(token.slice(end + 1));
  const isSigned = secrets.some((secret) => {
    const ours = Buffer.from(createHmac("sha256", secret).update(signed).digest("base64url"));
    return ours.length === theirs.length && timingSafeEqual(ours, theirs);
  });
  if (!isSigned) return null;
  const payload = parsed(Buffer.from(token.slice(header.length + 1, end), "base64url"));
  if (payload === null) return null;
  const { sub, exp, iat, nbf } = payload;
  const isPlain = typeof sub === "string" && Number.isFinite(exp) && Number.isFinite(iat);
  return isPlain && nbf === undefined ? payload : null;
}

function parsed(json: Buffer): JWTPayload | null {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === "object" ? (value as JWTPayload | null) : null;
  } catch {
    // Signed, and no JSON: jose says what it thinks of it.
    return null;
  }
}

function ownClaimsOf(payload: JWTPayload): OwnClaims | null {
  const own = Object.entries(payload).filter(([name]) => !CLAIMS_KNOWN.has(name));
  return own.length === 0 ? null : Object.fromEntries(own);
}

function loginClaims(payload: JWTPayload): Result<Claims> {
  const claims = claimsOf(payload);
  const { fam } = payload;
  return claims.ok && typeof fam === "string"
    ? ok({ ...claims.value, family: asFamilyId(fam) })
    : claims;
}

function claimsOf(payload: JWTPayload): Result<Claims> {
  const { sub, exp } = payload;
  if (typeof sub !== "string" || !SUBJECT.test(sub)) {
    return invalid("sub", "it is not a text of 1 to 255 ASCII characters");
  }
  if (typeof exp !== "number") return invalid("exp", "it is not a number");
  return ok({
    subject: sub,
    family: null,
    expiresAtMs: wallTime(exp * 1000),
    issuedAtMs: issuedAtOf(payload),
    jti: typeof payload.jti === "string" ? payload.jti : null,
    scope: scopeOf(payload["scope"]),
    profile: null,
    own: null,
    endsBy: "exp",
  });
}

function issuedAtOf({ iat, iat_ms }: JWTPayload): number | null {
  if (typeof iat_ms === "number" && Number.isFinite(iat_ms)) return iat_ms;
  return typeof iat === "number" ? iat * 1000 : null;
}

/**
 * The claim by which it tells a client who its user is, and is no key to an API (OpenID Connect
 * Core, 2); null: it has none.
 */
function signOfIdToken(payload: JWTPayload): string | null {
  // `nonce` does not tell: some issuers put it into access tokens, too.
  const found = ["at_hash", "c_hash"].find((claim) => claim in payload);
  return found ?? (payload["typ"] === "ID" ? "typ" : null);
}

/** A space-separated string (RFC 8693) or, as some issuers write it, an array. */
function scopeOf(scope: unknown): readonly string[] {
  if (typeof scope === "string") return scope.split(" ").filter((word) => word !== "");
  if (Array.isArray(scope)) return scope.filter((word) => typeof word === "string");
  return [];
}

interface OwnKey {
  kid: string;
  key: webcrypto.CryptoKey;
}

interface OwnKeys {
  all: [OwnKey, ...OwnKey[]];
  /** The secrets that a token with this header may be signed with. */
  byHeader: ReadonlyMap<string, readonly string[]>;
}

async function ownKeysOf(secrets: readonly [string, ...string[]]): Promise<OwnKeys> {
  const keyOf = async (secret: string) => ({ kid: kidOf(secret), key: await hmacKey(secret) });
  const [first, ...others] = secrets;
  const all: OwnKeys["all"] = [await keyOf(first), ...(await Promise.all(others.map(keyOf)))];
  const byHeader = new Map<string, readonly string[]>([[PLAIN_HEADER, secrets]]);
  for (const [i, { kid }] of all.entries()) {
    const header = JSON.stringify({ alg: "HS256", typ: "JWT", kid });
    byHeader.set(Buffer.from(header).toString("base64url"), [secrets[i]!]);
  }
  return { all, byHeader };
}

function hmacKey(secret: string): Promise<webcrypto.CryptoKey> {
  const usages: ("sign" | "verify")[] = ["sign", "verify"];
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return webcrypto.subtle.importKey("raw", Buffer.from(secret), algorithm, false, usages);
}
