/** Checks of Redis: reachable, a version that works, near, and configured to keep its data. */
import { Redis } from "ioredis";
import { stopwatch } from "../../base/clock.ts";
import { redisTrouble } from "../../base/redis-trouble.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { within } from "./within.ts";

const DEADLINE_MS = 5_000;
const VERSION_MIN = 6;
/** Sharded pub/sub came with 7. */
const CLUSTER_VERSION_MIN = 7;
const PING_WARN_MS = 20;

export async function checkRedis(url: string): Promise<Finding[]> {
  const redis = new Redis(url, {
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
    return [...(await looked(redis)), await ping(redis)];
  } catch (error) {
    return [
      wrong(
        "Redis",
        `cannot be reached: ${redisTrouble(error)}`,
        "start it, or mend REDIS_URL (rediss:// where it wants TLS); without it hosts do not hear each other",
      ),
    ];
  } finally {
    redis.disconnect();
  }
}

/** A managed service may keep INFO back; Troupe itself does not need it. */
async function looked(redis: Redis): Promise<Finding[]> {
  try {
    return judgeInfo(await redis.info());
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOPERM")) throw error;
    return [fine("Redis", "reached; its version is unknown, as this user may not use INFO")];
  }
}

/** `info`: the answer to INFO. */
export function judgeInfo(info: string): Finding[] {
  const facts = new Map(
    info.split(/\r?\n/).flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
  const name = facts.has("valkey_version") ? "Valkey" : "Redis";
  const version = facts.get("valkey_version") ?? facts.get("redis_version") ?? "unknown";
  const major = Number.parseInt(facts.get("redis_version") ?? "", 10);
  const isCluster = facts.get("cluster_enabled") === "1";
  const wanted = isCluster ? CLUSTER_VERSION_MIN : VERSION_MIN;
  const found = `${name} ${version}${isCluster ? ", a cluster" : ""}`;
  const findings = [
    major >= wanted
      ? fine("Redis", found)
      : wrong("Redis", found, `use Redis ${wanted} or newer${isCluster ? " for a cluster" : ""}`),
  ];
  const policy = facts.get("maxmemory_policy") ?? "noeviction";
  const isBounded = Number(facts.get("maxmemory") ?? 0) > 0;
  if (isBounded && policy.startsWith("allkeys")) {
    findings.push(
      doubtful(
        "its eviction",
        `${policy}: it may throw away the hosts' lease`,
        "set maxmemory-policy noeviction, or give Troupe a Redis of its own",
      ),
    );
  } else findings.push(fine("its eviction", policy));
  if (facts.get("role") === "slave") {
    findings.push(
      wrong("its role", "a replica, which takes no writes", "name the primary in REDIS_URL"),
    );
  }
  return findings;
}

async function ping(redis: Redis): Promise<Finding> {
  const times: number[] = [];
  for (let n = 0; n < 5; n++) {
    const elapsedMs = stopwatch();
    await redis.ping();
    times.push(elapsedMs());
  }
  const ms = Math.min(...times);
  const found = `answers in ${ms.toFixed(1)} ms`;
  return ms > PING_WARN_MS
    ? doubtful("its latency", found, "events between hosts wait for it: bring them closer together")
    : fine("its latency", found);
}
