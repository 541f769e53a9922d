/** A worker of the plain server: fastify and Socket.IO on one http.Server, as their docs show. */
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
  const [publisher, subscriber, presence] = [0, 1, 2].map(() => new Redis(redisUrl)) as [
    Redis,
    Redis,
    Redis,
  ];
  const store = new PlainStore(wanted("DATABASE_URL"));
  const tokens = createPlainTokens(wanted("JWT_SECRET"));

  let httpServer: HttpServer | null = null;
  const app = fastify({
    serverFactory: (handler) => {
      httpServer = createServer(handler);
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
  addRoutes(app, io, { store, tokens });
  await app.ready();
  addSocketEvents(io, { store, tokens, presence });
  process.send?.("plain:ready");
}

function wanted(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
