/** Parts of the kit that an application puts its own in place of, rendered to text. */
import { createElement, type ReactElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { createClient } from "../../src/client/client.ts";
import * as kit from "../../src/client/ui.ts";
import { refused } from "../../src/protocol/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";

const nothing = (): void => undefined;

/** Parts of an application that show what they are given. */
const REPLACED = {
  Thread: ({ conversationId, seq }) => createElement("b", null, `thread ${conversationId}.${seq}`),
  Receipts: ({ progress }) => createElement("b", null, `receipts ${progress}`),
  Notifications: ({ isReadWhenSeen }) =>
    createElement("b", null, `notifications ${isReadWhenSeen}`),
  Search: ({ onClose }) => createElement("b", null, `search ${typeof onClose}`),
  ConnectionBanner: () => createElement("b", null, "banner"),
  Presence: ({ userId }) => createElement("b", null, `presence ${userId}`),
} satisfies Partial<kit.Parts>;

const of: Record<keyof typeof REPLACED, ReactElement> = {
  Thread: createElement(kit.Thread, { conversationId: "7", seq: 3 }),
  Receipts: createElement(kit.Receipts, { progress: "read" }),
  Notifications: createElement(kit.Notifications, { isReadWhenSeen: true }),
  Search: createElement(kit.Search, {
    onClose: nothing,
    onConversation: nothing,
    onPerson: nothing,
    onMessage: nothing,
  }),
  ConnectionBanner: createElement(kit.ConnectionBanner),
  Presence: createElement(kit.Presence, { userId: "9" }),
};

const CASES = [
  ["Thread", "thread 7.3"],
  ["Receipts", "receipts read"],
  ["Notifications", "notifications true"],
  ["Search", "search function"],
  ["ConnectionBanner", "banner"],
  ["Presence", "presence 9"],
] as const;

describe("the kit's replaceable parts", () => {
  const client = createClient(
    { getToken: () => "token" },
    {
      clock: new FakeClock(),
      random: () => 0.5,
      url: "",
      newClientId: () => "mine",
      call: async () => refused("unavailable", "none"),
      makeSocket: () => ({ open: nothing, close: nothing, ask: nothing }),
    },
  );
  const shown = (parts: Partial<kit.Parts>, one: ReactElement): string =>
    renderToStaticMarkup(createElement(kit.TroupeUI, { client, parts }, one));

  it.each(CASES)("[KIT33] %s is an application's own where it gives one", (name, shows) => {
    expect(shown(REPLACED, of[name])).toContain(`<b>${shows}</b>`);
    expect(shown({}, of[name])).not.toContain("<b>");
  });
});
