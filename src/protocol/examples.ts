/**
 * A believable value for any schema of the contract, for the published documents: by the name
 * of a property where its words matter, else by its type. Every example is valid.
 */
import type { TSchema } from "typebox";
import { type ErrorCode, type ErrorObject, REFUSALS } from "./errors.ts";
import { type Json, type JsonObject, partsOf } from "./published.ts";

const BY_NAME: Readonly<Record<string, Json>> = {
  username: "ann",
  display_name: "Ann",
  image_url: "https://cdn.example.com/ann.png",
  password: "correct horse battery",
  password_hash: "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
  title: "Saturday",
  body: "See you at eight!",
  client_id: "5f2c9a-1",
  access_token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
  token: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl",
  refresh_token: "kD3v0bQ2mYw8Jr5nT1xLhA",
  expires_in: 900,
  session_id: "Hn2kX1bC8sYv0aAAAB",
  old: "a long secret",
  new: "another long secret",
  type: "like",
  message: "Bob liked your post",
  code: "invalid_payload",
  cursor: "MTcwNDEwNjgwMDAwMC40Mg",
  reasons: ["the database does not answer"],
  data: { order_id: "A-17" },
  limit: 20,
  seq: 7,
  up_to_seq: 7,
  before_seq: 8,
  after_seq: 3,
  last_seq: 7,
  delivered_seq: 7,
  read_seq: 5,
  rev: 12,
  after_rev: 9,
  like_count: 3,
  comment_count: 1,
  unread_count: 2,
  notifications: 2,
  reconnect_in_ms: 1200,
  host: "a41f09c2",
  answered_by: "a41f09c2",
  slot: "a41f09c2/0",
  incarnation: "a41f09c2.0.1",
  worker: "a41f09c2.0.1",
  transport: "websocket",
  event: "worker_lost",
};

/** Properties that are usually null. */
const USUALLY_NULL: ReadonlySet<string> = new Set([
  "reply_to_seq",
  "edited_at",
  "deleted_at",
  "read_at",
  "comment_id",
  "next_cursor",
]);

const ID = "42";
const TIME = "2026-01-01T12:00:00.000Z";

/** `isWhole`: with what is optional too. */
export function exampleOf(schema: TSchema, isWhole: boolean, name = ""): Json {
  const parts = partsOf(schema);
  if (parts.const !== undefined) return parts.const;
  if (parts.anyOf !== undefined) {
    const isNullable = parts.anyOf.some((one) => partsOf(one).type === "null");
    if (isNullable && USUALLY_NULL.has(name)) return null;
    return exampleOf(parts.anyOf[0]!, isWhole, name);
  }
  const own = BY_NAME[name];
  if (own !== undefined && typeNameOf(own) === parts.type && hasForm(own, parts.pattern)) {
    return own;
  }
  if (parts.examples !== undefined) return parts.examples[0]!;
  switch (parts.type) {
    case "string":
      if (parts.format === "time" || parts.format === "moment") return TIME;
      return parts.format === "id" ? ID : "text";
    case "integer":
    case "number":
      return parts.minimum ?? 0;
    case "boolean":
      return true;
    case "array":
      return parts.items === undefined ? [] : [exampleOf(parts.items, isWhole)];
    case "object":
      return objectExample(
        parts.properties ?? {},
        isWhole ? null : (parts.required ?? []),
        isWhole,
      );
    default:
      return null;
  }
}

function objectExample(
  properties: Readonly<Record<string, TSchema>>,
  only: readonly string[] | null,
  isWhole: boolean,
): JsonObject {
  const object: JsonObject = {};
  for (const [name, schema] of Object.entries(properties)) {
    if (only === null || only.includes(name)) object[name] = exampleOf(schema, isWhole, name);
  }
  return object;
}

function hasForm(value: Json, pattern: string | undefined): boolean {
  return typeof value !== "string" || pattern === undefined || new RegExp(pattern).test(value);
}

function typeNameOf(value: Json): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "number" ? "integer" : typeof value;
}

const ERROR_EXAMPLES: Readonly<Record<ErrorCode, ErrorObject>> = {
  invalid_payload: {
    code: "invalid_payload",
    message: "body: body is missing.",
    details: [{ in: "body", at: "body", problem: "is missing" }],
  },
  unauthorized: { code: "unauthorized", message: "The access token is not valid." },
  token_expired: { code: "token_expired", message: "The access token has expired." },
  forbidden: { code: "forbidden", message: "Only its author may do this." },
  not_found: REFUSALS.userNotFound.error,
  method_not_allowed: { code: "method_not_allowed", message: "PUT is not possible here." },
  conflict: { code: "conflict", message: "This username is taken." },
  quota_exceeded: { code: "quota_exceeded", message: "There are as many as there may be." },
  gone: { code: "gone", message: "It is no more." },
  payload_too_large: { code: "payload_too_large", message: "The body is larger than 64 KiB." },
  unsupported_media_type: {
    code: "unsupported_media_type",
    message: "Send the body as application/json.",
  },
  rate_limited: {
    code: "rate_limited",
    message: "Too many requests. Try again later.",
    retry_after_ms: 1200,
  },
  internal: REFUSALS.internal.error,
  unavailable: REFUSALS.unavailable.error,
};

export function errorExample(code: ErrorCode): JsonObject {
  return JSON.parse(JSON.stringify(ERROR_EXAMPLES[code])) as JsonObject;
}
