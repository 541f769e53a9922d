/**
 * The type of a route, and the parts that many routes share. The routes are in routes.ts.
 */
import type { TObject, TSchema } from "typebox";
import Type from "typebox";
import type { ErrorCode } from "./errors.ts";
import { Id, Request } from "./schemas.ts";

export const PAGE_LIMIT_DEFAULT = 50;
export const PAGE_LIMIT_MAX = 100;

export const Limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: PAGE_LIMIT_MAX,
    description: `1–${PAGE_LIMIT_MAX}, default ${PAGE_LIMIT_DEFAULT}.`,
  }),
);
export const PageCursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: 256, description: "`next_cursor` of the page before." }),
);
export const ById = Request({ id: Id });

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type RouteGroup =
  | "Accounts and tokens"
  | "Social graph"
  | "Conversations"
  | "Files"
  | "Notifications and presence"
  | "Moderation"
  | "Actors"
  | "Services"
  | "Operations";

/**
 * The scopes of service tokens, named in the claim `scope`. A token that names any of these
 * speaks for a program: it opens the routes of its scopes, and none that want a user's token.
 */
export const SERVICE_SCOPES = [
  "notify",
  "admin",
  "ops",
  "users",
  "act",
  "presence",
  "moderate",
  "import",
  "export",
  "events",
  "actors",
] as const;
export type ServiceScope = (typeof SERVICE_SCOPES)[number];

export interface RouteSpec {
  group: RouteGroup;
  method: Method;
  /** Parameters are written `:name`. */
  path: string;
  summary: string;
  /** Whether it wants `Authorization: Bearer …`. */
  token: boolean;
  /** Wants a service token of one of these scopes, and no user's. */
  scope?: ServiceScope | readonly ServiceScope[];
  /** Open to users, and to service tokens of this scope that act for nobody. */
  alsoScope?: ServiceScope;
  /** The largest body, in bytes, where it is not 64 KiB. */
  bodyBytesMax?: number;
  /** Nothing stands for an empty body. */
  isBodyOptional?: true;
  /** The body is bytes of any type, and a function of its own reads them. */
  isBytes?: true;
  params?: TObject;
  query?: TObject;
  body?: TObject;
  /** A call without a body is one with an empty object. */
  bodyOptional?: true;
  /** By status; null where nothing is in the body, a string for a body that is not JSON. */
  answers: Readonly<Record<number, TSchema | string | null>>;
  /** Its refusals beyond those of every route; see `refusalsOf`. */
  refusals: readonly ErrorCode[];
}

/** Everything that a route may refuse with, by rising status. */
export function refusalsOf(spec: RouteSpec): ErrorCode[] {
  if (!spec.path.startsWith("/api/")) return [...spec.refusals];
  const codes = new Set<ErrorCode>(["invalid_payload"]);
  // Without a token nobody is known, so nothing can be out of bounds.
  if (spec.token)
    for (const code of ["unauthorized", "token_expired", "forbidden"] as const) codes.add(code);
  // The user whom a service names in Troupe-Act-As is not there.
  if (spec.token && spec.scope === undefined) codes.add("not_found");
  for (const code of spec.refusals) codes.add(code);
  if (spec.method !== "GET") {
    codes.add("payload_too_large");
    codes.add("unsupported_media_type");
  }
  for (const code of ["rate_limited", "internal", "unavailable"] as const) codes.add(code);
  return [...codes];
}
