import { describe, expect, it } from "vitest";
import { newHeld, takeChange, takeJoined } from "../../src/client/held.ts";
import { INITIAL_STATE, type Reaction, type State } from "../../src/client/state.ts";
import { takeHistory, takeReaction } from "../../src/client/steps.ts";
import type { Conversation, Message, User } from "../../src/protocol/schemas.ts";

const ME = "1";
const OTHER = "2";
const TIME = "2026-01-02T03:04:05.000Z";
const message = (seq: number, rev: number, rest: Partial<Message> = {}): Message => ({
  id: String(seq),
  conversation_id: "9",
  seq,
  rev,
  sender_id: OTHER,
  client_id: `c${seq}`,
  body: "hello",
  reply_to_seq: null,
  created_at: TIME,
  edited_at: null,
  deleted_at: null,
  ...rest,
});
const conversation: Conversation = {
  id: "9",
  kind: "group",
  title: null,
  owner_id: ME,
  members: [],
  last_seq: 2,
  rev: 3,
  created_at: TIME,
};
const count = (key: string, n: number) => ({ key, count: n, last_user_ids: [] });
const reaction = (
  rev: number,
  changed: Reaction["changed"],
  changes: Reaction["changes"] = [],
): Reaction => ({ conversation_id: "9", seq: 1, rev, changed, changes, me: ME, isWhole: false });
const base = () => newHeld(conversation, [message(1, 2), message(2, 3)]);
const on = (user_id: string, key: string) => ({ user_id, key, on: true });
const off = (user_id: string, key: string) => ({ user_id, key, on: false });

describe("reactions in the client", () => {
  it("[CRX60] counts follow the events, a key that is gone loses its place, and one's own are known", () => {
    let held = takeChange(base(), reaction(4, [count("a", 1), count("b", 2)], [on(ME, "a")]));
    held = takeChange(held, reaction(5, [count("a", 2)], [on(OTHER, "a")]));
    expect(held.messages.get(1)).toMatchObject({ rev: 5, body: "hello" });
    expect(held.messages.get(1)?.reactions).toEqual([count("a", 2), count("b", 2)]);
    expect(held.own.get(1)).toEqual(["a"]);
    held = takeChange(held, reaction(6, [count("a", 0)], [off(ME, "a"), off(OTHER, "a")]));
    held = takeChange(held, reaction(7, [count("a", 1)], [on(OTHER, "a")]));
    expect(held.messages.get(1)?.reactions).toEqual([count("b", 2), count("a", 1)]);
    expect(held.own.has(1)).toBe(false);
    held = takeChange(held, reaction(8, [count("a", 0), count("b", 0)]));
    expect(held.messages.get(1)).not.toHaveProperty("reactions");
  });

  it("[CRX63] with a deleted message one's own reactions to it go", () => {
    const held = takeChange(base(), reaction(4, [count("a", 1)], [on(ME, "a")]));
    const deleted = takeChange(held, message(1, 5, { body: "", deleted_at: TIME }));
    expect(deleted.own.has(1)).toBe(false);
    expect(deleted.messages.get(1)).not.toHaveProperty("reactions");
  });

  it("[CRX61] events beyond a gap wait, and repeated ones change nothing", () => {
    const early = takeChange(base(), reaction(5, [count("a", 2)], [on(ME, "a")]));
    expect(early.messages.get(1)).not.toHaveProperty("reactions");
    const held = takeChange(early, reaction(4, [count("a", 1)], [on(OTHER, "a")]));
    expect(held.rev).toBe(5);
    expect(held.messages.get(1)?.reactions).toEqual([count("a", 2)]);
    const again = takeChange(held, reaction(4, [count("a", 1)], [off(ME, "a")]));
    expect(again.messages).toEqual(held.messages);
    expect(again.own.get(1)).toEqual(["a"]);
  });

  it("[CRX62] joins and history bring one's own, but nothing older than what is held", () => {
    const joined = takeJoined(
      undefined,
      {
        conversation,
        messages: [message(1, 2, { reactions: [count("a", 1)] }), message(2, 3)],
        own_reactions: [{ seq: 1, keys: ["a"] }],
        has_more: false,
        typing: [],
      },
      true,
      [],
    );
    expect(joined.own.get(1)).toEqual(["a"]);
    const newer = takeChange(joined, reaction(4, [count("b", 1)], [on(ME, "b")]));
    const me: User = { id: ME, username: "ann", display_name: "Ann", created_at: TIME };
    const state: State = { ...INITIAL_STATE, me, conversations: new Map([["9", newer]]) };
    const page = [message(1, 2, { reactions: [count("a", 1)] })];
    const after = takeHistory("9", page, [{ seq: 1, keys: ["a"] }])(state);
    expect(after.conversations.get("9")?.own.get(1)).toEqual(["a", "b"]);
    const { me: _, isWhole: __, ...event } = reaction(5, [count("c", 1)]);
    const acked = takeReaction(event, ["c"])(state).conversations.get("9");
    expect(acked?.messages.get(1)?.reactions).toEqual([count("c", 1)]);
    expect(acked?.own.get(1)).toEqual(["c"]);
  });
});
