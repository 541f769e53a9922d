/**
 * The client SDK as 0.1.0 published it, unchanged, against this server: test/support/fixtures/client-0.1.0 is a
 * bundle of its files with socket.io-client outside. Its sessions speak version 1.
 */
import { afterEach, beforeAll, expect, test } from "vitest";
import type * as Sdk from "../../src/client/index.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Wire } from "../support/redis.ts";
import { until } from "../support/sdk.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const BUNDLE = new URL("../support/fixtures/client-0.1.0/client.js", import.meta.url);

let connect: typeof Sdk.connect;
let wire: Wire | undefined;
let client: ReturnType<typeof Sdk.connect> | undefined;

beforeAll(async () => {
  ({ connect } = (await import(BUNDLE.href)) as typeof Sdk);
});
afterEach(async () => {
  client?.close();
  await wire?.close();
  client = wire = undefined;
});

test("[OLD1] talks, goes offline, comes back, counts unread, and sees reactions as message_updated", async () => {
  const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
  const group = await ann.startsGroup(bob);
  wire = await Wire.to(troupe().port);
  client = connect({
    url: `http://127.0.0.1:${wire.port}`,
    getToken: async () => ann.token,
  });
  const old = client;
  const seen = (what: string, holds: (view: Sdk.ConversationView) => boolean) =>
    until(what, old.conversation(group.id), (view) => view !== null && holds(view));
  const last = (view: Sdk.ConversationView) => view.messages.at(-1);
  const of = (view: Sdk.ConversationView, seq: number) =>
    view.messages.find((message) => message.seq === seq);

  await until("it is online", old.connection, ({ is }) => is === "online");
  const close = old.open(group.id);
  await bob.posts(group.id, "hello");
  await seen("bob's message, unread", (view) => view.unread === 1 && last(view)?.body === "hello");
  const own = await old.send(group.id, "hi, bob").committed;
  expect(own).toMatchObject({ seq: 2, body: "hi, bob" });
  const read = await bob.reads(group.id);
  expect(read.map(({ body }) => body)).toEqual(["hello", "hi, bob"]);
  await seen("nothing unread after its own message", ({ unread }) => unread === 0);

  const react = async (seq: number) => {
    const path = `/api/conversations/${group.id}/messages/${seq}/reactions/ok`;
    expectStatus<unknown>(await bob.api.put(path), 200);
    const message = `/api/conversations/${group.id}/messages/${seq}`;
    return expectStatus(await bob.api.get<Message>(message), 200);
  };
  const reacted = await react(own.seq);
  await seen("a live reaction raises the message's rev", (view) => {
    return of(view, own.seq)?.rev === reacted.rev;
  });
  const shown = of(old.conversation(group.id).get()!, own.seq)!;
  expect(shown).toMatchObject({ body: "hi, bob", edited_at: null });

  wire.cut();
  await until("it is offline", old.connection, ({ is }) => is !== "online");
  const waiting = old.send(group.id, "written offline");
  await bob.posts(group.id, "one");
  await bob.posts(group.id, "two");
  const missed = await react(1);
  const rootPath = `/api/conversations/${group.id}/messages/${own.seq}/thread`;
  const thread = expectStatus(await bob.api.post<Conversation>(rootPath), 201);
  await bob.posts(thread.id, "a reply");
  wire.mends();
  old.retryNow();
  const sent = await waiting.committed;
  expect(sent).toMatchObject({ seq: 5, body: "written offline" });
  await seen("what it missed, in order", ({ messages }) => {
    return messages.map(({ body }) => body).join() === "hello,hi, bob,one,two,written offline";
  });
  await seen("the reaction that it missed", (view) => of(view, 1)?.rev === missed.rev);
  await bob.posts(group.id, "three");
  await seen("one unread message", ({ unread }) => unread === 1);
  old.markRead(group.id);
  await seen("nothing unread", ({ unread }) => unread === 0);
  const list = await ann.lists<{ id: string; unread_count: number }>("/api/conversations");
  expect(list.find(({ id }) => id === group.id)?.unread_count).toBe(0);
  // Threads are none of its conversations.
  expect(old.conversations.get().map(({ id }) => id)).not.toContain(thread.id);
  close();
});
