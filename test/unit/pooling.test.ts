/** How a pooler is looked for, at a server that lets everybody in and answers nothing. */
import { createServer, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { StorageFault } from "../../src/storage/postgres/fault.ts";
import { poolingOf } from "../../src/storage/postgres/pooler.ts";
import { listening } from "../support/ports.ts";

const AUTHENTICATED = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

const sockets: Socket[] = [];
const server = createServer((socket) => {
  sockets.push(socket);
  socket.on("error", () => undefined);
  socket.once("data", () => socket.write(Buffer.concat([AUTHENTICATED, READY])));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((closed) => server.close(closed));
});

it("[POO7] a pooler that answers no statement is a fault, and holds up no start for ever", async () => {
  const port = await listening(server);
  const fault = await poolingOf(`postgres://troupe@127.0.0.1:${port}/troupe`, 200).catch(
    (error: unknown) => error,
  );
  expect(fault).toBeInstanceOf(StorageFault);
});
