/** Bytes for the port: HTTP requests, Engine.IO packets and WebSocket frames, good and bad. */
import fc from "fast-check";
import { evilText, mutated } from "./fuzz-values.ts";

const HEADERS = [
  "Content-Length: 5",
  "Content-Length: -1",
  "Content-Length: 5, 5",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Transfer-Encoding : chunked",
  "Content-Type: application/json",
  "Content-Type: application/json; charset=utf-16",
  "Content-Type: text/plain",
  "Content-Type:",
  "Content-Encoding: gzip",
  "Expect: 100-continue",
  "Connection: close",
  "Connection: keep-alive, Upgrade",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Version: 99",
  "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=1",
  "Cookie: io=AAAAAAAAAAAAAAAAAAAA; sid=AAAAAAAAAAAAAAAAAAAA",
  "X-Forwarded-For: 1.2.3.4, \t,",
  "Authorization: Bearer ..",
  "Host: a\r\nHost: b",
  " folded: x",
  "no colon",
  `X-Long: ${"x".repeat(17_000)}`,
];

const PATHS = [
  "/",
  "*",
  "//api/me",
  "/api//me",
  "/api/../api/me",
  "/api/%2e%2e/me",
  "/api%2fme",
  "/api/me/",
  "/api/me?",
  "/api/me#x",
  "/api/users?username=a&username=b",
  "/api/users/%00",
  "/api/users/%",
  "/api/users/%ff",
  "/api/conversations/1/messages?limit=1&limit=2",
  "/api/conversations/__proto__/messages",
  "http://example.com/api/me",
  "/socket.io/?EIO=4&transport=polling",
  "/socket.io/?EIO=4&transport=websocket",
  "/socket.io/?EIO=4&transport=websocket&sid=AAAAAAAAAAAAAAAAAAAA",
  "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA&sid=x",
  "/socket.io/?EIO=3&transport=polling&b64=1&j=0",
  "/socket.io/?EIO[]=4&transport=__proto__",
  "/socket.io",
  "/metrics",
  `/${"a".repeat(20_000)}`,
];

const METHODS = [
  "GET",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "get",
  "G\u0000T",
];
const BODIES = [
  "",
  "12345",
  "{}",
  "5\r\n12345\r\n0\r\n\r\n",
  "fffffffffffffffff\r\n",
  "5;a=b\r\n12345\r\n",
  "0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
];

const request = fc
  .record({
    method: fc.constantFrom(...METHODS),
    path: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PATHS) }, evilText),
    version: fc.constantFrom("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.1 x"),
    headers: fc.array(fc.constantFrom(...HEADERS), { maxLength: 6 }),
    body: fc.constantFrom(...BODIES),
  })
  .map(({ method, path, version, headers, body }) =>
    Buffer.from(
      [`${method} ${path} ${version}`, "Host: x", ...headers, "", body].join("\r\n"),
      "latin1",
    ),
  );

/** One connection's worth of what may or may not be HTTP. */
export const httpBytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: request },
  { weight: 4, arbitrary: request.chain(mutated) },
  {
    weight: 1,
    arbitrary: fc.array(request, { maxLength: 5 }).map((several) => Buffer.concat(several)),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
);

const PACKETS = [
  '42["set_status",{"status":"online"}]',
  '421["typing",{"conversation_id":"1","is_typing":true}]',
  '4299999999999999999999["sync",{}]',
  "40",
  '40{"token":""}',
  "40/admin,{}",
  "41",
  "43[]",
  '431["x"]',
  "44",
  '451-["send_message",{"_placeholder":true,"num":0}]',
  '459999-["x"]',
  "46",
  "0",
  "1",
  "2",
  "2probe",
  "3probe",
  "4",
  "5",
  "6",
  "9",
  "b",
  "bAAAA",
  "",
];

/** Engine.IO packets as text, right or wrong. */
export const packetText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PACKETS) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(...PACKETS)
      .chain((packet) => mutated(Buffer.from(packet)))
      .map((bytes) => bytes.toString("latin1")),
  },
  { weight: 1, arbitrary: evilText.map((text) => `42[${JSON.stringify(text)},{}]`) },
  { weight: 1, arbitrary: fc.nat({ max: 30_000 }).map((n) => `420[${"[".repeat(n)}`) },
);

interface FrameShape {
  fin: boolean;
  rsv: number;
  opcode: number;
  masked: boolean;
  /** A false length for the header; null: the true one. */
  lie: bigint | null;
  form: "short" | "16" | "64";
  payload: Buffer;
}

function frameOf({ fin, rsv, opcode, masked, lie, form, payload }: FrameShape): Buffer {
  const length = lie ?? BigInt(payload.length);
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const mask = masked ? 0x80 : 0;
  let head: Buffer;
  if (form === "64") {
    head = Buffer.alloc(10);
    head.writeBigUInt64BE(BigInt.asUintN(64, length), 2);
    head[1] = mask | 127;
  } else if (form === "16" || length > 125n) {
    head = Buffer.alloc(4);
    head.writeUInt16BE(Number(length & 0xffffn), 2);
    head[1] = mask | 126;
  } else head = Buffer.from([0, mask | Number(length & 0x7fn)]);
  head[0] = first;
  if (!masked) return Buffer.concat([head, payload]);
  const key = Buffer.from([1, 2, 3, 4]);
  const hidden = payload.map((byte, i) => byte ^ key[i % 4]!);
  return Buffer.concat([head, key, hidden]);
}

/** WebSocket frames: most of them well made, some with one thing or everything wrong. */
export const webSocketFrames: fc.Arbitrary<Buffer> = fc
  .array(
    fc
      .record<FrameShape>({
        fin: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.boolean()),
        rsv: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat({ max: 7 })),
        opcode: fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(1, 1, 2, 0, 8, 9, 10) },
          fc.nat({ max: 15 }),
        ),
        masked: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.boolean()),
        lie: fc.oneof(
          { weight: 8, arbitrary: fc.constant(null) },
          fc.constantFrom(
            0n,
            126n,
            65_535n,
            65_537n,
            2n ** 31n,
            2n ** 53n,
            2n ** 63n,
            2n ** 64n - 1n,
          ),
        ),
        form: fc.constantFrom("short", "short", "16", "64"),
        payload: fc.oneof(
          packetText.map((text) => Buffer.from(text)),
          fc.uint8Array({ maxLength: 140 }).map((bytes) => Buffer.from(bytes)),
        ),
      })
      .map(frameOf),
    { minLength: 1, maxLength: 8 },
  )
  .map((frames) => Buffer.concat(frames));

export const UPGRADE = Buffer.from(
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
    "Sec-WebSocket-Version: 13\r\n\r\n",
);
