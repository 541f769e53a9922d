/** The routes of the application's own actors. Part of ROUTES in routes.ts. */
import Type from "typebox";
import {
  ActionName,
  ActorArgs,
  ActorCalled,
  ActorCreated,
  ActorKey,
  ActorKindName,
  ActorSeen,
} from "./app-actor-events.ts";
import { Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { ClientId, Id, Page, Request, Time } from "./schemas.ts";

const ByActor = Request({ kind: ActorKindName, key: ActorKey });
const Listed = Type.Object({
  kind: ActorKindName,
  key: ActorKey,
  rev: Type.Integer({ minimum: 0 }),
  conversation_id: Type.Optional(Id),
  created_at: Time,
});

export const APP_ACTOR_ROUTES = {
  createActor: {
    group: "Actors",
    method: "POST",
    path: "/api/actors/:kind/:key",
    summary: "Make an actor of one of the application's kinds; answers its view.",
    token: true,
    alsoScope: "actors",
    params: ByActor,
    body: Request({ args: ActorArgs, conversation_id: Type.Optional(Id), call_id: ClientId }),
    answers: { 201: ActorCreated },
    refusals: ["not_found", "conflict"],
  },
  callActor: {
    group: "Actors",
    method: "POST",
    path: "/api/actors/:kind/:key/:action",
    summary:
      "Call an action of an actor; the same `call_id` runs a turn that commits once in 24 h.",
    token: true,
    alsoScope: "actors",
    params: Request({ kind: ActorKindName, key: ActorKey, action: ActionName }),
    body: Request({ args: Type.Optional(ActorArgs), call_id: ClientId }),
    answers: { 200: ActorCalled },
    refusals: ["not_found", "conflict"],
  },
  getActor: {
    group: "Actors",
    method: "GET",
    path: "/api/actors/:kind/:key",
    summary: "An actor's view, as the caller may see it.",
    token: true,
    alsoScope: "actors",
    params: ByActor,
    answers: { 200: ActorSeen },
    refusals: ["not_found"],
  },
  listActors: {
    group: "Actors",
    method: "GET",
    path: "/api/actors/:kind",
    summary: "The actors of a kind, by rising key.",
    token: true,
    scope: "actors",
    params: Request({ kind: ActorKindName }),
    query: Request({ limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Listed) },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
