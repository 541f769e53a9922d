/** The HTTP routes of threads; part of routes.ts. */
import Type from "typebox";
import { ConversationSummary } from "./conversation-list.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Conversation, Id, Ordinal, Page, Request } from "./schemas.ts";

export const THREAD_ROUTES = {
  createThread: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/messages/:seq/thread",
    summary: "The thread of a message: made by the first call, the same one afterwards.",
    token: true,
    params: Request({ id: Id, seq: Ordinal }),
    answers: { 200: Conversation, 201: Conversation },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  followThread: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/follow",
    summary: "Follow a thread: live events, unread counts and notifications of it.",
    token: true,
    params: ById,
    answers: { 200: Conversation },
    refusals: ["not_found", "conflict"],
  },
  unfollowThread: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/conversations/:id/follow",
    summary: "Follow a thread no more.",
    token: true,
    params: ById,
    answers: { 204: null },
    refusals: ["not_found", "conflict"],
  },
  listThreads: {
    group: "Conversations",
    method: "GET",
    path: "/api/threads",
    summary: "The threads that one follows, newest activity first.",
    token: true,
    query: Request({
      unread: Type.Optional(
        Type.Union([Type.Literal("true"), Type.Literal("false")], {
          description: "`true`: those with unread messages only.",
        }),
      ),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: Page(ConversationSummary) },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;
