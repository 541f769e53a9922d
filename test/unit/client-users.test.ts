/** The names behind ids: asked for once, when somebody shows them, and again after an outage. */
import { afterEach, describe, expect, it } from "vitest";
import { type Client, createClient } from "../../src/client/client.ts";
import type { SocketHandlers } from "../../src/client/ports.ts";
import { createUsers } from "../../src/client/users.ts";
import { type Result, refused } from "../../src/protocol/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";

const AT = "2026-01-01T00:00:00.000Z";
const clock = new FakeClock();
let handlers: SocketHandlers;
let client: Client | undefined;
let asked: string[];
let answers: Map<string, Result<unknown>>;

afterEach(() => client?.close());

const userOf = (id: string, display_name: string) => ({
  ...{ id, username: `u${id}`, display_name, created_at: AT },
});

async function begins(): Promise<Client> {
  asked = [];
  answers = new Map();
  client = createClient(
    { getToken: () => "token" },
    {
      clock,
      random: () => 0.5,
      url: "",
      newClientId: () => "mine",
      call: async (_, path) => {
        if (path.startsWith("/api/conversations")) {
          return { ok: true, value: { items: [], next_cursor: null } };
        }
        asked.push(path);
        return answers.get(path) ?? refused("unavailable", "none");
      },
      makeSocket(given) {
        handlers = given;
        const nothing = { conversations: [], receipts: [], removed: [], has_more: false };
        return {
          open: () => undefined,
          close: () => undefined,
          ask: (_, __, ___, take) => take({ ok: true, value: nothing as never }),
        };
      },
    },
  );
  await clock.advance(0);
  await session(client);
  return client;
}

/** A session that has caught up. */
async function session(of: Client): Promise<void> {
  handlers.onEvent("ready", {
    user: userOf("1", "Ann"),
    session_id: "s",
    server_time: AT,
    token_expires_at: AT,
    unread: { notifications: 0, conversations: [] },
  });
  for (let n = 0; n < 20 && of.connection.get().is !== "online"; n++) await clock.advance(0);
  expect(of.connection.get().is).toBe("online");
}

describe("usersOf", () => {
  it("[CUS63] asks for a user when somebody looks, once for all who do", async () => {
    const users = createUsers(await begins());
    answers.set("/api/users/2?", { ok: true, value: userOf("2", "Ben") });
    answers.set("/api/users/3?", refused("not_found", "No such user."));
    const [ben, gone] = [users.of("2"), users.of("3")];
    expect(ben.get()).toBeUndefined();
    expect(asked).toEqual([]);
    let told = 0;
    ben.subscribe(() => told++);
    users.of("2").subscribe(() => undefined);
    gone.subscribe(() => undefined);
    await clock.advance(0);
    expect([ben.get()?.display_name, gone.get(), told]).toEqual(["Ben", null, 1]);
    expect(asked).toEqual(["/api/users/2?", "/api/users/3?"]);
    // Oneself is known without asking.
    expect(users.of("1").get()?.display_name).toBe("Ann");
  });

  it("[CUS63] asks again in the next session for whom it could not reach", async () => {
    const of = await begins();
    const ben = createUsers(of).of("2");
    ben.subscribe(() => undefined);
    await clock.advance(0);
    expect([ben.get(), asked.length]).toEqual([undefined, 1]);
    handlers.onClosed("transport close");
    answers.set("/api/users/2?", { ok: true, value: userOf("2", "Ben") });
    await clock.advance(60_000);
    await session(of);
    await clock.advance(0);
    expect(ben.get()?.display_name).toBe("Ben");
  });
});
