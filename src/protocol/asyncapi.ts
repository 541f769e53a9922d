/**
 * The Socket.IO half of the contract as an AsyncAPI 3.0 document, made from the events table:
 * what clients send is `receive` with its acknowledgement as the reply, what the server sends
 * is `send`. Pure; served by edge/http/server/documents.ts.
 */
import type { TSchema } from "typebox";
import { CLIENT_EVENT_SUMMARIES, SERVER_EVENT_SUMMARIES } from "./event-summaries.ts";
import {
  CLIENT_EVENTS,
  type ClientEventName,
  SERVER_EVENTS,
  type ServerEventName,
} from "./events.ts";
import { errorExample, exampleOf } from "./examples.ts";
import { BEARER_NOTE, CONTRACT_DESCRIPTION, CONTRACT_VERSION } from "./openapi.ts";
import { type JsonObject, partsOf, published, publishedComponents } from "./published.ts";

const CHANNEL = "#/channels/session";

export function asyncApiDocument(): JsonObject {
  const messages: JsonObject = {};
  const operations: JsonObject = {};
  for (const name of Object.keys(CLIENT_EVENTS) as ClientEventName[]) {
    const { payload, ack } = CLIENT_EVENTS[name];
    messages[name] = message(name, CLIENT_EVENT_SUMMARIES[name], payload, true);
    messages[`${name}.ack`] = acknowledgement(name, ack);
    operations[`receive_${name}`] = {
      action: "receive",
      channel: { $ref: CHANNEL },
      summary: CLIENT_EVENT_SUMMARIES[name],
      messages: [{ $ref: `${CHANNEL}/messages/${name}` }],
      reply: {
        channel: { $ref: CHANNEL },
        messages: [{ $ref: `${CHANNEL}/messages/${name}.ack` }],
      },
    };
  }
  for (const name of Object.keys(SERVER_EVENTS) as ServerEventName[]) {
    // `typing` goes both ways, with another payload each.
    const key = name in CLIENT_EVENTS ? `${name}.event` : name;
    messages[key] = message(name, SERVER_EVENT_SUMMARIES[name], SERVER_EVENTS[name], false);
    operations[`send_${name}`] = {
      action: "send",
      channel: { $ref: CHANNEL },
      summary: SERVER_EVENT_SUMMARIES[name],
      messages: [{ $ref: `${CHANNEL}/messages/${key}` }],
    };
  }
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Troupe live events",
      version: CONTRACT_VERSION,
      description: `${CONTRACT_DESCRIPTION} Socket.IO v4, path \`/socket.io\`, namespace \`/\`. A refused handshake is \`connect_error\` with the error object as \`err.data\`.`,
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: { plain: server("ws"), tls: server("wss") },
    channels: {
      session: {
        address: "/",
        title: "Session",
        description:
          "One connected socket. Every client event carries one object and may ask for an acknowledgement.",
        servers: [{ $ref: "#/servers/plain" }, { $ref: "#/servers/tls" }],
        messages: messageRefs(messages),
        bindings: { ws: { method: "GET", query: handshakeQuery(), bindingVersion: "0.1.0" } },
      },
    },
    operations,
    components: {
      messages,
      schemas: publishedComponents(),
      securitySchemes: {
        access_token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: `${BEARER_NOTE} In the handshake's \`auth: {token, contract: "1.1"}\` (without \`contract\` the session is one of version 1), or as \`Authorization: Bearer\`.`,
        },
      },
    },
  };
}

function server(protocol: "ws" | "wss"): JsonObject {
  return {
    host: "{host}",
    pathname: "/socket.io",
    protocol,
    description: "WebSocket first; long-polling as a fallback.",
    variables: { host: { default: "localhost:3000", description: "Name and port." } },
    security: [{ $ref: "#/components/securitySchemes/access_token" }],
  };
}

function handshakeQuery(): JsonObject {
  return {
    type: "object",
    required: ["EIO", "transport"],
    properties: {
      EIO: { type: "string", const: "4" },
      transport: { type: "string", enum: ["websocket", "polling"] },
    },
  };
}

/** The channel's messages must be references for operations to point at. */
function messageRefs(messages: JsonObject): JsonObject {
  const refs: JsonObject = {};
  for (const name of Object.keys(messages)) refs[name] = { $ref: `#/components/messages/${name}` };
  return refs;
}

function message(name: string, summary: string, payload: TSchema, isWhole: boolean): JsonObject {
  return {
    name,
    title: name,
    summary,
    contentType: "application/json",
    payload: published(payload),
    examples: [{ name, payload: exampleOf(payload, isWhole) }],
  };
}

function acknowledgement(name: string, ack: TSchema): JsonObject {
  const { required = [], properties = {} } = partsOf(ack);
  const added: JsonObject = {};
  for (const [key, schema] of Object.entries(properties)) added[key] = published(schema);
  const example = exampleOf(ack, false) as JsonObject;
  return {
    name: `${name}.ack`,
    title: `Acknowledgement of ${name}`,
    summary: `What the acknowledgement of \`${name}\` is called with.`,
    contentType: "application/json",
    payload: {
      oneOf: [
        {
          type: "object",
          required: ["ok", ...required],
          properties: { ok: { type: "boolean", const: true }, ...added },
        },
        {
          type: "object",
          required: ["ok", "error"],
          properties: {
            ok: { type: "boolean", const: false },
            error: { $ref: "#/components/schemas/Error" },
          },
        },
      ],
    },
    examples: [
      { name: "done", payload: { ok: true, ...example } },
      { name: "refused", payload: { ok: false, error: errorExample("invalid_payload") } },
    ],
  };
}
