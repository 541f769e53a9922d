/** What clients send to the application's own actors and receive of them. */
import type { Static } from "typebox";
import Type from "typebox";
import { APP_WATCHES_MAX } from "./app-actors.ts";
import { ClientId, Cursor, Id, Request } from "./schemas.ts";

export const ActorKindName = Type.String({ pattern: "^[a-z][a-z0-9_-]{0,31}$" });
export const ActorKey = Type.String({ pattern: "^[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,127}$" });
export const ActionName = Type.String({ pattern: "^[a-z][a-z0-9_]{0,31}$" });
/** As a kind's own schemas say. */
export const ActorJson = Type.Unknown({ description: "As the kind's own schemas say." });
export const ActorArgs = Type.Object(
  {},
  { additionalProperties: true, description: "As the kind's own schemas say." },
);
const Named = { kind: ActorKindName, key: ActorKey };

export const ActorEvent = Type.Object({
  ...Named,
  rev: Type.Integer({ minimum: 1 }),
  name: Type.Optional(
    Type.String({ description: "Left out, as `data` is, where the event is for others only." }),
  ),
  data: Type.Optional(ActorJson),
});
const Events = Type.Array(ActorEvent, { description: "Those after `after_rev`, in order." });
const Repeated = Type.Optional(
  Type.Literal(true, { description: "A repeat, whose first answer was too long to be kept." }),
);

export const ActorCreated = Type.Object({
  view: Type.Optional(ActorJson),
  rev: Cursor,
  repeated: Repeated,
});
export const ActorCalled = Type.Object({
  result: Type.Optional(ActorJson),
  rev: Cursor,
  repeated: Repeated,
});
export const ActorSeen = Type.Object({ view: ActorJson, rev: Cursor });

export const ACTOR_CLIENT_EVENTS = {
  create_actor: {
    payload: Request({
      ...Named,
      args: ActorArgs,
      conversation_id: Type.Optional(Id),
      call_id: ClientId,
    }),
    ack: ActorCreated,
  },
  call: {
    payload: Request({
      ...Named,
      action: ActionName,
      args: Type.Optional(ActorArgs),
      call_id: ClientId,
    }),
    ack: ActorCalled,
  },
  watch_actor: {
    payload: Request({ ...Named, after_rev: Type.Optional(Cursor) }),
    ack: Type.Object({
      rev: Cursor,
      view: Type.Optional(ActorJson),
      events: Type.Optional(Events),
    }),
  },
  unwatch_actor: { payload: Request(Named), ack: Type.Object({}) },
} as const;

export const ACTOR_SERVER_EVENTS = {
  actor_event: ActorEvent,
  actor_closed: Type.Object({
    ...Named,
    code: Type.String({ description: "`destroyed`, `unwatched`, `restarted` or `forbidden`." }),
  }),
} as const;

export const SyncActors = Type.Array(Request({ ...Named, after_rev: Cursor }), {
  maxItems: APP_WATCHES_MAX,
});
export const SyncedActors = Type.Array(
  Type.Object({
    ...Named,
    rev: Type.Optional(Cursor),
    events: Type.Optional(Events),
    view: Type.Optional(ActorJson),
    reset: Type.Optional(Type.Literal(true)),
    gone: Type.Optional(Type.Literal(true)),
  }),
);
export type SyncedActor = Static<typeof SyncedActors>[number];
