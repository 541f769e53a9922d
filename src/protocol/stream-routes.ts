/** The HTTP routes of streamed messages; part of routes.ts. */
import Type from "typebox";
import { ById, type RouteSpec } from "./route-spec.ts";
import { ClientId, Id, Message, Ordinal, Request } from "./schemas.ts";
import { AppendBody, EndBody, StreamLength } from "./streams.ts";

const ByMessage = Request({ id: Id, seq: Ordinal });

/** The properties of a piped message beside its text. */
const PIPED = Request({
  client_id: ClientId,
  type: Type.Optional(
    Type.String({ pattern: "^[a-z][a-z0-9_.-]{0,31}$", description: "The message's type." }),
  ),
  reply_to_seq: Type.Optional(Ordinal),
});

const piped = (method: "POST" | "PUT") =>
  ({
    group: "Conversations",
    method,
    path: "/api/conversations/:id/messages/stream",
    summary:
      "Send a message whose text is the body, appended as it arrives (`text/plain`, in chunks)." +
      " The end of the body is its end. Answers the message; early with `cancelled` where a" +
      " member asks to stop.",
    token: true,
    isBytes: true,
    params: ById,
    query: PIPED,
    answers: { 201: Message, 200: Message },
    refusals: ["not_found", "forbidden", "conflict"],
  }) as const;

export const STREAM_ROUTES = {
  streamMessage: piped("POST"),
  pipeMessage: piped("PUT"),
  appendMessage: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/messages/:seq/append",
    summary:
      "Append text to your own streamed message. A wrong `offset` is `conflict` with" +
      " `details.length`.",
    token: true,
    params: ByMessage,
    body: AppendBody,
    answers: { 200: StreamLength },
    refusals: ["not_found", "forbidden", "conflict"],
  },
  endMessage: {
    group: "Conversations",
    method: "POST",
    path: "/api/conversations/:id/messages/:seq/end",
    summary: "End your own streamed message.",
    token: true,
    params: ByMessage,
    body: EndBody,
    answers: { 200: Message },
    refusals: ["not_found", "forbidden", "conflict"],
  },
} as const satisfies Record<string, RouteSpec>;
