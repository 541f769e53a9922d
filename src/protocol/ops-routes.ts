/**
 * The routes of operators: service tokens with scope `ops` only. Part of ROUTES in routes.ts.
 */
import Type from "typebox";
import { OpsEnded, OpsMessage, OpsSummary, OpsUser } from "./ops.ts";
import { ById, type RouteSpec } from "./route-spec.ts";
import { Id, Ordinal, Request, Username } from "./schemas.ts";

export const OPS_ROUTES = {
  opsSummary: {
    group: "Operations",
    method: "GET",
    path: "/api/ops/summary",
    summary: "The cluster in counts: hosts, workers, actor threads, database, recent faults.",
    token: true,
    scope: "ops",
    answers: { 200: OpsSummary },
    refusals: [],
  },
  opsFindUser: {
    group: "Operations",
    method: "GET",
    path: "/api/ops/users",
    summary: "The same by username.",
    token: true,
    scope: "ops",
    query: Request({ username: Username }),
    answers: { 200: OpsUser },
    refusals: ["not_found"],
  },
  opsUser: {
    group: "Operations",
    method: "GET",
    path: "/api/ops/users/:id",
    summary: "A user's sessions on all hosts, presence, and where the user's actor lives.",
    token: true,
    scope: "ops",
    params: ById,
    answers: { 200: OpsUser },
    refusals: ["not_found"],
  },
  opsEndSessions: {
    group: "Operations",
    method: "DELETE",
    path: "/api/ops/users/:id/sessions",
    summary: "End a user's sessions on all hosts. Their logins live on: clients come back.",
    token: true,
    scope: "ops",
    params: ById,
    answers: { 200: OpsEnded },
    refusals: ["not_found"],
  },
  opsFindMessage: {
    group: "Operations",
    method: "GET",
    path: "/api/ops/messages",
    summary:
      "Where a message is: committed, delivered and read by whom. By `conversation_id` and `seq`, or by `id`.",
    token: true,
    scope: "ops",
    query: Request({
      id: Type.Optional(Id),
      conversation_id: Type.Optional(Id),
      seq: Type.Optional(Ordinal),
    }),
    answers: { 200: OpsMessage },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
