/** The React hooks, rendered to text: what they show is what the client has. */
import { createElement, type FunctionComponent } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, describe, expect, it } from "vitest";
import { type Client, createClient } from "../../src/client/client.ts";
import type { SocketHandlers } from "../../src/client/ports.ts";
import * as hooks from "../../src/client/react.ts";
import { refused } from "../../src/protocol/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";

const AT = "2026-01-01T00:00:00.000Z";
const clock = new FakeClock();
let handlers: SocketHandlers;
let client: Client | undefined;

afterEach(() => client?.close());

function begins(): Client {
  client = createClient(
    { getToken: () => "token" },
    {
      clock,
      random: () => 0.5,
      url: "",
      newClientId: () => "mine",
      call: async () => refused("unavailable", "none"),
      makeSocket(given) {
        handlers = given;
        const ask = (_: unknown, __: unknown, ___: number, take: (no: never) => void) =>
          take(refused("unavailable", "none") as never);
        return { open: () => undefined, close: () => undefined, ask };
      },
    },
  );
  return client;
}

function shown(of: Client, component: FunctionComponent): string {
  return renderToStaticMarkup(
    createElement(hooks.TroupeProvider, { client: of }, createElement(component)),
  );
}

describe("the hooks", () => {
  it("[SDK41] show connection, conversations and what was just sent", async () => {
    const made = begins();
    await clock.advance(0);
    const at = "2026-01-01T00:00:00.000Z";
    handlers.onEvent("ready", {
      user: { id: "1", username: "ann", display_name: "Ann", created_at: at },
      session_id: "s",
      server_time: at,
      token_expires_at: at,
      unread: { notifications: 3, conversations: [] },
    });
    handlers.onEvent("conversation_updated", {
      id: "7",
      kind: "group",
      title: "Plans",
      owner_id: "1",
      members: [{ user_id: "1", delivered_seq: 0, read_seq: 0 }],
      last_seq: 0,
      rev: 1,
      created_at: at,
    });
    made.send("7", "on its way");
    const text = shown(made, () => {
      const { is } = hooks.useConnection();
      const titles = hooks.useConversations().map(({ conversation }) => conversation.title);
      const outgoing = hooks.useConversation("7")?.outgoing.map(({ body }) => body);
      const status = hooks.usePresence("2")?.status ?? "unknown";
      const likes = hooks.usePostCounts("9")?.like_count ?? "unknown";
      return createElement("p", null, [is, titles, outgoing, status, likes].join(" · "));
    });
    expect(text).toBe("<p>syncing · Plans · on its way · unknown · unknown</p>");
  });

  it("[SDK43] show parts: who one is, who types where, what is unread, and nothing for no id", async () => {
    const made = begins();
    await clock.advance(0);
    const user = { id: "1", username: "ann", display_name: "Ann", created_at: AT };
    handlers.onEvent("ready", {
      user,
      session_id: "s",
      server_time: AT,
      token_expires_at: AT,
      unread: { notifications: 0, conversations: [] },
    });
    const members = ["1", "2"].map((user_id) => ({ user_id, delivered_seq: 0, read_seq: 0 }));
    for (const id of ["7", "8"]) {
      handlers.onEvent("conversation_updated", {
        ...{ id, kind: "group", title: id, owner_id: "1", members },
        ...{ last_seq: 3, rev: 4, created_at: AT },
      });
    }
    handlers.onEvent("typing", { conversation_id: "7", user_id: "2", is_typing: true });
    const text = shown(made, () => {
      const me = hooks.useMe()?.display_name;
      const self = hooks.useUser("1")?.username;
      const other = String(hooks.useUser("2"));
      const typing = [...hooks.useTyping("7"), "in 8:", ...hooks.useTyping("8")].join(" ");
      const none = String(hooks.useConversation(null));
      const parts = [me, self, other, typing, none, hooks.useUnreadTotal(), hooks.useIsListed()];
      return createElement("p", null, parts.join(" · "));
    });
    expect(text).toBe("<p>Ann · ann · undefined · 2 in 8: · null · 6 · false</p>");
  });

  it("[SDK41] say so where there is no provider", () => {
    const orphan = createElement(() => createElement("p", null, hooks.useConnection().is));
    expect(() => renderToStaticMarkup(orphan)).toThrow("TroupeProvider");
  });
});
