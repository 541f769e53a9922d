/**
 * The routes through which back ends receive what happens: the event log that they pull, and the
 * webhooks that are sent it. Part of ROUTES in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { OutsideEvent, TypePattern } from "./outside-events.ts";
import { ById, type RouteSpec } from "./route-spec.ts";
import { Id, Nullable, Request, Time } from "./schemas.ts";

export const PULLED_MAX = 500;
export const PULL_WAIT_S_MAX = 30;
export const WEBHOOKS_MAX = 20;

const Place = Type.String({
  minLength: 1,
  maxLength: 256,
  description: "`now`, `oldest`, or a `cursor` of an answer.",
});
const Key = Type.String({
  pattern: "^(conversation|user|post):[1-9][0-9]{0,18}$",
  examples: ["conversation:42"],
});
const Types = Type.Array(TypePattern, { minItems: 1, maxItems: 50 });
const WebhookUrl = Type.String({ minLength: 1, maxLength: 2048 });

export const Webhook = Type.Object({
  id: Id,
  url: Type.String(),
  types: Type.Array(Type.String()),
  batch: Type.Boolean(),
  enabled: Type.Boolean(),
  created_at: Time,
  last_ok_at: Nullable(Time),
  lag_s: Type.Number({ minimum: 0, description: "Age of the oldest event not delivered." }),
  failing_since: Nullable(Time),
  parked: Type.Array(Type.String(), {
    description: "Keys that wait for `unpark`; at most 100 are named.",
  }),
});
export const MadeWebhook = Type.Object({
  ...Webhook.properties,
  secret: Type.String({ description: "`whsec_` and base64. It is shown this once." }),
});
const ChangedWebhook = Type.Object({
  ...Webhook.properties,
  secret: Type.Optional(Type.String({ description: "With `rotate_secret`, this once." })),
});

export const EVENT_ROUTES = {
  pullEvents: {
    group: "Services",
    method: "GET",
    path: "/api/events",
    summary:
      "Read the event log from a cursor on, in the order of the commits; with `wait_s`, wait for the next event.",
    token: true,
    scope: "events",
    query: Request({
      after: Type.Optional(Place),
      types: Type.Optional(Types),
      keys: Type.Optional(Type.Array(Key, { minItems: 1, maxItems: 100 })),
      wait_s: Type.Optional(Type.Integer({ minimum: 0, maximum: PULL_WAIT_S_MAX })),
    }),
    answers: {
      200: Type.Object({
        items: Type.Array(OutsideEvent, { maxItems: PULLED_MAX }),
        cursor: Type.String({ description: "Where to go on." }),
      }),
    },
    refusals: ["conflict", "gone"],
  },
  createWebhook: {
    group: "Services",
    method: "POST",
    path: "/api/webhooks",
    summary: "Have events sent to an address. Its secret is shown this once.",
    token: true,
    scope: "events",
    body: Request({ url: WebhookUrl, types: Types, batch: Type.Optional(Type.Boolean()) }),
    answers: { 201: MadeWebhook },
    refusals: ["conflict"],
  },
  listWebhooks: {
    group: "Services",
    method: "GET",
    path: "/api/webhooks",
    summary: "All webhooks.",
    token: true,
    scope: "events",
    answers: { 200: Type.Object({ items: Type.Array(Webhook) }) },
    refusals: [],
  },
  getWebhook: {
    group: "Services",
    method: "GET",
    path: "/api/webhooks/:id",
    summary: "A webhook, and how far it has come.",
    token: true,
    scope: "events",
    params: ById,
    answers: { 200: Webhook },
    refusals: ["not_found"],
  },
  updateWebhook: {
    group: "Services",
    method: "PATCH",
    path: "/api/webhooks/:id",
    summary:
      "Change a webhook. With `rotate_secret` it gets another secret, and both are good for 24 hours.",
    token: true,
    scope: "events",
    params: ById,
    body: Request({
      url: Type.Optional(WebhookUrl),
      types: Type.Optional(Types),
      batch: Type.Optional(Type.Boolean()),
      enabled: Type.Optional(Type.Boolean()),
      rotate_secret: Type.Optional(Type.Literal(true)),
    }),
    answers: { 200: ChangedWebhook },
    refusals: ["not_found", "conflict"],
  },
  deleteWebhook: {
    group: "Services",
    method: "DELETE",
    path: "/api/webhooks/:id",
    summary: "Remove a webhook with what it has not been sent.",
    token: true,
    scope: "events",
    params: ById,
    answers: { 204: null },
    refusals: ["not_found"],
  },
  testWebhook: {
    group: "Services",
    method: "POST",
    path: "/api/webhooks/:id/test",
    summary: "Send `webhook.test` at once, and say how it was answered.",
    token: true,
    scope: "events",
    params: ById,
    answers: {
      200: Type.Object({
        delivered: Type.Boolean({ description: "It was answered with a 2xx." }),
        status: Nullable(Type.Integer({ description: "Null: there was no answer." })),
        problem: Nullable(Type.String()),
        ms: Type.Integer({ minimum: 0 }),
      }),
    },
    refusals: ["not_found"],
  },
  replayWebhook: {
    group: "Services",
    method: "POST",
    path: "/api/webhooks/:id/replay",
    summary: "Send again what came after a cursor of the log.",
    token: true,
    scope: "events",
    params: ById,
    body: Request({ after: Place }),
    answers: { 204: null },
    refusals: ["not_found", "gone", "conflict"],
  },
  unparkWebhook: {
    group: "Services",
    method: "POST",
    path: "/api/webhooks/:id/unpark",
    summary: "Go on with a parked key, or with all of them, from where each stopped.",
    token: true,
    scope: "events",
    params: ById,
    body: Request({ key: Type.Optional(Key) }),
    bodyOptional: true,
    answers: { 200: Type.Object({ unparked: Type.Integer({ minimum: 0 }) }) },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;

export type Webhook = Static<typeof Webhook>;
