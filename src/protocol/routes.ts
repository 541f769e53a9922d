/**
 * Every HTTP route of the contract: method, path, what it takes, what it answers. The one
 * source for the server's validation, its types and the published reference.
 * Query and path values arrive as text; an integer or an array here says how they are read.
 */
import type { Static, TObject, TSchema } from "typebox";
import Type from "typebox";
import { ACCOUNT_ROUTES } from "./account-routes.ts";
import { APP_ACTOR_ROUTES } from "./app-actor-routes.ts";
import { LIST_ROUTES } from "./conversation-list.ts";
import { CONVERSATION_EXTRAS, ConversationPatch, MemberPatch } from "./conversation-patch.ts";
import { RoleName } from "./conversation-settings.ts";
import { EVENT_ROUTES } from "./event-routes.ts";
import { FILE_ROUTES } from "./file-routes.ts";
import { JOB_ROUTES } from "./job-routes.ts";
import { MEMBERSHIP_ROUTES } from "./membership-routes.ts";
import { EDITED, SENT_EXTRAS } from "./message-content.ts";
import { MODERATION_ROUTES } from "./moderation-routes.ts";
import { OPS_ROUTES } from "./ops-routes.ts";
import { PEOPLE_ROUTES } from "./people-routes.ts";
import { PREFS_ROUTES } from "./prefs-routes.ts";
import { PRIVACY_ROUTES } from "./privacy-routes.ts";
import { PUSH_ROUTES } from "./push-routes.ts";
import { REACTION_ROUTES } from "./reaction-routes.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { SCHEDULED_ROUTES } from "./scheduled-routes.ts";
import {
  Audience,
  ClientId,
  Conversation,
  Cursor,
  ExternalId,
  Id,
  MadeKind,
  Member,
  Message,
  MessageBody,
  Nullable,
  Ordinal,
  OwnReactionsKey,
  Page,
  Password,
  ReadCursors,
  Request,
  Status,
  Title,
  Tokens,
  User,
  Username,
} from "./schemas.ts";
import { SEARCH_ROUTES } from "./search-routes.ts";
import { SERVICE_ROUTES } from "./service-routes.ts";
import { SignalBody } from "./signals.ts";
import { SOCIAL_ROUTES } from "./social-routes.ts";
import { STREAM_ROUTES } from "./stream-routes.ts";
import { STREAMED } from "./streams.ts";
import { THREAD_ROUTES } from "./thread-routes.ts";
import { USER_ROUTES } from "./user-routes.ts";

export const MEMBERS_MAX = 1000;
const PRESENCE_IDS_MAX = 500;

const RefreshToken = Type.String({ minLength: 1, maxLength: 256 });
const ByMessage = Request({ id: Id, seq: Ordinal });

export const ROUTES = {
  register: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/auth/register",
    summary: "Make an account and log it in.",
    token: false,
    body: Request({
      username: Username,
      password: Password,
      display_name: Type.Optional(Title),
    }),
    answers: { 201: Tokens },
    refusals: ["conflict", "forbidden"],
  },
  login: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/auth/login",
    summary: "Log in with username and password.",
    token: false,
    // Not the register rules: what could never be an account is a wrong password like any other.
    body: Request({
      username: Type.String({ minLength: 1, maxLength: 200 }),
      password: Type.String({ minLength: 1, maxLength: 200 }),
    }),
    answers: { 200: Tokens },
    refusals: ["unauthorized", "forbidden"],
  },
  refresh: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/auth/refresh",
    summary: "Spend a refresh token for new tokens. A spent one shown again revokes its login.",
    token: false,
    body: Request({ refresh_token: RefreshToken }),
    answers: { 200: Tokens },
    refusals: ["unauthorized", "forbidden"],
  },
  logout: {
    group: "Accounts and tokens",
    method: "POST",
    path: "/api/auth/logout",
    summary: "End a login: its tokens are refused from then on, its live sockets closed.",
    token: false,
    body: Request({ refresh_token: RefreshToken }),
    answers: { 204: null },
    refusals: ["forbidden"],
  },
  getMe: {
    group: "Accounts and tokens",
    method: "GET",
    path: "/api/me",
    summary: "The user of the token.",
    token: true,
    answers: { 200: User },
    refusals: [],
  },
  ...ACCOUNT_ROUTES,

  ...PEOPLE_ROUTES,

  ...MODERATION_ROUTES,

  ...USER_ROUTES,

  ...PRIVACY_ROUTES,

  ...SOCIAL_ROUTES,

  createConversation: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations",
    summary:
      "One other member and no title: the direct conversation of the pair. Else a group, or a" +
      " `channel`, which needs a title and no members.",
    token: true,
    body: Request({
      member_ids: Type.Optional(Type.Array(Id, { maxItems: MEMBERS_MAX })),
      title: Type.Optional(Nullable(Title)),
      kind: Type.Optional(MadeKind),
      audience: Type.Optional(Audience),
      ...CONVERSATION_EXTRAS,
    }),
    answers: { 201: Conversation, 200: Conversation },
    refusals: ["forbidden", "not_found", "conflict"],
  },
  putExternalConversation: {
    group: "Services",
    method: "PUT",
    path: "/api/conversations/external/:external_id",
    summary:
      "The conversation that the application calls so, made where there is none yet. `direct` names" +
      " the pair's own. The owner of a group is `owner_id`, else the first of `member_ids`.",
    token: true,
    scope: "act",
    params: Request({ external_id: ExternalId }),
    body: Request({
      kind: MadeKind,
      owner_id: Type.Optional(Id),
      member_ids: Type.Array(Id, { maxItems: MEMBERS_MAX }),
      title: Type.Optional(Nullable(Title)),
      audience: Type.Optional(Audience),
      ...CONVERSATION_EXTRAS,
    }),
    answers: { 201: Conversation, 200: Conversation },
    refusals: ["not_found", "conflict"],
  },
  getConversation: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id",
    summary: "A conversation with its members and their cursors: at most the first 100.",
    token: true,
    params: ById,
    answers: { 200: Conversation },
    refusals: ["not_found"],
  },
  updateConversation: {
    group: "Conversations",
    method: "PATCH",
    path: "/api/conversations/:id",
    summary:
      "Change title, data, image, settings or permissions. Objects merge by top-level key; `null`" +
      " removes one. With `if_rev`, only where `meta_rev` is that still.",
    token: true,
    params: ById,
    body: ConversationPatch,
    answers: { 200: Conversation },
    refusals: ["not_found", "conflict"],
  },
  listMembers: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/members",
    summary:
      "All members with their cursors, in the order in which they joined; by `role`, or by the" +
      " beginning of a name.",
    token: true,
    params: ById,
    query: Request({
      role: Type.Optional(RoleName),
      q: Type.Optional(Title),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: Page(Member) },
    refusals: ["not_found"],
  },
  addMembers: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/members",
    summary:
      "Add users to a group. A newcomer sees the whole history, unless `settings` say otherwise.",
    token: true,
    params: ById,
    body: Request({ user_ids: Type.Array(Id, { minItems: 1, maxItems: MEMBERS_MAX }) }),
    answers: { 200: Conversation },
    refusals: ["not_found", "conflict", "forbidden"],
  },
  removeMember: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/conversations/:id/members/:user_id",
    summary: "Leave a group, or remove a member whose role is below one's own.",
    token: true,
    params: Request({ id: Id, user_id: Id }),
    answers: { 204: null },
    refusals: ["not_found", "conflict", "forbidden"],
  },
  updateMember: {
    group: "Conversations",
    method: "PATCH",
    path: "/api/conversations/:id/members/:user_id",
    summary: "Change a member's role or silence, of those below one's own role; or one's own data.",
    token: true,
    params: Request({ id: Id, user_id: Id }),
    body: MemberPatch,
    answers: { 200: Conversation },
    refusals: ["not_found", "conflict", "forbidden"],
  },
  ...MEMBERSHIP_ROUTES,

  listMessages: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/messages",
    summary: "The newest messages, those before `before_seq`, or the first after `after_seq`.",
    token: true,
    params: ById,
    query: Request({
      before_seq: Type.Optional(Ordinal),
      after_seq: Type.Optional(Cursor),
      limit: Limit,
    }),
    answers: {
      200: Type.Object({
        items: Type.Array(Message),
        has_more: Type.Boolean(),
        own_reactions: OwnReactionsKey,
      }),
    },
    refusals: ["not_found"],
  },
  getMessage: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/messages/:seq",
    summary: "One message.",
    token: true,
    params: ByMessage,
    answers: { 200: Message },
    refusals: ["not_found"],
  },
  listPins: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/pins",
    summary: "The pinned messages, the newest pin first; at most 50.",
    token: true,
    params: ById,
    answers: { 200: Type.Object({ items: Type.Array(Message) }) },
    refusals: ["not_found"],
  },
  pinMessage: {
    group: "Conversations",
    method: "PUT",
    path: "/api/conversations/:id/pins/:seq",
    summary: "Pin a message, with the permission `pin`. Idempotent.",
    token: true,
    params: ByMessage,
    answers: { 200: Message },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  unpinMessage: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/conversations/:id/pins/:seq",
    summary: "Take a pin away, with the permission `pin`. Idempotent.",
    token: true,
    params: ByMessage,
    answers: { 200: Message },
    refusals: ["not_found", "forbidden"],
  },
  signalConversation: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/signals",
    summary: "Send a conversation's members, or those of `to`, a signal from the service.",
    token: true,
    scope: "act",
    params: ById,
    body: SignalBody,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  sendMessage: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/messages",
    summary: "Send a message; 200 and the first message when `client_id` was seen before.",
    token: true,
    alsoScope: "act",
    params: ById,
    body: Request({
      client_id: ClientId,
      body: Type.Optional(MessageBody),
      reply_to_seq: Type.Optional(Nullable(Ordinal)),
      ...SENT_EXTRAS,
      ...STREAMED,
    }),
    answers: { 201: Message, 200: Message },
    // As many streams are open as may be.
    refusals: ["not_found", "forbidden", "conflict"],
  },
  editMessage: {
    group: "Conversations",
    method: "PATCH",
    path: "/api/conversations/:id/messages/:seq",
    summary: "Change one's own message.",
    token: true,
    params: ByMessage,
    body: Request(EDITED),
    answers: { 200: Message },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  deleteMessage: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/conversations/:id/messages/:seq",
    summary:
      "Delete one's own message, or another's with the permission `delete_any`; it stays with" +
      " `deleted_at` and an empty body.",
    token: true,
    params: ByMessage,
    answers: { 200: Message },
    refusals: ["not_found", "forbidden"],
  },
  ...STREAM_ROUTES,
  ...REACTION_ROUTES,
  ...THREAD_ROUTES,
  ...SCHEDULED_ROUTES,
  ...SEARCH_ROUTES,
  ...FILE_ROUTES,
  markRead: {
    group: "Conversations",
    method: "PUT",
    path: "/api/conversations/:id/read",
    summary: "Mark everything up to `seq` as read. Cursors never move back.",
    token: true,
    params: ById,
    body: Request({ seq: Ordinal }),
    answers: { 200: ReadCursors },
    refusals: ["not_found", "forbidden"],
  },

  ...LIST_ROUTES,
  ...PREFS_ROUTES,
  ...APP_ACTOR_ROUTES,

  listPresence: {
    group: "Notifications and presence",
    method: "GET",
    path: "/api/presence",
    summary: "The status of up to 500 users; ids separated by commas.",
    token: true,
    query: Request({
      user_ids: Type.Array(Id, { minItems: 1, maxItems: PRESENCE_IDS_MAX }),
    }),
    answers: { 200: Type.Object({ items: Type.Array(Status) }) },
    refusals: [],
  },

  healthz: {
    group: "Operations",
    method: "GET",
    path: "/healthz",
    summary: "200 while the process lives.",
    token: false,
    answers: { 200: Type.Object({ status: Type.Literal("alive") }) },
    refusals: ["rate_limited"],
  },
  readyz: {
    group: "Operations",
    method: "GET",
    path: "/readyz",
    summary: "200 when it can serve, if only in part; else 503 with the reasons.",
    token: false,
    answers: {
      200: Type.Object({
        status: Type.Union([Type.Literal("ready"), Type.Literal("degraded")], {
          description:
            "degraded: it serves, but Redis is away and other hosts cannot be heard, or nothing can be committed.",
        }),
        reasons: Type.Optional(Type.Array(Type.String(), { description: "Where degraded." })),
      }),
      503: Type.Object({ status: Type.Literal("unavailable"), reasons: Type.Array(Type.String()) }),
    },
    refusals: ["rate_limited"],
  },
  metrics: {
    group: "Operations",
    method: "GET",
    path: "/metrics",
    summary:
      "Prometheus text, all workers of the host added up. Wants `METRICS_TOKEN` as a bearer token where it is set, and is on a port of its own where `METRICS_PORT` is set.",
    token: false,
    answers: { 200: "text/plain" },
    refusals: ["rate_limited", "unauthorized"],
  },

  ...SERVICE_ROUTES,

  ...JOB_ROUTES,

  ...EVENT_ROUTES,

  ...PUSH_ROUTES,
  ...OPS_ROUTES,
} as const satisfies Record<string, RouteSpec>;

export type RouteName = keyof typeof ROUTES;

type Spec<R extends RouteName> = (typeof ROUTES)[R];
/** Tables, so that the compiler works each type out once: see events.ts. */
type Parts<P extends "params" | "query" | "body"> = {
  [R in RouteName]: Spec<R> extends Record<P, infer S extends TObject>
    ? Static<S>
    : Record<never, never>;
};
type Params = Parts<"params">;
type Queries = Parts<"query">;
type Bodies = Parts<"body">;
type Answers = {
  [R in RouteName]: {
    [S in keyof Spec<R>["answers"]]: Spec<R>["answers"][S] extends infer A
      ? { status: S; body: A extends TSchema ? Static<A> : A extends null ? null : string }
      : never;
  }[keyof Spec<R>["answers"]];
};

export type RouteParams<R extends RouteName> = Params[R];
export type RouteQuery<R extends RouteName> = Queries[R];
export type RouteBody<R extends RouteName> = Bodies[R];

/** A status the route has, with the body that belongs to it. */
export type RouteAnswer<R extends RouteName> = Answers[R];
