/**
 * One run of the embedded cluster's PostgreSQL server process, from its start, through the wait until
 * it is ready, to its stop. The process has a session of its own, so that Ctrl-C in the terminal ends
 * Troupe first and the database last.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { StartRefusal } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { SERVER_ENV } from "./binaries.ts";
import { type Cluster, isDiskFull } from "./cluster.ts";

/** A start without any output for this long hangs. Recovery logs its progress every 10 s. */
const SILENCE_MS = 60_000;
/** Fast shutdown has this long, then immediate shutdown, then the end. */
const FAST_MS = 10_000;
const IMMEDIATE_MS = 5_000;

const SETTINGS: Record<string, string | number> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // 256 workers would share these, yet one host's few workers take about 20 each.
  max_connections: 300,
  shared_buffers: "128MB",
  // A message is acknowledged after its commit, and a commit is on disk.
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  // Statements here take microseconds; compiling them would take milliseconds.
  jit: "off",
  timezone: "UTC",
  log_timezone: "UTC",
  lc_messages: "C",
  log_destination: "stderr",
  logging_collector: "off",
  log_line_prefix: "",
  log_checkpoints: "off",
  // The client of a failed statement receives its error. Logged here too, the error would put
  // texts of users into the log.
  log_min_messages: "log",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
};

export interface ServerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Its last error message, or "". */
  complaint: string;
}

export interface Server {
  pid: number;
  ended: Promise<ServerEnd>;
  /** Fast shutdown: sessions are cut, everything committed is on disk. */
  stop(): Promise<void>;
}

export type Launch =
  | { outcome: "ready"; server: Server }
  | { outcome: "port_taken" }
  /** Children of a server that was killed still run; they end as soon as they notice. */
  | { outcome: "still_in_use" };

/** Starts the server on `port` and waits until it takes connections. Refuses with StartRefusal. */
export async function launchServer(cluster: Cluster, port: number, log: Log): Promise<Launch> {
  const settings = Object.entries({ ...SETTINGS, port });
  const child = spawn(
    cluster.binaries.postgres,
    ["-D", cluster.ownPath, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    {
      cwd: cluster.path,
      env: SERVER_ENV,
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      ...cluster.account,
    },
  );
  // If this process ends without stopping it, the server must not stay behind.
  const onExit = () => child.kill("SIGINT");
  process.on("exit", onExit);
  return new Promise((resolve, reject) => {
    let complaint = "";
    let bindTrouble = false;
    const silence = setTimeout(() => {
      complaint ||= `it said nothing for ${SILENCE_MS / 1000} s`;
      child.kill("SIGKILL");
    }, SILENCE_MS);
    let isReady = false;

    const ended = new Promise<ServerEnd>((resolveEnd) => {
      child.once("error", (error) => {
        clearTimeout(silence);
        process.off("exit", onExit);
        reject(new StartRefusal(`PostgreSQL cannot be started: ${error.message}.`));
      });
      child.once("close", (code, signal) => {
        clearTimeout(silence);
        process.off("exit", onExit);
        resolveEnd({ code, signal, complaint });
        if (bindTrouble) resolve({ outcome: "port_taken" });
        else if (/pre-existing shared memory block|lock file .* already exists/.test(complaint)) {
          resolve({ outcome: "still_in_use" });
        } else {
          reject(
            new StartRefusal(`PostgreSQL did not start: ${inWords(complaint, code, signal)}.`),
          );
        }
      });
    });

    createInterface({ input: child.stderr }).on("line", (line) => {
      if (!isReady) silence.refresh();
      const [, severity = "LOG", text = line] = /^([A-Z]+):\s+(.*)$/.exec(line) ?? [];
      if (severity === "PANIC") log.error({ event: "postgres_said", severity, text });
      else log.debug({ event: "postgres_said", severity, text });
      if (severity === "FATAL" || severity === "PANIC") complaint = text;
      if (text.startsWith("could not bind ")) bindTrouble = true;
      if (text !== "database system is ready to accept connections") return;
      clearTimeout(silence);
      isReady = true;
      complaint = "";
      resolve({ outcome: "ready", server: serverOf(child, ended, log) });
    });
  });
}

function serverOf(child: ChildProcess, ended: Promise<ServerEnd>, log: Log): Server {
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      const steps = [
        ["SIGINT", FAST_MS],
        ["SIGQUIT", IMMEDIATE_MS],
        ["SIGKILL", IMMEDIATE_MS],
      ] as const;
      for (const [signal, patienceMs] of steps) {
        if (!isRunning()) break;
        if (signal !== "SIGINT") log.warn({ event: "postgres_stop_slow", signal });
        child.kill(signal);
        if (await settlesWithin(ended, patienceMs)) return;
      }
    },
  };
}

function inWords(complaint: string, code: number | null, signal: NodeJS.Signals | null): string {
  if (isDiskFull(complaint)) return "the disk is full";
  if (complaint !== "") return complaint;
  return signal === null ? `it exited with ${code}` : `it was ended by ${signal}`;
}

async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A TCP port that was free on 127.0.0.1 a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
