/** StreamStore, and what streams change in the other ports; for both storages. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { ADAPTERS, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

describe.each(ADAPTERS)("streams in $name", ({ open }) => {
  let storage: OpenStorage;
  let owner: UserId;
  let other: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [owner, other] = (await newUsers(storage, 2)) as [UserId, UserId];
  });
  afterAll(() => storage?.close());
  beforeEach(async () => {
    group = await newGroup(storage, [owner, other]);
  });

  const begin = (clientId: string, body = "") =>
    granted(
      storage.conversations.append({
        conversationId: group,
        senderId: owner,
        clientId,
        body,
        replyToSeq: null,
        content: { isStream: true },
      }),
    );
  const end = (state: "done" | "failed", names: string[] = []) => ({ state, names, all: false });

  it("[STG1] a checkpoint is a change of the message, and counts code points", async () => {
    const { message } = await begin("a", "é😀");
    expect(message).toMatchObject({ stream: { state: "open" }, body: "é😀" });
    const written = await storage.streams.write(group, 1, { from: 2, text: "é😀!", end: null });
    expect(written).toMatchObject({
      is: "written",
      revised: { message: { rev: message.rev + 1, body: "é😀!", edited_at: null } },
    });
    expect(await storage.streams.write(group, 1, { from: 2, text: "x", end: null })).toEqual({
      is: "moved",
    });
    expect(await storage.streams.open(group)).toMatchObject([{ seq: 1, body: "é😀!" }]);
    expect(await storage.conversations.reserves(group)).toMatchObject({ hasStreams: true });
    const { changes } = await storage.queries.changes(group, message.rev - 1, 10);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["message", message.rev],
      ["message_updated", message.rev + 1],
    ]);
  });

  it("[STG2] an end says who is mentioned, and nothing is written after it", async () => {
    await begin("a");
    const user = await storage.queries.user(other);
    const name = user!.username;
    const write = { from: 0, text: `@${name}`, end: { ...end("done", [name]), data: { a: 1 } } };
    expect(await storage.streams.write(group, 1, write)).toMatchObject({
      is: "written",
      revised: {
        message: { stream: { state: "done" }, mentions: [other], data: { a: 1 } },
        newlyMentioned: [other],
      },
    });
    expect(await storage.streams.write(group, 1, { ...write, from: 1 })).toMatchObject({
      is: "ended",
      message: { stream: { state: "done" } },
    });
    expect(await storage.streams.open(group)).toEqual([]);
    expect(await storage.conversations.reserves(group)).not.toHaveProperty("hasStreams");
    expect(await storage.streams.write(group, 9, write)).toEqual({ is: "ended", message: null });
  });

  it("[STG3] an open one is not edited, and its deletion cancels it", async () => {
    await begin("a", "text");
    const edited = await storage.conversations.revise(group, 1, owner, {
      does: "edit",
      body: "other",
      names: [],
      all: false,
    });
    expect(edited).toMatchObject({ ok: false, error: { code: "conflict" } });
    const deleted = await granted(
      storage.conversations.revise(group, 1, owner, {
        does: "delete",
        any: false,
        system: false,
        spared: [],
      }),
    );
    expect(deleted.message).toMatchObject({ body: "", stream: { state: "cancelled" } });
    expect(await storage.streams.open(group)).toEqual([]);
  });

  it("[STG4] `sync` names the conversations with open ones, changed or not", async () => {
    const { message } = await begin("a");
    const ask = (after: number) =>
      storage.queries.sync({ userId: other, after: new Map([[group, after]]), complete: false });
    expect((await ask(message.rev)).streaming).toEqual([group]);
    await storage.streams.write(group, 1, { from: 0, text: "x", end: end("failed") });
    expect((await ask(0)).streaming).toBeUndefined();
  });

  it("[STG5] those that nothing was stored of are claimed, but not of a conversation that is gone", async () => {
    await begin("a");
    const mine = async () =>
      (await storage.queries.claimStreams(500, 60_000)).filter((id) => id === group);
    await expect.poll(mine, { timeout: 6_000, interval: 200 }).toEqual([group]);
    await storage.conversations.change(group, [{ by: owner, does: "delete" }]);
    expect(await mine()).toEqual([]);
    expect(await storage.streams.find(asConversationId(group), 1)).toMatchObject({ seq: 1 });
  });
});
