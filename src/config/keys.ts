/**
 * Every configuration variable: what it means, its unit and default, what goes wrong when it
 * is too small or too large, and how its text is read. `loadConfig` reads by this table and
 * the documentation is made from it.
 */
import { accessSync, constants } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { fileTrouble } from "../base/errors.ts";
import { EVENT_KEYS } from "./event-keys.ts";
import { FILE_KEYS } from "./file-keys.ts";
import { FILE_STORE_KEYS } from "./file-store-keys.ts";
import { JWT_SECRET_BYTES_MIN } from "./jwt-secrets.ts";
import type { ConfigKey, Read } from "./key.ts";
import { LIMIT_KEYS } from "./limit-keys.ts";
import { parseOrigin } from "./origins.ts";
import { PRIVACY_KEY } from "./privacy-key.ts";
import { type ProxyTrust, parseProxyTrust } from "./proxy-trust.ts";
import { PUSH_KEYS } from "./push-keys.ts";
import { integer, onOff, right, url, wrong } from "./readers.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const HOST_NAME = /^[A-Za-z0-9._:%-]{1,255}$/;
const HOST_ID = /^[A-Za-z0-9._:-]{1,64}$/;
const BASE_PATH = /^(?:\/[A-Za-z0-9._~-]+)+$/;
const METRICS_TOKEN = /^[\w\-.~+/]{16,510}={0,2}$/;
export const DIRECTORIES = ["shared", "open", "off"] as const;
/** The users that a search finds. */
export type Directory = (typeof DIRECTORIES)[number];
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];
export const WORKERS_MAX = 256;

function jwksUrl(text: string): Read<string> {
  if (!text.startsWith("file:")) {
    // Over plain HTTP, anybody on the way could replace the keys and then sign tokens for any user.
    const isOnThisMachine = URL.canParse(text) && LOOPBACK.test(new URL(text).hostname);
    return isOnThisMachine ? url("https:", "http:")(text) : url("https:")(text);
  }
  try {
    const path = fileURLToPath(text);
    accessSync(path, constants.R_OK);
    return right(text);
  } catch (error) {
    // It is not a path, or the file cannot be read.
    return { ok: false, found: `"${text}": ${fileTrouble(error)}` };
  }
}

/** Subjects as OpenID Connect has them; those with a comma cannot be named. */
function subjects(text: string): Read<string[]> {
  const list = text.split(",").map((one) => one.trim());
  const bad = list.find((one) => !/^[\x21-\x7e]{1,255}$/.test(one));
  return bad === undefined ? right(list) : { ok: false, found: `"${bad}"` };
}

function origins(text: string): Read<string[] | null> {
  if (text === "*") return right(null);
  const list = text.split(",").map((one) => one.trim());
  const origins: string[] = [];
  for (const one of list) {
    const origin = parseOrigin(one);
    if (origin === null) return { ok: false, found: `"${one}"` };
    origins.push(origin);
  }
  return right(origins);
}

export const CONFIG_KEYS = {
  port: {
    name: "PORT",
    meaning: "TCP port for HTTP and WebSocket",
    unit: "",
    default: "3000",
    wants: "a whole number from 0 to 65535 (0: any free port)",
    tooSmall: "below 1024 needs a privilege on most systems",
    read: integer(0, 65_535),
  },
  host: {
    name: "HOST",
    meaning: "address or name of the interface to listen on",
    unit: "",
    default: "0.0.0.0",
    wants: "an IP address or a host name, such as 0.0.0.0, 127.0.0.1 or ::",
    read: (text: string) => (HOST_NAME.test(text) ? right(text) : wrong),
  },
  workers: {
    name: "WORKERS",
    meaning: "edge processes, each with a thread for its actors",
    unit: "processes",
    default: "number of cores",
    wants: `a whole number from 1 to ${WORKERS_MAX}`,
    tooSmall: "cores stay idle, and a dead worker takes more sessions with it",
    tooLarge: "each takes about 100 MB and 20 database connections",
    read: integer(1, WORKERS_MAX),
  },
  dataDir: {
    name: "DATA_DIR",
    meaning: "directory of the embedded PostgreSQL and the generated secret",
    unit: "",
    default: ".data",
    wants: "a path",
    read: (text: string) => (text.includes("\0") ? wrong : right(resolve(text))),
  },
  databaseUrl: {
    name: "DATABASE_URL",
    meaning: "PostgreSQL to use instead of the embedded one",
    unit: "",
    default: "",
    wants: "a URL like postgres://user:password@host:5432/database",
    secret: true,
    read: url("postgres:", "postgresql:"),
  },
  databaseDirectUrl: {
    name: "DATABASE_DIRECT_URL",
    meaning:
      "PostgreSQL itself, where DATABASE_URL leads to a pooler in transaction mode: for migrations, LISTEN and locks",
    unit: "",
    default: "",
    wants: "a URL like postgres://user:password@host:5432/database",
    secret: true,
    read: url("postgres:", "postgresql:"),
  },
  redisUrl: {
    name: "REDIS_URL",
    meaning: "Redis that joins several hosts into one cluster",
    unit: "",
    default: "",
    wants: "a URL like redis://host:6379 or rediss://user:password@host:6380",
    secret: true,
    read: url("redis:", "rediss:"),
  },
  jwtSecret: {
    name: "JWT_SECRET",
    meaning:
      "HS256 secret that signs and checks access tokens, the same on every host; or several with commas, newest first: the first signs, all check",
    unit: "bytes",
    default: "generated into DATA_DIR",
    wants: `at least ${JWT_SECRET_BYTES_MIN} bytes (\`openssl rand -hex 32\` makes a good one)`,
    tooSmall: "can be guessed from one token, and then anyone can sign in as anyone",
    secret: true,
    read: (text: string): Read<string> => {
      const bytes = Buffer.byteLength(text);
      return bytes >= JWT_SECRET_BYTES_MIN
        ? right(text)
        : { ok: false, found: bytes === 1 ? "1 byte" : `${bytes} bytes` };
    },
  },
  jwtIssuer: {
    name: "JWT_ISSUER",
    meaning: "`iss` that tokens must carry",
    unit: "",
    default: "troupe",
    wants: "a text",
    read: right<string>,
  },
  jwtAudience: {
    name: "JWT_AUDIENCE",
    meaning: "`aud` that tokens must carry",
    unit: "",
    default: "troupe",
    wants: "a text",
    read: right<string>,
  },
  jwtJwksUrl: {
    name: "JWT_JWKS_URL",
    meaning: "where an outside issuer's keys (JWKS) are; its tokens replace Troupe's own",
    unit: "",
    default: "",
    wants: "an https URL (http on this machine only), or file:///path of a readable file",
    read: jwksUrl,
  },
  serviceSubjects: {
    name: "SERVICE_SUBJECTS",
    meaning:
      "`sub` of the outside issuer's programs: their tokens are service tokens, with the scopes that `troupe:<scope>` names",
    unit: "",
    default: "",
    wants: "a comma list of subjects",
    tooLarge: "who is named here is no user, and does what the issuer's scopes let them",
    read: subjects,
  },
  tokenMaxAgeS: {
    name: "TOKEN_MAX_AGE_S",
    meaning: "how long a token of the outside issuer is good at most, whatever its `exp` says",
    unit: "seconds",
    default: "86400",
    wants: "a whole number from 60 to 31536000",
    tooSmall: "clients must fetch tokens again and again",
    tooLarge: "a stolen token is good for that long",
    read: integer(60, 31_536_000),
  },
  accessTokenTtlS: {
    name: "ACCESS_TOKEN_TTL_S",
    meaning: "life of an access token, and of a session that does not refresh it",
    unit: "seconds",
    default: "900",
    wants: "a whole number from 1 to 2592000",
    tooSmall: "clients refresh all the time, and each refresh is a database write",
    tooLarge: "a stolen token is good for that long",
    read: integer(1, 2_592_000),
  },
  refreshTokenTtlS: {
    name: "REFRESH_TOKEN_TTL_S",
    meaning: "how long a login lasts without being used",
    unit: "seconds",
    default: "2592000",
    wants: "a whole number from 1 to 315360000",
    tooSmall: "people must log in again and again",
    tooLarge: "a lost device stays logged in, and spent families pile up in the database",
    read: integer(1, 315_360_000),
  },
  auditRetentionDays: {
    name: "AUDIT_RETENTION_DAYS",
    meaning: "how long the log of what services, moderators and operators changed is kept",
    unit: "days",
    default: "365",
    wants: "a whole number from 1 to 36500",
    tooSmall: "who changed what cannot be found out later",
    tooLarge: "the table grows: about 200 bytes a row",
    read: integer(1, 36_500),
  },
  retentionDays: {
    name: "RETENTION_DAYS",
    meaning:
      "how long messages are kept at most, in all conversations; a conversation's own `retention_s` may be shorter",
    unit: "days",
    default: "",
    wants: "a whole number from 1 to 36500; empty: for ever",
    tooSmall: "messages that somebody still needs are gone from every conversation, for good",
    read: integer(1, 36_500),
  },
  registration: {
    name: "REGISTRATION",
    meaning: "whether anybody may make an account with `POST /api/auth/register`",
    unit: "",
    default: "on",
    wants: "on or off",
    read: onOff,
  },
  messageSearch: {
    name: "SEARCH",
    meaning: "whether messages can be searched; off neither feeds nor asks the index",
    unit: "",
    default: "on",
    wants: "on or off",
    read: onOff,
  },
  directory: {
    name: "DIRECTORY",
    meaning:
      "whom `GET /api/users/search` finds: shared (those with whom one shares a conversation or whom one follows), open (everybody) or off",
    unit: "",
    default: "shared",
    wants: "shared, open or off",
    tooLarge: "open lets anybody with an account list names",
    read: (text: string): Read<Directory> => {
      const word = DIRECTORIES.find((one) => one === text.toLowerCase());
      return word === undefined ? wrong : right(word);
    },
  },
  presenceGraceMs: {
    name: "PRESENCE_GRACE_MS",
    meaning: "how long a user without sessions still counts as online",
    unit: "milliseconds",
    default: "5000",
    wants: "a whole number from 0 to 600000",
    tooSmall: "every change of network and every reload shows offline and online again",
    tooLarge: "who has left is shown as online for that long",
    read: integer(0, 600_000),
  },
  rateLimits: {
    name: "RATE_LIMITS",
    meaning: "all limits below, on or off at once; off only for load tests",
    unit: "",
    default: "on",
    wants: "on or off",
    read: onOff,
  },
  privacyDefaults: PRIVACY_KEY,
  ...EVENT_KEYS,
  ...PUSH_KEYS,
  ...FILE_KEYS,
  ...FILE_STORE_KEYS,
  ...LIMIT_KEYS,
  tlsCert: {
    name: "TLS_CERT",
    meaning: "PEM file with the certificate chain; turns TLS on, with TLS_KEY",
    unit: "",
    default: "",
    wants: "the path of a readable PEM file, together with TLS_KEY",
    read: (text: string) => right(resolve(text)),
  },
  tlsKey: {
    name: "TLS_KEY",
    meaning: "PEM file with the private key of TLS_CERT",
    unit: "",
    default: "",
    wants: "the path of a readable PEM file, together with TLS_CERT",
    read: (text: string) => right(resolve(text)),
  },
  trustProxy: {
    name: "TRUST_PROXY",
    meaning: "proxies whose X-Forwarded-For and X-Forwarded-Proto are believed",
    unit: "",
    default: "off",
    wants:
      "off, how many proxies stand in front (on: 1), or a comma list of their addresses and networks such as 10.0.0.0/8,::1",
    tooSmall: "with fewer than there are, all clients behind the first proxies count as one",
    tooLarge: "with more than there are, clients write the address that they count as",
    read: (text: string): Read<ProxyTrust> => {
      const trust = parseProxyTrust(text);
      return trust === null ? wrong : right(trust);
    },
  },
  basePath: {
    name: "BASE_PATH",
    meaning: "path prefix under which a proxy publishes Troupe, its page and its Socket.IO path",
    unit: "",
    default: "",
    wants: "a path such as /chat, without a slash at its end",
    read: (text: string) => (BASE_PATH.test(text) && text.length <= 200 ? right(text) : wrong),
  },
  hostId: {
    name: "HOST_ID",
    meaning: "this host's name among the hosts of its cluster, the same after a restart",
    unit: "",
    default: "the machine's name and PORT",
    wants: "1 to 64 letters, digits and ._:-",
    read: (text: string) => (HOST_ID.test(text) ? right(text) : wrong),
  },
  drainDelayMs: {
    name: "DRAIN_DELAY_MS",
    meaning: "how long `/readyz` answers 503 after SIGTERM before sessions are sent elsewhere",
    unit: "milliseconds",
    default: "0",
    wants: "a whole number from 0 to 600000",
    tooSmall: "a balancer that has not looked yet sends new clients to a closed port",
    tooLarge: "a stop takes that much longer, and may be cut short by whoever asked for it",
    read: integer(0, 600_000),
  },
  metricsPort: {
    name: "METRICS_PORT",
    meaning: "TCP port for `/metrics` alone, which PORT does not answer then",
    unit: "",
    default: "",
    wants: "a whole number from 1 to 65535, other than PORT",
    read: integer(1, 65_535),
  },
  metricsToken: {
    name: "METRICS_TOKEN",
    meaning: "bearer token that `/metrics` wants",
    unit: "characters",
    default: "",
    wants: "16 to 512 characters of letters, digits and -._~+/=",
    tooSmall: "can be guessed",
    secret: true,
    read: (text: string): Read<string> =>
      METRICS_TOKEN.test(text) ? right(text) : { ok: false, found: "another value" },
  },
  connectionRatePerS: {
    name: "CONNECTION_RATE_PER_S",
    meaning: "new connections that one address (IPv6: one /64) may go on making",
    unit: "per second",
    default: "100",
    wants: "a whole number from 1 to 100000",
    tooSmall: "an office behind one address takes long to come back after a deploy",
    tooLarge:
      "one address can keep a core busy with connections (about 0.3 ms each, more with TLS)",
    read: integer(1, 100_000),
  },
  connectionBurst: {
    name: "CONNECTION_BURST",
    meaning: "new connections that one address may make at once, before its rate counts",
    unit: "connections",
    default: "1000",
    wants: "a whole number from 1 to 1000000",
    tooSmall: "people behind one address are refused, and try again, when they all reconnect",
    tooLarge: "a flood from one address is felt for a moment before it is cut",
    read: integer(1, 1_000_000),
  },
  pendingConnectionsMax: {
    name: "PENDING_CONNECTIONS_MAX",
    meaning: "connections of one address that have not yet sent a whole request head",
    unit: "connections",
    default: "500",
    wants: "a whole number from 1 to 100000",
    tooSmall: "a crowd behind one address that connects at the same moment is refused in part",
    tooLarge: "silent connections of one address take memory (about 10 KB each, 40 KB with TLS)",
    read: integer(1, 100_000),
  },
  connectionsPerAddressMax: {
    name: "CONNECTIONS_PER_ADDRESS_MAX",
    meaning: "open connections of one address (IPv6: one /64) on one host, RATE_LIMITS or not",
    unit: "connections",
    default: "2000",
    wants: "a whole number from 1 to 10000000",
    tooSmall:
      "people behind one address, or behind a proxy that TRUST_PROXY does not name, are refused",
    tooLarge: "one address can hold the memory of many idle connections (about 20 KB each)",
    read: integer(1, 10_000_000),
  },
  sessionsPerUserMax: {
    name: "SESSIONS_PER_USER_MAX",
    meaning: "sessions of one user over all workers and hosts; one more ends the oldest",
    unit: "sessions",
    default: "50",
    wants: "a whole number from 1 to 1000000",
    tooSmall: "somebody with many tabs and devices loses the oldest again and again",
    tooLarge: "one account can take the memory of that many sessions",
    read: integer(1, 1_000_000),
  },
  corsOrigin: {
    name: "CORS_ORIGIN",
    meaning: "web origins that browsers may call from",
    unit: "",
    default: "*",
    wants:
      "* or a comma list of origins like https://app.example.com or, for all its subdomains, https://*.example.com (no path, no final slash)",
    read: origins,
  },
  actorsDir: {
    name: "ACTORS_DIR",
    meaning:
      "folder of the application's own files that run in the server: `*.actor.ts`, `*.namespace.ts`",
    unit: "",
    default: "",
    wants: "a path",
    read: (text: string) => (text.includes("\0") ? wrong : right(resolve(text))),
  },
  actorsMemoryMb: {
    name: "ACTORS_MEMORY_MB",
    meaning: "memory of each thread that runs the application's actors",
    unit: "MiB",
    default: "256",
    wants: "a whole number from 16 to 65536",
    tooSmall: "the thread ends in the middle of its work, and begins it again",
    tooLarge: "a mistake in an actor can take the host's memory",
    read: integer(16, 65_536),
  },
  logLevel: {
    name: "LOG_LEVEL",
    meaning: "least severe log lines to write",
    unit: "",
    default: "info",
    wants: `one of ${LOG_LEVELS.join(", ")}`,
    read: (text: string) =>
      LOG_LEVELS.includes(text.toLowerCase()) ? right(text.toLowerCase()) : wrong,
  },
} as const satisfies Record<string, ConfigKey<unknown>>;

/** One worker a core, within a container's limit as Node sees it. */
export function defaultWorkers(): number {
  return Math.min(Math.max(availableParallelism(), 1), WORKERS_MAX);
}
