/** The SDK's outbox on localStorage: what can be read is sent, what cannot is dropped and named. */
import { describe, expect, it } from "vitest";
import type { Outgoing } from "../../src/client/state.ts";
import { UnreadableOutgoing, type WebStorage, webOutbox } from "../../src/client/storage.ts";

/** As a browser keeps it: entries move up when one is removed. */
function storageOf(entries: Record<string, string>): WebStorage & { names(): string[] } {
  const kept = new Map(Object.entries(entries));
  return {
    get length() {
      return kept.size;
    },
    key: (at) => [...kept.keys()][at] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    names: () => [...kept.keys()],
  };
}

function outgoing(clientId: string, createdAtMs: number): Outgoing {
  const body = `body of ${clientId}`;
  return { clientId, conversationId: "7", body, replyToSeq: null, createdAtMs, problem: null };
}

const [first, second] = [outgoing("a", 1), outgoing("b", 2)];

describe("webOutbox", () => {
  it("[SDK23] gives back what was put, oldest first, and not another user's", async () => {
    const storage = storageOf({});
    const mine = webOutbox(storage, "1");
    await mine.put(second);
    await mine.put({ ...first, replyToSeq: 3 });
    await webOutbox(storage, "2").put(outgoing("c", 3));
    expect(await mine.load()).toEqual([{ ...first, replyToSeq: 3 }, second]);
    await mine.remove("a");
    expect(await mine.load()).toEqual([second]);
  });

  it.each([
    ["cut short", JSON.stringify(first).slice(0, -9)],
    ["not a message", '"a string"'],
    ["nothing", "null"],
    ["without a body", JSON.stringify({ ...first, body: undefined })],
    ["of a shape that has passed", JSON.stringify({ ...first, createdAtMs: "yesterday" })],
    ["another's reply", JSON.stringify({ ...first, replyToSeq: "3" })],
    ["under another's name", JSON.stringify(second)],
  ])("[SDK23] an entry that is %s is dropped and told, the others are sent", async (_, text) => {
    const storage = storageOf({
      "troupe.outbox.1.bad": text,
      "troupe.outbox.1.a": JSON.stringify(first),
      other: "the application's own",
      "troupe.outbox.1.b": JSON.stringify(second),
    });
    const told: UnreadableOutgoing[] = [];
    const outbox = webOutbox(storage, "1", (dropped) => told.push(dropped));
    expect(await outbox.load()).toEqual([first, second]);
    expect(told).toMatchObject([{ key: "troupe.outbox.1.bad", text }]);
    expect(told[0]).toBeInstanceOf(UnreadableOutgoing);
    expect(storage.names()).toEqual(["troupe.outbox.1.a", "other", "troupe.outbox.1.b"]);
    expect(await outbox.load()).toEqual([first, second]);
    expect(told).toHaveLength(1);
  });
});
