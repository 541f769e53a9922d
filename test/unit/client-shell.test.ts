/** The SDK's client on a scripted socket: what it asks, when, and how often. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Client, createClient } from "../../src/client/client.ts";
import type { SocketHandlers } from "../../src/client/ports.ts";
import { createPresence } from "../../src/client/presence.ts";
import type { Outgoing } from "../../src/client/state.ts";
import { createTyping } from "../../src/client/typing.ts";
import { type ErrorObject, ok, type Result, refused } from "../../src/protocol/errors.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { FakeClock } from "../support/fake-clock.ts";

const AT = "2026-01-01T00:00:00.000Z";
const ROOM = {
  id: "7",
  kind: "group" as const,
  title: "T",
  owner_id: "1",
  members: ["1", "2"].map((user_id) => ({ user_id, delivered_seq: 0, read_seq: 0 })),
  last_seq: 0,
  rev: 1,
  created_at: AT,
};

interface Asked {
  event: string;
  payload: Record<string, unknown>;
  answer(value: Result<Record<string, unknown>>): Promise<void>;
}

let clock: FakeClock;
let handlers: SocketHandlers;
let client: Client;
let asked: Asked[];
let errors: unknown[];
let calls: string[];
let rooms: string[];

function begins(storage?: { load(): readonly Outgoing[]; put(): void; remove(): void }): void {
  client = createClient(
    {
      getToken: () => "token",
      markDelivered: false,
      onError: (error) => errors.push(error),
      ...(storage === undefined ? {} : { storage }),
    },
    {
      clock,
      random: () => 0.5,
      url: "",
      newClientId: () => `c${++clientIds}`,
      async call(_, path) {
        calls.push(path);
        if (path.startsWith("/api/conversations/8/messages")) {
          return ok({ items: [{ ...message(1, 2), conversation_id: "8" }], has_more: false });
        }
        if (path.startsWith("/api/conversations/8")) return ok({ ...ROOM, id: "8" });
        return ok({
          items: rooms.map((id) => ({
            ...ROOM,
            id,
            last_message: null,
            unread_count: 0,
            read_seq: 0,
          })),
          next_cursor: null,
        });
      },
      makeSocket(given) {
        handlers = given;
        return {
          open: () => undefined,
          close: () => undefined,
          ask(event, payload, _, take) {
            const answer = async (value: Result<Record<string, unknown>>): Promise<void> => {
              // The script knows what belongs to its event.
              take(value as never);
              await clock.advance(0);
            };
            asked.push({ event, payload, answer });
          },
        };
      },
    },
  );
}

let clientIds = 0;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  errors = [];
  calls = [];
  rooms = ["7"];
  clientIds = 0;
});

afterEach(() => {
  client.close();
  expect(clock.pending, "timers left").toBe(0);
});

const of = (event: string): Asked[] => asked.filter((one) => one.event === event);

async function comesOnline(): Promise<void> {
  await clock.advance(0);
  handlers.onEvent("ready", {
    user: { id: "1", username: "ann", display_name: "Ann", created_at: AT },
    session_id: "s",
    server_time: AT,
    token_expires_at: AT,
    unread: { notifications: 0, conversations: [] },
  });
  await clock.advance(0);
  const nothing = { conversations: [], receipts: [], removed: [], notifications: [] };
  await of("sync")
    .at(-1)!
    .answer(ok({ ...nothing, has_more: false }));
  expect(client.connection.get().is).toBe("online");
}

function message(seq: number, rev: number, changes: Partial<Message> = {}): Message {
  const absent = { reply_to_seq: null, created_at: AT, edited_at: null, deleted_at: null };
  const from = { sender_id: "2", client_id: `of 2 ${seq}` };
  return {
    id: `${seq}`,
    conversation_id: "7",
    seq,
    rev,
    body: `${seq}`,
    ...from,
    ...absent,
    ...changes,
  };
}

const sent = (seq: number, client_id: string) =>
  ok({ message: message(seq, seq + 1, { sender_id: "1", client_id }) });
const unavailable: { ok: false; error: ErrorObject } = refused("unavailable", "none");

describe("sending", () => {
  it("[SDK50] is one message of a conversation at a time, in order, tried again where it can help", async () => {
    begins();
    await comesOnline();
    const [first, second] = [client.send("7", "one"), client.send("7", "two")];
    expect(of("send_message").map(({ payload }) => payload["body"])).toEqual(["one"]);
    await of("send_message")[0]!.answer(unavailable);
    await clock.advance(250);
    expect(of("send_message").map(({ payload }) => payload["client_id"])).toEqual(["c1", "c1"]);
    await of("send_message")[1]!.answer(sent(1, "c1"));
    expect(of("send_message")).toHaveLength(3);
    await of("send_message")[2]!.answer(refused("forbidden", "Blocked."));
    expect((await first.committed).seq).toBe(1);
    await expect(second.committed).rejects.toMatchObject({ code: "forbidden" });
    client.retry("c2");
    await of("send_message")[3]!.answer(sent(2, "c2"));
    expect(client.conversation("7").get()).toMatchObject({ outgoing: [], messages: [{}, {}] });
  });

  it("[SDK51] is settled by the event where the answer is lost", async () => {
    begins();
    await comesOnline();
    const { committed } = client.send("7", "one");
    handlers.onEvent("message", message(1, 2, { sender_id: "1", client_id: "c1" }));
    expect((await committed).seq).toBe(1);
    await of("send_message")[0]!.answer(unavailable);
    await clock.advance(60_000);
    expect(of("send_message"), "not sent again").toHaveLength(1);
  });

  it("[SDK52] waits without a connection, up to a bound, and ends with the client", async () => {
    begins();
    const sendings = Array.from({ length: 1_001 }, (_, n) => client.send("7", `${n}`));
    await expect(sendings[1_000]!.committed).rejects.toThrow("Too many messages wait");
    client.close();
    await expect(sendings[0]!.committed).rejects.toThrow("The client is closed.");
    await expect(client.send("7", "late").committed).rejects.toThrow("The client is closed.");
  });

  it("[SDK53] goes on where the storage fails, and says so", async () => {
    const fail = (): never => {
      throw new Error("full");
    };
    begins({ load: fail, put: fail, remove: fail });
    await comesOnline();
    const { committed } = client.send("7", "one");
    await of("send_message")[0]!.answer(sent(1, "c1"));
    expect((await committed).seq).toBe(1);
    expect(errors.map(String)).toEqual(["Error: full", "Error: full", "Error: full"]);
  });
});

describe("what is missed", () => {
  it("[SDK54] is asked for a moment after a gap showed, and only it", async () => {
    begins();
    await comesOnline();
    const asksBefore = of("sync").length;
    handlers.onEvent("message", message(2, 3));
    await clock.advance(999);
    expect(of("sync")).toHaveLength(asksBefore);
    await clock.advance(1);
    expect(of("sync").at(-1)?.payload).toEqual({
      conversations: [{ conversation_id: "7", after_rev: 1 }],
      complete: false,
    });
    handlers.onEvent("message", message(1, 2));
    expect(
      client
        .conversation("7")
        .get()
        ?.messages.map(({ seq }) => seq),
    ).toEqual([1, 2]);
  });

  it("[SDK55] a conversation that is spoken of and not known is joined", async () => {
    begins();
    await comesOnline();
    handlers.onEvent("message", { ...message(1, 2), conversation_id: "8" });
    expect(of("join_conversation").map(({ payload }) => payload)).toEqual([
      { conversation_id: "8", limit: 50 },
    ]);
  });

  it("[SDK58] is read and not joined where not all conversations are live: to join is an own act", async () => {
    rooms = Array.from({ length: 500 }, (_, n) => `${1_000 + n}`);
    begins();
    await comesOnline();
    handlers.onEvent("conversation_updated", { ...ROOM, id: "8", last_seq: 1, rev: 2 });
    await clock.advance(0);
    expect(of("join_conversation")).toEqual([]);
    expect(calls.filter((path) => path.startsWith("/api/conversations/8"))).toHaveLength(2);
    expect(client.conversation("8").get()?.messages).toHaveLength(1);
    client.open("8");
    expect(of("join_conversation")).toHaveLength(1);
  });
});

describe("typing", () => {
  it("[SDK56] is said every few seconds, and its end once", async () => {
    begins();
    const typing = createTyping(client, clock);
    await comesOnline();
    const said = () => of("typing").map(({ payload }) => payload["is_typing"]);
    for (let n = 0; n < 35; n++) {
      typing.touch("7");
      await clock.advance(100);
    }
    expect(said()).toEqual([true, true]);
    await clock.advance(4_000);
    expect(said()).toEqual([true, true, false]);
    typing.touch("7");
    client.send("7", "done");
    await clock.advance(10_000);
    expect(said(), "the message ends it").toEqual([true, true, false, true]);
  });
});

describe("own status", () => {
  it("[SDK57] away set while a session begins is said once it is there, and in the next", async () => {
    begins();
    const presence = createPresence(client, { clock, random: () => 0.5 });
    client.on("ready", () => presence.show("away"));
    await comesOnline();
    const said = () => of("set_status").map(({ payload }) => payload["status"]);
    expect(said()).toEqual(["away"]);
    presence.show("online");
    expect(said()).toEqual(["away", "online"]);
  });
});
