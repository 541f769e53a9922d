/**
 * The usual way: what a good developer builds for this contract from the documentation of
 * Socket.IO, PostgreSQL and Redis. The yardstick of `troupe bench --against plain`; it keeps
 * the promises of the subset that the scenarios use, and nothing in it is slower than needed:
 *
 * - one process a core behind @socket.io/sticky, round-robin, which spreads evenly;
 * - compression off, connection state recovery off, WebSockets first, as Troupe has it; the
 *   first request of a connection is let go, as Socket.IO's page on memory says;
 * - the same tables and indexes, the same PostgreSQL with the same settings and an SSD's price
 *   of a page, pools of 20 connections a worker, statements prepared by name;
 * - one transaction a message, presence in Redis, events through @socket.io/redis-adapter.
 *
 * It does less than Troupe where that is usual: no notifications, no rate limits, no bounds for
 * slow readers, no revocation of tokens; so the comparison errs on its side. With API_PORT the
 * HTTP API also has a port of its own, past sticky, which ends every connection.
 */
import cluster from "node:cluster";
import { createServer } from "node:http";
import { setupMaster } from "@socket.io/sticky";

const HEADERS_TIMEOUT_MS = 0;

if (cluster.isPrimary) startPrimary();
else await (await import("./plain-worker.ts")).startWorker();

function startPrimary(): void {
  // headersTimeout would end requests that sticky tunnels to a worker.
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS });
  setupMaster(server, { loadBalancingMethod: "round-robin" });
  // With the default serialisation a request with a body crashes the primary.
  cluster.setupPrimary({ serialization: "advanced" });
  const workers = Number(process.env["WORKERS"] ?? 2);
  let online = 0;
  cluster.on("fork", (worker) => worker.on("error", (error) => console.error(error.message)));
  cluster.on("message", (_worker, message: unknown) => {
    if (message !== "plain:ready") return;
    online++;
    // The port opens when everybody is there, so that nobody gets more than a fair share.
    if (online === workers) server.listen(Number(process.env["PORT"]), process.env["HOST"]);
  });
  for (let i = 0; i < workers; i++) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGKILL");
    process.exit(0);
  });
}
