/** Posts, the graph and notifications over HTTP: what is asked of whom, and what is refused before. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ok, refused } from "../../src/protocol/errors.ts";
import { JsonText } from "../../src/protocol/json-text.ts";
import type { Comment, Notification, Post } from "../../src/protocol/social.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";
import { serviceTokenOf } from "../support/service.ts";

const AT = "2026-01-01T00:00:00.000Z";
const POST: Post = {
  id: "7",
  author_id: "1",
  body: "hi",
  like_count: 0,
  comment_count: 0,
  liked: false,
  created_at: AT,
};
const COMMENT: Comment = { id: "8", post_id: "7", author_id: "1", body: "ho", created_at: AT };
const NOTIFICATION: Notification = {
  id: "9",
  seq: 1,
  type: "order.shipped",
  message: "On its way",
  actor_id: null,
  post_id: null,
  comment_id: null,
  count: 1,
  data: { order_id: "A-17" },
  created_at: AT,
  read_at: null,
};
const SECRET = "a secret of the tests, long enough for HS256";

let http: HttpApi;
let bob: { id: string; access: string };
beforeEach(async () => {
  http = await startHttpApi({ rateLimits: false });
  bob = await http.joins("bob");
});
afterEach(() => http.stop());

const as = (method: string, path: string, body?: unknown) =>
  http.call(method, path, body === undefined ? { token: bob.access } : { token: bob.access, body });
const codeOf = (answer: { status: number; body: { error?: { code: string } } }) => [
  answer.status,
  answer.body.error?.code,
];

describe("posts", () => {
  test("a new post asks its author's actor; likes, comments and deletion the post's", async () => {
    http.answers.set("create_post", ok(POST));
    http.answers.set("like", ok({ post_id: "7", liked: true, like_count: 3 }));
    http.answers.set("comment", ok(COMMENT));
    http.answers.set("delete", ok({}));
    const made = await as("POST", "/api/posts", { body: "hi" });
    expect([made.status, made.body]).toEqual([201, POST]);
    const liked = await as("POST", "/api/posts/7/like");
    expect([liked.status, liked.body]).toEqual([200, { post_id: "7", liked: true, like_count: 3 }]);
    expect((await as("DELETE", "/api/posts/7/like")).status).toBe(200);
    const comment = await as("POST", "/api/posts/7/comments", { body: "ho" });
    expect([comment.status, comment.body]).toEqual([201, COMMENT]);
    const deleted = await as("DELETE", "/api/posts/7");
    expect([deleted.status, deleted.text]).toEqual([204, ""]);
    expect(http.asked).toEqual([
      { kind: "user", id: bob.id, op: "create_post", body: { body: "hi" } },
      { kind: "post", id: "7", op: "like", body: { user: bob.id, liked: true } },
      { kind: "post", id: "7", op: "like", body: { user: bob.id, liked: false } },
      { kind: "post", id: "7", op: "comment", body: { user: bob.id, body: "ho" } },
      { kind: "post", id: "7", op: "delete", body: { user: bob.id } },
    ]);
  });

  test("reads are made as the caller; what is not there is not found, a bad cursor invalid", async () => {
    const reads: unknown[] = [];
    http.storage.queries.post = (...read) => {
      reads.push(read);
      return Promise.resolve(read[1] === "7" ? POST : null);
    };
    http.storage.queries.feed = (...read) => {
      reads.push(read);
      return Promise.resolve(
        read[2] === "bad" ? undefined : JsonText.of({ items: [POST], next_cursor: "more" }),
      );
    };
    http.storage.queries.comments = (...read) => {
      reads.push(read);
      if (read[1] !== "7") return Promise.resolve(null);
      return Promise.resolve(
        read[3] === "bad" ? undefined : { items: [COMMENT], next_cursor: null },
      );
    };
    expect((await as("GET", "/api/posts/7")).body).toEqual(POST);
    expect(codeOf(await as("GET", "/api/posts/8"))).toEqual([404, "not_found"]);
    expect((await as("GET", "/api/feed")).body).toEqual({ items: [POST], next_cursor: "more" });
    expect(codeOf(await as("GET", "/api/feed?cursor=bad"))).toEqual([400, "invalid_payload"]);
    const comments = await as("GET", "/api/posts/7/comments?limit=2&cursor=x");
    expect(comments.body).toEqual({ items: [COMMENT], next_cursor: null });
    expect(codeOf(await as("GET", "/api/posts/7/comments?cursor=bad"))).toEqual([
      400,
      "invalid_payload",
    ]);
    expect(codeOf(await as("GET", "/api/posts/8/comments"))).toEqual([404, "not_found"]);
    expect(reads).toEqual([
      [bob.id, "7"],
      [bob.id, "8"],
      [bob.id, 50, null],
      [bob.id, 50, "bad"],
      [bob.id, "7", 2, "x"],
      [bob.id, "7", 50, "bad"],
      [bob.id, "8", 50, null],
    ]);
    http.storage.queries.feed = () => Promise.reject(new Error("ECONNREFUSED"));
    expect(codeOf(await as("GET", "/api/feed"))).toEqual([503, "unavailable"]);
  });
});

test("follows and blocks ask the caller's actor", async () => {
  http.answers.set("follow", ok({ user_id: "2", following: true }));
  http.answers.set("block", ok({ user_id: "2", blocked: true }));
  const followed = await as("POST", "/api/users/2/follow");
  expect([followed.status, followed.body]).toEqual([200, { user_id: "2", following: true }]);
  await as("DELETE", "/api/users/2/follow");
  const blocked = await as("POST", "/api/users/2/block");
  expect([blocked.status, blocked.body]).toEqual([200, { user_id: "2", blocked: true }]);
  await as("DELETE", "/api/users/2/block");
  expect(http.asked).toEqual([
    { kind: "user", id: bob.id, op: "follow", body: { user_id: "2", following: true } },
    { kind: "user", id: bob.id, op: "follow", body: { user_id: "2", following: false } },
    { kind: "user", id: bob.id, op: "block", body: { user_id: "2", blocked: true } },
    { kind: "user", id: bob.id, op: "block", body: { user_id: "2", blocked: false } },
  ]);
  http.answers.set("follow", refused("forbidden", "You cannot follow this user."));
  expect(codeOf(await as("POST", "/api/users/2/follow"))).toEqual([403, "forbidden"]);
});

test("presence is read as the caller sees it", async () => {
  await http.stop();
  const asked: unknown[] = [];
  const statuses = (...call: unknown[]) => {
    asked.push(call);
    return Promise.resolve([]);
  };
  http = await startHttpApi({ rateLimits: false }, { presence: { statuses } });
  bob = await http.joins("bob");
  expect((await as("GET", "/api/presence?user_ids=5,4,5")).body).toEqual({ items: [] });
  expect(asked).toEqual([[bob.id, ["5", "4"]]]);
});

describe("notifications", () => {
  test("lists are the caller's, reading goes through the caller's actor", async () => {
    const page = { items: [NOTIFICATION], next_cursor: null, unread_count: 1 };
    http.storage.queries.notifications = (_reader, _limit, cursor) =>
      Promise.resolve(cursor === "bad" ? undefined : page);
    http.answers.set("read_notifications", ok({ unread_count: 0 }));
    expect((await as("GET", "/api/notifications?limit=5")).body).toEqual(page);
    expect(codeOf(await as("GET", "/api/notifications?cursor=bad"))).toEqual([
      400,
      "invalid_payload",
    ]);
    const read = await as("PUT", "/api/notifications/read", { up_to_seq: 4 });
    expect([read.status, read.body]).toEqual([200, { unread_count: 0 }]);
    expect(http.asked).toEqual([
      { kind: "user", id: bob.id, op: "read_notifications", body: { up_to_seq: 4 } },
    ]);
  });

  test("a service notifies the receiving user's actor", async () => {
    const token = await serviceTokenOf(SECRET, ["notify"]);
    http.answers.set("notify", ok(NOTIFICATION));
    const body = { user_id: bob.id, type: "order.shipped", message: "On its way" };
    const plain = await http.call("POST", "/api/notifications", { token, body });
    expect([plain.status, plain.body]).toEqual([201, NOTIFICATION]);
    const data = { order_id: "A-17", nested: { list: [1, null, true] } };
    await http.call("POST", "/api/notifications", { token, body: { ...body, data } });
    const rest = { actor_id: null, post_id: null, comment_id: null };
    const { user_id: _, ...notice } = body;
    expect(http.asked).toEqual([
      { kind: "user", id: bob.id, op: "notify", body: { ...notice, ...rest, data: null } },
      { kind: "user", id: bob.id, op: "notify", body: { ...notice, ...rest, data } },
    ]);
    http.answers.set("notify", refused("not_found", "No such user."));
    const nobody = await http.call("POST", "/api/notifications", { token, body });
    expect(codeOf(nobody)).toEqual([404, "not_found"]);
  });

  test("data is a JSON object that PostgreSQL can keep, of bounded size and depth", async () => {
    const token = await serviceTokenOf(SECRET, ["notify"]);
    http.answers.set("notify", ok(NOTIFICATION));
    const send = (data: string) =>
      http.call("POST", "/api/notifications", {
        token,
        body: `{"user_id":"${bob.id}","type":"a","message":"m","data":${data}}`,
      });
    const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    const wide = (bytes: number) => `{"a":"${"x".repeat(bytes - 8)}"}`;
    for (const data of ["{}", '{"a":[]}', deep(32), wide(16_384), '{"constructor":"a"}']) {
      expect((await send(data)).status, data.slice(0, 60)).toBe(201);
    }
    const asked = http.asked.length;
    for (const data of [
      "null",
      "[]",
      '"text"',
      "1",
      deep(33),
      `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`,
      wide(16_385),
      `{"a":"${"é".repeat(8_200)}"}`,
      '{"a":"\\u0000"}',
      '{"a\\u0000":1}',
      '{"a":["\\ud800"]}',
      '{"a":1e999}',
      '{"__proto__":{"a":1}}',
      '{"a":[{"__proto__":null}]}',
      '{"a":{"constructor":{"prototype":{"a":1}}}}',
    ]) {
      expect(codeOf(await send(data)), data.slice(0, 60)).toEqual([400, "invalid_payload"]);
    }
    expect(http.asked.length).toBe(asked);
  });
});

describe("service tokens", () => {
  test("a user's token sends no notifications, whatever else it may", async () => {
    const body = { user_id: bob.id, type: "a", message: "m" };
    expect(codeOf(await as("POST", "/api/notifications", body))).toEqual([403, "forbidden"]);
    const admin = await serviceTokenOf(SECRET, ["admin"]);
    const other = await http.call("POST", "/api/notifications", { token: admin, body });
    expect(codeOf(other)).toEqual([403, "forbidden"]);
    expect(http.asked).toEqual([]);
  });

  test("it acts for no user, even where it is named like one", async () => {
    for (const subject of ["shop", bob.id]) {
      const token = await serviceTokenOf(SECRET, ["notify"], subject);
      for (const [method, path] of [
        ["GET", "/api/me"],
        ["GET", "/api/feed"],
        ["GET", "/api/notifications"],
        ["POST", "/api/posts/7/like"],
        ["GET", `/api/users/${bob.id}`],
      ] as const) {
        const answer = await http.call(method, path, { token });
        expect(codeOf(answer), path).toEqual([403, "forbidden"]);
        expect(answer.body.error.message).toMatch(/service token/);
      }
    }
    expect(http.asked).toEqual([]);
  });
});

test("malformed requests are refused with details, before anybody is asked", async () => {
  const token = await serviceTokenOf(SECRET, ["notify"]);
  const notice = { user_id: bob.id, type: "a", message: "m" };
  const users: [string, string, unknown?][] = [
    ["POST", "/api/posts", { body: "" }],
    ["POST", "/api/posts", { body: " \n\t" }],
    ["POST", "/api/posts", { body: "x".repeat(4001) }],
    ["POST", "/api/posts", { body: "a\u0007" }],
    ["POST", "/api/posts", { body: "a", title: "b" }],
    ["GET", "/api/posts/x"],
    ["GET", "/api/posts/0"],
    ["GET", "/api/posts/7?x=1"],
    ["DELETE", "/api/posts/01"],
    ["POST", "/api/posts/9223372036854775808/like"],
    ["GET", "/api/feed?limit=0"],
    ["GET", "/api/feed?limit=101"],
    ["GET", "/api/feed?cursor="],
    ["GET", "/api/posts/7/comments?after=1"],
    ["POST", "/api/posts/7/comments", { body: 1 }],
    ["POST", "/api/posts/7/comments", {}],
    ["POST", "/api/users/me/follow"],
    ["DELETE", "/api/users/-1/block"],
    ["PUT", "/api/notifications/read", { up_to_seq: -1 }],
    ["PUT", "/api/notifications/read", { up_to_seq: "1" }],
    ["PUT", "/api/notifications/read", {}],
  ];
  const services: [string, string, unknown?][] = [
    ["POST", "/api/notifications", { ...notice, message: "" }],
    ["POST", "/api/notifications", { ...notice, message: "x".repeat(501) }],
    ["POST", "/api/notifications", { ...notice, message: "a\r" }],
    ["POST", "/api/notifications", { ...notice, type: "" }],
    ["POST", "/api/notifications", { ...notice, type: "Shipped" }],
    ["POST", "/api/notifications", { ...notice, type: "x".repeat(65) }],
    ["POST", "/api/notifications", { ...notice, user_id: 1 }],
    ["POST", "/api/notifications", { ...notice, actor_id: "1" }],
    ["POST", "/api/notifications", { type: "a", message: "m" }],
  ];
  for (const [caller, cases] of [
    [bob.access, users],
    [token, services],
  ] as const) {
    for (const [method, path, body] of cases) {
      const answer = await http.call(method, path, {
        token: caller,
        ...(body === undefined ? {} : { body }),
      });
      const name = `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}`;
      expect([name, ...codeOf(answer)]).toEqual([name, 400, "invalid_payload"]);
      expect(answer.body.error.details.length, name).toBeGreaterThan(0);
    }
  }
  expect(http.asked).toEqual([]);
});
