/** [SDK-S] Searches of the SDK: what they ask for, page by page, and the parts of what was found. */
import { describe, expect, it } from "vitest";
import type { Api } from "../../src/client/api.ts";
import type { Client } from "../../src/client/client.ts";
import { partsOf, searchMessages, searchPeople } from "../../src/client/search.ts";
import type { Message } from "../../src/protocol/schemas.ts";

function answering(...answers: object[]): { client: Client; asked: unknown[][] } {
  const asked: unknown[][] = [];
  const api = (async (...call: unknown[]) => {
    asked.push(call);
    return answers.shift();
  }) as unknown as Api;
  return { client: { api } as Client, asked };
}

const found = (body: string, ...ranges: [number, number][]) => ({
  message: { body } as Message,
  ranges,
});

describe("troupe-client/search", () => {
  it("[SDK-S1] asks for pages until there is none", async () => {
    const { client, asked } = answering(
      { items: [found("one")], next_cursor: "c1", behind_ms: 7 },
      { items: [], next_cursor: null, behind_ms: 0 },
    );
    const first = await searchMessages(client, "o", { conversationId: "4", has: "attachment" });
    expect(first).toMatchObject({ items: [{ message: { body: "one" } }], behindMs: 7 });
    expect(await first.next!()).toEqual({ items: [], next: null, behindMs: 0 });
    const query = { q: "o", conversation_id: "4", has: "attachment" };
    expect(asked).toEqual([
      ["GET /api/search/messages", query],
      ["GET /api/search/messages", { ...query, cursor: "c1" }],
    ]);
  });

  it("[SDK-S2] finds people", async () => {
    const { client, asked } = answering({ items: [{ id: "1" }], next_cursor: null });
    expect(await searchPeople(client, "an")).toEqual([{ id: "1" }]);
    expect(asked).toEqual([["GET /api/users/search", { q: "an", limit: 20 }]]);
  });

  it("[SDK-S3] gives the parts of a body by code points", () => {
    expect(partsOf(found("😀 ab cd", [2, 4], [5, 7]))).toEqual([
      { text: "😀 ", isFound: false },
      { text: "ab", isFound: true },
      { text: " ", isFound: false },
      { text: "cd", isFound: true },
    ]);
    expect(partsOf(found("ab"))).toEqual([{ text: "ab", isFound: false }]);
  });
});
