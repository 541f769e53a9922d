/** Bad input gets an error, not silence, not a crash; and others live on. */
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { expectErrorObject, upTo } from "../support/expectations.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import { RawConnection, RawWebSocket } from "../support/raw.ts";
import type { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";

const FRAME_BYTES_MAX = 64 * 1024;
/** A connection that says nothing is closed within a few seconds. */
const SILENT_CLOSED_MS = 15_000;
const troupe = troupeForFile({ workers: 2 });

/** Two who talk throughout: whatever a test does to the port, they must not notice. */
let ann: Session;
let bob: Session;
let conversationId = "";
let workersBefore: number[] = [];

beforeEach(async () => {
  const [annPerson, bobPerson] = await troupe().users("ann", "bob");
  conversationId = (await annPerson!.startsDirect(bobPerson!)).id;
  [ann, bob] = [await annPerson!.connects(), await bobPerson!.connects()];
  workersBefore = troupe().pids().workers;
});

afterEach(async () => {
  const message = await ann.sends(conversationId, "still here");
  expect(await bob.next("message", ({ seq }) => seq === message.seq)).toEqual(message);
  expect(troupe().pids().workers, "no worker was lost").toEqual(workersBefore);
});

const VALID: Record<string, object> = {
  send_message: { client_id: "c", body: "hi" },
  join_conversation: {},
  leave_conversation: {},
  typing: { is_typing: true },
  mark_delivered: { seq: 1 },
  mark_read: { seq: 1 },
  edit_message: { seq: 1, body: "hi" },
  delete_message: { seq: 1 },
};
const EVENTS = [
  ...Object.keys(VALID),
  "sync",
  "watch_presence",
  "unwatch_presence",
  "set_status",
  "refresh_token",
];

describe("payloads", () => {
  it.each(EVENTS)("[CTR-BAD1] %s with something else than one object is refused", async (event) => {
    for (const args of [
      [],
      [null],
      [[]],
      ["text"],
      [42],
      [true],
      [{}],
      [{ x: 1 }],
      [{ conversation_id: null }],
      [Buffer.from("binary")],
      [{ conversation_id: Buffer.from("1") }],
      [{ conversation_id: { toString: "1" } }],
      [JSON.parse('{"__proto__": {"conversation_id": "1"}}')],
      [JSON.parse('{"constructor": {"prototype": {}}}')],
      [[[[[[[[[[]]]]]]]]]],
    ]) {
      expectErrorObject(await ann.isRefused(event, ...args), "invalid_payload");
    }
  });

  it.each(Object.entries(VALID))(
    "[CTR-BAD2] %s with a wrong key or id is refused",
    async (event, valid) => {
      const right = { conversation_id: conversationId, ...valid };
      const ids = [
        "",
        "0",
        "-1",
        "01",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "٣",
        "9223372036854775808",
        "abc",
      ];
      const wrongIds = [...ids, Number(conversationId), null, true, [conversationId], {}];
      for (const conversation_id of wrongIds) {
        const error = await ann.isRefused(event, { ...right, conversation_id });
        expectErrorObject(error, "invalid_payload");
      }
      const own = (key: string) => JSON.parse(`{"${key}": 1}`) as object;
      for (const extra of [{ x: 1 }, own("toString"), own("constructor")]) {
        expectErrorObject(await ann.isRefused(event, { ...right, ...extra }), "invalid_payload");
      }
      const withProto = JSON.parse(`${JSON.stringify(right).slice(0, -1)},"__proto__":{"x":1}}`);
      expectErrorObject(await ann.isRefused(event, withProto), "invalid_payload");
      expectErrorObject(await ann.isRefused(event, right, right), "invalid_payload");
    },
  );

  it("[CTR-BAD3] an unknown event is answered, also one that looks like a built-in name", async () => {
    for (const event of [
      "nonsense",
      "toString",
      "__proto__",
      "constructor",
      "",
      "ready",
      "message",
    ]) {
      const error = await ann.isRefused(event, { conversation_id: conversationId });
      expectErrorObject(error, "invalid_payload");
    }
  });

  it("[CTR-BAD4] without an acknowledgement everything works or is ignored alike", async () => {
    for (const event of [...EVENTS, "nonsense"]) {
      ann.socket.emit(event);
      ann.socket.emit(event, null);
      ann.socket.emit(event, { x: 1 }, "and", 3);
    }
    const message = { conversation_id: conversationId, client_id: "no ack", body: "no ack" };
    ann.socket.emit("send_message", message);
    expect(await bob.next("message")).toMatchObject({ client_id: "no ack", seq: 1 });
  });

  it("[CTR-BAD5] every one of many requests in flight has its own answer", async () => {
    const answers = await Promise.all(
      upTo(200).map((i) =>
        i % 2 === 0
          ? ann.emits("mark_read", { conversation_id: conversationId, seq: -i })
          : ann.emits("join_conversation", { conversation_id: conversationId }),
      ),
    );
    for (const [index, answer] of answers.entries()) expect(answer.ok).toBe(index % 2 === 0);
  });
});

describe("frames", () => {
  it("[CTR-BAD6] a frame over 64 KiB closes that connection, one below is answered", async () => {
    const carrying = (bytes: number) => ({
      conversation_id: conversationId,
      client_id: "big",
      body: "x".repeat(bytes),
    });
    const belowMax = FRAME_BYTES_MAX - 1024;
    expectErrorObject(await ann.isRefused("send_message", carrying(belowMax)), "invalid_payload");
    const other = await troupe().user("other");
    for (const transports of [["websocket"], ["polling"]] as ("websocket" | "polling")[][]) {
      const session = await other.connects({ transports });
      session.socket.emit("send_message", carrying(FRAME_BYTES_MAX + 1024));
      await session.untilDisconnected(10_000);
    }
  });

  it.each([
    ["an unknown packet type", "9"],
    ["an unknown Socket.IO type", "49[]"],
    ["half of a JSON text", '42["send_message",{'],
    ["an event without a name", "42[]"],
    ["an event whose name is a number", "42[5]"],
    ["an event whose name is an object", "42[{}]"],
    ["an event that is no array", '42{"a":1}'],
    ["a reserved name", '42["disconnect"]'],
    ["another reserved name", '42["connect_error",{}]'],
    ["an acknowledgement of nothing", "43999[]"],
    ["an acknowledgement without an id", "43[]"],
    ["a huge acknowledgement id", `42${"9".repeat(400)}["typing",{}]`],
    ["attachments that never come", '452-["send_message",{"_placeholder":true,"num":0}]'],
    ["attachments without a number", '45-["send_message"]'],
    ["a million attachments", '451000000-["send_message",{"_placeholder":true,"num":0}]'],
    ["an attachment out of range", '451-["send_message",{"_placeholder":true,"num":99}]'],
    ["a second handshake", '40{"token":"x"}'],
    ["an unknown namespace", "40/admin,"],
    ["an event of an unknown namespace", '42/admin,["x"]'],
    ["a deeply nested payload", `42["send_message",${"[".repeat(30_000)}${"]".repeat(30_000)}]`],
    ["a probe on an upgraded connection", "2probe"],
    ["an upgrade of an upgraded connection", "5"],
    ["an empty frame", ""],
    ["a binary frame where none belongs", Buffer.from('42["typing",{}]')],
    ["a binary frame of zeros", Buffer.alloc(1000)],
  ] as [string, string | Buffer][])("[CTR-BAD7] %s harms no one else", async (_, frame) => {
    const { token } = await troupe().user("rude");
    const rude = await RawWebSocket.signedIn(troupe().port, token);
    rude.writes(frame);
    rude.writes(frame);
    rude.writes('421["set_status",{"status":"online"}]');
    await ann.sends(conversationId, "meanwhile");
    // Either it is closed or it is answered; it is not left hanging.
    await Promise.race([
      rude.untilClosed(30_000),
      rude.frame((text) => text.startsWith("431["), "the request after it is answered"),
    ]);
    rude.end();
    await rude.closed;
  });

  it("[CTR-BAD8] random frames, before and after the handshake", async () => {
    const random = chanceFrom(seedFor("[CTR-BAD8]"));
    const { token } = await troupe().user("rude");
    for (const round of upTo(30)) {
      const rude =
        round % 2 === 0
          ? await RawWebSocket.to(troupe().port)
          : await RawWebSocket.signedIn(troupe().port, token);
      for (const _ of upTo(10)) {
        const length = random(200);
        const bytes = Buffer.from(upTo(length).map(() => random(256)));
        rude.writes(
          random(2) === 0 ? bytes : `${random(7)}${random(8)}${bytes.toString("latin1")}`,
        );
      }
      await ann.sends(conversationId, `round ${round}`);
      rude.end();
      await rude.closed;
    }
  });

  it("[CTR-BAD9] who opens a connection and never signs in is put out", async () => {
    const silent = await RawWebSocket.to(troupe().port);
    await silent.untilClosed(SILENT_CLOSED_MS);
  });
});

const WRITTEN_TO_THE_PORT: [string, Buffer][] = [
  ["random bytes", randomBytes(512)],
  ["a TLS hello", Buffer.from("16030100a5010000a10303", "hex")],
  ["a null byte", Buffer.from([0])],
  ["only newlines", Buffer.from("\r\n".repeat(2000))],
  ["a request line that never ends", Buffer.from(`GET /${"a".repeat(40_000)}`)],
  ["headers that never end", Buffer.from(`GET / HTTP/1.1\r\n${"x: y\r\n".repeat(6000)}`)],
  ["an HTTP version that is none", Buffer.from("GET / HTTP/9.9\r\n\r\n")],
  [
    "two lengths",
    Buffer.from(
      "POST /api/me HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    ),
  ],
  [
    "a length and chunks",
    Buffer.from(
      "POST /api/me HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
  ],
  [
    "a negative length",
    Buffer.from("POST /api/me HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
  ],
  ["a bad escape in the path", Buffer.from("GET /socket.io/?sid=%zz HTTP/1.1\r\nHost: x\r\n\r\n")],
  [
    "an upgrade to nothing",
    Buffer.from(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ),
  ],
  [
    "an upgrade elsewhere",
    Buffer.from(
      "GET /api/me HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ),
  ],
  [
    "an unknown session id",
    Buffer.from(
      "GET /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
  ],
  [
    "a post to an unknown session id",
    Buffer.from(
      "POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1",
    ),
  ],
  [
    "an old Engine.IO",
    Buffer.from(
      "GET /socket.io/?EIO=99&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
  ],
  [
    "an unknown transport",
    Buffer.from(
      "GET /socket.io/?EIO=4&transport=pigeon HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ),
  ],
];

describe("the port", () => {
  it("[CTR-BAD10] whatever is written to it is answered or closed, never held", async () => {
    const cases = new Map(WRITTEN_TO_THE_PORT);
    const held: string[] = [];
    await Promise.all(
      [...cases].map(async ([what, bytes]) => {
        const raw = await RawConnection.to(troupe().port);
        raw.writes(bytes);
        await eventually(what, () => raw.received !== "" || raw.isClosed, SILENT_CLOSED_MS).catch(
          () => held.push(what),
        );
        raw.end();
        if (raw.received !== "") {
          expect(raw.received, what).toMatch(/^HTTP\/1\.1 (200|4\d\d|5\d\d) /);
        }
      }),
    );
    expect(held).toEqual([]);
  });

  it("[CTR-BAD11] silent, half-closed and reset connections hold up no one", async () => {
    const connections = await Promise.all(upTo(40).map(() => RawConnection.to(troupe().port)));
    for (const [index, raw] of connections.entries()) {
      if (index % 4 === 1) raw.writes("GET /api/me HT");
      if (index % 4 === 2) raw.tcp.end();
      if (index % 4 === 3) raw.tcp.resetAndDestroy();
    }
    const startedMs = performance.now();
    expect((await troupe().http.get("/healthz")).status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(1000);
    await Promise.all(connections.map((raw) => raw.untilClosed(SILENT_CLOSED_MS)));
  });

  it("[CTR-BAD12] a request whose header comes byte by byte is served", async () => {
    const raw = await RawConnection.to(troupe().port);
    raw.tcp.setNoDelay(true);
    for (const byte of "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") {
      raw.writes(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await raw.untilClosed();
    expect(raw.received).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("[CTR-BAD13] cookies and headers that look like a session id change nothing", async () => {
    const sid = "sid=AAAAAAAAAAAAAAAAAAAA";
    const person = await troupe().user("cookie");
    const answer = await person.api.get("/api/me", { headers: { cookie: `connect.${sid}` } });
    expect(answer.body).toEqual(person.user);
    const poll = await troupe().http.get<string>(`/socket.io/?EIO=4&transport=polling&x${sid}`, {
      headers: { cookie: `connect.${sid}` },
    });
    expect(poll.status).toBe(200);
    expect(poll.text).toMatch(/^0\{"sid":/);
  });
});
