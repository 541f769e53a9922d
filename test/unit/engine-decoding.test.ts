/** Binary packets that come by way of Engine.IO: long-polling, and what was upgraded from it. */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { dropBinaryMessages, packetParser } from "../../src/edge/transport/engine-decoding.ts";
import type { ClientPacket } from "../../src/edge/transport/packet.ts";
import { eventually, within } from "../support/eventually.ts";

const SEPARATOR = "\x1e";
const HEADER = '451-3["typing",{"_placeholder":true,"num":0}]';
const ATTACHMENT = `b${Buffer.alloc(30_000).toString("base64")}`;
const NEXT = '424["typing",{}]';

let http: HttpServer;
let io: Server;
let events: ClientPacket[];
let gone: number;

beforeEach(async () => {
  http = createServer();
  io = new Server(http, { serveClient: false, parser: packetParser(new Set()) });
  dropBinaryMessages(io);
  events = [];
  gone = 0;
  io.on("connection", (socket: Socket) => {
    Object.assign(socket, { onevent: (packet: ClientPacket) => events.push(packet) });
    socket.on("disconnect", () => gone++);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
});

afterEach(async () => {
  const closed = new Promise<void>((resolve) => void io.close(() => resolve()));
  http.closeAllConnections();
  await within("the server's end", closed);
});

/** A long-polling client that has connected to the namespace. */
class Poller {
  readonly #address: string;

  private constructor(address: string) {
    this.#address = address;
  }

  get sid(): string {
    return new URL(this.#address).searchParams.get("sid") as string;
  }

  static async connects(): Promise<Poller> {
    const { port } = http.address() as AddressInfo;
    const path = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
    const open = await (await fetch(path)).text();
    const poller = new Poller(`${path}&sid=${JSON.parse(open.slice(1)).sid}`);
    await poller.posts("40");
    expect(await poller.polls()).toMatch(/^40\{"sid"/);
    return poller;
  }

  async posts(...packets: string[]): Promise<number> {
    const body = packets.join(SEPARATOR);
    return (await fetch(this.#address, { method: "POST", body })).status;
  }

  async polls(): Promise<string> {
    return (await fetch(this.#address)).text();
  }

  /** Resolves when the WebSocket has taken over. */
  async upgrades(): Promise<WebSocket> {
    const { port } = http.address() as AddressInfo;
    const query = `EIO=4&transport=websocket&sid=${this.sid}`;
    const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?${query}`);
    await once(ws, "open");
    ws.send("2probe");
    await once(ws, "message");
    ws.send("5");
    return ws;
  }
}

describe("long-polling", () => {
  test("[BIN1] a binary event is passed on without payload, and its attachment is dropped", async () => {
    const poller = await Poller.connects();
    expect(await poller.posts(HEADER, ATTACHMENT, NEXT)).toBe(200);
    await eventually("both", () => events.length === 2);
    expect(events).toMatchObject([
      { type: 5, id: 3, data: undefined },
      { type: 2, id: 4, data: ["typing", {}] },
    ]);
    expect(gone).toBe(0);
  });

  test("[BIN1] an attachment may come with the next request", async () => {
    const poller = await Poller.connects();
    await poller.posts(HEADER);
    await poller.posts(ATTACHMENT, NEXT);
    await eventually("both", () => events.length === 2);
  });

  test.each([
    ["an attachment that belongs to nothing", [ATTACHMENT]],
    ["text where an attachment is due", [HEADER, NEXT]],
    ["a binary event without an acknowledgement id", ['451-["typing"]']],
    ["a binary acknowledgement", ['461-3["typing"]']],
    ["an acknowledgement id of 2^53", ['429007199254740992["typing",{}]']],
  ])("[BIN2, BIN3] %s ends the session", async (_what, packets) => {
    const poller = await Poller.connects();
    const lastPoll = poller.polls();
    await poller.posts(...packets);
    await eventually("its end", () => gone === 1);
    // Engine.IO's close packet.
    expect(await lastPoll).toBe("1");
    expect(events.filter(({ type }) => type === 2)).toEqual([]);
  });
});

describe("a WebSocket after an upgrade", () => {
  test("[BIN1] a binary event is passed on without payload, and its attachment is dropped", async () => {
    const ws = await (await Poller.connects()).upgrades();
    ws.send(HEADER);
    ws.send(Buffer.alloc(60_000));
    ws.send(NEXT);
    await eventually("both", () => events.length === 2);
    expect(events).toMatchObject([
      { type: 5, id: 3, data: undefined },
      { type: 2, id: 4, data: ["typing", {}] },
    ]);
    ws.close();
  });

  test("[BIN2] a binary message that belongs to nothing ends the session", async () => {
    const ws = await (await Poller.connects()).upgrades();
    ws.send(Buffer.alloc(60_000));
    await eventually("its end", () => gone === 1);
    expect(events).toEqual([]);
  });
});
