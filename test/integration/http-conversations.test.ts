/** Conversations over HTTP: what is asked of actors and queries, and what is refused before. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ok, refused } from "../../src/protocol/errors.ts";
import { JsonText } from "../../src/protocol/json-text.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";

let http: HttpApi;
let bob: { id: string; access: string };
beforeEach(async () => {
  http = await startHttpApi({ rateLimits: false });
  bob = await http.joins("bob");
});
afterEach(() => http.stop());

const CONVERSATION: Conversation = {
  id: "7",
  kind: "group",
  title: "t",
  owner_id: "1",
  members: [],
  last_seq: 0,
  rev: 1,
  created_at: "2026-01-01T00:00:00.000Z",
};
const MESSAGE: Message = {
  id: "9",
  conversation_id: "7",
  seq: 1,
  rev: 2,
  sender_id: "1",
  client_id: "c",
  body: "hi",
  reply_to_seq: null,
  created_at: "2026-01-01T00:00:00.000Z",
  edited_at: null,
  deleted_at: null,
};

const as = (method: string, path: string, body?: unknown) =>
  http.call(method, path, body === undefined ? { token: bob.access } : { token: bob.access, body });

test("making one asks the creator's actor, without the creator and repeats", async () => {
  http.answers.set("create_conversation", ok({ created: true, conversation: CONVERSATION }));
  const made = await as("POST", "/api/conversations", { member_ids: ["2", bob.id, "2", "3"] });
  expect([made.status, made.body]).toEqual([201, CONVERSATION]);
  expect(http.asked).toEqual([
    {
      kind: "user",
      id: bob.id,
      op: "create_conversation",
      body: { kind: "group", member_ids: ["2", "3"], title: null, extras: {} },
    },
  ]);
  http.answers.set("create_conversation", ok({ created: false, conversation: CONVERSATION }));
  expect((await as("POST", "/api/conversations", { member_ids: ["2"] })).status).toBe(200);
});

test("a conversation with nobody, or with more than 1,000, is refused", async () => {
  const ids = Array.from({ length: 1001 }, (_, i) => String(i + 10));
  for (const member_ids of [[], [bob.id], ids, ids.slice(1), [2], ["02"], ["x"]]) {
    const answer = await as("POST", "/api/conversations", { member_ids });
    expect([answer.status, answer.body.error.code]).toEqual([400, "invalid_payload"]);
    expect(answer.body.error.details.length).toBeGreaterThan(0);
  }
  expect(http.asked).toEqual([]);
});

test("messages are sent, edited, deleted and marked through the conversation's actor", async () => {
  http.answers.set("send", ok({ message: MESSAGE }));
  const sent = await as("POST", "/api/conversations/7/messages", { client_id: "c", body: "hi" });
  expect([sent.status, sent.body]).toEqual([201, MESSAGE]);
  expect(http.asked[0]).toEqual({
    kind: "conversation",
    id: "7",
    op: "send",
    body: { user: bob.id, session: "", client_id: "c", body: "hi", reply_to_seq: null },
  });
  http.answers.set("send", ok({ message: MESSAGE, duplicate: true }));
  const again = { client_id: "c", body: "hi", reply_to_seq: 3 };
  expect((await as("POST", "/api/conversations/7/messages", again)).status).toBe(200);

  http.answers.set("edit", ok({ message: MESSAGE }));
  http.answers.set("delete", ok({ message: MESSAGE }));
  http.answers.set("mark", ok({ delivered_seq: 1, read_seq: 1, unread_count: 0 }));
  expect((await as("PATCH", "/api/conversations/7/messages/1", { body: "ho" })).body).toEqual(
    MESSAGE,
  );
  expect((await as("DELETE", "/api/conversations/7/messages/1")).body).toEqual(MESSAGE);
  expect((await as("PUT", "/api/conversations/7/read", { seq: 1 })).body).toEqual({
    delivered_seq: 1,
    read_seq: 1,
    unread_count: 0,
  });
  expect(http.asked.slice(2).map(({ op, body }) => [op, body["seq"], body["read"]])).toEqual([
    ["edit", 1, undefined],
    ["delete", 1, undefined],
    ["mark", 1, true],
  ]);
});

test("members and titles are changed through the conversation's actor", async () => {
  http.answers.set("update", ok({ conversation: CONVERSATION }));
  http.answers.set("add_members", ok({ conversation: CONVERSATION }));
  http.answers.set("remove_member", ok({}));
  expect((await as("PATCH", "/api/conversations/7", { title: "t" })).body).toEqual(CONVERSATION);
  const added = await as("POST", "/api/conversations/7/members", { user_ids: ["2", "2"] });
  expect([added.status, added.body]).toEqual([200, CONVERSATION]);
  const removed = await as("DELETE", "/api/conversations/7/members/2");
  expect([removed.status, removed.text]).toEqual([204, ""]);
  expect(http.asked.map(({ op, body }) => [op, body["user_ids"] ?? body["user_id"]])).toEqual([
    ["update", undefined],
    ["add_members", ["2"]],
    ["remove_member", "2"],
  ]);
});

test("an actor's refusal is answered with its code's status", async () => {
  for (const [code, status] of [
    ["forbidden", 403],
    ["not_found", 404],
    ["conflict", 409],
    ["unavailable", 503],
  ] as const) {
    http.answers.set("edit", refused(code, "No."));
    const answer = await as("PATCH", "/api/conversations/7/messages/1", { body: "ho" });
    expect([answer.status, answer.body]).toEqual([status, { error: { code, message: "No." } }]);
  }
});

test("malformed paths, queries and bodies are refused with details, before anybody is asked", async () => {
  const cases: [string, string, unknown?][] = [
    ["GET", "/api/conversations/abc"],
    ["GET", "/api/conversations/0"],
    ["GET", "/api/conversations/01"],
    ["GET", "/api/conversations/-1"],
    ["GET", "/api/conversations/9223372036854775808"],
    ["GET", `/api/conversations/${"1".repeat(300)}`],
    ["GET", "/api/conversations?limit=0"],
    ["GET", "/api/conversations?limit=101"],
    ["GET", "/api/conversations?limit=ten"],
    ["GET", "/api/conversations?limit=1.5"],
    ["GET", "/api/conversations?limit="],
    ["GET", "/api/conversations?limit=1&limit=2"],
    ["GET", "/api/conversations?cursor=bad"],
    ["GET", "/api/conversations?cursor="],
    ["GET", "/api/conversations?page=2"],
    ["GET", "/api/conversations/7?x=1"],
    ["GET", "/api/conversations/7/messages?before_seq=5&after_seq=1"],
    ["GET", "/api/conversations/7/messages?before_seq=-1"],
    ["GET", "/api/me?x=1"],
    ["GET", "/api/users"],
    ["GET", "/api/users?username=a"],
    ["GET", "/api/presence"],
    ["GET", "/api/presence?user_ids="],
    ["GET", "/api/presence?user_ids=1,,2"],
    ["GET", `/api/presence?user_ids=${Array.from({ length: 501 }, (_, i) => i + 1).join(",")}`],
    ["PATCH", "/api/conversations/7/messages/0", { body: "x" }],
    ["PATCH", "/api/conversations/7/messages/x", { body: "x" }],
    ["PATCH", "/api/conversations/7/messages/1", { body: " \n\t " }],
    ["PATCH", "/api/conversations/7/messages/1", { body: "a\u0000" }],
    ["PATCH", "/api/conversations/7/messages/1", { body: "x".repeat(4001) }],
    ["POST", "/api/conversations/7/messages", { client_id: "", body: "x" }],
    ["POST", "/api/conversations/7/messages", { client_id: "é", body: "x" }],
    ["POST", "/api/conversations/7/messages", { client_id: "c", body: 1 }],
    ["POST", "/api/conversations/7/messages", { client_id: "c", body: "x", to: "y" }],
    ["POST", "/api/conversations/7/messages", { client_id: "c", body: "x", reply_to_seq: 0 }],
    ["POST", "/api/conversations/7/members", { user_ids: [] }],
    ["PUT", "/api/conversations/7/read", { seq: 0 }],
    ["PUT", "/api/conversations/7/read", { seq: -1 }],
    ["PUT", "/api/conversations/7/read", { seq: 1.5 }],
    ["PUT", "/api/conversations/7/read", { seq: "1" }],
    ["PATCH", "/api/conversations/7", { title: "" }],
    ["PATCH", "/api/me", { display_name: "x".repeat(81) }],
  ];
  for (const [method, path, body] of cases) {
    const answer = await as(method, path, body);
    const name = `${method} ${path.slice(0, 80)} ${JSON.stringify(body)?.slice(0, 80)}`;
    expect([name, answer.status, answer.body?.error.code]).toEqual([name, 400, "invalid_payload"]);
    expect(answer.body.error.details.length, name).toBeGreaterThan(0);
  }
  expect(http.asked).toEqual([]);
});

test("history and lists are read by the caller, with defaults; what is not theirs is not found", async () => {
  const reads: unknown[] = [];
  http.storage.queries.history = (...read) => {
    reads.push(read);
    return Promise.resolve(JsonText.of({ items: [MESSAGE], has_more: true }));
  };
  http.storage.queries.conversations = (...read) => {
    reads.push(read);
    return Promise.resolve({ items: [], next_cursor: "n" });
  };
  const page = await as("GET", "/api/conversations/7/messages?before_seq=5&limit=2");
  expect(page.body).toEqual({ items: [MESSAGE], has_more: true });
  await as("GET", "/api/conversations/7/messages?after_seq=0");
  expect((await as("GET", "/api/conversations?cursor=n")).body).toEqual({
    items: [],
    next_cursor: "n",
  });
  expect(reads).toEqual([
    [bob.id, "7", { beforeSeq: 5, afterSeq: null, limit: 2 }],
    [bob.id, "7", { beforeSeq: null, afterSeq: 0, limit: 50 }],
    [bob.id, 50, "n", {}],
  ]);
  expect((await as("GET", "/api/conversations/7")).body.error.code).toBe("not_found");
  http.storage.queries.history = () => Promise.resolve(null);
  expect((await as("GET", "/api/conversations/7/messages")).status).toBe(404);
  http.storage.queries.history = () => Promise.reject(new Error("ECONNREFUSED"));
  expect((await as("GET", "/api/conversations/7/messages")).status).toBe(503);
});

test("users and presence", async () => {
  const ann = await http.joins("ann");
  expect((await as("GET", `/api/users/${ann.id}`)).body.username).toBe("ann");
  expect((await as("GET", "/api/users?username=ANN")).body.id).toBe(ann.id);
  expect((await as("GET", "/api/users/999")).status).toBe(404);
  expect((await as("GET", "/api/users?username=nobody")).status).toBe(404);
  const renamed = await as("PATCH", "/api/me", { display_name: "Bob B." });
  expect(renamed.body.display_name).toBe("Bob B.");
  expect((await as("PATCH", "/api/me", {})).body).toEqual(renamed.body);
  const presence = await as("GET", "/api/presence?user_ids=1,2,1");
  expect(presence.body.items.map((status: { user_id: string }) => status.user_id)).toEqual([
    "1",
    "2",
  ]);
});
