/**
 * Which hosts have written a lease into Redis: those of this cluster, those that cannot join it,
 * other clusters, and hosts of version 0.1. Reads only.
 */
import { join } from "node:path";
import { Redis } from "ioredis";
import { stopwatch } from "../../base/clock.ts";
import type { Config } from "../../config/config.ts";
import { readSecretFile } from "../../config/secret-file.ts";
import { EARLIER_VERSION, TROUBLES } from "../../relay/foreign-members.ts";
import {
  CLUSTER_KEYS,
  clusterKeyOf,
  EARLIER_KEY,
  liveEntries,
  openedMembers,
} from "../../relay/lease.ts";
import { type ClusterIdentity, sealKey } from "../../relay/seal.ts";
import { runningEmbeddedUrl } from "../../storage/embedded/running.ts";
import { readClusterIdentity } from "../../storage/postgres/cluster-identity.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { within } from "./within.ts";

const DEADLINE_MS = 5_000;
/** A Redis may have millions of keys of others. */
const SCAN_MS = 2_000;
const KEYS_A_SCAN = 1_000;
const CLUSTERS_MAX = 100;

/** What is in Redis: each key of a lease with the hosts that are alive, and what they say. */
export interface Leases {
  byKey: Map<string, Map<string, string>>;
  /** False: there are more keys than could be looked at, or other nodes of a Redis Cluster. */
  isAll: boolean;
}

/** Nothing where Redis is out of reach, which `checkRedis` says. */
export async function checkHosts(config: Config, redisUrl: string): Promise<Finding[]> {
  const [identity, leases] = await Promise.all([identityBy(config), leasesIn(redisUrl)]);
  return leases === null ? [] : judgeHosts(identity, leases);
}

/** `identity`: null where the database is out of reach or not migrated. */
export function judgeHosts(identity: ClusterIdentity | null, { byKey, isAll }: Leases): Finding[] {
  const check = "other hosts";
  const ownKey = identity === null ? null : clusterKeyOf(identity.id);
  const own = [...(byKey.get(ownKey ?? "") ?? [])];
  const strangers = own.flatMap(([host, sealed]): Finding[] => {
    const opened = identity === null ? null : openedMembers(identity, host, sealed);
    if (typeof opened !== "string") return [];
    const { found, advice } = TROUBLES[opened];
    // A host that finds a copy of its database refuses to start.
    const judged = opened === "other_database" ? wrong : doubtful;
    return [judged(check, found(host), advice)];
  });
  const earlier = byKey.has(EARLIER_KEY)
    ? [doubtful(check, EARLIER_VERSION.found, EARLIER_VERSION.advice)]
    : [];
  const others = [...byKey].filter(
    ([key, hosts]) => key !== ownKey && key !== EARLIER_KEY && hosts.size > 0,
  );
  const parts = [
    identity === null
      ? "which of them belong to this database cannot be told"
      : `${own.length - strangers.length} of this cluster running`,
    ...others.map(([key, { size }]) => {
      const what = `${size} of cluster ${idOf(key)}`;
      return identity === null ? what : `${what}, which is separate`;
    }),
    ...(isAll ? [] : ["not all of Redis was looked at"]),
  ];
  return [fine(check, parts.join("; ")), ...strangers, ...earlier];
}

function idOf(key: string): string {
  return key.slice("{troupe:".length, key.indexOf("}"));
}

/** As src/main.ts reads it at a start; null where the database is away or not migrated. */
async function identityBy(config: Config): Promise<ClusterIdentity | null> {
  const { databaseUrl, dataDir, jwtJwksUrl } = config;
  try {
    const url = databaseUrl ?? (await runningEmbeddedUrl(dataDir));
    if (url === null) return null;
    const isMadeHere = databaseUrl === null && config.jwtSecret === null && jwtJwksUrl === null;
    const jwtSecret = isMadeHere
      ? await readSecretFile(join(dataDir, "jwt-secret"))
      : config.jwtSecret;
    const { id, database, secret } = await within(DEADLINE_MS, readClusterIdentity(url));
    return { id, database, key: sealKey(secret, jwtSecret) };
  } catch {
    // The database's own checks say what is wrong with it.
    return null;
  }
}

async function leasesIn(redisUrl: string): Promise<Leases | null> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    connectTimeout: DEADLINE_MS,
    commandTimeout: DEADLINE_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // An error that breaks the connection also fails the command under way.
  redis.on("error", () => undefined);
  try {
    await within(DEADLINE_MS, redis.connect());
    const isCluster = /^cluster_enabled:1/m.test(await redis.info("cluster"));
    const { keys, isAll } = await leaseKeys(redis);
    const [seconds = 0] = await redis.time();
    const byKey = new Map<string, Map<string, string>>();
    for (const key of keys) {
      const fields = await hashAt(redis, key);
      if (fields !== null) byKey.set(key, liveEntries(fields, Number(seconds) * 1_000));
    }
    return { byKey, isAll: isAll && !isCluster };
  } catch {
    // `checkRedis` says why.
    return null;
  } finally {
    redis.disconnect();
  }
}

async function leaseKeys(redis: Redis): Promise<{ keys: Set<string>; isAll: boolean }> {
  const keys = new Set<string>();
  const elapsedMs = stopwatch();
  let cursor = "0";
  do {
    const [next, found] = await redis.scan(cursor, "MATCH", CLUSTER_KEYS, "COUNT", KEYS_A_SCAN);
    for (const key of found) keys.add(key);
    cursor = next;
  } while (cursor !== "0" && elapsedMs() < SCAN_MS && keys.size < CLUSTERS_MAX);
  return { keys, isAll: cursor === "0" };
}

async function hashAt(redis: Redis, key: string): Promise<Record<string, string> | null> {
  try {
    return await redis.hgetall(key);
  } catch {
    // Somebody else's key of this name, which is no hash, or one that another node has.
    return null;
  }
}
