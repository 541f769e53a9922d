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

/** The API's server never listens itself and says "listening" once (edge/http/server.ts). */
function openDirectPort(): void {
  const emit = Server.prototype.emit;
  Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]) {
    if (event === "listening") {
      Server.prototype.emit = emit;
      const port = Number(process.env["BENCH_DIRECT_PORT"]) + (cluster.worker?.id ?? 0);
      const door = createServer({ noDelay: true }, (socket) => this.emit("connection", socket));
      // Exclusive: else the primary would listen and hand over.
      door.listen({ port, host: HOST, exclusive: true });
      door.unref();
    }
    return Reflect.apply(emit, this, [event, ...args]) as boolean;
  };
}
