/**
 * The HTTP half of the contract as an OpenAPI 3.1 document, made from the table of routes by which
 * the server validates. Pure; served by edge/http/server/documents.ts.
 */
import type { TObject, TSchema } from "typebox";
import { ERROR_STATUS, type ErrorCode } from "./errors.ts";
import { ERROR_MEANINGS } from "./event-summaries.ts";
import { errorExample, exampleOf } from "./examples.ts";
import { refusalResponses } from "./openapi-refusals.ts";
import { publishedTus } from "./openapi-tus.ts";
import { publishedWebhooks } from "./openapi-webhooks.ts";
import { ACT_OF_ROUTE, rulesOf } from "./policy.ts";
import { type JsonObject, partsOf, published, publishedComponents } from "./published.ts";
import { type RouteSpec, refusalsOf } from "./route-spec.ts";
import { ROUTES, type RouteName } from "./routes.ts";

/** The contract's version; it rises with an incompatible change. */
export const CONTRACT_VERSION = "1";

export const CONTRACT_DESCRIPTION =
  "Ids are decimal strings, times ISO 8601 in UTC with milliseconds. Unknown keys in a request " +
  "are refused; ignore unknown keys in what you receive.";

const GROUP_NOTES: Readonly<Record<RouteSpec["group"], string>> = {
  "Accounts and tokens": "Registering, logging in, and users.",
  "Social graph": "Posts, likes, comments, follows and blocks.",
  Conversations: "Direct and group conversations, and their messages.",
  Files: "Pictures, recordings and documents, and where their bytes are.",
  "Notifications and presence": "What a user is told, and who is there.",
  Moderation: "Reports of what users see, and the rules for texts.",
  Actors: "The application's own actors: rooms, polls, games.",
  Services: "For back ends: service tokens, the application's own users, the audit log.",
  Operations: "For load balancers, monitoring, and operators.",
};

export const BEARER_NOTE = "An access token from register, login or refresh, or an outside issuer.";
export const SERVICE_NOTE = "A token of another back end, made with `troupe token --scope …`.";

export function openApiDocument(): JsonObject {
  const paths: JsonObject = {};
  for (const [name, spec] of Object.entries(ROUTES) as [RouteName, RouteSpec][]) {
    const path = spec.path.replace(/:(\w+)/g, "{$1}");
    const item = (paths[path] ?? {}) as JsonObject;
    item[spec.method.toLowerCase()] = operation(name, spec);
    paths[path] = item;
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Troupe HTTP API",
      version: CONTRACT_VERSION,
      summary: "Posts, conversations, notifications and presence.",
      description: `${CONTRACT_DESCRIPTION} Live events come over Socket.IO: see /api/asyncapi.json.`,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(GROUP_NOTES).map(([name, description]) => ({ name, description })),
    paths: { ...paths, ...publishedTus() },
    webhooks: publishedWebhooks(),
    components: {
      schemas: publishedComponents(),
      examples: errorExamples(),
      securitySchemes: {
        access_token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: BEARER_NOTE,
        },
        service_token: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: SERVICE_NOTE,
        },
      },
    },
  };
}

const ACT_AS: JsonObject = {
  name: "Troupe-Act-As",
  in: "header",
  required: false,
  description: `For service tokens whose scope contains "act": the user for whom the call is made, as an id or as \`external:\` and the application's own name. Not for passwords, logins, devices and erasing.`,
  schema: { type: "string" },
  example: "42",
};

function operation(name: RouteName, spec: RouteSpec): JsonObject {
  const parameters = [
    ...(spec.params === undefined ? [] : parametersOf("path", spec.params)),
    ...(spec.query === undefined ? [] : parametersOf("query", spec.query)),
    ...(rulesOf(ACT_OF_ROUTE[name]).includes("user") ? [ACT_AS] : []),
  ];
  return {
    operationId: name,
    tags: [spec.group],
    summary: spec.summary,
    security: securityOf(spec),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(spec.body === undefined
      ? {}
      : { requestBody: requestBody(spec.body, spec.isBodyOptional !== true) }),
    ...(spec.isBytes && { requestBody: BYTES }),
    responses: responsesOf(spec),
  };
}

function securityOf(spec: RouteSpec): JsonObject[] {
  if (!spec.token) return [];
  if (spec.scope !== undefined) {
    // Alternatives: one of them is enough.
    return [spec.scope].flat().map((scope) => ({ service_token: [scope] }));
  }
  const user = { access_token: [] };
  return spec.alsoScope === undefined ? [user] : [user, { service_token: [spec.alsoScope] }];
}

function parametersOf(place: "path" | "query", schema: TObject): JsonObject[] {
  const required = partsOf(schema).required ?? [];
  return Object.entries<TSchema>(schema.properties).map(([name, property]) => {
    const { description, ...type } = published(property);
    return {
      name,
      in: place,
      required: required.includes(name),
      ...(description === undefined ? {} : { description }),
      schema: type,
      // Values are separated by commas; the name is not repeated.
      ...(partsOf(property).type === "array" ? { style: "form", explode: false } : {}),
      example: exampleOf(property, true, name),
    };
  });
}

const BYTES: JsonObject = {
  required: true,
  // OpenAPI 3.1 describes bytes by their type alone.
  content: { "application/octet-stream": { schema: {} } },
};

function requestBody(schema: TObject, required: boolean): JsonObject {
  return {
    required,
    content: {
      "application/json": { schema: published(schema), example: exampleOf(schema, true) },
    },
  };
}

function responsesOf(spec: RouteSpec): JsonObject {
  const responses: JsonObject = {};
  for (const [status, answer] of Object.entries(spec.answers)) {
    responses[status] = answerOf(Number(status), answer);
  }
  return { ...responses, ...refusalResponses(refusalsOf(spec)) };
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  200: "Done.",
  201: "Made.",
  204: "Done; there is nothing to say.",
  503: "Not possible right now.",
};

function answerOf(status: number, answer: TSchema | string | null): JsonObject {
  const description = STATUS_WORDS[status] ?? "Answered.";
  if (answer === null) return { description };
  if (typeof answer === "string") {
    return { description, content: { [answer]: { schema: { type: "string" } } } };
  }
  return {
    description,
    content: {
      "application/json": { schema: published(answer), example: exampleOf(answer, false) },
    },
  };
}

function errorExamples(): JsonObject {
  const examples: JsonObject = {};
  for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
    examples[code] = { summary: ERROR_MEANINGS[code], value: { error: errorExample(code) } };
  }
  return examples;
}
