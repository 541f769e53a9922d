/** [VAL] Odd requests: addresses, bodies and lengths that are not what they seem. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createReader } from "../../src/edge/validation.ts";
import { CLIENT_EVENTS } from "../../src/protocol/events.ts";
import { takeBreaches } from "../support/conformity.ts";
import { upTo } from "../support/expectations.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";
import { RawConnection } from "../support/raw.ts";

const FRAME_BYTES_MAX = 64 * 1024;

let http: HttpApi;
let token: string;
let id: string;

beforeAll(async () => {
  http = await startHttpApi();
  const bob = await http.joins("bob");
  token = bob.access;
  id = bob.id;
  // Node drops a request whose client says no more before it is answered. A token that has been
  // checked once is known, and its requests are answered in the same turn.
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(`http://127.0.0.1:${http.port}/api/me`, { headers })).status).toBe(200);
});
afterAll(() => http.stop());
afterEach(() => expect(takeBreaches()).toEqual([]));

/** Writes the bytes unchanged to the port, without an HTTP client that would correct them. Answers the response. */
async function written(...parts: (string | Buffer)[]): Promise<string> {
  const raw = await RawConnection.to(http.port);
  for (const part of parts) raw.writes(part);
  raw.tcp.end();
  await raw.untilClosed();
  return raw.received;
}

const head = (method: string, path: string, ...headers: string[]) =>
  [
    `${method} ${path} HTTP/1.1`,
    "Host: x",
    `Authorization: Bearer ${token}`,
    ...headers,
    "",
    "",
  ].join("\r\n");
const statusesIn = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, s]) => s);

describe("addresses", () => {
  it.each([
    ["/api/me", "200"],
    ["//api/me", "404"],
    ["/api//me", "404"],
    ["/api/me/", "404"],
    ["/API/me", "404"],
    ["/api%2fme", "404"],
    ["/api/%6de", "200"],
    ["/api/./me", "404"],
    ["/api/users/../me", "404"],
    ["/api/users/..%2fme", "400"],
    ["/api/users/%2e%2e", "400"],
    ["/api/users/%00", "400"],
    ["/api/users/1%00", "400"],
    ["/api/users/%ff", "400"],
    ["/api/users/%", "400"],
    ["/api/users/1;x=1", "400"],
    ["/api/users/ONE", "400"],
    ["/api/users/__proto__", "400"],
    ["/api/users/999999", "404"],
    ["/api/me?", "200"],
    ["/api/me?x", "400"],
    ["/api/me?__proto__=1", "400"],
    ["/api/users?username=bob", "200"],
    ["/api/users?username=bob&username=bob", "400"],
    ["/api/users?username[]=bob", "400"],
    ["/api/users?username=b%6fb", "200"],
    ["/api/users?username=bob&__proto__[x]=1", "400"],
    ["/api/users?username=bob%00", "400"],
    ["/api/conversations?limit=1&limit=2", "400"],
    ["/api/conversations?limit=1e1", "400"],
    ["/api/conversations?limit=+1", "400"],
    ["/api/conversations?limit=0x1", "400"],
    ["/api/conversations?limit=%31", "200"],
    ["/api/conversations?cursor=%00", "400"],
    ["/api/conversations?cursor=..%2f..%2f", "400"],
    ["/__proto__", "404"],
    ["/constructor", "404"],
    ["/..", "404"],
    ["*", "404"],
    // RFC 9112, 3.2.2: an address in absolute form is taken.
    ["http://elsewhere.example/api/me", "200"],
  ])("[VAL1] %s is answered %s", async (path, status) => {
    const text = await written(head("GET", path, "Connection: close"));
    expect(statusesIn(text), text.slice(0, 400)).toEqual([status]);
  });

  it("[VAL2] a control character or a space in the request line is no request", async () => {
    for (const path of ["/api/me\u0000", "/api/\u0001me", "/api/me x"]) {
      const text = await written(head("GET", path, "Connection: close"));
      expect(statusesIn(text)[0] ?? "closed", JSON.stringify(path)).toMatch(/^(400|closed)$/);
    }
  });
});

describe("bodies", () => {
  const patch = (text: string | Buffer, ...headers: string[]) =>
    written(
      head(
        "PATCH",
        "/api/me",
        "Content-Type: application/json",
        `Content-Length: ${Buffer.byteLength(text)}`,
        "Connection: close",
        ...headers,
      ),
      text,
    );
  const named = (text: string) => Buffer.from(`{"display_name":${text}}`);

  it.each<[string, Buffer, string]>([
    [
      "of two equal keys the last counts",
      Buffer.from('{"display_name":"a","display_name":"b"}'),
      "200",
    ],
    ["a key with an escape", Buffer.from('{"display\\u005fname":"c"}'), "200"],
    ["decomposed text", named('"e\u0301"'), "200"],
    ["an escaped lone surrogate", named('"\\ud800"'), "400"],
    ["an escaped NUL", named('"\\u0000"'), "400"],
    ["a raw control character", named('"\u0001"'), "400"],
    [
      "a byte that is not UTF-8",
      Buffer.concat([Buffer.from('{"display_name":"'), Buffer.from([0xff]), Buffer.from('"}')]),
      "400",
    ],
    [
      "an overlong encoding",
      Buffer.concat([
        Buffer.from('{"display_name":"'),
        Buffer.from([0xc0, 0x80]),
        Buffer.from('"}'),
      ]),
      "400",
    ],
    [
      "a surrogate in UTF-8",
      Buffer.concat([
        Buffer.from('{"display_name":"'),
        Buffer.from([0xed, 0xa0, 0x80]),
        Buffer.from('"}'),
      ]),
      "400",
    ],
    ["UTF-16", Buffer.from('{"display_name":"a"}', "utf16le"), "400"],
    ["a byte order mark", Buffer.from('\ufeff{"display_name":"a"}'), "400"],
    ["a huge number", named("1e99999"), "400"],
    ["a number of 10,000 digits", named("9".repeat(10_000)), "400"],
    ["30,000 brackets", named(`${"[".repeat(15_000)}${"]".repeat(15_000)}`), "400"],
    ["30,000 open brackets", Buffer.from("[".repeat(30_000)), "400"],
    [
      "10,000 keys",
      Buffer.from(
        `{${upTo(5_000)
          .map((n) => `"k${n}":1`)
          .join()}}`,
      ),
      "400",
    ],
    ["__proto__", Buffer.from('{"__proto__":{"display_name":"a"}}'), "400"],
    ["constructor", Buffer.from('{"constructor":{"prototype":{}}}'), "400"],
  ])("[VAL3] %s", async (_, body, status) => {
    const text = await patch(body);
    expect(statusesIn(text), text.slice(0, 400)).toEqual([status]);
  });

  it("[VAL4] text is stored as sent, composed or not", async () => {
    for (const name of ["\u00e9", "e\u0301", "\ufb01", "\u212b", "A\u030a", "\u0041\u200d"]) {
      await patch(named(JSON.stringify(name)));
      const me = await http.call("GET", "/api/me", { token });
      expect([...me.body.display_name]).toEqual([...name]);
      expect(http.storage.tables.users.get(id)?.user.display_name).toBe(name);
    }
  });

  it.each<[string, string[]]>([
    ["a type that is none", ["Content-Type: json"]],
    ["a type in capitals", ["Content-Type: TEXT/JSON"]],
    ["two types", ["Content-Type: application/json, text/plain"]],
    ["a patch type", ["Content-Type: application/merge-patch+json"]],
    ["no type", []],
  ])("[VAL5] %s is no JSON", async (_, headers) => {
    const text = await written(
      head("PATCH", "/api/me", ...headers, "Content-Length: 2", "Connection: close"),
      "{}",
    );
    expect(statusesIn(text), text).toEqual(["415"]);
  });

  it("[VAL6] a compressed body is refused unread, a bomb too", async () => {
    for (const encoding of ["gzip", "br", "deflate", "gzip, gzip", "x"]) {
      const text = await patch(Buffer.alloc(60_000, 0x1f), `Content-Encoding: ${encoding}`);
      expect(statusesIn(text), encoding).toEqual(["415"]);
    }
  });
});

describe("lengths", () => {
  it("[VAL7] more than it says is another request, and no valid one", async () => {
    const body = '{"display_name":"a"}GET /api/me HTTP/1.1\r\n\r\n';
    const text = await written(
      head("PATCH", "/api/me", "Content-Type: application/json", "Content-Length: 20"),
      body,
    );
    expect(statusesIn(text)).toEqual(["200", "400"]);
  });

  it("[VAL8] less than it says is not acted on", async () => {
    const text = await written(
      head("PATCH", "/api/me", "Content-Type: application/json", "Content-Length: 200"),
      '{"display_name":"half"}',
    );
    expect(statusesIn(text)).not.toContain("200");
    const me = await http.call("GET", "/api/me", { token });
    expect(me.body.display_name).not.toBe("half");
  });

  it.each([
    ["two lengths", ["Content-Length: 2", "Content-Length: 3"]],
    ["a list of lengths", ["Content-Length: 2, 2"]],
    ["a length with a sign", ["Content-Length: +2"]],
    ["a length in hexadecimal", ["Content-Length: 0x2"]],
    ["a length and chunks", ["Content-Length: 2", "Transfer-Encoding: chunked"]],
    ["chunks that are not last", ["Transfer-Encoding: chunked, gzip"]],
    ["a space before the colon", ["Transfer-Encoding : chunked"]],
  ])("[VAL9] %s is no request", async (_, headers) => {
    const text = await written(
      head("PATCH", "/api/me", "Content-Type: application/json", ...headers),
      "{}",
    );
    expect(statusesIn(text), text).toEqual(["400"]);
  });

  it("[VAL10] chunks past 64 KiB are refused, whatever their sizes", async () => {
    const chunk = (n: number) => `${n.toString(16)}\r\n${" ".repeat(n)}\r\n`;
    for (const sizes of [[70_000], [65_536, 1], upTo(700).map(() => 100)]) {
      const text = await written(
        head(
          "PATCH",
          "/api/me",
          "Content-Type: application/json",
          "Transfer-Encoding: chunked",
          "Connection: close",
        ),
        `${sizes.map(chunk).join("")}0\r\n\r\n`,
      );
      expect(statusesIn(text)).toEqual(["413"]);
    }
  });
});

describe("frames", () => {
  it("[VAL11] the largest payloads of the contract fit one", () => {
    const longest = { conversation_id: "9223372036854775807", after_rev: Number.MAX_SAFE_INTEGER };
    const ids = (n: number) => upTo(n).map(() => "9223372036854775807");
    const body = "\u{10ffff}".repeat(4000);
    const largest = {
      sync: {
        conversations: upTo(500).map(() => longest),
        complete: false,
        notifications_after_seq: Number.MAX_SAFE_INTEGER,
      },
      watch_presence: { user_ids: ids(500) },
      watch_posts: { post_ids: ids(200) },
      send_message: { conversation_id: "1", client_id: "x".repeat(64), body, reply_to_seq: 1 },
    };
    for (const [event, payload] of Object.entries(largest)) {
      const { payload: schema } = CLIENT_EVENTS[event as keyof typeof largest];
      expect(createReader("payload", schema)(payload).ok, event).toBe(true);
      const frame = `421234567890${JSON.stringify([event, payload])}`;
      expect(Buffer.byteLength(frame), event).toBeLessThan(FRAME_BYTES_MAX);
    }
  });
});
