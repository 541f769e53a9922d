/**
 * The HTTP API over a real loopback port, the way a worker has it: a front door accepts,
 * reads the first bytes, and emits the connection on the API's server. Storage and actors are
 * small stand-ins that remember what they were asked.
 */
import { createServer, type Server, type Socket } from "node:net";
import pino from "pino";
import { systemClock } from "../../src/clock.ts";
import type { WorkerConfig } from "../../src/config.ts";
import { type Api, type ApiDeps, createApi } from "../../src/edge/http/api.ts";
import type { AccountStore, Queries } from "../../src/ports.ts";
import { ok, type Result, refused } from "../../src/protocol/errors.ts";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";
import type { User } from "../../src/protocol/schemas.ts";

export const CONFIG: WorkerConfig = {
  port: 0,
  host: "127.0.0.1",
  workers: 1,
  dataDir: "/nowhere",
  databaseUrl: "postgres://nowhere/none",
  redisUrl: null,
  jwtSecret: "a secret of the tests, long enough for HS256",
  jwtIssuer: "troupe",
  jwtAudience: "troupe",
  jwtJwksUrl: null,
  accessTokenTtlS: 900,
  refreshTokenTtlS: 3600,
  presenceGraceMs: 5000,
  rateLimits: true,
  tlsCert: null,
  tlsKey: null,
  trustProxy: false,
  corsOrigin: null,
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
  accounts: MemoryAccounts;
  queries: Queries;
  call(
    method: string,
    path: string,
    options?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer>;
  /** Registers a user; answers its tokens. */
  joins(username: string): Promise<{ id: string; access: string; refresh: string }>;
  stop(): Promise<void>;
}

export async function startHttpApi(
  config: Partial<WorkerConfig> = {},
  overrides: Partial<ApiDeps> = {},
): Promise<HttpApi> {
  const asked: Asked[] = [];
  const answers = new Map<string, Result<unknown>>();
  const revoked = new Set<string>();
  const accounts = new MemoryAccounts();
  const queries = overrides.queries ?? memoryQueries(accounts);
  const gateway = {
    ask(kind: string, id: string, op: string, body: unknown) {
      asked.push({ kind, id, op, body: body as Record<string, unknown> });
      return Promise.resolve(answers.get(op) ?? refused("not_found", "No such conversation."));
    },
  } as unknown as ApiDeps["gateway"];

  const api = await createApi({
    config: { ...CONFIG, ...config },
    accounts,
    gateway,
    presence: {
      statuses: (ids) =>
        Promise.resolve(
          ids.map((id) => ({ user_id: id, status: "offline" as const, last_seen_at: null })),
        ),
    },
    revocations: {
      isRevoked: (family) => revoked.has(family),
      revoke: (family) => void revoked.add(family),
    },
    host: {
      health: () =>
        Promise.resolve({ workers: 1, workersOnline: 1, relay: "none", draining: false }),
      metrics: async () => ({ registries: [] }),
    },
    ready: () => [],
    clock: systemClock,
    log: pino({ level: "silent" }),
    ...overrides,
    queries,
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
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: isJson && text !== "" ? JSON.parse(text) : undefined,
    };
  };

  return {
    api,
    url,
    port: address.port,
    asked,
    revoked,
    answers,
    accounts,
    queries,
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

interface Family {
  id: FamilyId;
  userId: UserId;
  current: string;
  spent: Set<string>;
  revoked: boolean;
}

export class MemoryAccounts implements AccountStore {
  readonly users = new Map<string, { user: User; passwordHash: string | null }>();
  readonly families: Family[] = [];
  suspended = new Set<string>();
  away = false;

  async register(username: string, displayName: string, passwordHash: string) {
    if (this.away) throw new Error("ECONNREFUSED");
    for (const { user } of this.users.values()) {
      if (user.username === username) return refused("conflict", "This username is taken.");
    }
    return ok(this.#add(username, displayName, passwordHash));
  }

  async byUsername(username: string) {
    for (const { user, passwordHash } of this.users.values()) {
      if (user.username === username) {
        return { user, passwordHash, suspended: this.suspended.has(user.id) };
      }
    }
    return null;
  }

  async byId(id: UserId) {
    return this.users.get(id)?.user ?? null;
  }

  async bySubject(_issuer: string, subject: string) {
    for (const { user } of this.users.values()) if (user.username === subject) return user;
    return this.#add(subject, subject, null);
  }

  async rename(id: UserId, displayName: string) {
    const held = this.users.get(id);
    if (held === undefined) return refused("not_found", "No such user.");
    held.user = { ...held.user, display_name: displayName };
    return ok(held.user);
  }

  async startFamily(userId: UserId, tokenHash: string) {
    const id = String(this.families.length + 1) as FamilyId;
    this.families.push({ id, userId, current: tokenHash, spent: new Set(), revoked: false });
    return id;
  }

  async rotate(tokenHash: string, nextHash: string) {
    for (const family of this.families) {
      if (family.spent.has(tokenHash)) {
        family.revoked = true;
        return { outcome: "reused" as const, family: family.id, userId: family.userId };
      }
      if (family.current !== tokenHash || family.revoked) continue;
      family.spent.add(tokenHash);
      family.current = nextHash;
      const user = this.users.get(family.userId)!.user;
      return { outcome: "rotated" as const, grant: { user, family: family.id } };
    }
    return { outcome: "unknown" as const };
  }

  async revokeByToken(tokenHash: string) {
    for (const family of this.families) {
      if (family.current !== tokenHash) continue;
      family.revoked = true;
      return { family: family.id, userId: family.userId };
    }
    return null;
  }

  async revokedSince() {
    return this.families.filter((family) => family.revoked).map((family) => family.id);
  }

  #add(username: string, displayName: string, passwordHash: string | null): User {
    const user = {
      id: String(this.users.size + 1),
      username,
      display_name: displayName,
      created_at: "2026-01-01T00:00:00.000Z",
    };
    this.users.set(user.id, { user, passwordHash });
    return user;
  }
}

export function memoryQueries(accounts: MemoryAccounts): Queries {
  const unused = () => Promise.reject(new Error("not part of the HTTP side"));
  return {
    openSession: unused,
    revs: unused,
    changes: unused,
    sync: unused,
    lastSeen: unused,
    conversation: () => Promise.resolve(null),
    conversations: (_reader, _limit, cursor) =>
      Promise.resolve(cursor === "bad" ? undefined : { items: [], next_cursor: null }),
    history: () => Promise.resolve(null),
    user: (id) => accounts.byId(id),
    userByName: async (username) => (await accounts.byUsername(username))?.user ?? null,
    ping: () => Promise.resolve(),
  };
}
