/**
 * The Engine.IO and Socket.IO protocols as ws-connection.ts and ws-server.ts speak them, over
 * real sockets, with a raw WebSocket and with socket.io's own client at the far end.
 */
import { once } from "node:events";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo, Socket as TcpSocket } from "node:net";
import { io as connect } from "socket.io-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Connection, ConnectionListener } from "../../src/edge/transport/connection.ts";
import type { ClientPacket } from "../../src/edge/transport/packet.ts";
import { Packet } from "../../src/edge/transport/packet.ts";
import { WriteBatcher } from "../../src/edge/transport/write-batcher.ts";
import { type Admitter, WsServer } from "../../src/edge/transport/ws-server.ts";
import { refused } from "../../src/protocol/errors.ts";
import { eventually, within } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";

let http: HttpServer;
let server: WsServer<Connection>;
let clock: FakeClock;
let port: number;
let reception: Desk;
/** Whether the last upgrade was taken past Engine.IO. */
let taken: boolean | undefined;

/** Admits clients with the token "good". It answers when `answers` resolves, at once by default. */
class Desk implements Admitter<Connection> {
  readonly calls: { auth: unknown; authorization: string | undefined }[] = [];
  readonly events: ClientPacket[] = [];
  readonly connections: Connection[] = [];
  begun = 0;
  gone = 0;
  closed = 0;
  arrived = 0;
  answers: Promise<void> = Promise.resolve();

  async receive(
    connection: Connection,
    _id: string,
    auth: Readonly<Record<string, unknown>>,
    authorization: string | undefined,
  ) {
    this.calls.push({ auth, authorization });
    await this.answers;
    const isGood = auth["token"] === "good" || authorization === "Bearer good";
    if (!isGood) return refused("unauthorized", "Who is it?");
    this.connections.push(connection);
    connection.carry({
      arrived: () => this.arrived++,
      event: (packet) => this.events.push(packet),
      stopped: () => undefined,
      closed: () => this.closed++,
    } satisfies ConnectionListener);
    return { ok: true as const, value: connection };
  }

  begin(connection: Connection): void {
    this.begun++;
    connection.write(Packet.event("ready", "{}"));
  }

  forget(): void {
    this.gone++;
  }
}

beforeEach(async () => {
  http = createServer((_request, response) => response.writeHead(404).end());
  clock = new FakeClock();
  reception = new Desk();
  taken = undefined;
  server = new WsServer({
    clock,
    turn: new WriteBatcher(),
    reception,
    passes: () => true,
    namespaces: new Set(),
    onCarrier: () => undefined,
  });
  http.on("upgrade", (request, tcp, head) => {
    taken = server.takes(request, tcp, head);
    if (!taken) tcp.destroy();
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  port = (http.address() as AddressInfo).port;
});

afterEach(async () => {
  server.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

/** A client that keeps what it hears. */
class Far {
  readonly heard: string[] = [];
  closedWith: number | null = null;
  readonly ws: WebSocket;

  constructor(query = "EIO=4&transport=websocket", headers: Record<string, string> = {}) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?${query}`, { headers });
    this.ws.on("message", (data) => this.heard.push(String(data)));
    this.ws.on("close", (code) => {
      this.closedWith = code;
    });
    this.ws.on("error", () => undefined);
  }

  async hears(count: number): Promise<string[]> {
    await eventually(`${count} packets`, () => this.heard.length >= count);
    return this.heard;
  }

  async isClosed(): Promise<number> {
    await eventually("the connection's end", () => this.closedWith !== null);
    return this.closedWith as number;
  }

  static async in(): Promise<Far> {
    const far = new Far();
    await far.hears(1);
    far.ws.send('40{"token":"good"}');
    await far.hears(3);
    return far;
  }
}

describe("the handshake", () => {
  test("[WSC] open, CONNECT, its answer and the first event", async () => {
    const far = await Far.in();
    const [open, answer, ready] = far.heard as [string, string, string];
    expect(JSON.parse(open.slice(1))).toEqual({
      sid: expect.stringMatching(/^[\w-]{20}$/),
      upgrades: [],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 65_536,
    });
    expect(open[0]).toBe("0");
    expect(answer).toMatch(/^40{"sid":"[\w-]{20}"}$/);
    expect(ready).toBe('42["ready",{}]');
    expect(reception.begun).toBe(1);
    expect(clock.pending).toBe(1);
  });

  test("[WSC] the token may be in the Authorization header", async () => {
    const far = new Far(undefined, { authorization: "Bearer good" });
    await far.hears(1);
    far.ws.send("40");
    await far.hears(3);
    expect(reception.calls).toEqual([{ auth: {}, authorization: "Bearer good" }]);
  });

  test.each([
    ["with a session id", "EIO=4&transport=websocket&sid=abc"],
    ["of another revision", "EIO=3&transport=websocket"],
    ["without a revision", "transport=websocket"],
    ["of another transport", "EIO=4&transport=polling"],
  ])("[WSC] an upgrade %s is left to engine.io", async (_what, query) => {
    const far = new Far(query);
    await far.isClosed();
    expect(taken).toBe(false);
  });

  test("[WSC] refused, a client hears why and may ask again before it is closed", async () => {
    const far = new Far();
    await far.hears(1);
    far.ws.send('40{"token":"bad"}');
    await far.hears(2);
    const error = { code: "unauthorized", message: "Who is it?" };
    expect(far.heard[1]).toBe(`44${JSON.stringify({ message: "Who is it?", data: error })}`);
    far.ws.send('40{"token":"good"}');
    await far.hears(4);
    await clock.advance(10_000);
    far.ws.send("41");
    await eventually("it is heard", () => reception.closed === 1);
  });

  test("[WSC] refused, a client that stays is closed after 3 s", async () => {
    const far = new Far();
    await far.hears(1);
    far.ws.send("40");
    await far.hears(2);
    await clock.advance(3_000);
    await far.isClosed();
    expect(clock.pending).toBe(1);
  });

  test("[WSC] asking again and again gains no time", async () => {
    const far = new Far();
    await far.hears(1);
    far.ws.send("40");
    await far.hears(2);
    await clock.advance(2_000);
    far.ws.send("40");
    await far.hears(3);
    await clock.advance(1_000);
    await far.isClosed();
  });

  test("[WSC] who says nothing is closed after 8 s", async () => {
    const far = new Far();
    await far.hears(1);
    await clock.advance(7_900);
    expect(far.closedWith).toBe(null);
    await clock.advance(200);
    await far.isClosed();
  });

  test("[WSC] there is one namespace", async () => {
    const far = new Far();
    await far.hears(1);
    far.ws.send("40/admin,");
    await far.hears(2);
    expect(far.heard[1]).toBe('44/admin,{"message":"Invalid namespace"}');
    far.ws.send('40{"token":"good"}');
    await far.hears(4);
  });

  test("[WSC] who asks for others, again and again, and reads no answer is closed", async () => {
    const far = new Far();
    await far.hears(1);
    const { _socket: socket } = far.ws as unknown as { _socket: TcpSocket };
    socket.pause();
    const asked = 1_000;
    for (let n = 0; n < asked; n++) far.ws.send(`40/${"x".repeat(30_000)},`);
    await eventually("all of it is sent", () => far.ws.bufferedAmount === 0);
    socket.resume();
    expect(await far.isClosed()).toBe(1005);
    expect(far.heard.length).toBeLessThan(asked);
  });

  test("[WSC] who goes while its CONNECT is looked at leaves nothing", async () => {
    let answer: () => void = () => undefined;
    reception.answers = new Promise((resolve) => {
      answer = resolve;
    });
    const far = new Far();
    await far.hears(1);
    far.ws.send('40{"token":"good"}');
    await eventually("the CONNECT", () => reception.calls.length === 1);
    far.ws.terminate();
    await eventually("its end is noticed", () => clock.pending === 1);
    answer();
    await eventually("it is forgotten", () => reception.gone === 1);
    expect(reception.begun).toBe(0);
  });

  test("[WSC] a second CONNECT meanwhile ends the connection", async () => {
    reception.answers = new Promise(() => undefined);
    const far = new Far();
    await far.hears(1);
    far.ws.send('40{"token":"good"}');
    far.ws.send('40{"token":"good"}');
    await far.isClosed();
    expect(reception.calls).toHaveLength(1);
  });
});

describe("a session", () => {
  test("[WSC] an event comes with its id and its payload", async () => {
    const far = await Far.in();
    far.ws.send('42["typing",{"a":1}]');
    far.ws.send('4217["typing",{"a":2}]');
    await eventually("both", () => reception.events.length === 2);
    expect(reception.events).toMatchObject([
      { type: 2, data: ["typing", { a: 1 }] },
      { type: 2, id: 17, data: ["typing", { a: 2 }] },
    ]);
    expect(reception.arrived).toBe(2);
  });

  test.each([
    ["one attachment", '451-3["typing",{"_placeholder":true,"num":0}]', 1],
    ["twelve attachments", '4512-3["typing"]', 12],
    ["JSON that does not parse", '451-3["typing', 1],
  ])(
    "[BIN1] a binary event with %s is passed on without payload, and its attachments are dropped",
    async (_what, header, count) => {
      const far = await Far.in();
      far.ws.send(header);
      for (let n = 0; n < count; n++) far.ws.send(n % 2 === 0 ? Buffer.alloc(60_000) : "bYWJj");
      far.ws.send('424["typing",{}]');
      await eventually("both", () => reception.events.length === 2);
      expect(reception.events).toMatchObject([
        { type: 5, id: 3, data: undefined },
        { type: 2, id: 4, data: ["typing", {}] },
      ]);
      expect(far.closedWith).toBe(null);
    },
  );

  test("[BIN3] an acknowledgement id is passed on exactly up to 2^53 − 1", async () => {
    const far = await Far.in();
    far.ws.send(`42${Number.MAX_SAFE_INTEGER}["typing",{}]`);
    await eventually("the event", () => reception.events.length === 1);
    expect(reception.events).toMatchObject([{ id: Number.MAX_SAFE_INTEGER }]);
  });

  test("[WSC] acknowledgements and packets of Engine.IO without meaning change nothing", async () => {
    const far = await Far.in();
    for (const packet of ["431[1]", "0{}", "1", "3", "5", "6"]) far.ws.send(packet);
    far.ws.send('42["typing",{}]');
    await eventually("the event after them", () => reception.events.length === 1);
    expect(far.closedWith).toBe(null);
  });

  test.each([
    ["a ping, which is the server's to send", "2"],
    ["no packet of Engine.IO", "x"],
    ["an empty message", ""],
    ["no packet of Socket.IO", "49"],
    ["broken JSON", '42["a",'],
    ["an event that is no array", '42{"a":1}'],
    ["a reserved event", '42["disconnect"]'],
    ["a second CONNECT", "40{}"],
    ["a CONNECT_ERROR", '44{"message":"a"}'],
    ["an event of a namespace it is not in", '42/admin,["typing",{}]'],
    ["binary data that belongs to nothing", Buffer.from("abc")],
    ["the same in base64", "bYWJj"],
    ["a binary event without an acknowledgement id", '451-["a",{"_placeholder":true,"num":0}]'],
    ["a binary event of another namespace", '451-/admin,1["a"]'],
    ["a binary acknowledgement", '461-1["a",{"_placeholder":true,"num":0}]'],
    ["a binary event without attachments", '450-1["a"]'],
    ["a million attachments", '451000000-1["a"]'],
    ["an acknowledgement id of 2^53", '429007199254740992["typing",{}]'],
    ["an acknowledgement id of 400 digits", `42${"9".repeat(400)}["typing",{}]`],
    ["a binary event with an id of 2^53", '451-9007199254740992["typing"]'],
  ])("[WSC, BIN2, BIN3] %s ends the connection", async (_what, ...packets) => {
    const far = await Far.in();
    for (const packet of packets) far.ws.send(packet);
    expect(await far.isClosed()).toBe(1005);
    expect([reception.closed, reception.events.length]).toEqual([1, 0]);
  });

  test("[BIN2] text where an attachment is due ends the connection", async () => {
    const far = await Far.in();
    far.ws.send('451-3["a",{"_placeholder":true,"num":0}]');
    far.ws.send('42["typing",{}]');
    expect(await far.isClosed()).toBe(1005);
    expect(reception.events).toMatchObject([{ type: 5, id: 3 }]);
  });

  test("[BIN2] a binary packet before CONNECT ends the connection", async () => {
    for (const first of ['451-3["a",{"_placeholder":true,"num":0}]', Buffer.alloc(1000)]) {
      const far = new Far();
      await far.hears(1);
      far.ws.send(first);
      await far.isClosed();
    }
    expect(reception.calls).toEqual([]);
  });

  test("[WSC] a frame over 64 KiB ends the connection", async () => {
    const far = await Far.in();
    far.ws.send(`42["typing","${"x".repeat(65_536)}"]`);
    expect(await far.isClosed()).toBe(1009);
    expect(reception.closed).toBe(1);
  });

  test("[WSC] an event before CONNECT ends the connection", async () => {
    const far = new Far();
    await far.hears(1);
    far.ws.send('42["typing",{}]');
    await far.isClosed();
    expect(reception.calls).toEqual([]);
  });

  test("[WSC] it is pinged, and ended when it does not answer", async () => {
    const far = await Far.in();
    await clock.advance(25_500);
    await far.hears(4);
    expect(far.heard[3]).toBe("2");
    far.ws.send("3");
    await eventually("the answer", () => reception.arrived === 1);
    await clock.advance(25_500);
    await far.hears(5);
    await clock.advance(21_000);
    expect(await far.isClosed()).toBe(1006);
    expect(reception.closed).toBe(1);
  });

  test("[WSC] its own goodbye ends it once", async () => {
    const far = await Far.in();
    far.ws.send("41");
    far.ws.close();
    await far.isClosed();
    await eventually("it is noticed", () => reception.closed === 1 && clock.pending === 1);
  });

  test("[WSC] who is to stay away hears a DISCONNECT, who may come back a closed transport", async () => {
    const [away, back] = [await Far.in(), await Far.in()];
    reception.connections[0]!.close(false);
    reception.connections[1]!.close(true);
    await away.isClosed();
    await back.isClosed();
    expect(away.heard.slice(3)).toEqual(["41"]);
    expect(back.heard.slice(3)).toEqual([]);
  });

  test("[WSC] WebSocket's own pings are answered and counted, a thousand at once too", async () => {
    const far = await Far.in();
    let pongs = 0;
    far.ws.on("pong", () => pongs++);
    for (let n = 0; n < 1_000; n++) far.ws.ping();
    await eventually("every pong", () => pongs === 1_000);
    expect([reception.arrived, far.closedWith]).toEqual([1_000, null]);
  });

  test("[WSC] a server that closes drops everybody", async () => {
    const far = await Far.in();
    server.close();
    await far.isClosed();
    expect(clock.pending).toBe(0);
  });
});

test("[WSC] socket.io's own client talks to it", async () => {
  const client = connect(`http://127.0.0.1:${port}`, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
    auth: { token: "good" },
  });
  try {
    const heard: unknown[] = [];
    client.onAny((name: string, body: unknown) => heard.push([name, body]));
    await eventually("ready", () => heard.length === 1);
    const answer = client
      .timeout(2_000)
      .emitWithAck("typing", { is_typing: true }) as Promise<unknown>;
    await eventually("the event", () => reception.events.length === 1);
    const [{ id }] = reception.events as [ClientPacket];
    reception.connections[0]!.write(Packet.ack(id as number, '{"ok":true}'));
    expect(await answer).toEqual({ ok: true });
    const gone = once(client as never, "disconnect");
    reception.connections[0]!.close(false);
    expect((await within("disconnect", gone))[0]).toBe("io server disconnect");
  } finally {
    client.disconnect();
  }
});

test("[WSC] a reader that stops: what waits is counted, and told when it has gone", async () => {
  const far = await Far.in();
  const [connection] = reception.connections as [Connection];
  (far.ws as unknown as { _socket: TcpSocket })._socket.pause();
  const packet = Packet.event("message", JSON.stringify("x".repeat(60_000)));
  await eventually("the kernel takes no more", () => {
    for (let n = 0; n < 10; n++) connection.write(packet);
    return connection.queuedBytes > 2_000_000;
  });
  let drained = false;
  connection.onceDrained(() => {
    drained = true;
  });
  (far.ws as unknown as { _socket: TcpSocket })._socket.resume();
  await eventually("it has gone", () => drained && connection.queuedBytes === 0);
});
