/** The HTTP routes of reactions; part of routes.ts. */
import Type from "typebox";
import { Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Ordinal, Page, Reacted, ReactionKey, Reactor, Request } from "./schemas.ts";

const ByReaction = Request({ id: Id, seq: Ordinal, key: ReactionKey });

export const REACTION_ROUTES = {
  listReactions: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/messages/:seq/reactions",
    summary: "Who reacted to a message, newest first.",
    token: true,
    params: Request({ id: Id, seq: Ordinal }),
    query: Request({ key: Type.Optional(ReactionKey), limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Reactor) },
    refusals: ["not_found"],
  },
  addReaction: {
    group: "Conversations",
    method: "PUT",
    path: "/api/conversations/:id/messages/:seq/reactions/:key",
    summary: "React to a message; again changes nothing.",
    token: true,
    params: ByReaction,
    answers: { 200: Reacted },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  removeReaction: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/conversations/:id/messages/:seq/reactions/:key",
    summary:
      "Take one's own reaction away, or with `all=true`, for those who may delete any message, everybody's.",
    token: true,
    params: ByReaction,
    query: Request({
      all: Type.Optional(Type.Union([Type.Literal("true"), Type.Literal("false")])),
    }),
    answers: { 200: Reacted },
    refusals: ["not_found", "forbidden", "conflict"],
  },
} as const satisfies Record<string, RouteSpec>;
