/** The routes of what is one's own in a conversation. Part of ROUTES in routes.ts. */
import { PREFS_CHANGE, Prefs } from "./prefs.ts";
import { ById, type RouteSpec } from "./route-spec.ts";
import { Request } from "./schemas.ts";

export const PREFS_ROUTES = {
  getPrefs: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations/:id/prefs",
    summary: "One's own preferences of a conversation; `prefs_rev` 0 where none were ever set.",
    token: true,
    params: ById,
    answers: { 200: Prefs },
    refusals: ["not_found"],
  },
  setPrefs: {
    group: "Conversations",
    method: "PATCH",
    path: "/api/conversations/:id/prefs",
    summary: "Change one's own preferences of a conversation; what is not named stays.",
    token: true,
    params: ById,
    body: Request(PREFS_CHANGE),
    answers: { 200: Prefs },
    refusals: ["not_found", "conflict"],
  },
} as const satisfies Record<string, RouteSpec>;
