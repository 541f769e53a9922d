import { describe, expect, test } from "vitest";
import { COST_OF_EVENT, COST_OF_ROUTE } from "../../src/protocol/costs.ts";
import { CLIENT_EVENTS } from "../../src/protocol/events.ts";
import { ROUTES } from "../../src/protocol/routes.ts";

const ids = (count: number) => Array.from({ length: count }, (_, n) => `${n + 1}`);

describe("[CST1] the table of costs", () => {
  test("has a row for every route and event", () => {
    expect(Object.keys(COST_OF_ROUTE).sort()).toEqual(Object.keys(ROUTES).sort());
    expect(Object.keys(COST_OF_EVENT).sort()).toEqual(Object.keys(CLIENT_EVENTS).sort());
  });

  test("charges a page by its size, and the default page like a page of 50", () => {
    const list = (query: { limit?: number }) =>
      COST_OF_ROUTE.listConversations({ query, body: {}, caller: "1" });
    expect(list({ limit: 10 })).toEqual({ http_user: 0 });
    expect(list({})).toEqual(list({ limit: 50 }));
    expect(list({ limit: 100 })).toEqual({ http_user: 9 });
  });

  test("counts whom a new group names, each once and not its maker", () => {
    const made = (member_ids: string[], title?: string) =>
      COST_OF_ROUTE.createConversation({
        query: {},
        body: { member_ids, ...(title === undefined ? {} : { title }) },
        caller: "1",
      });
    expect(made(ids(1000))).toEqual({ http_user: 40, add: 999, create: 1 });
    expect(made(["2", "2", "1"])).toEqual({ http_user: 1, add: 1 });
    expect(made(["2"], "a group of two")).toEqual({ http_user: 1, add: 1, create: 1 });
  });

  test("charges what reads many things by their number", () => {
    expect(COST_OF_EVENT.watch_presence.more?.({ user_ids: ids(500) })).toEqual({ watch: 19 });
    expect(COST_OF_EVENT.join_conversation.more?.({ conversation_id: "1" })).toEqual({});
    expect(COST_OF_EVENT.join_conversation.more?.({ conversation_id: "1", limit: 100 })).toEqual({
      read: 1,
    });
  });
});
