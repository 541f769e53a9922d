/**
 * Checks everything that a start needs and a service depends on, and says how to fix what is
 * wrong. It changes nothing. Each check has its own deadline, so it ends within seconds.
 */
import { availableParallelism } from "node:os";
import { type Config, loadConfig } from "../../config/config.ts";
import type { WallTime } from "../../protocol/time.ts";
import { checkDataDir, checkEmbedded, nearestFolder } from "./data-dir.ts";
import { checkDatabase, checkPooling } from "./database.ts";
import { checkChoices, checkNode, checkSlips, checkVariables } from "./environment.ts";
import { checkFileStore, checkPictures, checkSharedFiles } from "./files.ts";
import { doubtful, type Finding } from "./finding.ts";
import { checkJwks, checkTls } from "./keys.ts";
import {
  checkBacklog,
  checkDisk,
  checkMemory,
  checkOpenFiles,
  checkPort,
  kernelText,
  memoryBytes,
} from "./machine.ts";
import { checkRedis } from "./redis.ts";
import { reasonOf } from "./within.ts";

type Env = Readonly<Record<string, string | undefined>>;

export async function examine(env: Env, nowMs: WallTime): Promise<Finding[]> {
  const outcome = loadConfig(env);
  const findings = [
    checkNode(process.versions.node),
    ...checkVariables(env, outcome.ok ? [] : outcome.problems),
    ...checkSlips(env),
  ];
  // With a wrong variable it is unclear which database or port is meant.
  if (outcome.ok) findings.push(...(await configured(outcome.config, nowMs)));
  findings.push(
    ...checkOpenFiles(await kernelText("/proc/self/limits")),
    ...checkBacklog(await kernelText("/proc/sys/net/core/somaxconn")),
  );
  return findings;
}

async function configured(config: Config, nowMs: WallTime): Promise<Finding[]> {
  const { host, port, workers, redisUrl, tlsCert, tlsKey, jwtJwksUrl } = config;
  const looks: [string, Promise<Finding | Finding[]>][] = [
    ["port", checkPort(host, port)],
    ["database", storage(config)],
    ["pictures", checkPictures()],
  ];
  if (config.fileStore !== null) looks.push(["files", checkFileStore(config.fileStore)]);
  if (redisUrl !== null) looks.push(["Redis", checkRedis(redisUrl)]);
  if (tlsCert !== null && tlsKey !== null) looks.push(["TLS", checkTls(tlsCert, tlsKey, nowMs)]);
  if (jwtJwksUrl !== null) looks.push(["issuer's keys", checkJwks(jwtJwksUrl)]);
  const found = await Promise.all(
    looks.map(async ([check, look]) => {
      try {
        return await look;
      } catch (error) {
        return doubtful(check, `could not be looked at: ${reasonOf(error)}`, "look at it by hand");
      }
    }),
  );
  return [
    ...checkChoices(config, availableParallelism()),
    ...checkSharedFiles(config),
    ...found.flat(),
    checkMemory(memoryBytes(), workers, config.databaseUrl === null),
  ];
}

async function storage(config: Config): Promise<Finding[]> {
  const { databaseUrl, databaseDirectUrl: directUrl, dataDir, workers } = config;
  if (databaseUrl !== null && directUrl !== null) {
    const found = await checkDatabase(directUrl, workers);
    return [...found, await checkPooling(databaseUrl)];
  }
  if (databaseUrl !== null) return checkDatabase(databaseUrl, workers);
  const folder = await checkDataDir(dataDir);
  if (folder.state === "fail") return [folder];
  const { finding, runningUrl } = await checkEmbedded(dataDir);
  return [
    folder,
    await checkDisk(await nearestFolder(dataDir)),
    finding,
    ...(runningUrl === null ? [] : await checkDatabase(runningUrl, workers)),
  ];
}
