/**
 * The primary: database, workers, port, in this order, and back in the opposite one. One of
 * the three boxes. Started by the command line; `startPrimary` returns once everything it
 * started has ended again.
 */
import { fileURLToPath } from "node:url";
import { stopwatch, systemClock } from "./base/clock.ts";
import { Drops } from "./base/drops.ts";
import type { Log } from "./base/log.ts";
import { Tally } from "./base/metrics.ts";
import { packageVersion } from "./base/version.ts";
import type { Config, WorkerConfig } from "./config/config.ts";
import { mintServiceToken } from "./edge/auth/service-token.ts";
import { openExtensions } from "./extensions/open.ts";
import { RecentFaults } from "./ops/recent-faults.ts";
import { banner } from "./primary/banner.ts";
import { Certificate } from "./primary/certificate.ts";
import { openDataDir, readOrMakeSecret, readSecret } from "./primary/data-dir.ts";
import { Host } from "./primary/host.ts";
import { defaultHostName, hostId } from "./primary/host-id.ts";
import { checkPort } from "./primary/listen-trouble.ts";
import { Reloading } from "./primary/reloading.ts";
import type { Signals } from "./primary/signals.ts";
import { HostRelay } from "./relay/relay.ts";
import { type ClusterIdentity, sealKey } from "./relay/seal.ts";
import { RedisUrlBus } from "./relay/url-bus.ts";
import { startEmbedded } from "./storage/embedded/embedded.ts";
import { readClusterIdentity } from "./storage/postgres/cluster-identity.ts";
import type { Pooling } from "./storage/postgres/connection.ts";
import { migrate } from "./storage/postgres/migrate.ts";
import { settlePooling } from "./storage/postgres/pooler.ts";
import { setPrivacyDefaults } from "./storage/postgres/privacy.ts";
import { Pruning } from "./storage/postgres/pruning.ts";
import { setRetentionCap } from "./storage/postgres/retention.ts";
import { startRefusalOf } from "./storage/postgres/start-refusal.ts";
import { PostgresWitness } from "./storage/postgres/witness.ts";

const WORKER_PATH = fileURLToPath(new URL("./worker.js", import.meta.url));

/** Long enough to look around; `troupe token --scope ops` gives the next. */
const OPS_TOKEN_TTL_S = 3_600;

/** Clean-up steps for the end, newest first. */
type Cleanups = (() => Promise<void>)[];

/**
 * Runs until a signal or a lost database ends it, and sets the exit code where that is not a
 * clean end. Rejects with a StartRefusal when it cannot start, and leaves nothing running then.
 * Closes `signals`, which the caller has listened to since before this module was loaded.
 */
export async function startPrimary(config: Config, log: Log, signals: Signals): Promise<void> {
  const cleanups: Cleanups = [];
  try {
    await run(config, log, signals, cleanups);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
    signals.close();
  }
  log.info({ event: "stopped" });
}

async function run(
  config: Config,
  untapped: Log,
  signals: Signals,
  cleanups: Cleanups,
): Promise<void> {
  const elapsedMs = stopwatch();
  const faults = new RecentFaults(systemClock);
  const log = faults.tap(untapped);
  let signal: string | null = null;
  void signals.stop.then((name) => {
    signal = name;
  });
  const opened =
    config.actorsDir === null ? null : await openExtensions(config.actorsDir, systemClock);
  let reloading: Reloading | null = null;
  if (opened !== null) cleanups.push(() => (reloading ?? opened).close());
  await checkPort(config.port, config.host);
  if (config.metricsPort !== null) await checkPort(config.metricsPort, config.host, "METRICS_PORT");
  const database = await openDatabase(config, log, cleanups);
  if (signal !== null) return;

  const url = config.databaseDirectUrl ?? database.workerConfig.databaseUrl;
  const { auditRetentionDays } = config;
  const pruning = new Pruning({ url, clock: systemClock, log, auditRetentionDays });
  cleanups.push(() => pruning.close());

  const id = hostId(config.hostId ?? defaultHostName(config.port), systemClock.wallMs());
  const { redisUrl, tlsCert, tlsKey } = config;
  const certificate =
    tlsCert === null || tlsKey === null ? undefined : new Certificate(tlsCert, tlsKey, log);
  const drops = new Drops({ tally: new Tally(), clock: systemClock, log });
  cleanups.push(async () => drops.close());
  const identity = redisUrl === null ? null : await clusterIdentity(url, config.jwtSecret);
  const relay =
    redisUrl === null || identity === null
      ? undefined
      : new HostRelay({
          bus: new RedisUrlBus(redisUrl, systemClock),
          witness: new PostgresWitness(url, systemClock),
          host: id,
          identity,
          clock: systemClock,
          log,
          drops,
        });
  const redisPrefix = identity === null ? null : `troupe:${identity.id}:namespaces`;
  const extensions = opened && { ...opened.extensions, redisPrefix };
  const host = new Host({
    config: { ...database.workerConfig, ...(extensions && { extensions }) },
    workerPath: WORKER_PATH,
    log,
    host: id,
    faults,
    drops,
    version: packageVersion(),
    ...(relay && { relay }),
    ...(certificate && { certificate }),
  });
  const port = await Promise.race([host.start(), signals.stop.then(() => null)]);
  if (port === null) return host.kill();

  const ms = Math.round(elapsedMs());
  process.stdout.write(banner({ config, port, ms, opsToken: database.opsToken }));
  log.info({ event: "ready", port, workers: config.workers, ms });
  signals.onHangup = () => {
    host.renew().catch((error: unknown) => log.error({ event: "roll_failed", error }));
  };
  const { actorsDir } = config;
  if (opened !== null && actorsDir !== null) {
    reloading = new Reloading({
      dataDir: config.dataDir,
      current: opened,
      open: () => openExtensions(actorsDir, systemClock),
      renew: ({ extensions }) => host.renewExtensions({ ...extensions, redisPrefix }),
      log,
    });
    await reloading.start();
  }
  signals.onReload = () => {
    if (reloading === null) log.warn({ event: "nothing_to_reload", why: "ACTORS_DIR is not set" });
    else reloading.reload().catch((err: unknown) => log.error({ event: "reload_failed", err }));
  };

  const why = await Promise.race([signals.stop, database.lost]);
  log.info({ event: "stopping", why });
  if (signal === null) process.exitCode = 1;
  await stopHost(host, signals, log);
}

async function stopHost(host: Host, signals: Signals, log: Log): Promise<void> {
  const forced = signals.force.then((name) => name);
  const how = await Promise.race([host.stop().then(() => null), forced]);
  if (how === null) return;
  log.warn({ event: "stopping_at_once", why: how });
  process.exitCode = 1;
  await host.kill();
}

interface Database {
  workerConfig: WorkerConfig;
  /** For the operator's page; only where this start has made the secret, on a terminal. */
  opsToken: string | null;
  /** Resolves with the reason when the embedded server has been given up. */
  lost: Promise<string>;
}

/** DATABASE_URL leaves the data directory alone; the embedded PostgreSQL lives in it. */
async function openDatabase(config: Config, log: Log, cleanups: Cleanups): Promise<Database> {
  if (config.databaseUrl !== null) {
    const directUrl = config.databaseDirectUrl;
    await bringUpToDate(directUrl ?? config.databaseUrl, config, log);
    const databasePooling =
      directUrl === null ? "none" : await poolingBetween(config.databaseUrl, directUrl, log);
    const workerConfig = { ...config, databaseUrl: config.databaseUrl, databasePooling };
    return { workerConfig, opsToken: null, lost: new Promise(() => undefined) };
  }
  const dataDir = await openDataDir(config.dataDir);
  cleanups.push(() => dataDir.release());
  const postgres = await startEmbedded({ dataDir: dataDir.path, log });
  cleanups.push(() => postgres.stop());
  await bringUpToDate(postgres.url, config, log);
  const isOwnIssuer = config.jwtSecret === null && config.jwtJwksUrl === null;
  // Output that does not go to a terminal is stored (a file, a journal, a log collector), and a
  // token must not be stored there.
  const isShown = isOwnIssuer && process.stdout.isTTY;
  const isFirst = isShown && (await readSecret(dataDir.path)) === null;
  const jwtSecret = isOwnIssuer ? await readOrMakeSecret(dataDir.path) : config.jwtSecret;
  return {
    workerConfig: { ...config, databaseUrl: postgres.url, databasePooling: "none", jwtSecret },
    opsToken: isFirst && jwtSecret !== null ? await operatorToken(config, jwtSecret) : null,
    // It starts again by itself, on the same port, until that proves hopeless.
    lost: postgres.exited.then(({ reason }) => `postgres: ${reason}`),
  };
}

function operatorToken(config: Config, secret: string): Promise<string> {
  return mintServiceToken({
    secret,
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    subject: "operator",
    scopes: ["ops"],
    ttlS: OPS_TOKEN_TTL_S,
    wallMs: systemClock.wallMs(),
  });
}

async function clusterIdentity(url: string, jwtSecret: string | null): Promise<ClusterIdentity> {
  try {
    const { id, database, secret } = await readClusterIdentity(url);
    return { id, database, key: sealKey(secret, jwtSecret) };
  } catch (error) {
    throw startRefusalOf(error);
  }
}

async function poolingBetween(url: string, directUrl: string, log: Log): Promise<Pooling> {
  try {
    const { pooling, changed, ended } = await settlePooling(url, directUrl);
    log.info({ event: "database_pooling", pooling, changed, ended });
    return pooling;
  } catch (error) {
    throw startRefusalOf(error);
  }
}

async function bringUpToDate(
  url: string,
  { privacyDefaults, retentionDays }: Config,
  log: Log,
): Promise<void> {
  try {
    const { applied, functions } = await migrate(url, packageVersion());
    if (applied.length + functions.length > 0) log.info({ event: "migrated", applied, functions });
    await setPrivacyDefaults(url, privacyDefaults);
    await setRetentionCap(url, retentionDays);
  } catch (error) {
    throw startRefusalOf(error);
  }
}
