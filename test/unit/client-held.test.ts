/** The rules of one conversation in the SDK, and what applications see of them. */
import { describe, expect, it } from "vitest";
import { INITIAL_STATE, type State } from "../../src/client/state.ts";
import * as steps from "../../src/client/steps.ts";
import { takeCheckpoint } from "../../src/client/streams.ts";
import { takeFollowing, takeGone } from "../../src/client/threads.ts";
import { progressOf, viewOf, viewsOf } from "../../src/client/views.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";

const ANN = "1";
const BOB = "2";
const AT = "2026-01-01T00:00:00.000Z";

const member = (user_id: string, seq = 0) => ({ user_id, delivered_seq: seq, read_seq: seq });

function conversation(rev: number, changes: Partial<Conversation> = {}): Conversation {
  const members = [member(ANN), member(BOB)];
  const fixed = { id: "7", kind: "group" as const, title: "T", owner_id: ANN, created_at: AT };
  return { ...fixed, members, last_seq: 0, rev, ...changes };
}

function message(seq: number, rev: number, changes: Partial<Message> = {}): Message {
  return {
    id: `${seq}`,
    conversation_id: "7",
    seq,
    rev,
    sender_id: BOB,
    client_id: `c${seq}`,
    body: `${seq}.${rev}`,
    reply_to_seq: null,
    created_at: AT,
    edited_at: null,
    deleted_at: null,
    ...changes,
  };
}

const run = (...taken: steps.Step[]): State => taken.reduce((state, step) => step(state), begun);

const begun: State = [
  steps.takeReady({
    user: { id: ANN, username: "ann", display_name: "Ann", created_at: AT },
    session_id: "s",
    server_time: AT,
    token_expires_at: AT,
    unread: { notifications: 0, conversations: [] },
  }),
  steps.takeConversation(conversation(1)),
].reduce<State>((state, step) => step(state), INITIAL_STATE);

describe("a channel", () => {
  it("[CHD2] what was left out is asked for, though no event shows a gap", () => {
    const state = run(steps.takeLatest("7", 9));
    const held = state.conversations.get("7")!;
    expect([held.rev, held.latestRev]).toEqual([1, 9]);
  });

  it("[SDK70] one that is read by others than its members has nothing unread, and is in no list", () => {
    const more = { kind: "channel" as const, members: [], members_partial: true as const };
    const shown = conversation(1, { id: "8", last_seq: 3, member_count: 2, ...more });
    const answer = { conversation: shown, messages: [], has_more: false, typing: [] };
    const state = run(steps.takeJoin(answer, true, []));
    expect(viewOf(state, "8")).toMatchObject({ isMember: false, unread: 0, memberCount: 2 });
    expect(viewsOf(state).map(({ id }) => id)).toEqual(["7"]);
  });
});

const heard = (seq: number, rev: number, changes?: Partial<Message>) =>
  steps.takeMessage(message(seq, rev, changes));
const bodies = (state: State) => viewOf(state, "7")?.messages.map(({ body }) => body);

const nothing = { receipts: [], removed: [], notifications: [], has_more: false };
const synced = (
  rev: number,
  messages: Message[],
  whole: Conversation | null = null,
  own: { read_seq?: number; unread_count?: number } = {},
) =>
  steps.takeSync(
    {
      ...nothing,
      conversations: [
        {
          ...{ conversation_id: "7", rev, messages, conversation: whole },
          ...{ has_more: false, reset: false, ...own },
        },
      ],
    },
    [],
  );

describe("changes", () => {
  it("[SDK1] are shown in the order of their rev, whatever the order of their arrival", () => {
    const [one, two, edit] = [heard(1, 2), heard(2, 3), heard(1, 4, { body: "edited" })];
    const inOrder = run(one, two, edit);
    for (const order of [
      [edit, two, one],
      [two, one, edit],
      [one, edit, two],
      [two, edit, one],
    ]) {
      expect(viewOf(run(...order), "7")).toEqual(viewOf(inOrder, "7"));
    }
    expect(bodies(inOrder)).toEqual(["edited", "2.3"]);
  });

  it("[SDK1] beyond a gap wait for it, and count as missing until then", () => {
    const gap = run(heard(2, 3));
    expect(bodies(gap)).toEqual([]);
    expect(gap.conversations.get("7")).toMatchObject({ rev: 1, latestRev: 3 });
    const filled = [synced(2, [message(1, 2)])].reduce((state, step) => step(state), gap);
    expect(bodies(filled)).toEqual(["1.2", "2.3"]);
    expect(filled.conversations.get("7")).toMatchObject({ rev: 3, latestRev: 3 });
  });

  it("[SDK2] twice are as good as once, and an older one changes nothing", () => {
    const once = run(heard(1, 2), heard(1, 3, { body: "edited" }));
    const again = run(heard(1, 2), heard(1, 3, { body: "edited" }), heard(1, 2), heard(1, 3));
    expect(viewOf(again, "7")).toEqual(viewOf(once, "7"));
  });

  it("[SDK6] the end of a membership takes the conversation away, and nothing older brings it back", () => {
    const without = conversation(3, { members: [member(BOB)] });
    const left = run(heard(1, 2), steps.takeConversation(without));
    expect(viewOf(left, "7")).toBeNull();
    const late = synced(2, [message(1, 2)], conversation(2, { last_seq: 1 }))(left);
    expect(viewOf(late, "7")).toBeNull();
    const back = steps.takeConversation(conversation(4, { last_seq: 1 }))(left);
    expect(viewOf(back, "7")?.conversation.rev).toBe(4);
  });

  it("[SDK101] a checkpoint of a streamed message takes its rev, and leaves text and reactions", () => {
    const open = { body: "The text so far", stream: { state: "open" as const } };
    const reactions = [{ key: "👍", count: 1, last_user_ids: [BOB] }];
    const checkpoint = { conversation_id: "7", seq: 1, rev: 3, length: 15 };
    const taken = [steps.takeSkipped(checkpoint), takeCheckpoint(checkpoint)];
    const state = run(heard(1, 2, { ...open, reactions }), ...taken);
    expect(viewOf(state, "7")?.conversation.rev).toBe(3);
    expect(viewOf(state, "7")?.messages).toEqual([message(1, 3, { ...open, reactions })]);
  });

  it("[SDK102] threads go with their conversation, and are followed again at the rev that they had", () => {
    const thread: Conversation = {
      ...conversation(2, { members: [member(ANN)] }),
      id: "8",
      kind: "thread",
      parent: { conversation_id: "7", seq: 1 },
    };
    const followed = run(heard(1, 2), steps.takeConversation(thread));
    expect(viewOf(followed, "8")).not.toBeNull();
    for (const gone of [takeGone("8"), steps.takeLeft("8")]) {
      const without = gone(followed);
      expect(viewOf(without, "8")).toBeNull();
      expect(viewOf(takeFollowing(thread)(without), "8")?.conversation.rev).toBe(2);
    }
  });

  it("[SDK7] a restored database replaces what is held", () => {
    const before = run(heard(1, 2), heard(2, 3), heard(3, 4));
    const whole = conversation(2, { last_seq: 1 });
    const entry = { conversation_id: "7", rev: 2, messages: [message(1, 2, { body: "old" })] };
    const reset = { ...entry, conversation: whole, has_more: false, reset: true };
    const after = steps.takeSync({ ...nothing, conversations: [reset] }, [])(before);
    expect(bodies(after)).toEqual(["old"]);
    expect(viewOf(after, "7")?.conversation).toMatchObject({ rev: 2, last_seq: 1 });
  });
});

describe("cursors", () => {
  const receipt = (user_id: string, delivered_seq: number, read_seq: number) => ({
    conversation_id: "7",
    user_id,
    delivered_seq,
    read_seq,
  });
  const cursorsOf = (state: State, user: string) =>
    viewOf(state, "7")?.conversation.members.find(({ user_id }) => user_id === user);

  it("[SDK3] never move back, and a sender's own move with the message", () => {
    const state = run(
      heard(1, 2),
      heard(2, 3),
      steps.takeReceipt(receipt(ANN, 2, 2)),
      steps.takeReceipt(receipt(ANN, 2, 1)),
    );
    expect(cursorsOf(state, ANN)).toEqual(member(ANN, 2));
    expect(cursorsOf(state, BOB)).toEqual(member(BOB, 2));
  });

  it("[SDK3] of one who left and came again begin anew, but for what was heard since", () => {
    const before = run(heard(1, 2), heard(2, 3), steps.takeReceipt(receipt(ANN, 2, 2)));
    const whole = conversation(5, { last_seq: 2 });
    const answer = {
      ...nothing,
      conversations: [
        {
          conversation_id: "7",
          rev: 5,
          messages: [],
          conversation: whole,
          has_more: false,
          reset: false,
        },
      ],
    };
    const after = steps.takeSync(answer, [receipt(BOB, 1, 0)])(before);
    expect(cursorsOf(after, BOB)).toEqual({ user_id: BOB, delivered_seq: 1, read_seq: 0 });
    expect(viewOf(after, "7")?.unread).toBe(2);
  });

  it("[SDK8] what was read elsewhere meanwhile is read here, as the answer of sync has it", () => {
    const before = run(heard(1, 2));
    const again = steps.takeReady({
      user: begun.me!,
      session_id: "t",
      server_time: AT,
      token_expires_at: AT,
      unread: { notifications: 0, conversations: [] },
    })(before);
    const after = [
      heard(3, 4),
      synced(4, [message(2, 3), message(3, 4)], null, { read_seq: 2, unread_count: 1 }),
      steps.takeUnread({ notifications: 0, conversations: [] }),
    ];
    const state = after.reduce((next, step) => step(next), again);
    expect(viewOf(state, "7")).toMatchObject({ readSeq: 2, unread: 1 });
    expect(cursorsOf(state, ANN)).toEqual(member(ANN, 2));
  });
});

describe("views", () => {
  it("[SDK9] are the same object until something of them changes", () => {
    const state = run(heard(1, 2), steps.takeConversation({ ...conversation(1), id: "8" }));
    const other = viewOf(state, "8");
    const all = viewsOf(state);
    const next = heard(2, 3)(state);
    expect(viewOf(next, "8")).toBe(other);
    expect(viewOf(next, "7")).not.toBe(viewOf(state, "7"));
    const elsewhere = steps.takeConnection({ is: "syncing", sessionId: "s" })(state);
    expect(viewsOf(elsewhere)).toBe(all);
  });

  it("[SDK9] a message is delivered and read once it is so with every other member", () => {
    const state = run(heard(1, 2, { sender_id: ANN }));
    const progress = (delivered_seq: number, read_seq: number) => {
      const receipt = { conversation_id: "7", user_id: BOB, delivered_seq, read_seq };
      const view = viewOf(steps.takeReceipt(receipt)(state), "7")!;
      return progressOf(view, view.messages[0]!);
    };
    expect([progress(0, 0), progress(1, 0), progress(1, 1)]).toEqual(["sent", "delivered", "read"]);
  });

  it("[SDK9] what was sent leaves the outgoing with the event, also without an answer", () => {
    const outgoing = {
      clientId: "mine",
      conversationId: "7",
      body: "hi",
      replyToSeq: null,
      createdAtMs: 0,
      problem: null,
    };
    const waiting = run(steps.addOutgoing([outgoing]));
    expect(viewOf(waiting, "7")?.outgoing).toEqual([outgoing]);
    const arrived = heard(1, 2, { sender_id: ANN, client_id: "mine" })(waiting);
    expect(viewOf(arrived, "7")).toMatchObject({ outgoing: [], messages: [{ seq: 1 }] });
  });
});
