/** The user or program that a checked token speaks for, and what policy.ts makes of it. */
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { type Facts, type RuleName, SCOPES_OF_RULE } from "../../protocol/policy.ts";
import { asUserId } from "../../protocol/schemas.ts";
import type { Monotonic, WallTime } from "../../protocol/time.ts";

/** The caller of a request or the user of a session. */
export interface Identity {
  userId: UserId;
  /** The login; null for service tokens and outside issuers. */
  family: FamilyId | null;
  /** The token's `exp`. */
  expiresAtMs: WallTime;
  /**
   * The same moment on the monotonic clock, taken when the token was verified: setting the wall
   * clock neither ends a session that began with it nor lets it live longer.
   */
  endsAtMs: Monotonic;
  /** When the token was issued, in milliseconds since the epoch; null: it does not say. */
  issuedAtMs: number | null;
  scope: readonly string[];
  /** What the application had put into the token; null: nothing, or nobody here asks for it. */
  claims: Readonly<Record<string, unknown>> | null;
  /** Set where a program calls: for itself, when `userId` is SERVICE_USER, or for that user. */
  service: ServiceIdentity | null;
}

/** A program that calls with a service token. */
export interface ServiceIdentity {
  subject: string;
  jti: string | null;
}

/**
 * The user of a service token, whose `sub` names a program: no account has this id, and the
 * routes of users refuse it.
 */
export const SERVICE_USER = asUserId("0");

/** The facts that a verified token gives; a suspended user has no identity. */
export function factsOf({ userId, scope, service }: Identity): Facts {
  const isService = userId === SERVICE_USER;
  const facts: Facts = {
    user: !isService,
    reader: !isService || scope.includes("users"),
    speaker: !isService || scope.includes("act"),
    finder: !isService || scope.includes("users") || scope.includes("admin"),
    exporter: !isService || scope.includes("export"),
    jobAsker:
      !isService || ["users", "import", "export", "admin"].some((one) => scope.includes(one)),
    caller: !isService || scope.includes("actors"),
    inPerson: service === null,
  };
  for (const [rule, scopes] of Object.entries(SCOPES_OF_RULE) as [RuleName, readonly string[]][]) {
    facts[rule] = isService && scopes.some((one) => scope.includes(one));
  }
  return facts;
}

/** The asker of a job, as its row has it. */
export const askerOf = ({ service, userId }: Identity) =>
  service === null ? `user:${userId}` : `service:${service.subject}`;

/** Whether a token that was issued then is refused by the cut. */
export function isCut(issuedAtMs: number | null, cutMs: number | null): boolean {
  return cutMs !== null && (issuedAtMs === null || issuedAtMs <= cutMs);
}
