import { once } from "node:events";
import type { Server } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer,
  type Server as Door,
  type Socket,
} from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  closeConnections,
  createHttpServer,
  SILENCE_MS,
} from "../../src/edge/http/server/server.ts";
import { eventually } from "../support/eventually.ts";

/** More than the system keeps for a connection. */
const BYTES = 64 * 1024 * 1024;
const SHORT_MS = 300;
let server: Server;
let door: Door;
let client: Socket;
let open: number;

beforeEach(async () => {
  open = 0;
  server = createHttpServer((_request, response) => response.end(Buffer.alloc(BYTES)));
  server.timeout = SHORT_MS;
  door = createServer((socket) => {
    open++;
    socket.on("error", () => undefined);
    socket.once("close", () => open--);
    server.emit("connection", socket);
  });
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  client = connect((door.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => undefined);
  await once(client, "connect");
});

afterEach(async () => {
  client.destroy();
  door.close();
  await Promise.all([once(door, "close"), closeConnections(server, 0)]);
});

const asks = () => client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");

test("[HTT7] an answer that nobody reads is cut at its deadline", async () => {
  client.pause();
  asks();
  await eventually("it is served", () => open === 1);
  await eventually("it is cut", () => open === 0);
});

test("[HTT7] one that is read slowly is not", async () => {
  let readBytes = 0;
  let chunks = 0;
  const startedMs = performance.now();
  client.on("data", (chunk) => {
    readBytes += chunk.length;
    if (++chunks % 200 !== 0) return;
    client.pause();
    setTimeout(() => client.resume(), SHORT_MS / 6);
  });
  asks();
  await eventually("all of it is read", () => readBytes > BYTES);
  expect(performance.now() - startedMs).toBeGreaterThan(SHORT_MS);
  expect(open).toBe(1);
});

test("[HTT7] the deadline is longer than a long poll and than what proxies wait", () => {
  expect(createHttpServer(() => undefined).timeout).toBe(SILENCE_MS);
});
