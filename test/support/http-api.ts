/**
 * The HTTP API over a real loopback port, the way a worker has it: a front door accepts,
 * reads the first bytes, and emits the connection on the API's server. Storage is
 * the memory twin; actors are a stand-in that remembers what it was asked.
 */
import { createServer, type Server, type Socket } from "node:net";
import pino from "pino";
import { systemClock } from "../../src/base/clock.ts";
import type { WorkerConfig } from "../../src/config/config.ts";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import { readPush } from "../../src/config/push-keys.ts";
import { type Api, type ApiDeps, createApi } from "../../src/edge/http/api.ts";
import { REFUSALS, type Result, refused } from "../../src/protocol/errors.ts";
import { PRIVACY_DEFAULTS } from "../../src/protocol/privacy.ts";
import { NoFiles } from "../../src/storage/files/missing.ts";
import { createMemoryStorage, type MemoryStorage } from "../../src/storage/memory/ports.ts";
import { seeAnswer, takeBreaches } from "./conformity.ts";

export const CONFIG: WorkerConfig = {
  port: 0,
  host: "127.0.0.1",
  workers: 1,
  dataDir: "/nowhere",
  databaseUrl: "postgres://nowhere/none",
  databaseDirectUrl: null,
  databasePooling: "none",
  redisUrl: null,
  jwtSecret: "a secret of the tests, long enough for HS256",
  jwtIssuer: "troupe",
  jwtAudience: "troupe",
  jwtJwksUrl: null,
  serviceSubjects: [],
  auditRetentionDays: 365,
  retentionDays: null,
  importBytesMax: 1_000_000,
  privacyDefaults: PRIVACY_DEFAULTS,
  jobs: true,
  events: "auto",
  eventsRetentionDays: 7,
  unreadAfterS: 900,
  webhookAllowPrivate: [],
  hookUrl: null,
  hookSecret: null,
  hookEvents: ["message.send", "message.edit"],
  hookTimeoutMs: 1500,
  hookOnFailure: "refuse",
  ...readPush((_key, unset) => unset),
  fileBytesMax: 104_857_600,
  fileTypes: null,
  fileHookUrl: null,
  fileStore: null,
  fileQuotaBytes: 5_368_709_120,
  fileUrlTtlS: 3600,
  tokenMaxAgeS: 86_400,
  accessTokenTtlS: 900,
  refreshTokenTtlS: 3600,
  registration: true,
  messageSearch: true,
  directory: "shared",
  presenceGraceMs: 5000,
  rateLimits: true,
  limits: DEFAULT_LIMITS,
  tlsCert: null,
  tlsKey: null,
  trustProxy: false,
  basePath: "",
  hostId: null,
  drainDelayMs: 0,
  metricsPort: null,
  metricsToken: null,
  connectionRatePerS: 100,
  connectionBurst: 1000,
  pendingConnectionsMax: 500,
  connectionsPerAddressMax: 2000,
  sessionsPerUserMax: 50,
  corsOrigin: null,
  actorsDir: null,
  actorsMemoryMb: 256,
  logLevel: "silent",
};

export interface Asked {
  kind: string;
  id: string;
  op: string;
  body: Record<string, unknown>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  body: Json;
}
// JSON of an answer, as tests look into it.
type Json = ReturnType<typeof JSON.parse>;

export interface HttpApi {
  api: Api;
  url: string;
  port: number;
  asked: Asked[];
  revoked: Set<string>;
  /** What the next asks are answered, by op. */
  answers: Map<string, Result<unknown>>;
  storage: MemoryStorage;
  call(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** Registers a user; answers its tokens. */
  joins(username: string): Promise<{ id: string; access: string; refresh: string }>;
  stop(): Promise<void>;
}

/** The storage of events, out of reach. */
function noEvents(): ApiDeps["outside"] {
  const away = () => Promise.reject(new Error("there are no events here"));
  const all = new Proxy({}, { get: () => away });
  return { events: all, webhooks: all, jobs: all, probe: all } as ApiDeps["outside"];
}

/** Nothing of files without a database. */
const NO_FILES = {
  store: new NoFiles(),
  links: { mark: () => "", in: (text: string) => text, goodForS: () => 0 },
  table: { fileFor: async () => null, ofConversation: async () => null },
  retire: async () => true,
} as unknown as ApiDeps["files"];

const NO_PUSH: ApiDeps["push"] = {
  devices: new Proxy({} as ApiDeps["push"]["devices"], {
    get: () => () => Promise.reject(new Error("nothing is pushed here")),
  }),
  job: { kind: "none", key: "none" },
  problemOf: () => Promise.resolve(null),
  publicKey: () => Promise.reject(new Error("nothing is pushed here")),
};

export async function startHttpApi(
  config: Partial<WorkerConfig> = {},
  overrides: Partial<ApiDeps> = {},
): Promise<HttpApi> {
  const asked: Asked[] = [];
  const answers = new Map<string, Result<unknown>>();
  const revoked = new Set<string>();
  const suspended = new Set<string>();
  const cuts = new Map<string, number>();
  const storage = createMemoryStorage();
  const gateway = {
    ask(kind: string, id: string, op: string, body: unknown) {
      asked.push({ kind, id, op, body: body as Record<string, unknown> });
      return Promise.resolve(answers.get(op) ?? refused("not_found", "No such conversation."));
    },
  } as unknown as ApiDeps["gateway"];

  const api = await createApi({
    config: { ...CONFIG, ...config },
    accounts: storage.accounts,
    services: storage.services,
    scheduled: storage.scheduled,
    moderation: storage.moderation,
    apps: storage.apps,
    files: NO_FILES,
    search: null,
    queries: storage.queries,
    clientPackages: storage.clientPackages,
    // These tests have no database.
    outside: noEvents(),
    push: NO_PUSH,
    exports: { isThere: () => Promise.resolve(false) },
    erasures: { begin: () => Promise.reject(new Error("nobody is erased here")) },
    gateway,
    presence: {
      statuses: (_viewer, ids) =>
        Promise.resolve(
          ids.map((id) => ({ user_id: id, status: "offline" as const, last_seen_at: null })),
        ),
    },
    revocations: {
      isRevoked: (family) => revoked.has(family),
      revoke: (family) => void revoked.add(family),
      isSuspended: (user) => suspended.has(user),
      suspend: (user, isSuspended) =>
        void (isSuspended ? suspended.add(user) : suspended.delete(user)),
      cutOf: (user) => cuts.get(user) ?? null,
      cut: (user, atMs) => void cuts.set(user, atMs),
      isTokenEnded: (jti) => revoked.has(jti),
      endToken: (jti) => void revoked.add(jti),
    },
    host: {
      health: () =>
        Promise.resolve({
          workers: 1,
          workersOnline: 1,
          relay: "none",
          degraded: [],
          draining: false,
        }),
      metrics: async () => ({ registries: [] }),
    },
    // One worker alone has no cluster to ask: operators' routes are held by ops.test.ts.
    ops: new Proxy({} as ApiDeps["ops"], { get: () => async () => REFUSALS.unavailable }),
    ready: () => [],
    clock: systemClock,
    log: pino({ level: "silent" }),
    ...overrides,
  });
  const door = await openDoor(api);
  const address = door.server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;

  const call: HttpApi["call"] = async (method, path, options = {}) => {
    const headers: Record<string, string> = { ...options.headers };
    if (options.token !== undefined) headers["authorization"] = `Bearer ${options.token}`;
    const init: RequestInit = { method, headers };
    if (options.body !== undefined) {
      headers["content-type"] ??= "application/json";
      init.body = typeof options.body === "string" ? options.body : JSON.stringify(options.body);
    }
    const answer = await fetch(url + path, init);
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.includes("json") === true;
    const body = isJson && text !== "" ? JSON.parse(text) : undefined;
    const contentType = answer.headers.get("content-type") ?? undefined;
    seeAnswer({ method, path, status: answer.status, contentType, body: body ?? null });
    return { status: answer.status, headers: answer.headers, text, body };
  };

  return {
    api,
    url,
    port: address.port,
    asked,
    revoked,
    answers,
    storage,
    call,
    async joins(username) {
      const body = { username, password: "correct horse" };
      const answer = await call("POST", "/api/auth/register", { body });
      if (answer.status !== 201) throw new Error(`register answered ${answer.text}`);
      const { user, access_token, refresh_token } = answer.body;
      return { id: user.id, access: access_token, refresh: refresh_token };
    },
    async stop() {
      await door.close();
      await api.close(500);
      const breaches = takeBreaches();
      if (breaches.length > 0) throw new Error(`against the contract:\n${breaches.join("\n")}`);
    },
  };
}

/** Accepts, waits for the first bytes, and hands over with them put back. */
async function openDoor(api: Api): Promise<{ server: Server; close(): Promise<void> }> {
  const waiting = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    waiting.add(socket);
    socket.once("close", () => waiting.delete(socket));
    socket.once("data", (head: Buffer) => {
      waiting.delete(socket);
      socket.pause();
      api.server.emit("connection", socket);
      socket.unshift(head);
      socket.resume();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        for (const socket of waiting) socket.destroy();
        // Handed-over connections belong to the API, which closes them.
        server.close();
        resolve();
      }),
  };
}
