/** Checks of the machine: port, open files, the queue of new connections, memory, disk. */
import { readFile, statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { errorCode } from "../../base/errors.ts";
import { doubtful, type Finding, fine, wrong } from "./finding.ts";
import { within } from "./within.ts";

const HEALTH_MS = 2_000;
/** A connection takes one descriptor; a worker needs this many for everything else. */
const FILES_KEPT = 200;
const FILES_WANTED = 16_384;
const FILES_MIN = 1_024;
const BACKLOG_WANTED = 511;
const MB = 1_000_000;
/** Measured memory of an idle process of each kind, without sessions. */
const PRIMARY_BYTES = 100 * MB;
const WORKER_BYTES = 150 * MB;
const EMBEDDED_BYTES = 200 * MB;
const DISK_WARN_BYTES = 1_000 * MB;
const DISK_MIN_BYTES = 100 * MB;

/** A Troupe that already uses the port is fine: the doctor may run beside it. */
export async function checkPort(host: string, port: number): Promise<Finding> {
  const check = "port";
  if (port === 0) return fine(check, "any free one");
  const trouble = await new Promise<unknown>((resolve) => {
    const server = createServer();
    server.once("error", resolve);
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
  if (trouble === null) return fine(check, `${port} is free`);
  switch (errorCode(trouble)) {
    case "EADDRINUSE":
      return (await isTroupe(host, port))
        ? fine(check, `${port} is served by a running Troupe`)
        : wrong(check, `${port} is taken by another program`, "stop it, or set PORT to another");
    case "EACCES":
      return wrong(
        check,
        `${port} may not be opened by this user`,
        "take a port from 1024 up behind a proxy, or give Node.js cap_net_bind_service",
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return wrong(
        check,
        `${host} is no address of this machine`,
        "set HOST to one, or to 0.0.0.0",
      );
    default:
      return wrong(check, `${port} cannot be opened: ${String(trouble)}`, "set PORT or HOST");
  }
}

async function isTroupe(host: string, port: number): Promise<boolean> {
  const at = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  for (const scheme of ["http", "https"]) {
    try {
      const url = `${scheme}://${at.includes(":") ? `[${at}]` : at}:${port}/healthz`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(HEALTH_MS) });
      const body = (await answer.json()) as { status?: unknown };
      if (body.status === "alive") return true;
    } catch {
      // Not HTTP, not JSON, or an untrusted certificate: it is not known to be Troupe.
    }
  }
  return false;
}

/** Node raises its own limit to the hard limit, so the hard limit counts. */
export function checkOpenFiles(limits: string | null): Finding[] {
  const line = limits?.split("\n").find((one) => one.startsWith("Max open files"));
  const hard = /Max open files\s+\S+\s+(\S+)/.exec(line ?? "")?.[1];
  if (hard === undefined) return [];
  const files = hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
  if (files === Number.POSITIVE_INFINITY) return [fine("open files", "unlimited")];
  const found = `${files}: about ${Math.max(0, files - FILES_KEPT)} connections a worker`;
  const advice =
    "raise it: `ulimit -Hn 65536`, LimitNOFILE=65536 (systemd), --ulimit nofile (Docker)";
  if (files < FILES_MIN) return [wrong("open files", found, advice)];
  return [files < FILES_WANTED ? doubtful("open files", found, advice) : fine("open files", found)];
}

export function checkBacklog(text: string | null): Finding[] {
  const backlog = Number.parseInt(text ?? "", 10);
  if (!(backlog > 0)) return [];
  return backlog < BACKLOG_WANTED
    ? [
        doubtful(
          "somaxconn",
          `${backlog}: a burst of reconnects is dropped past that`,
          "sysctl -w net.core.somaxconn=4096",
        ),
      ]
    : [fine("somaxconn", String(backlog))];
}

export function checkMemory(totalBytes: number, workers: number, isEmbedded: boolean): Finding {
  const needed = PRIMARY_BYTES + workers * WORKER_BYTES + (isEmbedded ? EMBEDDED_BYTES : 0);
  const found = `${Math.round(totalBytes / MB)} MB; ${workers} idle workers take about ${Math.round(needed / MB)} MB`;
  return totalBytes < needed
    ? doubtful("memory", found, "set WORKERS lower, or give it more")
    : fine("memory", found);
}

/** The memory that this process may use, within a container's limit. */
export function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

export async function checkDisk(path: string): Promise<Finding> {
  const { bavail, bsize } = await within(HEALTH_MS, statfs(path));
  const free = bavail * bsize;
  const found = `${Math.round(free / MB)} MB free`;
  if (free < DISK_MIN_BYTES) return wrong("disk", found, `make room where ${path} is`);
  return free < DISK_WARN_BYTES
    ? doubtful("disk", found, `make room where ${path} is: everything lasting is kept there`)
    : fine("disk", found);
}

/** A file of the kernel; null where it does not exist, as on systems other than Linux. */
export async function kernelText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "EACCES") return null;
    throw error;
  }
}
