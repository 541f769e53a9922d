/**
 * python-socketio, a client that is not ours, talks to Troupe over both transports. Skipped,
 * saying so, where no Python with it is found.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { Message, User } from "../../src/protocol/schemas.ts";
import type { Person } from "../support/person.ts";
import { pythonWith } from "../support/python.ts";
import { PythonClient } from "../support/python-client.ts";
import { troupeForFile } from "../support/suite.ts";

const python = pythonWith(["socketio", "requests", "websocket"], "python-socketio tests");

describe.skipIf(python === null)("python-socketio", () => {
  const troupe = troupeForFile();
  const clients: PythonClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.leaves();
  });

  function clientOf(person: Person, transport: "websocket" | "polling"): PythonClient {
    return clientWith(person.token, transport);
  }

  function clientWith(token: string, transport: "websocket" | "polling"): PythonClient {
    const client = new PythonClient(python!, troupe().url, token, transport);
    clients.push(client);
    return client;
  }

  describe.each(["websocket", "polling"] as const)("over %s", (transport) => {
    it("[PYC1] begins with ready, sends once, hears the others and is heard", async () => {
      const [ann, bob] = await troupe().users("ann", "bob");
      const talk = await ann!.startsDirect(bob!);
      const client = clientOf(ann!, transport);
      const ready = await client.hears<{ user: User }>("event", "ready");
      expect(ready.user).toEqual(ann!.user);
      const bobs = await bob!.connects();

      const sent = { conversation_id: talk.id, client_id: "py-1", body: "Grüße aus Python 🐍" };
      const ack = await client.asks("send_message", sent);
      expect(ack).toMatchObject({ ok: true, message: { seq: 1, body: sent.body } });
      expect((await bobs.next("message")).body).toBe(sent.body);
      const again = await client.asks("send_message", sent);
      expect(again).toMatchObject({ ok: true, duplicate: true, message: { id: ack.message!.id } });

      await bob!.posts(talk.id, "And back");
      expect(await client.hears<Message>("event", "message")).toMatchObject({
        seq: 2,
        body: "And back",
      });
    });

    it("[PYC2] is answered with the error object where it asks wrongly", async () => {
      const ann = await troupe().user("ann");
      const client = clientOf(ann, transport);
      await client.hears("event", "ready");
      const unknown = await client.asks("send_message", {
        conversation_id: "999999",
        client_id: "1",
        body: "x",
      });
      expect(unknown).toMatchObject({ ok: false, error: { code: "not_found" } });
      const nonsense = await client.asks("no_such_event", {});
      expect(nonsense).toMatchObject({ ok: false, error: { code: "invalid_payload" } });
    });

    it("[PYC3] a refused handshake tells it why", async () => {
      for (const token of ["", "not.a.token"]) {
        const client = clientWith(token, transport);
        const error = await client.hears<{ data: object }>("connection", "connect_error");
        expect(error.data).toMatchObject({
          code: "unauthorized",
          message: expect.stringMatching(/\S/),
        });
        await client.hears("connection", "refused");
        expect(await client.leaves()).toBe(0);
      }
    });

    it("[PYC4] comes back by itself when its worker is killed, and syncs what it missed", async () => {
      const [ann, bob] = await troupe().users("ann", "bob");
      const talk = await ann!.startsDirect(bob!);
      const client = clientOf(ann!, transport);
      await client.hears("event", "ready");
      const first = await bob!.posts(talk.id, "one");
      await client.hears("event", "message");
      for (const pid of troupe().pids().workers) process.kill(pid, "SIGKILL");
      await client.hears("connection", "disconnect");
      await client.hears("event", "ready");
      const ack = await client.asks("send_message", {
        conversation_id: talk.id,
        client_id: "after",
        body: "two",
      });
      expect(ack).toMatchObject({ ok: true, message: { seq: 2 } });
      const synced = (await client.asks("sync", {
        conversations: [{ conversation_id: talk.id, after_rev: first.rev }],
      })) as unknown as { conversations: { messages: Message[] }[] };
      expect(synced.conversations[0]?.messages.map(({ body }) => body)).toEqual(["two"]);
    });
  });
});
