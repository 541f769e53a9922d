/**
 * The HTTP API of a worker: fastify as router and body reader over a server that does not
 * listen (the worker emits connections on it). For each route of the table: limits and token
 * first, then the body, then the schemas, then the handler; every answer, fastify's own
 * refusals included, has the contract's shape.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../clock.ts";
import type { WorkerConfig } from "../../config.ts";
import { createMetrics, METRICS_CONTENT_TYPE, type Metrics } from "../../metrics.ts";
import type { AccountStore, Queries } from "../../ports.ts";
import { type ErrorObject, REFUSALS, type Result, refused } from "../../protocol/errors.ts";
import { ROUTES, type RouteName, type RouteSpec } from "../../protocol/routes.ts";
import { type Auth, createAuth, type Identity, type Revocations, SERVICE_USER } from "../auth.ts";
import { createReader, type Reader } from "../check.ts";
import { addressOf, createHttpLimits, type HttpLimits } from "../limits.ts";
import { OutOfReach } from "../reached.ts";
import { accountRoutes } from "./accounts.ts";
import { BadBody, BODY_BYTES_MAX, readJson } from "./body.ts";
import type { Handlers } from "./call.ts";
import { type AskActors, conversationRoutes } from "./conversations.ts";
import { allowPreflight, createCors, isPreflight } from "./cors.ts";
import { createAllowedMethods } from "./known-paths.ts";
import { type HostReader, operationRoutes } from "./operations.ts";
import { loadPages, servePages } from "./pages.ts";
import { type PresenceReader, presenceRoutes } from "./presence.ts";
import { createReplies, type Replies } from "./replies.ts";
import {
  answerClientError,
  closeConnections,
  countConnections,
  createHttpServer,
} from "./server.ts";

export interface ApiDeps {
  config: WorkerConfig;
  accounts: AccountStore;
  queries: Queries;
  gateway: AskActors;
  presence: PresenceReader;
  revocations: Revocations;
  host: HostReader;
  /** Why this worker cannot serve; empty when it can. */
  ready: () => string[];
  clock: Clock;
  log: Logger;
  /** Shared with the socket edge; made here where it is not given. */
  auth?: Auth;
  metrics?: Metrics;
  /** Takes requests for /socket.io/ that come on a connection of the API. */
  engine?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Where the built demo page is. */
  webRoot?: string;
}

export interface Api {
  /** Emit "connection" on it; it never listens. */
  readonly server: Server;
  readonly auth: Auth;
  /** Lets running requests end, at most `deadlineMs`, and closes every connection. */
  close(deadlineMs?: number): Promise<void>;
}

declare module "fastify" {
  interface FastifyRequest {
    caller: Identity | null;
  }
}

/** Dist layout: src/edge/http/api.js beside src/web. */
const WEB_ROOT = fileURLToPath(new URL("../../web/", import.meta.url));
const ENGINE_PATH = "/socket.io/";
/** Ids are at most 19 digits; a longer parameter must reach the validator to be refused. */
const PARAM_CHARS_MAX = 16_384;
const CLOSE_DEADLINE_MS = 5_000;

const NO_TOKEN = refused("unauthorized", "Send an access token: Authorization: Bearer ….").error;
const NO_ROUTE = refused("not_found", "There is no such address.").error;
const NOT_JSON_TYPE = refused("unsupported_media_type", "Send the body as application/json.").error;
const BAD_URL = refused("invalid_payload", "The address is not valid.").error;

export async function createApi(deps: ApiDeps): Promise<Api> {
  const { config, clock, log } = deps;
  const metrics = deps.metrics ?? createMetrics({ part: "edge", worker: "" });
  const limits = createHttpLimits(config.rateLimits, clock);
  const auth = deps.auth ?? (await createAuth({ ...deps, limits }));
  const count = (route: string, status: number) => metrics.httpRequests.add(route, status);
  const replies = createReplies(createCors(config.corsOrigin), count);
  let server: Server | undefined;

  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    // While it closes, what still arrives on a kept connection is answered like before.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    serverFactory: (handler) => {
      server = createHttpServer(byEngine(deps.engine, handler));
      countConnections(server);
      return server;
    },
    clientErrorHandler: answerClientError,
    frameworkErrors: (_error, request, reply) => replies.refuse(request, reply, BAD_URL),
  });
  app.decorateRequest("caller", null);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", readJson);

  const handlers: Handlers = {
    ...accountRoutes(auth, deps.accounts, deps.queries),
    ...conversationRoutes(deps.gateway, deps.queries),
    ...presenceRoutes(deps.presence),
    ...operationRoutes({ ...deps, metrics }),
  };
  const gates = createGates(auth, limits, replies, config);
  for (const name of Object.keys(ROUTES) as RouteName[]) {
    addRoute(app, ROUTES[name], handlers[name] as AnyHandler, gates, replies, log);
  }
  const pages = loadPages(deps.webRoot ?? WEB_ROOT);
  servePages(app, pages, count);
  addFallbacks(app, replies, log, [
    ...Object.values(ROUTES),
    ...pages.map(({ path }) => ({ method: "GET", path })),
  ]);

  await app.ready();
  if (server === undefined) throw new Error("fastify made no server");
  const listener = server;
  return {
    server: listener,
    auth,
    async close(deadlineMs = CLOSE_DEADLINE_MS) {
      // Fastify then says `connection: close` with every answer.
      await app.close();
      await closeConnections(listener, deadlineMs);
    },
  };
}

type Gate = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

/** Handlers as the router sees them; `Handlers` has checked each against its route. */
type AnyHandler = (call: {
  params: unknown;
  query: unknown;
  body: unknown;
  caller: Identity | null;
}) => Promise<Result<{ status: number; body: unknown }>>;

interface Gates {
  token: Gate;
  account: Gate;
}

/** What stands before the body is even read. */
function createGates(
  auth: Auth,
  limits: HttpLimits,
  replies: Replies,
  config: WorkerConfig,
): Gates {
  return {
    token(request, reply, done) {
      const token = bearerOf(request.headers.authorization);
      if (token === null) {
        replies.refuse(request, reply, NO_TOKEN);
        return;
      }
      const admit = (identity: Result<Identity>) => {
        if (!identity.ok) {
          replies.refuse(request, reply, identity.error);
          return;
        }
        const { userId } = identity.value;
        // A service speaks for all users at once, and is not the public.
        const limited = userId === SERVICE_USER ? null : limits.userCall(userId);
        if (limited !== null) {
          replies.refuse(request, reply, limited);
          return;
        }
        request.caller = identity.value;
        done();
      };
      const known = auth.known(token);
      if (known !== undefined) admit(known);
      // `verify` never rejects.
      else void auth.verify(token).then(admit);
    },

    account(request, reply, done) {
      const limited = limits.authCall(addressOf(request.raw, config.trustProxy));
      // Tokens must not stay in anybody's cache.
      reply.header("cache-control", "no-store");
      if (limited === null) done();
      else replies.refuse(request, reply, limited);
    },
  };
}

function addRoute(
  app: FastifyInstance,
  spec: RouteSpec,
  handler: AnyHandler,
  gates: Gates,
  replies: Replies,
  log: Logger,
): void {
  const isApi = spec.path.startsWith("/api/");
  const readParams = spec.params === undefined ? null : createReader("path", spec.params);
  const readBody = spec.body === undefined ? null : createReader("body", spec.body);
  // Monitoring may add what it likes to the addresses of operations.
  const readQuery = isApi ? queryReader(spec) : null;

  function input(request: FastifyRequest): ErrorObject | null {
    if (request.body instanceof BadBody) return request.body.error;
    for (const [read, value] of [
      [readParams, request.params],
      [readQuery, request.query],
      [readBody, request.body],
    ] as const) {
      const part = read?.(value);
      if (part?.ok === false) return part.error;
    }
    return null;
  }

  app.route({
    method: spec.method,
    url: spec.path,
    ...(spec.token ? { onRequest: gates.token } : isApi ? { onRequest: gates.account } : {}),
    handler(request, reply) {
      const refusal = input(request);
      if (refusal !== null) {
        if (request.body instanceof BadBody && request.body.unread) {
          reply.header("connection", "close");
        }
        replies.refuse(request, reply, refusal);
        return;
      }
      const { params, query, body, caller } = request;
      handler({ params, query, body, caller }).then(
        (result) => {
          if (!result.ok) replies.refuse(request, reply, result.error);
          else if (typeof spec.answers[result.value.status] === "string") {
            replies.sendText(request, reply, METRICS_CONTENT_TYPE, String(result.value.body));
          } else replies.send(request, reply, result.value.status, result.value.body);
        },
        (fault: unknown) => answerFault(request, reply, fault, replies, log),
      );
    },
  });
}

/** A route without a query schema refuses every key, like the others their unknown ones. */
function queryReader(spec: RouteSpec): Reader | null {
  if (spec.query !== undefined) return createReader("query", spec.query);
  return (query) => {
    const [key] = Object.keys(query as object);
    if (key === undefined) return { ok: true, value: {} };
    return refused("invalid_payload", `query: ${key} is not known here.`, [
      { in: "query", at: key, problem: "is not known here" },
    ]);
  };
}

function addFallbacks(
  app: FastifyInstance,
  replies: Replies,
  log: Logger,
  routes: Iterable<{ method: string; path: string }>,
): void {
  const allowedMethods = createAllowedMethods(routes);

  app.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(pathOf(request.url));
    if (request.method === "OPTIONS" && (allowed.length > 0 || isPreflight(request))) {
      reply.header("allow", allowed.join(", "));
      if (isPreflight(request)) allowPreflight(reply);
      replies.send(request, reply, 204, null);
    } else if (allowed.length > 0) {
      reply.header("allow", allowed.join(", "));
      const { method } = request;
      const error = refused("method_not_allowed", `${method} is not possible here.`).error;
      replies.refuse(request, reply, error);
    } else replies.refuse(request, reply, NO_ROUTE);
  });

  app.setErrorHandler((error, request, reply) => {
    answerFault(request, reply, error, replies, log);
  });
}

function answerFault(
  request: FastifyRequest,
  reply: FastifyReply,
  fault: unknown,
  replies: Replies,
  log: Logger,
): void {
  const status = (fault as { statusCode?: unknown } | null)?.statusCode;
  if (status === 415) {
    replies.refuse(request, reply, NOT_JSON_TYPE);
    return;
  }
  if (typeof status === "number" && status >= 400 && status < 500) {
    const message = fault instanceof Error ? fault.message : "The request is not valid.";
    replies.refuse(request, reply, refused("invalid_payload", message).error);
    return;
  }
  const isOutOfReach = fault instanceof OutOfReach;
  log.error({
    event: isOutOfReach ? "storage_out_of_reach" : "http_fault",
    route: `${request.method} ${request.routeOptions.url ?? "unknown"}`,
    err: isOutOfReach ? fault.cause : fault,
  });
  replies.refuse(request, reply, (isOutOfReach ? REFUSALS.unavailable : REFUSALS.internal).error);
}

function byEngine(
  engine: ApiDeps["engine"],
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  if (engine === undefined) return handler;
  return (request, response) => {
    if (request.url?.startsWith(ENGINE_PATH) === true) engine(request, response);
    else handler(request, response);
  };
}

const BEARER = /^Bearer +([\w\-.~+/]+=*) *$/i;

function bearerOf(authorization: string | undefined): string | null {
  if (authorization === undefined) return null;
  return BEARER.exec(authorization)?.[1] ?? null;
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}
