/**
 * Loaded into Troupe's processes before anything else (`--import`): each worker's HTTP API
 * also listens on a port of its own, BENCH_DIRECT_PORT plus the worker's number. So the same
 * server can be measured with and without the front door before it.
 */
import cluster from "node:cluster";
import { Server } from "node:http";
import { createServer } from "node:net";
import { isMainThread } from "node:worker_threads";

const HOST = "127.0.0.1";

if (cluster.isWorker && isMainThread) openDirectPort();

/**
 * A worker's servers never listen themselves, and say "listening" once
 * (edge/http/server/server.ts): Socket.IO's first, then the API's. limits/stacks.ts asks whether
 * the right one answers.
 */
function openDirectPort(): void {
  let api: Server | null = null;
  const door = createServer({ noDelay: true }, (socket) => api?.emit("connection", socket));
  const emit = Server.prototype.emit;
  Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]) {
    if (event === "listening") api = this;
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  };
  const port = Number(process.env["BENCH_DIRECT_PORT"]) + (cluster.worker?.id ?? 0);
  // Exclusive: else the primary would listen and hand over.
  door.listen({ port, host: HOST, exclusive: true });
  door.unref();
}
