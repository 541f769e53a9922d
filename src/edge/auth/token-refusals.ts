/**
 * Refusals of access tokens. `details` says for developers what is wrong: `claim` (or `header`,
 * for a member of the token's header) and `problem`, half a sentence. A claim is named only where
 * the signature is right, and no part of the token is repeated.
 */
import { errors } from "jose";
import { type ErrorObject, type Result, refused } from "../../protocol/errors.ts";

type Refusal = Extract<Result<never>, { ok: false }>;

export interface TokenProblem {
  claim?: string;
  header?: string;
  problem: string;
}

const EXPIRED_TEXT = "The access token has expired.";
export const EXPIRED = refused("token_expired", EXPIRED_TEXT, {
  claim: "exp",
  problem: "it is in the past",
} satisfies TokenProblem);
/** [OTK3] */
export const AGED = refused("token_expired", EXPIRED_TEXT, {
  claim: "iat",
  problem: "it is longer ago than TOKEN_MAX_AGE_S allows",
} satisfies TokenProblem);
export const NO_KEYS = refused(
  "unavailable",
  "The token issuer's keys cannot be fetched right now.",
);

/** `name` null: the token as a whole is wrong. */
export function invalid(
  name: string | null,
  problem: string,
  place: "claim" | "header" = "claim",
): Refusal {
  const details: TokenProblem = { ...(name !== null && { [place]: name }), problem };
  return refused("unauthorized", "The access token is not valid.", details);
}

/** What jose says of a token. */
export function refusalOf(error: InstanceType<typeof errors.JOSEError>): Refusal {
  if (error instanceof errors.JWTExpired) return EXPIRED;
  if (error instanceof errors.JWTClaimValidationFailed) {
    return invalid(error.claim, claimProblem(error.claim, error.reason));
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return invalid(null, "its signature is not that of the key");
  }
  if (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  ) {
    return invalid("kid", "it names no one key of the issuer", "header");
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return invalid("alg", "it is none that this server takes", "header");
  }
  return invalid(null, "it cannot be read as a signed JWT");
}

function claimProblem(claim: string, reason: string): string {
  if (reason === "missing") return "it is missing";
  if (reason === "invalid") return "it is not a number";
  switch (claim) {
    case "iss":
      return "it is not what JWT_ISSUER says";
    case "aud":
      return "it does not hold what JWT_AUDIENCE says";
    case "nbf":
      return "it is in the future";
    default:
      return "it is not one that this server takes";
  }
}

/** What a refusal says of a token, for the log; nothing where it is not about a token. */
export function tokenProblemIn({ details }: ErrorObject): Partial<TokenProblem> {
  if (typeof details !== "object" || details === null || !("problem" in details)) return {};
  return details as TokenProblem;
}
