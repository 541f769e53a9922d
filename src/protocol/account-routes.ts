/**
 * What a user does about the own account: the password, and the list of logins. Part of the table
 * in routes.ts.
 */
import Type from "typebox";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Nullable, Page, Password, Request, Time } from "./schemas.ts";

export const Login = Type.Object({
  id: Id,
  created_at: Time,
  last_used_at: Time,
  address: Nullable(
    Type.String({ description: "Where the login was made: an IPv4 address or an IPv6 /64." }),
  ),
  user_agent: Nullable(Type.String({ description: "What the client called itself then." })),
  current: Type.Boolean({ description: "Whether the token of this call belongs to it." }),
});

export const ACCOUNT_ROUTES = {
  changePassword: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/me/password",
    summary: "Change one's password. Other logins end; a wrong `old` is `forbidden`.",
    token: true,
    body: Request({
      // Not the rules of a new one: an older password may be any.
      old: Type.String({ minLength: 1, maxLength: 200 }),
      new: Password,
    }),
    answers: { 204: null },
    refusals: [],
  },
  listLogins: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/me/logins",
    summary: "One's live logins, newest first.",
    token: true,
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Login) },
    refusals: [],
  },
  endLogin: {
    group: "Accounts and tokens",
    method: "DELETE",
    path: "/api/me/logins/:id",
    summary: "End one of one's logins: its tokens are refused, its live sockets closed.",
    token: true,
    params: ById,
    answers: { 204: null },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
