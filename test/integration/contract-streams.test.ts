/** Streamed messages over two workers: contract/messages.md, "Streamed messages". */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";

import { upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { appends, begins, ends, grown, NEW, trio } from "../support/streamed.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const SILENCE_MS = 400;
const troupe = troupeForFile({ workers: 2 });

describe("a streamed message", () => {
  it("[CTR-STR1] is there from its first moment, grows by deltas, and ends whole", async () => {
    const { ann, bob, group } = await trio(troupe());
    const [writer, own, reader] = [
      await ann.connects(NEW),
      await ann.connects(NEW),
      await bob.connects(NEW),
    ];
    const message = await begins(writer, group, "Hé");
    expect(message).toMatchObject({ body: "Hé", stream: { state: "open" } });
    expect(await reader.next("message")).toMatchObject({
      seq: message.seq,
      stream: { state: "open" },
    });
    expect(await appends(writer, message, 2, "llo 😀")).toMatchObject({ length: 7 });
    expect(await appends(writer, message, 7, " world")).toMatchObject({ length: 13 });
    expect(await grown(reader, "Hé", 13)).toBe("Héllo 😀 world");
    expect(await grown(own, "Hé", 13)).toBe("Héllo 😀 world");
    const ended = await ends(writer, message, { data: { model: "fake" } });
    expect(ended.message).toMatchObject({
      body: "Héllo 😀 world",
      stream: { state: "done" },
      data: { model: "fake" },
      edited_at: null,
    });
    expect(await reader.next("message_updated")).toEqual(ended.message);
    expect(await own.next("message_updated")).toEqual(ended.message);
    await writer.never("message_delta", SILENCE_MS);
    expect((await bob.reads(group.id)).at(-1)).toEqual(ended.message);
  });

  it("[CTR-STR2] answers a wrong offset with the length that there is, and a retry is safe", async () => {
    const { ann, group } = await trio(troupe());
    const writer = await ann.connects(NEW);
    const message = await begins(writer, group);
    const { conversation_id, seq } = message;
    await appends(writer, message, 0, "one");
    const again = { conversation_id, seq, offset: 0, text: "one" };
    expect(await writer.emits("append_message", again)).toMatchObject({
      ok: false,
      error: { code: "conflict", details: { length: 3 } },
    });
    expect(await appends(writer, message, 3, "")).toMatchObject({ length: 3 });
    const { message: ended } = await ends(writer, message);
    expect(ended.body).toBe("one");
    // A repeated end of the same kind answers the message; another one, and an append, are too late.
    expect((await ends(writer, message)).message).toEqual(ended);
    for (const late of [
      writer.emits("end_message", { conversation_id, seq, state: "failed" }),
      writer.emits("append_message", { conversation_id, seq, offset: 3, text: "x" }),
    ]) {
      expect(await late).toMatchObject({
        error: { code: "conflict", details: { state: "done" } },
      });
    }
  });

  it("[CTR-STR3] is coalesced to at most 20 deltas and one checkpoint a second, without holes in rev", async () => {
    const { ann, bob, cleo, group } = await trio(troupe());
    const [writer, reader, former] = [
      await ann.connects(NEW),
      await bob.connects(NEW),
      await cleo.connects(),
    ];
    const message = await begins(writer, group);
    await reader.next("message");
    const from = performance.now();
    let length = 0;
    while (performance.now() - from < 2_600) {
      const { length: now } = await appends(writer, message, length, "word ");
      length = now;
      await delay(5);
    }
    const seconds = (performance.now() - from) / 1000;
    const { message: ended } = await ends(writer, message);
    await reader.next("message_updated");
    const named = (name: string) => reader.record.filter((record) => record.name === name);
    expect(named("message_delta").length).toBeLessThanOrEqual(20 * seconds + 1);
    expect(named("message_delta").length).toBeGreaterThan(5 * seconds);
    const checkpoints = named("message_checkpoint").map(
      ({ payload }) => payload as { rev: number },
    );
    expect(checkpoints.length).toBeLessThanOrEqual(seconds + 1);
    expect(checkpoints.length).toBeGreaterThanOrEqual(2);
    expect(checkpoints.map(({ rev }) => rev)).toEqual(
      checkpoints.map((_, n) => message.rev + n + 1),
    );
    expect(ended.rev).toBe(message.rev + checkpoints.length + 1);
    // Version 1 hears every rev, as events that it knows, and no delta.
    await former.next("message");
    for (const n of upTo(checkpoints.length + 1)) {
      const updated = await former.next("message_updated");
      expect(updated.rev).toBe(message.rev + n);
      expect(ended.body.startsWith(updated.body)).toBe(true);
    }
    await former.never("message_delta", SILENCE_MS);
  });

  it("[CTR-STR4] shows who joins, reads or syncs meanwhile all that was appended", async () => {
    const { ann, bob, group } = await trio(troupe());
    const writer = await ann.connects(NEW);
    const message = await begins(writer, group);
    await appends(writer, message, 0, "so far");
    const late = await bob.connects(NEW);
    const joined = await late.does("join_conversation", {
      conversation_id: group.id,
      after_rev: message.rev,
    });
    const shown = { conversation_id: group.id, seq: message.seq, length: 6, text: "so far" };
    expect(joined.streams).toEqual([shown]);
    const synced = await late.syncs({ [group.id]: message.rev }, { complete: false });
    expect(synced).toMatchObject({ streams: [shown] });
    expect((await bob.reads(group.id)).at(-1)?.body).toBe("so far");
    const one = await bob.api.get<Message>(
      `/api/conversations/${group.id}/messages/${message.seq}`,
    );
    expect(expectStatus(one, 200).body).toBe("so far");
    await appends(writer, message, 6, ", and on");
    expect(await grown(late, "so far", 14)).toBe("so far, and on");
    const former = await bob.connects();
    const before = await former.does("join_conversation", { conversation_id: group.id });
    expect(before).not.toHaveProperty("streams");
    expect(before.messages.at(-1)?.body).toBe("so far, and on");
    await ends(writer, message);
    const after = await late.does("join_conversation", { conversation_id: group.id });
    expect(after).not.toHaveProperty("streams");
  });

  it("[CTR-STR5] is bounded: 64 KiB of text, 5 open ones of a user, 20 of one for whom a service acts", async () => {
    const { ann, bob, group } = await trio(troupe());
    const writer = await ann.connects(NEW);
    const first = await begins(writer, group);
    const piece = "é".repeat(2_048);
    let length = 0;
    for (const _ of upTo(16)) length = (await appends(writer, first, length, piece)).length;
    const { conversation_id, seq } = first;
    const over = { conversation_id, seq, offset: length, text: "x" };
    expect(await writer.emits("append_message", over)).toMatchObject({
      error: { code: "payload_too_large" },
    });
    const large = { ...over, text: `${piece}é` };
    expect(await writer.emits("append_message", large)).toMatchObject({
      error: { code: "invalid_payload" },
    });
    for (const _ of upTo(4)) await begins(writer, group);
    const sixth = { conversation_id, client_id: "sixth", streaming: true };
    expect(await writer.emits("send_message", sixth)).toMatchObject({
      error: { code: "conflict" },
    });
    expect((await ends(writer, first)).message.body).toHaveLength(32_768);
    const made = await writer.does("send_message", { ...sixth, streaming: true });
    expect(await writer.does("send_message", { ...sixth, streaming: true })).toMatchObject({
      duplicate: true,
      message: { seq: made.message.seq },
    });
    const token = await serviceTokenOf(JWT_SECRET, ["act"]);
    const acting = new Api(troupe().url, () => token);
    const as = { headers: { "troupe-act-as": bob.id } };
    const path = `/api/conversations/${group.id}/messages`;
    for (const n of upTo(15)) {
      const sent = await acting.request("POST", path, { client_id: `s${n}`, streaming: true }, as);
      expect(sent.status).toBe(201);
    }
    const full = await acting.request("POST", path, { client_id: "s16", streaming: true }, as);
    expect(full.status).toBe(409);
  });

  it("[CTR-STR6] cannot be edited while it is open, counts as unread once, and mentions at its end", async () => {
    const { ann, bob, group } = await trio(troupe());
    const [writer, reader] = [await ann.connects(NEW), await bob.connects(NEW)];
    const message = await begins(writer, group);
    const { conversation_id, seq } = message;
    await appends(writer, message, 0, `Hello @${bob.user.username}`);
    expect(await writer.emits("edit_message", { conversation_id, seq, body: "x" })).toMatchObject({
      error: { code: "conflict" },
    });
    await reader.never("notification", SILENCE_MS);
    const { message: ended } = await ends(writer, message);
    expect(ended.mentions).toEqual([bob.id]);
    expect(await reader.next("notification")).toMatchObject({ type: "mention" });
    const [listed] = await bob.lists<{ unread_count: number }>("/api/conversations");
    expect(listed?.unread_count).toBe(1);
    await writer.does("edit_message", { conversation_id, seq, body: "edited now" });
    expect(
      await writer.emits("append_message", { conversation_id, seq, offset: 1, text: "x" }),
    ).toMatchObject({ error: { code: "conflict" } });
  });

  it("[CTR-STR7] ends with what its writer may not any more: removal, silence, frozen, a block, deletion", async () => {
    const { ann, bob, cleo, group } = await trio(troupe());
    const [writer, reader] = [await bob.connects(NEW), await ann.connects(NEW)];
    const cases: ((message: Message) => Promise<unknown>)[] = [
      ({ seq }) => ann.api.delete(`/api/conversations/${group.id}/messages/${seq}`),
      () =>
        ann.api.request("PATCH", `/api/conversations/${group.id}/members/${bob.id}`, {
          silenced_until: new Date(Date.now() + 60_000).toISOString(),
        }),
      () => ann.api.delete(`/api/conversations/${group.id}/members/${bob.id}`),
    ];
    for (const act of cases) {
      await ann.api.request("PATCH", `/api/conversations/${group.id}/members/${bob.id}`, {
        silenced_until: null,
      });
      const message = await begins(writer, group);
      await appends(writer, message, 0, "half a sen");
      await act(message);
      const ended = await reader.next(
        "message_updated",
        ({ seq, stream }) => seq === message.seq && stream?.state !== "open",
      );
      expect(ended.stream).toEqual({ state: "cancelled" });
    }
    const frozen = await cleo.connects(NEW);
    const message = await begins(frozen, group);
    await ann.api.request("PATCH", `/api/conversations/${group.id}`, {
      settings: { frozen: true },
    });
    const ended = await reader.next("message_updated", ({ seq }) => seq === message.seq);
    expect(ended.stream).toEqual({ state: "cancelled" });

    const direct = await ann.startsDirect(cleo);
    const between = await begins(frozen, direct);
    await ann.blocks(cleo);
    const cut = await reader.next("message_updated", ({ id }) => id === between.id);
    expect(cut.stream).toEqual({ state: "cancelled" });
  });

  it("[CTR-STR8] is asked to stop by those who may, and only its writer receives it", async () => {
    const { ann, bob, cleo, group } = await trio(troupe());
    const [owner, asker, writer] = [
      await ann.connects(NEW),
      await bob.connects(NEW),
      await cleo.connects(NEW),
    ];
    const question = await bob.posts(group.id, "Why?");
    const { message } = await writer.does("send_message", {
      conversation_id: group.id,
      client_id: "an answer",
      reply_to_seq: question.seq,
      streaming: true,
    });
    const stop = { conversation_id: group.id, type: "stream.stop", data: { seq: message.seq } };
    await asker.does("signal", stop);
    expect(await writer.next("signal")).toMatchObject({
      user_id: bob.id,
      data: { seq: message.seq },
    });
    await owner.does("signal", stop);
    await writer.next("signal");
    await Promise.all([owner, asker].map((session) => session.never("signal", SILENCE_MS)));
    const other = await begins(writer, group);
    expect(await asker.emits("signal", { ...stop, data: { seq: other.seq } })).toMatchObject({
      error: { code: "forbidden" },
    });
  });

  it("[CTR-STR9] in a thread is judged by the parent, and reaches who reads it", async () => {
    const { ann, bob, group } = await trio(troupe());
    const root = await ann.posts(group.id, "a root");
    const made = await ann.api.post<Conversation>(
      `/api/conversations/${group.id}/messages/${root.seq}/thread`,
      {},
    );
    const thread = made.body as Conversation;
    const [writer, reader] = [await ann.connects(NEW), await bob.connects(NEW)];
    await reader.does("join_conversation", { conversation_id: thread.id });
    const message = await begins(writer, thread);
    await appends(writer, message, 0, "in a thread");
    expect(await grown(reader, "", 11)).toBe("in a thread");
    expect((await ends(writer, message)).message.body).toBe("in a thread");
  });

  it("[CTR-STR11] [STQ2] in a thread ends when its writer loses the parent, without another append", async () => {
    const { ann, bob, cleo, group } = await trio(troupe());
    const root = await ann.posts(group.id, "a root");
    const made = await ann.api.post<Conversation>(
      `/api/conversations/${group.id}/messages/${root.seq}/thread`,
      {},
    );
    const thread = made.body as Conversation;
    const [writer, reader] = [await bob.connects(NEW), await ann.connects(NEW)];
    await reader.does("join_conversation", { conversation_id: thread.id });
    const member = `/api/conversations/${group.id}/members/${bob.id}`;
    const cancelled = async (message: Message, body: string) => {
      const ended = await reader.next(
        "message_updated",
        ({ id, stream }) => id === message.id && stream?.state !== "open",
      );
      expect(ended).toMatchObject({ body, stream: { state: "cancelled" } });
    };
    const silenced = await begins(writer, thread);
    await appends(writer, silenced, 0, "half a sen");
    const until = new Date(Date.now() + 60_000).toISOString();
    expectStatus(await ann.api.patch(member, { silenced_until: until }), 200);
    await cancelled(silenced, "half a sen");
    expectStatus(await ann.api.patch(member, { silenced_until: null }), 200);

    const removed = await begins(writer, thread);
    const other = await begins(await cleo.connects(NEW), thread);
    await appends(writer, removed, 0, "gone");
    expectStatus(await ann.api.delete(member), 204);
    await cancelled(removed, "gone");
    await writer.never("message_updated", SILENCE_MS, ({ id }) => id === removed.id);
    const { conversation_id, seq } = removed;
    expect(
      await writer.emits("append_message", { conversation_id, seq, offset: 4, text: "x" }),
    ).toMatchObject({ error: { code: "not_found" } });
    expect((await ann.reads(thread.id)).at(-2)?.stream).toEqual({ state: "cancelled" });

    const frozen = { settings: { frozen: true } };
    expectStatus(await ann.api.patch(`/api/conversations/${group.id}`, frozen), 200);
    await cancelled(other, "");
  });

  it("[CTR-STR12] in a thread of a direct conversation ends with a block", async () => {
    const { ann, cleo } = await trio(troupe());
    const direct = await ann.startsDirect(cleo);
    const root = await ann.posts(direct.id, "a root");
    const made = await ann.api.post<Conversation>(
      `/api/conversations/${direct.id}/messages/${root.seq}/thread`,
      {},
    );
    const thread = made.body as Conversation;
    const [writer, reader] = [await cleo.connects(NEW), await ann.connects(NEW)];
    await reader.does("join_conversation", { conversation_id: thread.id });
    const message = await begins(writer, thread);
    await ann.blocks(cleo);
    const ended = await reader.next("message_updated", ({ id }) => id === message.id);
    expect(ended.stream).toEqual({ state: "cancelled" });
  });

  it("[CTR-STR13] [STQ1] in a channel ends with the removal, the silence and the freezing", async () => {
    const { ann, bob, cleo } = await trio(troupe());
    const asked = {
      kind: "channel",
      title: "Live",
      member_ids: [bob.id, cleo.id],
      permissions: { send: "member" },
    };
    const channel = expectStatus(
      await ann.api.post<Conversation>("/api/conversations", asked),
      201,
    );
    const path = `/api/conversations/${channel.id}`;
    const [writer, other, reader] = [
      await bob.connects(NEW),
      await cleo.connects(NEW),
      await ann.connects(NEW),
    ];
    await reader.does("join_conversation", { conversation_id: channel.id });
    const cancelled = async ({ seq }: Message) => {
      const ended = await reader.next("message_updated", (message) => message.seq === seq);
      expect(ended.stream).toEqual({ state: "cancelled" });
    };
    const silenced = await begins(writer, channel);
    const until = new Date(Date.now() + 60_000).toISOString();
    const member = `${path}/members/${bob.id}`;
    expectStatus(await ann.api.patch(member, { silenced_until: until }), 200);
    await cancelled(silenced);
    expectStatus(await ann.api.patch(member, { silenced_until: null }), 200);
    const removed = await begins(writer, channel);
    const frozen = await begins(other, channel);
    expectStatus(await ann.api.delete(member), 204);
    await cancelled(removed);
    expectStatus(await ann.api.patch(path, { settings: { frozen: true } }), 200);
    await cancelled(frozen);
  });
});

describe("a streamed message under word rules", () => {
  const rules = async (list: object[]) => {
    const token = await serviceTokenOf(JWT_SECRET, ["moderate"]);
    const api = new Api(troupe().url, () => token);
    expect((await api.put("/api/moderation/rules", { rules: list })).status).toBe(200);
  };

  it("[CTR-STR10] is masked as it is stored, and ends `failed` at the last good text where it is refused", async () => {
    const { ann, bob, group } = await trio(troupe());
    const [writer, reader] = [await ann.connects(NEW), await bob.connects(NEW)];
    await rules([
      { id: "mask", match: { words: ["darn"] }, action: "mask" },
      { id: "refuse", match: { words: ["verboten"] }, action: "refuse" },
    ]);
    try {
      const message = await begins(writer, group);
      await appends(writer, message, 0, "oh darn");
      const masked = await reader.next("message_updated", ({ body }) => body !== "");
      expect(masked).toMatchObject({ body: "oh ****", stream: { state: "open" } });
      expect(await appends(writer, message, 7, ", verboten")).toMatchObject({ length: 17 });
      const failed = await reader.next("message_updated", ({ stream }) => stream?.state !== "open");
      expect(failed).toMatchObject({ body: "oh ****", stream: { state: "failed" } });
    } finally {
      await rules([]);
    }
  });
});
