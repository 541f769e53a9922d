/** What Socket.IO's server uses of a connection, pinned: when an update of it breaks this, read client.js. */
import { createServer, type Server as HttpServer } from "node:http";
import { Server, type Socket } from "socket.io";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { NamespaceCarrier } from "../../src/edge/transport/namespace-carrier.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "../support/fake-clock.ts";

let http: HttpServer;
let io: Server;
let carrier: NamespaceCarrier;
let frames: Buffer[];
let closed: number;
let terminated: number;
let queuedBytes: number;

beforeEach(() => {
  http = createServer();
  io = new Server(http, { serveClient: false });
  frames = [];
  closed = 0;
  terminated = 0;
  queuedBytes = 0;
  const tcp = {
    writable: true,
    get writableLength() {
      return queuedBytes;
    },
    writableCorked: 1,
    remoteAddress: "192.0.2.7",
    write: (bytes: Buffer) => frames.push(Buffer.from(bytes)),
    uncork: () => undefined,
  };
  carrier = new NamespaceCarrier({
    id: "c1",
    ws: { terminate: () => terminated++ } as unknown as WebSocket,
    tcp: tcp as never,
    turn: new WriteBatcher(),
    request: { url: "/socket.io/?EIO=4&board=7", headers: { origin: "https://app.example.com" } },
    accepted: () => undefined,
    closed: () => closed++,
  });
  io.engine.emit("connection", carrier);
});

afterEach(async () => {
  carrier.over("the test is over");
  await io.close();
});

const texts = () =>
  frames.filter((frame) => frame[0] === 0x81).map((frame) => frame.subarray(3).toString());

async function connects(): Promise<Socket> {
  const connected = new Promise<Socket>((resolve) => io.of("/game").on("connection", resolve));
  carrier.heard('0/game,{"token":"t"}');
  return connected;
}

describe("a carrier", () => {
  test("[NSP13] its handshake is the WebSocket's, and CONNECT's auth the client's", async () => {
    const socket = await connects();
    expect(socket.handshake).toMatchObject({
      auth: { token: "t" },
      query: { EIO: "4", board: "7" },
      headers: { origin: "https://app.example.com" },
      address: "192.0.2.7",
    });
    expect(texts()).toEqual([`0/game,{"sid":"${socket.id}"}`]);
  });

  test("[NSP13] events, acknowledgements, broadcasts and attachments go through", async () => {
    const socket = await connects();
    socket.on("x", (value: Buffer, done: (value: Buffer) => void) => done(value));
    carrier.heard('51-/game,7["x",{"_placeholder":true,"num":0}]');
    carrier.heard(Buffer.from([1, 2, 3]));
    await eventually("the answer and its attachment", () => frames.length === 3);
    expect(texts()[1]).toBe('61-/game,7[{"_placeholder":true,"num":0}]');
    expect([...(frames[2] as Buffer)]).toEqual([0x82, 3, 1, 2, 3]);
    await socket.join("red");
    io.of("/game").to("red").emit("all", 1);
    // Socket.IO frames a broadcast once for all, as a header and the payload.
    const broadcast = () => Buffer.concat(frames.slice(3));
    await eventually("the broadcast", () => broadcast().length > 3);
    expect(broadcast().subarray(3).toString()).toBe('2/game,["all",1]');
  });

  test("[NSP13] what the handler closes is closed, and what is gone is told", async () => {
    const socket = await connects();
    const reasons: string[] = [];
    socket.on("disconnect", (reason) => reasons.push(reason));
    carrier.over("transport close");
    expect([reasons, closed]).toEqual([["transport close"], 0]);
    expect(carrier.readyState).toBe("closed");
  });

  test("[NSP13] a closed connection and a nonsense packet end it once", async () => {
    await connects();
    carrier.heard("nonsense");
    await settled();
    expect([carrier.readyState, closed]).toEqual(["closed", 1]);
  });

  test("[NSP6] a reader that takes nothing is cut, and volatile events are dropped before", async () => {
    const socket = await connects();
    queuedBytes = 1;
    socket.volatile.emit("v", 1);
    expect(texts()).toHaveLength(1);
    queuedBytes = 2 * 1024 * 1024;
    socket.emit("e", 1);
    expect([texts().length, closed, terminated]).toEqual([1, 1, 1]);
  });
});
