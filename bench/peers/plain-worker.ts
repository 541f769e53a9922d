/** A worker of the plain server: fastify and Socket.IO on one http.Server, as their docs show. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { setupWorker } from "@socket.io/sticky";
import { fastify } from "fastify";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { addRoutes } from "./plain-http.ts";
import { addSocketEvents } from "./plain-socket.ts";
import { PlainStore } from "./plain-store.ts";
import { createPlainTokens } from "./plain-tokens.ts";

export async function startWorker(): Promise<void> {
  const redisUrl = wanted("REDIS_URL");
  const publisher = new Redis(redisUrl, { enableAutoPipelining: true });
  const presence = new Redis(redisUrl, { enableAutoPipelining: true });
  const subscriber = new Redis(redisUrl);
  const store = new PlainStore(wanted("DATABASE_URL"));
  const tokens = createPlainTokens(wanted("JWT_SECRET"));

  let httpServer: HttpServer | null = null;
  let apiServer: HttpServer | null = null;
  const app = fastify({
    serverFactory: (handler) => {
      httpServer = createServer(handler);
      // Sticky ends every connection that it has handed over. The same API past it, where
      // connections are kept: a port that the workers share.
      apiServer = createServer(handler);
      return httpServer;
    },
  });
  const io = new Server(httpServer!, {
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    adapter: createAdapter(publisher, subscriber),
  });
  setupWorker(io);
  // From Socket.IO's page on memory: the first request is not kept.
  io.engine.on("connection", (raw: { request: unknown }) => {
    raw.request = null;
  });
  addRoutes(app, io, { store, tokens });
  await app.ready();
  addSocketEvents(io, { store, tokens, presence });
  const apiPort = process.env["API_PORT"];
  if (apiPort) await once(apiServer!.listen(Number(apiPort), process.env["HOST"]), "listening");
  process.send?.("plain:ready");
}

function wanted(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
