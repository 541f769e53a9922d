/**
 * The servers of a run: PostgreSQL, Redis where needed, and the hosts. `stop` ends everything that
 * was started, in reverse order, also after an incomplete start.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../src/base/log.ts";
import { HostBox } from "../support/host-box.ts";
import { freePort } from "../support/ports.ts";
import { openRedis, type RedisBox } from "../support/redis-box.ts";
import { setStep, steppedClockEnv } from "../support/stepped-clock.ts";
import { type DatabaseBox, openDatabase } from "./database-box.ts";
import { type Options, wantsRedis } from "./options.ts";

/** Short enough that tokens are renewed several times in a run. */
const ACCESS_TOKEN_TTL_S = 40;

export interface World {
  readonly hosts: HostBox[];
  readonly database: DatabaseBox;
  readonly redis: RedisBox | null;
  /** A host of another deployment, with a database of its own on the same PostgreSQL and Redis. */
  neighbour(): Promise<HostBox>;
  /** Sets the wall clock of all hosts, which are on one machine: ahead of the real one by `ms`. */
  stepWallClock(ms: number): void;
  stop(): Promise<void>;
}

/** `runDir` exists; logs go there. */
export async function startWorld(options: Options, runDir: string): Promise<World> {
  const cleanups: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const scratchDir = await mkdtemp(join(tmpdir(), "troupe-chaos-"));
    cleanups.push(() => rm(scratchDir, { recursive: true, force: true }));
    const database = await openDatabase(
      scratchDir,
      createLogger({ level: "fatal", name: "chaos" }),
      options.faults.includes("disk-full"),
    );
    cleanups.push(() => database.stop());
    let redis: RedisBox | null = null;
    if (wantsRedis(options)) {
      redis = await openRedis(scratchDir, options.hosts, options.mayInstall);
      cleanups.push(redis.stop);
    }
    const clockFile = join(scratchDir, "wall-clock");
    const hosts = await Promise.all(
      Array.from({ length: options.hosts }, async (_, index) => {
        const env: Record<string, string> = {
          DATABASE_URL: database.url,
          JWT_SECRET: secret,
          DATA_DIR: join(scratchDir, `host-${index + 1}`),
          WORKERS: String(options.workers),
          RATE_LIMITS: "off",
          CONNECTIONS_PER_ADDRESS_MAX: "1000000",
          ACCESS_TOKEN_TTL_S: String(ACCESS_TOKEN_TTL_S),
        };
        if (options.faults.includes("clock-step")) Object.assign(env, steppedClockEnv(clockFile));
        if (redis !== null) env["REDIS_URL"] = redis.urls[index]!;
        const logPath = join(runDir, `host-${index + 1}.log`);
        return new HostBox({ index, port: await freePort(), env, logPath });
      }),
    );
    const neighbour = async () => {
      const env: Record<string, string> = {
        DATABASE_URL: await database.another(),
        JWT_SECRET: randomBytes(32).toString("hex"),
        DATA_DIR: await mkdtemp(join(scratchDir, "neighbour-")),
        WORKERS: "1",
        ...(redis !== null && { REDIS_URL: redis.directUrl }),
      };
      const logPath = join(runDir, "neighbour.log");
      const host = new HostBox({ index: options.hosts, port: await freePort(), env, logPath });
      cleanups.push(() => host.stop());
      return host;
    };
    cleanups.push(async () => {
      await Promise.all(hosts.map((host) => host.stop()));
    });
    await Promise.all(hosts.map((host) => host.start()));
    const stepWallClock = (ms: number) => setStep(clockFile, ms);
    return { hosts, database, redis, neighbour, stepWallClock, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Made for this process only, so that no other tokens fit these hosts. */
const secret = randomBytes(32).toString("hex");
