/** The actor of a thread, which asks its parent's before it does anything. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SUMMARY_EVERY_MS } from "../../actors/limits.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { settled } from "../support/fake-clock.ts";
import { SoloActors, type Told } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let cat: UserId;
let room: ConversationId;
let thread: string;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
  room = await actors.group([ann, bob, cat]);
  await asks(room, "send", bob, { client_id: "root", body: "root", reply_to_seq: null });
  const made = await asks(room, "create_thread", ann, { seq: 1 });
  thread = (answerOf(made)["conversation"] as Conversation).id;
  actors.events.length = 0;
  actors.order.length = 0;
});
afterEach(() => actors.close());

const asks = (id: string, op: string, user: UserId, body: object) =>
  actors.asks(`conversation:${id}`, op, { user, session: `s${user}`, ...body });
const replies = (user: UserId, client_id: string) =>
  asks(thread, "send", user, { client_id, body: client_id, reply_to_seq: null });
const answerOf = (told: Told) => ("value" in told ? told.value : {});
const codeOf = (told: Told) => ("code" in told ? told.code : "ok");
/** Orders to the edges about a user's threads. */
const orders = () =>
  actors.events
    .filter(({ name }) => name === "following_thread")
    .map(({ key, note }) => ({ key, ...(JSON.parse(note) as { conversation: Conversation }) }));

describe("a thread", () => {
  test("[THF1] a sender's sessions receive the thread before the message that made them follow", async () => {
    expect(codeOf(await replies(ann, "a"))).toBe("ok");
    const names = actors.events.map(({ name }) => name);
    expect(names.indexOf("following_thread")).toBeLessThan(names.indexOf("message"));
    const [order] = orders();
    expect(order).toMatchObject({ key: `notifications:${ann}`, following: true });
    expect(order?.conversation).toMatchObject({ rev: 1, last_seq: 0, member_count: 2 });
    await replies(ann, "b");
    expect(orders()).toHaveLength(1);
  });

  test("[THF3] a user who follows again receives the newest thread from an activation that is behind", async () => {
    const behind = new SoloActors(undefined, null, { of: actors });
    const asksThere = (op: string, body: object) =>
      behind.asks(`conversation:${thread}`, op, { user: ann, session: "", ...body });
    expect(codeOf(await asksThere("follow", { on: true }))).toBe("ok");
    await replies(bob, "a");
    await replies(bob, "b");
    for (const on of [false, true]) expect(codeOf(await asksThere("follow", { on }))).toBe("ok");
    const told = behind.events
      .filter(({ name }) => name === "following_thread")
      .map(({ note }) => (JSON.parse(note) as { conversation: Conversation }).conversation);
    expect(told.map(({ rev, last_seq }) => [rev, last_seq])).toEqual([
      [1, 0],
      [3, 2],
      [3, 2],
    ]);
    expect(told[2]?.members).toMatchObject([{ user_id: ann, read_seq: 2 }]);
    behind.host.close();
    expect(behind.bugs).toEqual([]);
  });

  test("[THF2] the end of a streamed reply for all makes those it names followers, too", async () => {
    const name = (await actors.storage.accounts.byId(cat))?.username;
    const open = { client_id: "s", body: `@all @${name}`, reply_to_seq: null };
    const sent = await asks(thread, "send", ann, { ...open, content: { streaming: true } });
    const { seq } = answerOf(sent)["message"] as { seq: number };
    actors.events.length = 0;
    expect(codeOf(await asks(thread, "end", ann, { seq, state: "done" }))).toBe("ok");
    await settled();
    expect(orders().map(({ key }) => key)).toEqual([`notifications:${cat}`]);
  });

  test("[THR2] one client_id is one message, also while the parent judges it", async () => {
    const told = await Promise.all([replies(cat, "same"), replies(cat, "same")]);
    expect(told.map((one) => answerOf(one)["duplicate"] === true).sort()).toEqual([false, true]);
    expect(actors.said("message")).toHaveLength(1);
  });

  test("[THP1] [THR1] roles, silence and departures of the parent hold at once", async () => {
    const change = (op: string, body: object) =>
      actors.changes(`conversation:${room}`, op, { user: ann, session: "", ...body });
    await change("update", { settings: { frozen: true } });
    expect(codeOf(await replies(bob, "a"))).toBe("forbidden");
    expect(codeOf(await replies(ann, "b"))).toBe("ok");
    await change("update", { settings: { frozen: null } });
    expect(codeOf(await replies(bob, "c"))).toBe("ok");
    await change("remove_member", { user_id: bob });
    expect(codeOf(await replies(bob, "d"))).toBe("not_found");
    expect(codeOf(await asks(thread, "join", bob, { after_rev: null, limit: 5 }))).toBe(
      "not_found",
    );
    const left = actors.events.filter(({ name }) => name === "threads_left");
    expect(left.map(({ body }) => JSON.parse(body))).toEqual([
      { user_ids: [bob], conversation_id: room },
    ]);
    const joined = await asks(thread, "join", cat, { after_rev: null, limit: 5 });
    expect(answerOf(joined)["conversation"]).toMatchObject({ members: [], member_count: 1 });
  });

  test("[THP2] slow mode counts both together, and not what was refused or repeated", async () => {
    const change = (settings: object) =>
      actors.changes(`conversation:${room}`, "update", { user: ann, session: "", settings });
    await change({ slow_mode_s: 10 });
    await actors.clock.advance(10_000);
    expect(codeOf(await replies(bob, "a"))).toBe("ok");
    expect(answerOf(await replies(bob, "a"))["duplicate"]).toBe(true);
    const plain = { client_id: "b", body: "b", reply_to_seq: null };
    expect(codeOf(await asks(room, "send", bob, plain))).toBe("rate_limited");
    await actors.clock.advance(10_000);
    const beyond = { client_id: "c", body: "c", reply_to_seq: 99 };
    expect(codeOf(await asks(thread, "send", bob, beyond))).toBe("invalid_payload");
    expect(codeOf(await asks(room, "send", bob, plain))).toBe("ok");
    expect(codeOf(await replies(bob, "d"))).toBe("rate_limited");
  });

  test("[THR3] [THR4] marks of who does not follow are zeros, and members are the parent's", async () => {
    await replies(bob, "a");
    const mark = await asks(thread, "mark", cat, { seq: 1, read: true });
    expect(answerOf(mark)).toEqual({ delivered_seq: 0, read_seq: 0, unread_count: 0 });
    expect(codeOf(await asks(thread, "mark", cat, { seq: 2, read: true }))).toBe("invalid_payload");
    expect(codeOf(await asks(thread, "add_members", ann, { user_ids: [] }))).toBe("conflict");
    expect(codeOf(await asks(thread, "create_thread", ann, { seq: 1 }))).toBe("conflict");
  });

  test("[THS1] replies are gathered into one change of the root a second, the last one always", async () => {
    for (let n = 0; n < 5; n++) await replies(cat, `r${n}`);
    expect(actors.said("message_updated")).toHaveLength(1);
    await actors.clock.advance(SUMMARY_EVERY_MS);
    const counts = actors
      .said("message_updated")
      .map(({ thread: shown }) => (shown as { reply_count: number }).reply_count);
    expect(counts).toEqual([1, 5]);
    await actors.clock.advance(SUMMARY_EVERY_MS);
    expect(actors.said("message_updated")).toHaveLength(2);
  });
});
