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
import type { Clock } from "../../base/clock.ts";
import { createMetrics, METRICS_CONTENT_TYPE, type Metrics } from "../../base/metrics.ts";
import { packageVersion } from "../../base/version.ts";
import type { WorkerConfig } from "../../config/config.ts";
import type { AppQueries } from "../../ports/app-actors.ts";
import type { ClientPackages } from "../../ports/client-packages.ts";
import type { AccountStore, Queries } from "../../ports/edge.ts";
import type { ErasureStore } from "../../ports/erasures.ts";
import type { ExportStore } from "../../ports/exports.ts";
import type { Files } from "../../ports/files.ts";
import type { ModerationStore } from "../../ports/moderation.ts";
import type { ScheduledStore } from "../../ports/scheduled.ts";
import type { MessageSearch } from "../../ports/search.ts";
import type { ServiceStore } from "../../ports/services.ts";
import type { SocialQueries } from "../../ports/social.ts";
import { AppKinds } from "../../protocol/app-kinds.ts";
import { COST_OF_ROUTE, type Units } from "../../protocol/costs.ts";
import { type ErrorObject, type Result, refused } from "../../protocol/errors.ts";
import type { Hooks } from "../../protocol/hooks.ts";
import type { UserId } from "../../protocol/ids.ts";
import { ACT_OF_ROUTE } from "../../protocol/policy.ts";
import type { RouteSpec } from "../../protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../protocol/routes.ts";
import { type Auth, createAuth, type Revocations } from "../auth/auth.ts";
import type { Identity } from "../auth/identity.ts";
import type { AskIssuerKeys } from "../auth/jwks.ts";
import { tokenProblemIn } from "../auth/token-refusals.ts";
import { EdgeLimits } from "../limits/limits.ts";
import { TOO_MANY_READS } from "../limits/turns.ts";
import { WordRules } from "../moderation/word-rules.ts";
import type { Ops } from "../ops/ops.ts";
import { createClientReader } from "../transport/client-address.ts";
import { createSecurityHeaders, createTransportSecurity } from "../transport/security-headers.ts";
import { createReader, type Reader } from "../validation.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { actorRoutes } from "./routes/actors.ts";
import { type AskActors, conversationRoutes } from "./routes/conversations.ts";
import { erasureRoutes } from "./routes/erasures.ts";
import { type EventDeps, eventRoutes } from "./routes/events.ts";
import { exportRoutes } from "./routes/exports.ts";
import { fileRoutes } from "./routes/files.ts";
import { graphRoutes } from "./routes/graph.ts";
import { hooked } from "./routes/hooked.ts";
import { membershipRoutes } from "./routes/membership.ts";
import { moderated } from "./routes/moderated.ts";
import { moderationRoutes } from "./routes/moderation.ts";
import { notificationRoutes } from "./routes/notifications.ts";
import { type HostReader, operationRoutes } from "./routes/operations.ts";
import { opsRoutes } from "./routes/ops.ts";
import { peopleRoutes } from "./routes/people.ts";
import { pictured } from "./routes/pictured.ts";
import { postRoutes } from "./routes/posts.ts";
import { prefsRoutes } from "./routes/prefs.ts";
import { type PresenceReader, presenceRoutes } from "./routes/presence.ts";
import { privacyRoutes } from "./routes/privacy.ts";
import { type PushDeps, pushRoutes } from "./routes/push.ts";
import { reactionRoutes } from "./routes/reactions.ts";
import { scheduledRoutes } from "./routes/scheduled.ts";
import { searchRoutes } from "./routes/search.ts";
import { serviceRoutes } from "./routes/services.ts";
import { threadRoutes } from "./routes/threads.ts";
import { userRoutes } from "./routes/users.ts";
import { AuditTrail } from "./server/audit.ts";
import { BadBody, BODY_BYTES_MAX, readJson } from "./server/body.ts";
import type { PlainHandlers } from "./server/call.ts";
import { type Cors, createCors } from "./server/cors.ts";
import { serveDownloads } from "./server/downloads.ts";
import { serveExports } from "./server/exports.ts";
import { addFallbacks, answerFault } from "./server/fallbacks.ts";
import { createGates, type Gates } from "./server/gates.ts";
import { serveImports } from "./server/imports.ts";
import { hasNames, type NameQueries, namedKinds, resolveNames } from "./server/named-ids.ts";
import { deploymentOf, loadPages, renewDocuments, servePages } from "./server/pages.ts";
import { servePipe } from "./server/piped-messages.ts";
import { createReplies, type Replies } from "./server/replies.ts";
import { REQUEST_ID, requestIds } from "./server/request-ids.ts";
import { serveSdk } from "./server/sdk.ts";
import { answerClientError, closeConnections, createHttpServer } from "./server/server.ts";
import { serveTus } from "./server/tus.ts";
import { serveUploads } from "./server/uploads.ts";

export interface ApiDeps {
  config: WorkerConfig;
  accounts: AccountStore;
  services: ServiceStore;
  scheduled: ScheduledStore;
  moderation: ModerationStore;
  apps: AppQueries;
  files: Files;
  /** Null: messages cannot be searched. */
  search: MessageSearch | null;
  queries: Queries & SocialQueries;
  clientPackages: ClientPackages;
  erasures: Pick<ErasureStore, "begin">;
  exports: Pick<ExportStore, "isThere">;
  /** Events for back ends, and the trial of webhooks. */
  outside: Pick<EventDeps, "events" | "webhooks" | "jobs" | "probe">;
  push: Pick<PushDeps, "devices" | "job" | "problemOf" | "publicKey">;
  /** Asked before a commit; absent: nobody is. */
  hooks?: Hooks | null;
  appKinds?: AppKinds;
  gateway: AskActors;
  presence: PresenceReader;
  revocations: Revocations;
  host: HostReader;
  ops: Ops;
  /** Why this worker cannot serve; empty when it can. */
  ready: () => string[];
  clock: Clock;
  log: Logger;
  /** Shared with the socket edge; made here where it is not given. */
  auth?: Auth;
  limits?: EdgeLimits;
  wordRules?: WordRules;
  askIssuerKeys?: AskIssuerKeys;
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
  /** The kinds of the application's actors have changed. */
  renewDocuments(): void;
  /** Lets running requests end, at most `deadlineMs`, and closes every connection. */
  close(deadlineMs?: number): Promise<void>;
}

/** In dist/, this module is src/edge/http/api.js and the pages are in src/web/. */
const WEB_ROOT = fileURLToPath(new URL("../../web/", import.meta.url));
const ENGINE_PATH = "/socket.io/";
/** Ids are at most 19 digits; a longer parameter must reach the validator to be refused. */
const PARAM_CHARS_MAX = 16_384;
const USER_AGENT_CHARS_MAX = 200;
const CLOSE_DEADLINE_MS = 5_000;

const BAD_URL = refused("invalid_payload", "The address is not valid.").error;

export async function createApi(deps: ApiDeps): Promise<Api> {
  const { config, clock, log, appKinds = new AppKinds([]) } = deps;
  const metrics = deps.metrics ?? createMetrics({ part: "edge", worker: "" });
  const limits =
    deps.limits ??
    new EdgeLimits({
      limits: config.rateLimits ? config.limits : null,
      clock,
      tally: metrics.limits,
    });
  const wordRules = deps.wordRules ?? new WordRules(deps.moderation, log);
  const auth =
    deps.auth ??
    (await createAuth({ askIssuerKeys: async () => null, ...deps, limits, wordRules }));
  const count = (route: string, status: number) => metrics.httpRequests.add(route, status);
  const everywhere = createCors(config.corsOrigin);
  /** A page elsewhere has no use for health and metrics, but could read those of an intranet. */
  const cors: Cors = (request, reply) => {
    if (/^\/(?:api|sdk|files)\//.test(request.url)) everywhere(request, reply);
  };
  const clients = createClientReader(config.trustProxy);
  const secure = createSecurityHeaders(clients);
  const head: Cors = (request, reply) => {
    secure(request.raw, (name, value) => void reply.header(name, value));
    cors(request, reply);
  };
  const replies = createReplies(
    head,
    count,
    (request, error) => {
      const { code } = error;
      const route = request.routeOptions.url ?? "";
      // Refused logins and refreshes are logged by those who refuse them.
      if ((code !== "forbidden" && code !== "unauthorized") || route.startsWith("/api/auth/")) {
        return;
      }
      auth.access.note({
        event: "access_refused",
        request_id: request.id,
        ...(request.caller !== null && { user_id: request.caller.userId }),
        address: request.address,
        act: `${request.method} ${route}`,
        reason: code,
        ...(code === "unauthorized" && tokenProblemIn(error)),
      });
    },
    deps.files.links,
  );
  let server: Server | undefined;

  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    // While it closes, what still arrives on a kept connection is answered like before.
    return503OnClosing: false,
    genReqId: requestIds(),
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    serverFactory: (handler) => {
      server = createHttpServer(byEngine(deps.engine, handler), config.basePath);
      return server;
    },
    clientErrorHandler: answerClientError,
    frameworkErrors: (_error, request, reply) => replies.refuse(request, reply, BAD_URL),
  });
  app.addHook("onRequest", (request, reply, done) => {
    reply.header(REQUEST_ID, request.id);
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    metrics.httpAnswered(request.routeOptions.url ?? "unknown", reply.elapsedTime / 1000);
    done();
  });
  app.decorateRequest("caller", null);
  app.decorateRequest("address", "");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", readJson);

  const outside = eventRoutes({ ...deps.outside, config, clock });
  const written: PlainHandlers = {
    ...outside.handlers,
    ...accountRoutes(auth, deps.accounts, deps.queries, clock),
    ...peopleRoutes(config, deps.queries),
    ...postRoutes(deps.gateway, deps.queries),
    ...graphRoutes(deps.gateway),
    ...conversationRoutes(deps.gateway, deps.queries),
    ...prefsRoutes(deps.gateway, deps.queries),
    ...privacyRoutes(deps.gateway),
    ...pushRoutes({ ...deps.push, config, jobs: deps.outside.jobs }),
    ...reactionRoutes(deps.gateway, deps.queries),
    ...threadRoutes(deps.gateway, deps.queries),
    ...fileRoutes(deps.files),
    ...searchRoutes(deps.search),
    ...membershipRoutes(deps.gateway, deps.queries, deps.clock),
    ...notificationRoutes(deps.gateway, deps.queries),
    ...presenceRoutes(deps.presence),
    ...operationRoutes({ ...deps, metrics }),
    ...opsRoutes(deps.ops),
    ...userRoutes(auth, deps.accounts, deps.queries, deps.gateway),
    ...actorRoutes(deps.gateway, appKinds, deps.apps),
    ...scheduledRoutes(deps.scheduled, deps.clock),
    ...serviceRoutes(deps.services, deps.revocations),
    ...erasureRoutes({ ...deps, auth, jobs: deps.outside.jobs }),
    ...exportRoutes({ ...deps, jobs: deps.outside.jobs, store: deps.files.store }),
    ...moderationRoutes(
      deps.moderation,
      deps.queries,
      deps.gateway,
      auth,
      wordRules,
      config.rateLimits ? (config.limits.report?.burst ?? null) : null,
    ),
  };
  const asked = hooked(pictured(written, deps.files), deps.hooks ?? null);
  const handlers = moderated(asked, wordRules);
  const isSuspended = (user: UserId) => deps.revocations.isSuspended(user);
  const gates = createGates(
    auth,
    limits,
    replies,
    clients,
    deps.queries,
    isSuspended,
    log,
    config.metricsToken,
  );
  const audit = new AuditTrail(deps.services, clock, log);
  const room = { gates, limits, replies, audit, queries: deps.queries, log };
  const ofJobs = { jobs: deps.outside.jobs, store: deps.files.store, ...room, clock };
  const served = (Object.keys(ROUTES) as RouteName[]).filter(
    (name) => name !== "metrics" || config.metricsPort === null,
  );
  for (const name of served) {
    if (name === "uploadFile") serveUploads(app, { config, files: deps.files, ...room, clock });
    else if (name === "getExport") serveExports(app, { ...ofJobs, head, count });
    else if (name === "startImport") {
      serveImports(app, { ...ofJobs, bytesMax: config.importBytesMax });
    } else if (name === "streamMessage" || name === "pipeMessage") {
      servePipe(app, name, { gateway: deps.gateway, clock, ...room });
    } else addRoute(app, name, handlers[name] as AnyHandler, room);
  }
  const webRoot = deps.webRoot ?? WEB_ROOT;
  const deployment = deploymentOf(config, appKinds);
  const pages = loadPages(webRoot, deployment);
  const transport = createTransportSecurity(clients);
  servePages(app, pages, everywhere, transport, count);
  const sdk = serveSdk(app, {
    packages: deps.clientPackages,
    version: packageVersion(),
    webRoot,
    gates,
    replies,
    head,
    count,
  });
  const { basePath } = config;
  const tus = serveTus(app, { config, basePath, files: deps.files, ...room, head, count, clock });
  const files = serveDownloads(app, {
    files: deps.files,
    gate: gates.file,
    replies,
    head,
    count,
    clock,
    log,
  });
  addFallbacks(app, replies, log, [
    ...served.map((name) => ROUTES[name]),
    ...tus,
    ...[...pages.map(({ path }) => path), ...sdk, ...files].map((path) => ({
      method: "GET",
      path,
    })),
  ]);

  await app.ready();
  if (server === undefined) throw new Error("fastify made no server");
  const listener = server;
  return {
    server: listener,
    auth,
    renewDocuments: () => renewDocuments(pages, deployment),
    async close(deadlineMs = CLOSE_DEADLINE_MS) {
      outside.pulls.close();
      // Fastify then says `connection: close` with every answer.
      await app.close();
      await closeConnections(listener, deadlineMs);
      await audit.close();
    },
  };
}

/** Handlers as the router sees them; `Handlers` has checked each against its route. */
type AnyHandler = (call: {
  params: unknown;
  query: unknown;
  body: unknown;
  caller: Identity | null;
  address: string;
  userAgent: string | null;
}) => Promise<Result<{ status: number; body: unknown }>>;

type AnyCost = (call: { query: unknown; body: unknown; caller: string }) => Units;

/** The services that every route uses. */
interface Room {
  gates: Gates;
  limits: EdgeLimits;
  replies: Replies;
  audit: AuditTrail;
  queries: NameQueries;
  log: Logger;
}

function addRoute(app: FastifyInstance, name: RouteName, handler: AnyHandler, room: Room): void {
  const { gates, limits, replies, audit, queries, log } = room;
  const spec: RouteSpec = ROUTES[name];
  const kinds = namedKinds(spec.path);
  const isChange = spec.method !== "GET";
  const isApi = spec.path.startsWith("/api/");
  const readParams = spec.params === undefined ? null : createReader("path", spec.params);
  const readBody = spec.body === undefined ? null : createReader("body", spec.body);
  // Monitoring may add what it likes to the addresses of operations.
  const readQuery = isApi ? queryReader(spec) : null;

  function input(request: FastifyRequest): ErrorObject | null {
    if (request.body instanceof BadBody) return request.body.error;
    if (spec.bodyOptional) request.body ??= {};
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

  const costOf = COST_OF_ROUTE[name] as AnyCost;
  const isPage = spec.query !== undefined && "limit" in spec.query.properties;

  /** Charges the cost of the call beyond its first unit, which the gate has taken. Null: allowed. */
  function costs(
    caller: Identity | null,
    query: unknown,
    body: unknown,
    address: string,
  ): ErrorObject | null {
    if (caller !== null && caller.service !== null) return null;
    const payer = caller?.userId ?? address;
    return limits.callCosts(payer, costOf({ query, body, caller: payer }), address);
  }

  app.route({
    method: spec.method,
    url: spec.path,
    config: spec.bodyBytesMax === undefined ? {} : { bodyBytesMax: spec.bodyBytesMax },
    onRequest: spec.token
      ? gates.token(ACT_OF_ROUTE[name])
      : isApi
        ? gates.account
        : name === "metrics"
          ? gates.metrics
          : gates.operation,
    handler(request, reply) {
      const params = request.params as Record<string, unknown>;
      if (request.caller === null || kinds.size === 0 || !hasNames(params)) {
        proceed(request, reply);
        return;
      }
      resolveNames(params, kinds, request.caller, queries).then(
        (resolved) => {
          if (resolved.ok) proceed(request, reply);
          else replies.refuse(request, reply, resolved.error);
        },
        (fault: unknown) => answerFault(request, reply, fault, replies, log),
      );
    },
  });

  function proceed(request: FastifyRequest, reply: FastifyReply): void {
    if (spec.isBodyOptional === true) request.body ??= {};
    const refusal = input(request);
    if (refusal !== null) {
      if (request.body instanceof BadBody && request.body.unread) {
        reply.header("connection", "close");
      }
      replies.refuse(request, reply, refusal);
      return;
    }
    const { params, query, body, caller, address } = request;
    const limited = costs(caller, query, body, address);
    if (limited !== null) {
      replies.refuse(request, reply, limited);
      return;
    }
    const userAgent = request.headers["user-agent"]?.slice(0, USER_AGENT_CHARS_MAX) ?? null;
    const call = { params, query, body, caller, address, userAgent };
    const payer = caller === null || caller.service !== null ? null : caller.userId;
    const answer =
      isPage && payer !== null ? limits.pages.run(payer, () => handler(call)) : handler(call);
    if (answer === null) {
      replies.refuse(request, reply, TOO_MANY_READS);
      return;
    }
    answer.then(
      async (result) => {
        if (isChange && result.ok && caller !== null && caller.service !== null) {
          const answer = result.value.body;
          await audit.note(caller, { name, path: spec.path, params, query, body, answer });
        }
        if (!result.ok) replies.refuse(request, reply, result.error);
        else if (typeof spec.answers[result.value.status] === "string") {
          replies.sendText(request, reply, METRICS_CONTENT_TYPE, String(result.value.body));
        } else replies.send(request, reply, result.value.status, result.value.body);
      },
      (fault: unknown) => answerFault(request, reply, fault, replies, log),
    );
  }
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
