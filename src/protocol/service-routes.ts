/**
 * The routes of back ends and of those who run Troupe: service tokens, and the log of what services
 * changed. Part of ROUTES in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Nullable, Page, Request, Time } from "./schemas.ts";

/** The id of a service token, its claim `jti`. */
const Jti = Type.String({
  pattern: "^[\\x21-\\x7e]{1,128}$",
  description: "The token's claim `jti`.",
});
const ByJti = Request({ jti: Jti });

export const ServiceToken = Type.Object({
  jti: Type.String(),
  sub: Type.String({ description: "The program that it names." }),
  scope: Type.String({ description: "Its scopes, separated by spaces." }),
  created_at: Time,
  expires_at: Time,
  revoked_at: Nullable(Time),
});

export const AuditEntry = Type.Object({
  id: Id,
  at: Time,
  actor: Type.String({ description: "The `sub` of the service token; a moderator's user id." }),
  acting_for: Nullable(Id),
  act: Type.String({ description: "What was done, such as `suspend_user`." }),
  target: Nullable(
    Type.String({ description: "`user:7`, `conversation:42`, `post:9` or `token:…`." }),
  ),
  reason: Nullable(Type.String()),
  changed: Type.Array(Type.String(), { description: "The keys that were given; never values." }),
  count: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: "Of sends of one token and minute, which are one row.",
    }),
  ),
});

const AuditWord = Type.String({ minLength: 1, maxLength: 255, pattern: "^[\\x20-\\x7e]+$" });

export const SERVICE_ROUTES = {
  listServiceTokens: {
    group: "Services",
    method: "GET",
    path: "/api/service-tokens",
    summary: "Service tokens that were minted or used and have not expired, newest first.",
    token: true,
    scope: "admin",
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(ServiceToken) },
    refusals: [],
  },
  getServiceToken: {
    group: "Services",
    method: "GET",
    path: "/api/service-tokens/:jti",
    summary: "A service token: for whom it is, what it may do, whether it was revoked.",
    token: true,
    scope: "admin",
    params: ByJti,
    answers: { 200: ServiceToken },
    refusals: ["not_found"],
  },
  endServiceToken: {
    group: "Services",
    method: "DELETE",
    path: "/api/service-tokens/:jti",
    summary: "Revoke a service token: refused on every host within a second. Idempotent.",
    token: true,
    scope: "admin",
    params: ByJti,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  listAudit: {
    group: "Services",
    method: "GET",
    path: "/api/audit",
    summary: "What services, moderators and operators changed, newest first.",
    token: true,
    scope: ["moderate", "admin"],
    query: Request({
      actor: Type.Optional(AuditWord),
      target: Type.Optional(AuditWord),
      after: Type.Optional(Time),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: Page(AuditEntry) },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type ServiceToken = Static<typeof ServiceToken>;
export type AuditEntry = Static<typeof AuditEntry>;
