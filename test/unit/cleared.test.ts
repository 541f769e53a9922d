/** What the actors do with what a user has marked unread or cleared. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { SoloActors } from "../support/solo-actors.ts";

let actors: SoloActors;
let ann: UserId;
let bob: UserId;
let room: ConversationId;

beforeEach(async () => {
  actors = new SoloActors();
  [ann, bob] = (await actors.users(2)) as [UserId, UserId];
  room = await actors.group([ann, bob]);
  for (const text of ["a", "b", "c"]) await sends(bob, text);
});
afterEach(() => actors.close());

const asks = (op: string, user: UserId, body: object) =>
  actors.asks(`conversation:${room}`, op, { user, session: `s${user}`, ...body });
const sends = (user: UserId, client_id: string) =>
  asks("send", user, { client_id, body: client_id, reply_to_seq: null });
const reads = (seq: number) => asks("mark", ann, { seq, read: true });
const sets = (change: object) =>
  actors.asks(`user:${ann}`, "set_prefs", {
    session: "phone",
    conversation_id: room,
    change,
    draft_by: "",
  });
async function joined(user: UserId, after_rev: number | null = null) {
  const told = await asks("join", user, { after_rev, limit: 50 });
  if (!("value" in told)) throw new Error(told.code);
  const { messages, has_more } = told.value as { messages: Message[]; has_more: boolean };
  return { seqs: messages.map(({ seq }) => seq), has_more };
}

describe("what a user has cleared", () => {
  test("[JOI1] is in no answer to a join of theirs, from the ring or from storage", async () => {
    expect((await joined(ann)).seqs).toEqual([1, 2, 3]);
    await sets({ cleared_before_seq: 3 });
    expect(await joined(ann)).toEqual({ seqs: [3], has_more: false });
    expect((await joined(ann, 1)).seqs).toEqual([3]);
    expect((await joined(bob)).seqs).toEqual([1, 2, 3]);
  });

  test("[JOI1] is read again by a new activation and after a worker's death", async () => {
    await actors.storage.ports.prefs.change({
      userId: ann,
      conversationId: room,
      change: { cleared_before_seq: 2 },
      session: "",
      draftBy: "",
    });
    expect((await joined(ann)).seqs).toEqual([2, 3]);
    const change = { cleared_before_seq: 3 };
    const lost = { userId: ann, conversationId: room, change, session: "", draftBy: "" } as const;
    await actors.storage.ports.prefs.change(lost);
    actors.neighbours("other");
    actors.neighbours();
    expect((await joined(ann)).seqs).toEqual([3]);
  });

  test("[UMK2] is told again where a change is repeated", async () => {
    await joined(ann);
    const change = { cleared_before_seq: 3 };
    const lost = { userId: ann, conversationId: room, change, session: "", draftBy: "" } as const;
    await actors.storage.ports.prefs.change(lost);
    expect(await sets(change)).toMatchObject({ value: { prefs_rev: 1 } });
    expect((await joined(ann)).seqs).toEqual([3]);
  });
});

describe("what a user has marked unread", () => {
  test("[UMK1] ends with a read mark at or past it, which the user's sessions all receive", async () => {
    await reads(3);
    await sets({ unread_from_seq: 2 });
    actors.events.length = 0;
    expect(await reads(1)).toMatchObject({ value: { read_seq: 3, unread_count: 2 } });
    expect(actors.events).toEqual([]);
    expect(await reads(2)).toMatchObject({ value: { read_seq: 3, unread_count: 0 } });
    expect(actors.said("receipt")).toEqual([]);
    const [event] = actors.events;
    expect(event).toMatchObject({
      name: "prefs_updated",
      key: `notifications:${ann}`,
      rev: 2,
      except: "",
    });
    expect(JSON.parse(event!.body)).toEqual({ conversation_id: room, prefs_rev: 2 });
  });

  test("[UMK1] ends with one's own send", async () => {
    await reads(3);
    await sets({ unread_from_seq: 2 });
    await sends(bob, "d");
    expect(actors.said("prefs_updated")).toHaveLength(1);
    await sends(ann, "e");
    expect(actors.said("prefs_updated").at(-1)).toEqual({ conversation_id: room, prefs_rev: 2 });
  });

  test("[PRF2] a send or a mark whose outcome is not known makes the edges look", async () => {
    const away = () => Promise.reject(new Error("away"));
    Object.assign(actors.storage.ports.conversations, { append: away, mark: away });
    expect(await sends(ann, "d")).toEqual({ code: "unavailable" });
    expect(await reads(3)).toEqual({ code: "unavailable" });
    expect(actors.said("prefs_doubted")).toHaveLength(2);
  });
});
