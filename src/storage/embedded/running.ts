/**
 * The way to an embedded PostgreSQL that another process of ours runs: where it listens stands
 * in its `postmaster.pid`, its password in the data directory. For the command line, which
 * works beside a running server.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import { readSecretFile } from "../../config/secret-file.ts";
import { embeddedUrl } from "./cluster.ts";

/** Lines of `postmaster.pid`, by what PostgreSQL writes into each (miscadmin.h). */
const PORT_LINE = 3;
const STATUS_LINE = 7;

/** Its URL; null while it is not ready. Refuses with StartRefusal where files are unreadable. */
export async function runningEmbeddedUrl(dataDir: string): Promise<string | null> {
  const pidFile = join(dataDir, "postgres", "postmaster.pid");
  let lines: string[];
  try {
    lines = (await readFile(pidFile, "utf8")).split("\n");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw new StartRefusal(`${pidFile} cannot be read: ${fileTrouble(error)}.`);
  }
  const port = Number.parseInt(lines[PORT_LINE] ?? "", 10);
  if (!(port > 0) || lines[STATUS_LINE]?.trim() !== "ready") return null;
  const password = await readSecretFile(join(dataDir, "postgres-password"));
  return password === null ? null : embeddedUrl(password, port);
}
