/** The HTTP routes of scheduled messages; part of routes.ts. */
import type { Static } from "typebox";
import Type from "typebox";
import { EDITED, SENT_EXTRAS } from "./message-content.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import {
  ClientId,
  Id,
  Message,
  MessageBody,
  Nullable,
  Ordinal,
  Page,
  Request,
  Time,
} from "./schemas.ts";

/** Messages that one user may have scheduled. */
export const SCHEDULED_MAX = 100;
export const SCHEDULED_AHEAD_MS_MAX = 120 * 24 * 3_600_000;

/** A message that is sent at its time. */
export const Scheduled = Type.Object({
  id: Id,
  conversation_id: Id,
  client_id: Type.String(),
  send_at: Time,
  body: Type.String(),
  reply_to_seq: Nullable(Ordinal),
  ...SENT_EXTRAS,
  created_at: Time,
});
export type Scheduled = Static<typeof Scheduled>;

const SendAt = Type.String({
  format: "time",
  description: "At most 120 days ahead; one that is over is sent at once.",
});

export const SCHEDULED_ROUTES = {
  scheduleMessage: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/scheduled",
    summary:
      "Send a message at a later time. The same `client_id` again answers what was scheduled, or the" +
      " message that it has become.",
    token: true,
    params: ById,
    body: Request({
      send_at: SendAt,
      client_id: ClientId,
      body: Type.Optional(MessageBody),
      reply_to_seq: Type.Optional(Nullable(Ordinal)),
      ...SENT_EXTRAS,
    }),
    answers: { 201: Scheduled, 200: Type.Union([Scheduled, Message]) },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  listScheduled: {
    group: "Conversations",
    method: "GET",
    path: "/api/scheduled",
    summary: "One's own messages that are to be sent, by rising time.",
    token: true,
    query: Request({
      conversation_id: Type.Optional(Id),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: Page(Scheduled) },
    refusals: [],
  },
  getScheduled: {
    group: "Conversations",
    method: "GET",
    path: "/api/scheduled/:id",
    summary: "A message of one's own that has not been sent yet.",
    token: true,
    params: ById,
    answers: { 200: Scheduled },
    refusals: ["not_found"],
  },
  updateScheduled: {
    group: "Conversations",
    method: "PATCH",
    path: "/api/scheduled/:id",
    summary: "Change when it is sent, or what; what is not named stays.",
    token: true,
    params: ById,
    body: Request({ send_at: Type.Optional(SendAt), ...EDITED }),
    answers: { 200: Scheduled },
    refusals: ["not_found"],
  },
  deleteScheduled: {
    group: "Conversations",
    method: "DELETE",
    path: "/api/scheduled/:id",
    summary: "Do not send it.",
    token: true,
    params: ById,
    answers: { 204: null },
    refusals: ["not_found"],
  },
} as const satisfies Record<string, RouteSpec>;
