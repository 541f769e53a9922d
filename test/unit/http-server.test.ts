/** What the server under the API and the sockets refuses before any listener sees it. */
import { once } from "node:events";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHttpServer } from "../../src/edge/http/server/server.ts";
import { eventually } from "../support/eventually.ts";
import { RawConnection } from "../support/raw.ts";

const HOST = "Host: troupe\r\n";
const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

let door: TcpServer;
let server: HttpServer;
let far: RawConnection;
let requests: { request: IncomingMessage; response: ServerResponse }[];
let upgrades: number;

beforeEach(async () => {
  requests = [];
  upgrades = 0;
  server = createHttpServer((request, response) => requests.push({ request, response }));
  server.on("upgrade", (_request: IncomingMessage, socket: Duplex) => {
    upgrades++;
    socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  });
  door = createServer((socket) => server.emit("connection", socket));
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  far = await RawConnection.to((door.address() as AddressInfo).port);
});

afterEach(async () => {
  far.end();
  server.closeAllConnections();
  server.close();
  await new Promise((resolve) => door.close(resolve));
});

test("[SRV1] a request with two Host headers is answered 400, and the connection is closed", async () => {
  far.writes(`GET /api/me HTTP/1.1\r\n${HOST}host: elsewhere\r\n\r\n`);
  await far.untilClosed();
  expect(far.received).toMatch(/^HTTP\/1\.1 400 /);
  expect(far.received).toContain('{"error":{"code":"invalid_payload"');
  expect(requests).toEqual([]);
});

test("[SRV1] an upgrade with two Host headers likewise", async () => {
  far.writes(`GET /socket.io/ HTTP/1.1\r\n${HOST}${HOST}${UPGRADE}\r\n`);
  await far.untilClosed();
  expect(far.received).toMatch(/^HTTP\/1\.1 400 /);
  expect(upgrades).toBe(0);
});

test("[SRV2] an upgrade behind a request is refused after that request's answer", async () => {
  far.writes(
    `GET /api/me HTTP/1.1\r\n${HOST}\r\nGET /socket.io/ HTTP/1.1\r\n${HOST}${UPGRADE}\r\n`,
  );
  await eventually("the request", () => requests.length === 1);
  requests[0]!.response.end("the answer");
  await far.untilClosed();
  expect(far.received).toMatch(/^HTTP\/1\.1 200 .*the answer.*HTTP\/1\.1 400 /s);
  expect(upgrades).toBe(0);
});

test("[SRV2] an upgrade after the answer is taken, on the same connection", async () => {
  far.writes(`GET /api/me HTTP/1.1\r\n${HOST}\r\n`);
  await eventually("the request", () => requests.length === 1);
  requests[0]!.response.end("the answer");
  await eventually("the answer", () => far.received.includes("the answer"));
  far.writes(`GET /socket.io/ HTTP/1.1\r\n${HOST}${UPGRADE}\r\n`);
  await far.untilClosed();
  expect(far.received).toContain("HTTP/1.1 101 ");
  expect(upgrades).toBe(1);
});
