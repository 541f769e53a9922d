/**
 * Identifiers. Brands keep one kind from being passed where another belongs.
 *
 * [IDS1] On the wire an id is a decimal string of a positive bigint ("42").
 * [IDS2] A number is no id.
 */
type Brand<T, Name extends string> = T & { readonly __brand: Name };

export type UserId = Brand<string, "UserId">;
export type ConversationId = Brand<string, "ConversationId">;
export type PostId = Brand<string, "PostId">;
/** One connected socket; the Socket.IO socket id, unguessable and unique in the cluster. */
export type SessionId = Brand<string, "SessionId">;
/** One refresh-token family, which is one login; access tokens carry it as the claim `fam`. */
export type FamilyId = Brand<string, "FamilyId">;

/** Largest PostgreSQL bigint, as text: a longer or greater id cannot exist. */
const BIGINT_MAX = "9223372036854775807";
const DECIMAL = /^[1-9][0-9]{0,18}$/;

/** Whether `value` is a well-formed id: "1" to "9223372036854775807", no sign, no leading zero. */
export function isId(value: unknown): value is string {
  return (
    typeof value === "string" &&
    DECIMAL.test(value) &&
    (value.length < BIGINT_MAX.length || value <= BIGINT_MAX)
  );
}
