/**
 * The loaded kinds of actors in the published documents: for each action a path and a message with
 * the schema of its args, for each event a message with the schema of its data.
 */
import type { AppKind } from "./app-actors.ts";
import type { JsonObject } from "./published.ts";

const ACTOR_KEY = { type: "string", pattern: "^[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,127}$" };
const CALL_ID = { type: "string", minLength: 1, maxLength: 64 };
const CHANNEL = "#/channels/session";

/** The OpenAPI document with a path for each action and each creation. */
export function withActorPaths(document: JsonObject, kinds: readonly AppKind[]): JsonObject {
  if (kinds.length === 0) return document;
  const paths = { ...(document["paths"] as JsonObject) };
  for (const { kind, create, actions } of kinds) {
    const summary = `Make an actor of the kind \`${kind}\`.`;
    const base = `/api/actors/${kind}/{key}`;
    paths[base] = { post: call(`create_${kind}`, summary, "201", create, "createActor", document) };
    for (const [action, { args }] of Object.entries(actions)) {
      paths[`${base}/${action}`] = {
        post: call(
          `${kind}_${action}`,
          `Call \`${action}\` of an actor of the kind \`${kind}\`.`,
          "200",
          args,
          "callActor",
          document,
        ),
      };
    }
  }
  return { ...document, paths };
}

/** One call, with the answers of the general route. */
function call(
  operationId: string,
  summary: string,
  status: string,
  args: unknown,
  general: string,
  document: JsonObject,
): JsonObject {
  const operations = Object.values(document["paths"] as JsonObject).flatMap((item) =>
    Object.values(item as JsonObject),
  ) as JsonObject[];
  const like = operations.find((one) => one["operationId"] === general) ?? {};
  const isCreate = status === "201";
  const properties: JsonObject = { args: argsOf(args), call_id: CALL_ID };
  if (isCreate) properties["conversation_id"] = { type: "string", pattern: "^[1-9][0-9]{0,18}$" };
  return {
    operationId,
    tags: ["Actors"],
    summary,
    security: like["security"] ?? [],
    parameters: [
      {
        name: "key",
        in: "path",
        required: true,
        schema: ACTOR_KEY,
        example: "lunch",
      },
    ],
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: {
            type: "object",
            required: isCreate || requires(args) ? ["args", "call_id"] : ["call_id"],
            properties,
            additionalProperties: false,
          },
        },
      },
    },
    responses: like["responses"] ?? {},
  };
}

/** The AsyncAPI document with a message for each action and each event. */
export function withActorMessages(document: JsonObject, kinds: readonly AppKind[]): JsonObject {
  if (kinds.length === 0) return document;
  const components = document["components"] as JsonObject;
  const messages = { ...(components["messages"] as JsonObject) };
  const operations = { ...(document["operations"] as JsonObject) };
  const channels = document["channels"] as JsonObject;
  const session = channels["session"] as JsonObject;
  const refs = { ...(session["messages"] as JsonObject) };

  function add(name: string, of: string, summary: string, payload: JsonObject, reply?: string) {
    messages[name] = { name: of, title: name, summary, contentType: "application/json", payload };
    refs[name] = { $ref: `#/components/messages/${name}` };
    operations[`${reply === undefined ? "send" : "receive"}_${name.replaceAll(".", "_")}`] = {
      action: reply === undefined ? "send" : "receive",
      channel: { $ref: CHANNEL },
      summary,
      messages: [{ $ref: `${CHANNEL}/messages/${name}` }],
      ...(reply !== undefined && {
        reply: {
          channel: { $ref: CHANNEL },
          messages: [{ $ref: `${CHANNEL}/messages/${reply}.ack` }],
        },
      }),
    };
  }

  for (const { kind, create, actions, events } of kinds) {
    const at = { kind: { type: "string", const: kind }, key: ACTOR_KEY };
    add(
      `${kind}.create`,
      "create_actor",
      `Make an actor of the kind \`${kind}\`.`,
      object({ ...at, args: argsOf(create), call_id: CALL_ID }, ["kind", "key", "args", "call_id"]),
      "create_actor",
    );
    for (const [action, { args }] of Object.entries(actions)) {
      add(
        `${kind}.call.${action}`,
        "call",
        `Call \`${action}\` of an actor of the kind \`${kind}\`.`,
        object(
          {
            ...at,
            action: { type: "string", const: action },
            args: argsOf(args),
            call_id: CALL_ID,
          },
          ["kind", "key", "action", "call_id", ...(requires(args) ? ["args"] : [])],
        ),
        "call",
      );
    }
    for (const [event, schema] of Object.entries(events)) {
      add(
        `${kind}.event.${event}`,
        "actor_event",
        `The event \`${event}\` of an actor of the kind \`${kind}\`.`,
        object(
          {
            ...at,
            rev: { type: "integer", minimum: 1 },
            name: { type: "string", const: event },
            data: schema as JsonObject,
          },
          ["kind", "key", "rev", "name", "data"],
        ),
      );
    }
  }
  return {
    ...document,
    operations,
    channels: { ...channels, session: { ...session, messages: refs } },
    components: { ...components, messages },
  };
}

function object(properties: JsonObject, required: string[]): JsonObject {
  return { type: "object", required, properties };
}

function argsOf(schema: unknown): JsonObject {
  return (schema ?? { type: "object", additionalProperties: false }) as JsonObject;
}

function requires(schema: unknown): boolean {
  const { required } = (schema ?? {}) as { required?: string[] };
  return (required?.length ?? 0) > 0;
}
