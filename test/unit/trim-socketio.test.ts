/** What trim-socketio.ts leans on inside socket.io, engine.io and ws, over real sockets. */
import type { IncomingMessage } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Server } from "socket.io";
import { afterEach, describe, expect, test } from "vitest";
import { slim, slimUpgrades, stickyView } from "../../src/edge/transport/trim-socketio.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { eventually } from "../support/eventually.ts";
import { type SocketPair, socketPair } from "../support/socket-pair.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

let pair: SocketPair;
let request: WeakRef<IncomingMessage>;
let toldToSticky: string[];

interface EngineSide {
  engine: { on(event: string, listener: (conn: { id: string }) => void): void };
}

function prepared(io: Server): void {
  toldToSticky = [];
  slimUpgrades(io, new WriteBatcher(), () => false);
  (stickyView(io) as unknown as EngineSide).engine.on("connection", ({ id }) =>
    toldToSticky.push(id),
  );
  io.engine.on("connection", (conn: { request: IncomingMessage }) => {
    request = new WeakRef(conn.request);
  });
}

afterEach(async () => {
  await pair.close();
});

describe("a connection's weight", () => {
  test("[LEA1] nothing holds the upgrade request of a session that has begun", async () => {
    pair = await socketPair("websocket", prepared);
    expect(request.deref()).toBeDefined();
    slim(pair.server);
    await eventually("the request is garbage", () => {
      collectGarbage();
      return request.deref() === undefined;
    });
    expect(pair.server.handshake.headers).toEqual({});
    const heard: unknown[] = [];
    pair.client.onAny((name: string) => heard.push(name));
    pair.server.on("typing", () => pair.server.emit("message", { n: 1 }));
    pair.client.emit("typing", {});
    await eventually("it still speaks and hears", () => heard.length === 1);
  });

  test("[LEA1] its end is noticed all the same", async () => {
    pair = await socketPair("websocket", prepared);
    slim(pair.server);
    let reason = "";
    pair.server.on("disconnect", (why) => {
      reason = why;
    });
    pair.client.io.engine.close();
    await eventually("the disconnect", () => reason !== "");
    expect(reason).toBe("transport close");
  });

  test("[LEA3] sticky hears of a session that polls, and of no other", async () => {
    pair = await socketPair("websocket", prepared);
    expect(toldToSticky).toEqual([]);
    await pair.close();
    pair = await socketPair("polling", prepared);
    expect(toldToSticky).toHaveLength(1);
    slim(pair.server);
    const heard: string[] = [];
    pair.client.onAny((name: string) => heard.push(name));
    pair.server.emit("message", { n: 1 });
    await eventually("it still hears", () => heard.length === 1);
  });
});
