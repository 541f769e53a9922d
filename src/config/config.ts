/**
 * The configuration, from environment variables (table in README). It is checked as a whole: every
 * wrong variable is named at once, with its meaning and the value found.
 */
import { resolve } from "node:path";
import { PRIVACY_DEFAULTS, type Privacy } from "../protocol/privacy.ts";
import type { EventsConfig } from "./event-keys.ts";
import type { Extensions } from "./extensions.ts";
import type { FilesConfig } from "./file-keys.ts";
import { type S3Address, s3Store } from "./file-store-keys.ts";
import type { ConfigKey } from "./key.ts";
import { CONFIG_KEYS, type Directory, defaultWorkers } from "./keys.ts";
import { type Limits, limitsBy } from "./limit-keys.ts";
import type { ProxyTrust } from "./proxy-trust.ts";
import { type PushConfig, readPush } from "./push-keys.ts";
import { readTlsPair } from "./tls-pair.ts";

export interface Config extends EventsConfig, FilesConfig, PushConfig {
  port: number;
  host: string;
  /** Edge processes. */
  workers: number;
  /** Absolute path; embedded PostgreSQL and the generated secret live there. */
  dataDir: string;
  /** Null: the embedded PostgreSQL. */
  databaseUrl: string | null;
  /** PostgreSQL itself, where `databaseUrl` leads to a pooler in transaction mode. */
  databaseDirectUrl: string | null;
  /** Null: one host. */
  redisUrl: string | null;
  /** HS256 secret; null until the primary has made or read the one in `dataDir`. */
  jwtSecret: string | null;
  jwtIssuer: string;
  jwtAudience: string;
  /** Set: an outside issuer signs the tokens, and its keys are fetched here. */
  jwtJwksUrl: string | null;
  /** Subjects of the outside issuer that are programs, not users. */
  serviceSubjects: string[];
  /** The greatest age of an outside issuer's token. */
  tokenMaxAgeS: number;
  accessTokenTtlS: number;
  refreshTokenTtlS: number;
  auditRetentionDays: number;
  /** How long messages are kept at most; null: for ever. */
  retentionDays: number | null;
  /** What holds for users who have not chosen themselves. */
  privacyDefaults: Privacy;
  /** False: `register` is forbidden. */
  registration: boolean;
  /** Whether messages can be searched. */
  messageSearch: boolean;
  directory: Directory;
  presenceGraceMs: number;
  /** False: none of `limits` holds. */
  rateLimits: boolean;
  limits: Limits;
  /** Absolute paths of PEM files, both or neither; null: no TLS. */
  tlsCert: string | null;
  tlsKey: string | null;
  trustProxy: ProxyTrust;
  /** The path prefix under which a proxy publishes Troupe, such as "/chat"; "" for none. */
  basePath: string;
  /** Null: the machine's name and the port. */
  hostId: string | null;
  /** How long `readyz` answers 503 before a drain begins and the port closes. */
  drainDelayMs: number;
  /** A port of its own for `/metrics`; null: on `port`. */
  metricsPort: number | null;
  /** The bearer token that `/metrics` wants; null: none. */
  metricsToken: string | null;
  /** New connections from one address: the sustained rate and the burst. */
  connectionRatePerS: number;
  connectionBurst: number;
  /** The most connections of one address that have not sent a whole request head. */
  pendingConnectionsMax: number;
  /** Open connections of one address on this host, and sessions of one user everywhere. */
  connectionsPerAddressMax: number;
  sessionsPerUserMax: number;
  /** Allowed origins; null: any. */
  corsOrigin: string[] | null;
  /** Absolute path of the application's own actors, hooks and namespaces; null: none. */
  actorsDir: string | null;
  /** The memory of each thread that runs them. */
  actorsMemoryMb: number;
  logLevel: string;
}

/** The configuration of a worker, with every value decided. */
export interface WorkerConfig extends Config {
  databaseUrl: string;
  /** How `databaseUrl` leads to PostgreSQL: the storage's word for it, see its pooler.ts. */
  databasePooling: "none" | "named" | "unnamed";
  /** The application's own files; absent where there are none. */
  extensions?: Extensions;
}

/** One wrong variable. `wants` and `found` end the sentences "should be …" and "found …". */
export interface ConfigProblem {
  name: string;
  meaning: string;
  found: string;
  wants: string;
}

export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: ConfigProblem[] };

/**
 * Reads all variables; an empty one counts as not set. The only files it reads are the TLS pair,
 * a local key set, and the credentials for pushes.
 */
export function loadConfig(env: Record<string, string | undefined>): ConfigResult {
  const problems: ConfigProblem[] = [];

  function report<T>(key: ConfigKey<T>, found: string, wants = key.wants): void {
    if (problems.some((problem) => problem.name === key.name)) return;
    problems.push({ name: key.name, meaning: key.meaning, found, wants });
  }

  function read<T>(key: ConfigKey<T>, unset: NoInfer<T>): T {
    const text = env[key.name]?.trim() ?? "";
    if (text === "") return unset;
    const outcome = key.read(text);
    if (outcome.ok) return outcome.value;
    report(key, outcome.found ?? (key.secret ? "another value" : `"${text}"`));
    return unset;
  }

  const optional = (key: ConfigKey<string>) => read<string | null>(key, null);
  const isSet = (key: ConfigKey<unknown>) => (env[key.name]?.trim() ?? "") !== "";

  const config: Config = {
    port: read(CONFIG_KEYS.port, 3000),
    host: read(CONFIG_KEYS.host, "0.0.0.0"),
    workers: read(CONFIG_KEYS.workers, defaultWorkers()),
    dataDir: read(CONFIG_KEYS.dataDir, resolve(".data")),
    databaseUrl: optional(CONFIG_KEYS.databaseUrl),
    databaseDirectUrl: optional(CONFIG_KEYS.databaseDirectUrl),
    redisUrl: optional(CONFIG_KEYS.redisUrl),
    jwtSecret: optional(CONFIG_KEYS.jwtSecret),
    jwtIssuer: read(CONFIG_KEYS.jwtIssuer, "troupe"),
    jwtAudience: read(CONFIG_KEYS.jwtAudience, "troupe"),
    jwtJwksUrl: optional(CONFIG_KEYS.jwtJwksUrl),
    serviceSubjects: read<string[]>(CONFIG_KEYS.serviceSubjects, []),
    tokenMaxAgeS: read(CONFIG_KEYS.tokenMaxAgeS, 86_400),
    accessTokenTtlS: read(CONFIG_KEYS.accessTokenTtlS, 900),
    refreshTokenTtlS: read(CONFIG_KEYS.refreshTokenTtlS, 2_592_000),
    auditRetentionDays: read(CONFIG_KEYS.auditRetentionDays, 365),
    retentionDays: read<number | null>(CONFIG_KEYS.retentionDays, null),
    privacyDefaults: read(CONFIG_KEYS.privacyDefaults, PRIVACY_DEFAULTS),
    registration: read(CONFIG_KEYS.registration, true),
    messageSearch: read(CONFIG_KEYS.messageSearch, true),
    directory: read(CONFIG_KEYS.directory, "shared"),
    presenceGraceMs: read(CONFIG_KEYS.presenceGraceMs, 5000),
    rateLimits: read(CONFIG_KEYS.rateLimits, true),
    limits: limitsBy(read),
    tlsCert: optional(CONFIG_KEYS.tlsCert),
    tlsKey: optional(CONFIG_KEYS.tlsKey),
    trustProxy: read<ProxyTrust>(CONFIG_KEYS.trustProxy, false),
    basePath: read(CONFIG_KEYS.basePath, ""),
    hostId: read<string | null>(CONFIG_KEYS.hostId, null),
    drainDelayMs: read(CONFIG_KEYS.drainDelayMs, 0),
    metricsPort: read<number | null>(CONFIG_KEYS.metricsPort, null),
    metricsToken: optional(CONFIG_KEYS.metricsToken),
    connectionRatePerS: read(CONFIG_KEYS.connectionRatePerS, 100),
    connectionBurst: read(CONFIG_KEYS.connectionBurst, 1000),
    pendingConnectionsMax: read(CONFIG_KEYS.pendingConnectionsMax, 500),
    connectionsPerAddressMax: read(CONFIG_KEYS.connectionsPerAddressMax, 2000),
    sessionsPerUserMax: read(CONFIG_KEYS.sessionsPerUserMax, 50),
    corsOrigin: read<string[] | null>(CONFIG_KEYS.corsOrigin, null),
    actorsDir: optional(CONFIG_KEYS.actorsDir),
    actorsMemoryMb: read(CONFIG_KEYS.actorsMemoryMb, 256),
    jobs: read(CONFIG_KEYS.jobs, true),
    events: read<EventsConfig["events"]>(CONFIG_KEYS.events, "auto"),
    eventsRetentionDays: read(CONFIG_KEYS.eventsRetentionDays, 7),
    unreadAfterS: read(CONFIG_KEYS.unreadAfterS, 900),
    webhookAllowPrivate: read<string[]>(CONFIG_KEYS.webhookAllowPrivate, []),
    hookUrl: optional(CONFIG_KEYS.hookUrl),
    hookSecret: optional(CONFIG_KEYS.hookSecret),
    hookEvents: read<EventsConfig["hookEvents"]>(CONFIG_KEYS.hookEvents, [
      "message.send",
      "message.edit",
    ]),
    hookTimeoutMs: read(CONFIG_KEYS.hookTimeoutMs, 1500),
    hookOnFailure: read<EventsConfig["hookOnFailure"]>(CONFIG_KEYS.hookOnFailure, "refuse"),
    fileBytesMax: read(CONFIG_KEYS.fileBytesMax, 104_857_600),
    fileTypes: read<string[] | null>(CONFIG_KEYS.fileTypes, null),
    fileHookUrl: optional(CONFIG_KEYS.fileHookUrl),
    fileQuotaBytes: read(CONFIG_KEYS.fileQuotaBytes, 5_368_709_120),
    importBytesMax: read(CONFIG_KEYS.importBytesMax, 17_179_869_184),
    fileUrlTtlS: read(CONFIG_KEYS.fileUrlTtlS, 3600),
    fileStore: s3Store(
      read<S3Address | null>(CONFIG_KEYS.filesUrl, null),
      {
        accessKeyId: optional(CONFIG_KEYS.awsAccessKeyId),
        secretAccessKey: optional(CONFIG_KEYS.awsSecretAccessKey),
        sessionToken: optional(CONFIG_KEYS.awsSessionToken),
      },
      optional(CONFIG_KEYS.awsRegion),
    ),
    ...readPush(read),
    logLevel: read(CONFIG_KEYS.logLevel, "info"),
  };

  // The following checks concern two variables each. A wrong variable counts as set, so that
  // fixing it does not cause another error.
  if (isSet(CONFIG_KEYS.databaseUrl)) {
    if (!isSet(CONFIG_KEYS.jwtSecret) && !isSet(CONFIG_KEYS.jwtJwksUrl)) {
      report(
        CONFIG_KEYS.jwtSecret,
        "nothing, though DATABASE_URL is set",
        `${CONFIG_KEYS.jwtSecret.wants}, or set JWT_JWKS_URL for an outside issuer`,
      );
    }
  } else if (isSet(CONFIG_KEYS.redisUrl)) {
    report(
      CONFIG_KEYS.redisUrl,
      "it without DATABASE_URL",
      "set together with DATABASE_URL: hosts that share a Redis must share a database",
    );
  }
  if (isSet(CONFIG_KEYS.databaseDirectUrl) && !isSet(CONFIG_KEYS.databaseUrl)) {
    report(
      CONFIG_KEYS.databaseDirectUrl,
      "it without DATABASE_URL",
      "set together with DATABASE_URL, which leads through the pooler",
    );
  }
  if (config.refreshTokenTtlS < config.accessTokenTtlS) {
    report(
      CONFIG_KEYS.refreshTokenTtlS,
      `${config.refreshTokenTtlS}, less than ACCESS_TOKEN_TTL_S (${config.accessTokenTtlS})`,
      "at least ACCESS_TOKEN_TTL_S: a login must outlive the tokens it gives",
    );
  }
  if (config.metricsPort !== null && config.metricsPort === config.port) {
    report(CONFIG_KEYS.metricsPort, `${config.metricsPort}, which is PORT`);
  }
  if (
    isSet(CONFIG_KEYS.filesUrl) &&
    !(isSet(CONFIG_KEYS.awsAccessKeyId) && isSet(CONFIG_KEYS.awsSecretAccessKey))
  ) {
    report(
      CONFIG_KEYS.filesUrl,
      "it without credentials",
      "set together with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
  if (
    isSet(CONFIG_KEYS.apnsKey) &&
    !(["apnsKeyId", "apnsTeamId", "apnsTopic"] as const).every((one) => isSet(CONFIG_KEYS[one]))
  ) {
    report(
      CONFIG_KEYS.apnsKey,
      "it without its ids",
      "set together with APNS_KEY_ID, APNS_TEAM_ID and APNS_TOPIC",
    );
  }
  checkTls(config, report);

  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

/**
 * Checks that certificate and key exist, are readable and belong together; a wrong pair would
 * fail every handshake.
 */
function checkTls(
  config: Config,
  report: (key: ConfigKey<string>, found: string, wants?: string) => void,
): void {
  const { tlsCert, tlsKey } = CONFIG_KEYS;
  const { tlsCert: certPath, tlsKey: keyPath } = config;
  const read = readTlsPair(certPath, keyPath);
  if (read === null || read.ok) return;
  if (read.cert !== undefined) report(tlsCert, read.cert);
  if (read.key !== undefined) report(tlsKey, read.key);
  if (read.pair !== undefined) {
    report(tlsCert, read.pair, "a certificate in PEM form that belongs to the key in TLS_KEY");
  }
}

/** All problems as one message for a person. */
export function describeProblems(problems: ConfigProblem[]): string {
  const count = problems.length === 1 ? "One variable is" : `${problems.length} variables are`;
  const lines = problems.map(
    ({ name, meaning, found, wants }) =>
      `  ${name}  (${meaning})\n    found ${found}\n    should be ${wants}`,
  );
  return `The configuration is wrong. ${count} to be mended:\n\n${lines.join("\n\n")}\n`;
}
