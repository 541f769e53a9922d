/**
 * The outlet over real sockets, and what engine-connection.ts leans on inside
 * socket.io, engine.io and ws. When an update of those breaks this, read those modules first.
 */
import { Socket as TcpSocket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SendQueue } from "../../src/edge/session/send-queue.ts";
import { EngineConnection } from "../../src/edge/transport/engine-connection.ts";
import { Packet } from "../../src/edge/transport/packet.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "../support/fake-clock.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import { type SocketPair, socketPair } from "../support/socket-pair.ts";

const MIB = 1024 * 1024;

let pair: SocketPair;
let connection: EngineConnection;
let outlet: SendQueue;
let slow: number;
let heard: { name: string; n: number }[];

async function opens(transport: "websocket" | "polling"): Promise<void> {
  pair = await socketPair(transport);
  slow = 0;
  heard = [];
  const turn = new WriteBatcher();
  connection = new EngineConnection(pair.server, turn);
  outlet = new SendQueue(connection, turn, () => {
    slow++;
  });
  pair.client.onAny((name: string, body: { n: number }) => heard.push({ name, n: body.n }));
}

afterEach(async () => {
  await pair.close();
});

function says(n: number, bytes = 0, name = "message", latestKey: string | null = null): void {
  outlet.send(Packet.event(name, JSON.stringify({ n, filling: "x".repeat(bytes) })), latestKey);
}

const numbers = () => heard.map(({ n }) => n);

/** Fills what the kernel takes and then `bytes` of the server's own memory. */
async function fallsBehind(bytes: number): Promise<number> {
  pair.stopsReading();
  let n = 0;
  while (connection.queuedBytes < bytes && slow === 0) {
    for (let i = 0; i < 8; i++) says(n++, 8_000);
    await settled();
  }
  return n;
}

describe("over WebSocket", () => {
  beforeEach(() => opens("websocket"));

  test("[PIN1] the TCP connection, the ws state and engine.io's buffer are where we look", () => {
    const conn = pair.server.conn as unknown as {
      readyState: string;
      writeBuffer: unknown;
      transport: { name: string; socket: { readyState: number; terminate: unknown } };
    };
    expect(pair.tcp).toBeInstanceOf(TcpSocket);
    expect(conn.readyState).toBe("open");
    expect(conn.transport.name).toBe("websocket");
    expect(conn.transport.socket.readyState).toBe(1);
    expect(typeof conn.transport.socket.terminate).toBe("function");
    expect(conn.writeBuffer).toEqual([]);
  });

  test("[PIN2] onevent takes the place of socket.io's dispatch, with the packet's id", async () => {
    const packets: unknown[] = [];
    const listened: unknown[] = [];
    pair.server.on("typing", (body) => listened.push(body));
    connection.carry({
      arrived: () => undefined,
      event: (packet) => {
        packets.push(packet);
        outlet.send(Packet.ack(packet.id as number, '{"ok":true}'));
      },
      stopped: () => undefined,
      closed: () => undefined,
    });
    const answer: unknown = await pair.client.emitWithAck("typing", { is_typing: true });
    expect(answer).toEqual({ ok: true });
    expect(packets).toMatchObject([{ type: 2, data: ["typing", { is_typing: true }] }]);
    expect(typeof (packets[0] as { id: unknown }).id).toBe("number");
    expect(listened).toEqual([]);
  });

  test("[PIN3] what engine.io has to hold back is text in writeBuffer", () => {
    pair.server.emit("first", {});
    pair.server.emit("held", { n: 1 });
    const { writeBuffer } = pair.server.conn as unknown as { writeBuffer: { data: string }[] };
    expect(writeBuffer.map(({ data }) => data)).toEqual(['2["held",{"n":1}]']);
    expect(connection.queuedBytes).toBeGreaterThan(0);
  });

  test("[OUT1] a single event goes out in its turn", async () => {
    says(1);
    await eventually("the event", () => heard.length === 1);
    expect(heard).toEqual([{ name: "message", n: 1 }]);
  });

  test("[OUT1] direct frames and engine.io's packets keep their order, also behind a full socket", async () => {
    const chance = chanceFrom(seedFor("interleaved writes"));
    let n = await fallsBehind(200 * 1024);
    const until = n + 400;
    while (n < until) {
      if (chance(3) === 0) pair.server.emit("message", { n: n++ });
      else says(n++, chance(500));
      if (chance(4) === 0) await settled();
    }
    pair.reads();
    await eventually("everything arrives", () => heard.length === until);
    expect(numbers()).toEqual(Array.from({ length: until }, (_, i) => i));
    for (let i = 0; i < 50; i++) {
      if (chance(2) === 0) pair.server.emit("message", { n: n++ });
      else says(n++);
    }
    await eventually("everything after it", () => heard.length === until + 50);
    expect(numbers()).toEqual(Array.from({ length: until + 50 }, (_, i) => i));
  });

  test("[OUT2] behind, of newest values the last one arrives; nothing else is lost", async () => {
    let n = await fallsBehind(200 * 1024);
    const count = n;
    for (let i = 0; i < 100; i++) {
      says(i, 0, "typing", "typing:1:2");
      says(i + 1_000, 0, "user_status", "user_status:3");
    }
    says(n++);
    expect(pair.tcp.listenerCount("drain")).toBeLessThan(5);
    pair.reads();
    await eventually("the last of each", () => heard.length === count + 3);
    const named = (name: string) => heard.filter((one) => one.name === name).map((one) => one.n);
    expect(named("typing")).toEqual([99]);
    expect(named("user_status")).toEqual([1_099]);
    expect(named("message")).toEqual(Array.from({ length: count + 1 }, (_, i) => i));
    expect(slow).toBe(0);
  });

  test("[OUT4] the newest values leave in their own order, and nothing of the same order overtakes them", async () => {
    const count = await fallsBehind(200 * 1024);
    const signals = (n: number, key: string | null) =>
      outlet.send(Packet.event("signal", JSON.stringify({ n })), key, "signal:1:2:");
    signals(1, "signal:1:2:cursor");
    signals(2, "signal:1:2:hand");
    signals(3, "signal:1:2:cursor");
    outlet.send(Packet.event("typing", '{"n":4}'), "typing:1:2");
    signals(5, null);
    signals(6, "signal:1:2:cursor");
    signals(7, "signal:1:2:hand");
    signals(8, "signal:1:2:cursor");
    pair.reads();
    await eventually("all that is kept", () => heard.length === count + 6);
    expect(numbers().slice(count)).toEqual([2, 3, 5, 4, 7, 8]);
  });

  test("[OUT2] a reader that keeps up gets every one of them", async () => {
    for (let i = 0; i < 100; i++) says(i, 0, "typing", "typing:1:2");
    await eventually("all of them", () => heard.length === 100);
  });

  test("[OUT3] a reader that stops is given up once, with bounded memory, and cut at once", async () => {
    await fallsBehind(2 * MIB);
    expect(slow).toBe(1);
    const keptBytes = connection.queuedBytes;
    expect(keptBytes).toBeLessThan(1.2 * MIB);
    for (let i = 0; i < 100; i++) says(i, 8_000);
    await settled();
    expect(slow).toBe(1);
    expect(connection.queuedBytes).toBe(keptBytes);
    outlet.sendLast(Packet.event("session_ended", '{"n":-1}'));
    connection.terminate();
    await eventually("the connection is gone", () => pair.tcp.destroyed);
  });
});

describe("over long-polling", () => {
  beforeEach(() => opens("polling"));

  test("[OUT1] packets go engine.io's way, in order", async () => {
    for (let n = 0; n < 50; n++) says(n);
    pair.server.emit("message", { n: 50 });
    await eventually("all arrive", () => heard.length === 51);
    expect(numbers()).toEqual(Array.from({ length: 51 }, (_, i) => i));
  });

  test("[OUT2] what was held back comes when engine.io's buffer has gone", async () => {
    for (let n = 0; n < 30; n++) says(n, 8_000);
    for (let n = 0; n < 10; n++) says(n, 0, "typing", "typing:1:2");
    await eventually("the last", () => heard.some(({ name }) => name === "typing"));
    expect(heard.filter(({ name }) => name === "typing")).toEqual([{ name: "typing", n: 9 }]);
  });
});
