/** The page's state: what the server says, in any order, ends in the same true picture. */
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import {
  newestRun,
  syncRequests,
  talksByActivity,
  talksWithGaps,
  tickOf,
  titleOf,
  unreadOf,
} from "../../src/web/app/selection.ts";
import {
  initialState,
  type Outgoing,
  type State,
  type Talk,
  withConversation,
  withHistory,
  withJoined,
  withLiveMessage,
  withOpen,
  withOutgoing,
  withProblem,
  withReceipt,
  withStatuses,
  withSummaries,
  withSynced,
  withTyping,
  withUnread,
  withUsers,
} from "../../src/web/app/state.ts";
import { type MessageRow, timelineOf } from "../../src/web/app/timeline.ts";
import { caughtUpText, initialsOf, presenceText, splitText } from "../../src/web/app/wording.ts";

const CREATED_AT = "2026-05-04T10:00:00.000Z";
const NOON_MS = Date.parse("2026-05-04T12:00:00.000Z");
const ada = { id: "1", username: "ada", display_name: "Ada", created_at: CREATED_AT };
const grace = { id: "2", username: "grace", display_name: "Grace", created_at: CREATED_AT };

function conversation(changes: Partial<Conversation> = {}): Conversation {
  return {
    id: "9",
    kind: "direct",
    title: null,
    owner_id: null,
    members: [ada, grace].map((user) => ({ user_id: user.id, delivered_seq: 0, read_seq: 0 })),
    last_seq: 0,
    rev: 1,
    created_at: CREATED_AT,
    ...changes,
  };
}

/** By Grace unless said otherwise; the first message of a conversation takes rev 2. */
function message(seq: number, changes: Partial<Message> = {}): Message {
  return {
    id: `10${seq}`,
    conversation_id: "9",
    seq,
    rev: seq + 1,
    sender_id: grace.id,
    client_id: `c${seq}`,
    body: `message ${seq}`,
    reply_to_seq: null,
    created_at: new Date(NOON_MS + seq * 1000).toISOString(),
    edited_at: null,
    deleted_at: null,
    ...changes,
  };
}

function outgoing(clientId: string, changes: Partial<Outgoing> = {}): Outgoing {
  const base = { clientId, conversationId: "9", body: "hi", replyToSeq: null, problem: null };
  return { ...base, createdAtMs: NOON_MS, ...changes };
}

const empty = withUsers(initialState(ada, []), [grace]);
const started = withConversation(empty, conversation());

function talkOf(state: State): Talk {
  const talk = state.talks.get("9");
  if (!talk) throw new Error("the state holds no conversation 9");
  return talk;
}

const heard = (state: State, ...messages: Message[]): State =>
  messages.reduce(withLiveMessage, state);

const bubbles = (state: State): MessageRow[] =>
  timelineOf(state, talkOf(state)).filter((row) => row.kind === "message");

const seqs = (state: State): number[] => newestRun(talkOf(state)).map((m) => m.seq);

describe("merging by rev", () => {
  it("[WEB1] a message of a rev that is held changes nothing", () => {
    const edited = message(1, { rev: 4, body: "new", edited_at: CREATED_AT });
    const state = heard(started, message(1), message(2), edited, message(1));
    expect(talkOf(state).messages.get(1)?.body).toBe("new");
  });

  it("[WEB2] an update of a message that is not held is taken as the message", () => {
    const state = heard(started, message(1, { rev: 3 }));
    expect(seqs(state)).toEqual([1]);
  });

  it("[WEB3] the cursor for sync stops at a gap and moves on once it is filled", () => {
    const gap = heard(started, message(1), message(3), message(4));
    expect(talkOf(gap).rev).toBe(2);
    expect(talksWithGaps(gap)).toHaveLength(1);
    const filled = heard(gap, message(2));
    expect(talkOf(filled).rev).toBe(5);
    expect(talksWithGaps(filled)).toEqual([]);
  });

  it("[WEB4] nothing is shown above a hole in the messages", () => {
    const state = heard(started, message(1), message(4), message(5));
    expect(seqs(state)).toEqual([4, 5]);
    expect(seqs(withHistory(state, "9", [message(2), message(3)]))).toEqual([1, 2, 3, 4, 5]);
  });

  it("[WEB5] history says nothing about the cursor for sync", () => {
    expect(talkOf(withHistory(started, "9", [message(1)])).rev).toBe(1);
  });

  it("[WEB6] an older picture of the members does not undo a newer one", () => {
    const renamed = withConversation(started, conversation({ kind: "group", title: "B", rev: 3 }));
    const late = withConversation(renamed, conversation({ kind: "group", title: "A", rev: 2 }));
    expect(talkOf(late).conversation.title).toBe("B");
    expect(talkOf(late).rev).toBe(3);
  });

  it("[WEB7] removed from a conversation, this user holds nothing of it any more", () => {
    const open = withOpen(withOutgoing(started, outgoing("x")), "9");
    const members = [{ user_id: grace.id, delivered_seq: 0, read_seq: 0 }];
    const state = withConversation(open, conversation({ members, rev: 2 }));
    expect(state.talks.size).toBe(0);
    expect(state.openId).toBeNull();
    expect(state.outbox).toEqual([]);
  });
});

describe("sync", () => {
  const answer = {
    conversations: [
      {
        conversation_id: "9",
        rev: 6,
        messages: [
          message(2),
          message(3, { sender_id: ada.id }),
          message(1, { rev: 6, body: "e" }),
        ],
        conversation: null,
        has_more: false,
        reset: false,
      },
    ],
    receipts: [],
    removed: [],
    notifications: [],
    has_more: false,
  };

  it("[WEB8] counts the new messages of others only", () => {
    const { state, fresh } = withSynced(heard(started, message(1)), answer);
    expect(fresh).toBe(1);
    expect(seqs(state)).toEqual([1, 2, 3]);
    expect(talkOf(state).messages.get(1)?.body).toBe("e");
    expect(talkOf(state).rev).toBe(6);
  });

  it("[WEB9] after a restore of the database the fresh snapshot stands alone", () => {
    const held = heard(started, message(1), message(2), message(3));
    const snapshot = conversation({ rev: 2, last_seq: 1 });
    const entry = { ...answer.conversations[0]!, rev: 2, reset: true, conversation: snapshot };
    const reset = { ...answer, conversations: [{ ...entry, messages: [message(1)] }] };
    const { state } = withSynced(held, reset);
    expect(seqs(state)).toEqual([1]);
    expect(talkOf(state).rev).toBe(2);
    expect(talkOf(state).conversation.last_seq).toBe(1);
  });

  it("[WEB10] a conversation that was unknown begins with its snapshot", () => {
    const snapshot = conversation({ rev: 4, last_seq: 3 });
    const entry = { ...answer.conversations[0]!, rev: 4, conversation: snapshot };
    const { state } = withSynced(empty, { ...answer, conversations: [entry] });
    expect(talkOf(state).rev).toBe(4);
  });

  it("[WEB11] removed conversations go, receipts raise cursors", () => {
    const receipt = { conversation_id: "9", user_id: grace.id, delivered_seq: 1, read_seq: 1 };
    const own = heard(started, message(1, { sender_id: ada.id }));
    const read = withSynced(own, { ...answer, conversations: [], receipts: [receipt] });
    expect(bubbles(read.state)[0]?.tick).toBe("read");
    const gone = withSynced(own, { ...answer, conversations: [], removed: ["9"] });
    expect(gone.state.talks.size).toBe(0);
  });

  it("[WEB12] more conversations than one request takes are asked for in parts", () => {
    let state = empty;
    for (let id = 1; id <= 501; id++)
      state = withConversation(state, conversation({ id: `${id}` }));
    const parts = syncRequests([...state.talks.values()], true);
    expect(parts.map((part) => part.conversations.length)).toEqual([500, 1]);
    expect(parts.every((part) => part.complete === false)).toBe(true);
    expect(syncRequests([talkOf(started)], true)[0]).not.toHaveProperty("complete");
  });
});

describe("cursors and ticks", () => {
  it("[WEB13] unread is last_seq minus the own read cursor, which never moves back", () => {
    const state = heard(started, message(1), message(2), message(3));
    expect(unreadOf(state, talkOf(state))).toBe(3);
    const unread = { conversation_id: "9", last_seq: 3, read_seq: 2 };
    const read = withUnread(state, [unread]);
    expect(unreadOf(read, talkOf(read))).toBe(1);
    const back = withUnread(read, [{ ...unread, read_seq: 1 }]);
    expect(unreadOf(back, talkOf(back))).toBe(1);
  });

  it("[WEB14] a send moves its sender's cursors", () => {
    const state = heard(started, message(1), message(2, { sender_id: ada.id }));
    expect(unreadOf(state, talkOf(state))).toBe(0);
  });

  it("[WEB15] ticks follow every other member's cursors, never back", () => {
    const own = message(1, { sender_id: ada.id });
    const sent = heard(started, own);
    const receipt = { conversation_id: "9", user_id: grace.id, delivered_seq: 1, read_seq: 0 };
    const delivered = withReceipt(sent, receipt);
    const read = withReceipt(delivered, { ...receipt, read_seq: 1 });
    const late = withReceipt(read, receipt);
    const ticks = [sent, delivered, read, late].map((state) => tickOf(state, talkOf(state), own));
    expect(ticks).toEqual(["sent", "delivered", "read", "read"]);
  });

  it("[WEB16] a summary brings its last message, its cursor and its unread count", () => {
    const summary = {
      ...conversation({ rev: 4, last_seq: 3 }),
      last_message: message(3),
      unread_count: 2,
      read_seq: 1,
    };
    const state = withSummaries(empty, [summary]);
    expect(unreadOf(state, talkOf(state))).toBe(2);
    expect(talkOf(state).rev).toBe(4);
    expect(seqs(state)).toEqual([3]);
  });
});

describe("outbox", () => {
  it("[WEB17] a message leaves the outbox with whatever brings the news of it", () => {
    const waiting = withOutgoing(withOutgoing(started, outgoing("a")), outgoing("b"));
    const own = message(1, { sender_id: ada.id, client_id: "a" });
    expect(heard(waiting, own).outbox.map((o) => o.clientId)).toEqual(["b"]);
    expect(withHistory(waiting, "9", [own]).outbox.map((o) => o.clientId)).toEqual(["b"]);
    const others = message(1, { client_id: "a" });
    expect(heard(waiting, others).outbox).toHaveLength(2);
  });

  it("[WEB18] waiting messages stand last, keep their row when sent, and say when refused", () => {
    const waiting = withOutgoing(heard(started, message(1)), outgoing("mine"));
    const before = bubbles(waiting).at(-1);
    expect(before?.tick).toBe("sending");
    const sent = heard(waiting, message(2, { sender_id: ada.id, client_id: "mine" }));
    expect(bubbles(sent).at(-1)?.key).toBe(before?.key);
    const refused = bubbles(withProblem(waiting, "mine", "No.")).at(-1);
    expect([refused?.tick, refused?.problem]).toEqual(["failed", "No."]);
  });
});

describe("live state", () => {
  it("[WEB19] typing ends with the message, and one's own is not shown", () => {
    const event = { conversation_id: "9", user_id: grace.id, is_typing: true };
    const typing = withTyping(started, event);
    expect(talkOf(typing).typing).toEqual([grace.id]);
    expect(talkOf(heard(typing, message(1))).typing).toEqual([]);
    expect(talkOf(withTyping(typing, { ...event, is_typing: false })).typing).toEqual([]);
    expect(withTyping(started, { ...event, user_id: ada.id })).toBe(started);
  });

  it("[WEB20] joining replaces who types and loads the newest page", () => {
    const joined = withJoined(started, {
      conversation: conversation({ rev: 3, last_seq: 2 }),
      messages: [message(1), message(2)],
      has_more: false,
      typing: [grace.id, ada.id],
    });
    expect(talkOf(joined).typing).toEqual([grace.id]);
    expect(talkOf(joined).isLoaded).toBe(true);
    // Rev 2 may have been an edit of something older: sync has to say.
    expect(talksWithGaps(joined)).toHaveLength(1);
  });

  it("[WEB21] presence in words", () => {
    const seen = (status: "online" | "away" | "offline", last_seen_at: string | null) =>
      presenceText({ user_id: "2", status, last_seen_at }, NOON_MS);
    expect(seen("online", null)).toBe("online");
    expect(seen("away", null)).toBe("away");
    expect(seen("offline", "2026-05-04T11:55:00.000Z")).toBe("last seen 5 min ago");
    expect(seen("offline", "2026-05-04T09:00:00.000Z")).toBe("last seen 3 h ago");
    expect(withStatuses(started, [])).toBe(started);
  });
});

describe("rows", () => {
  it("[WEB22] days are separated, and one sender's run is one group", () => {
    const nextDay = new Date(NOON_MS + 24 * 3_600_000).toISOString();
    const own = message(3, { sender_id: ada.id });
    const state = heard(started, message(1), message(2), own, message(4, { created_at: nextDay }));
    const kinds = timelineOf(state, talkOf(state)).map((row) => row.kind);
    expect(kinds).toEqual(["day", "message", "message", "message", "day", "message"]);
    expect(bubbles(state).map((row) => [row.isFirst, row.isLast])).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  it("[WEB23] the line of the new stands where reading stopped at opening, and stays", () => {
    const read = { conversation_id: "9", user_id: ada.id, delivered_seq: 1, read_seq: 1 };
    const open = withOpen(withReceipt(heard(started, message(1), message(2)), read), "9");
    const live = heard(withReceipt(open, { ...read, read_seq: 2 }), message(3));
    const kinds = timelineOf(live, talkOf(live)).map((row) => row.kind);
    expect(kinds).toEqual(["day", "message", "unread", "message", "message"]);
    const answered = withOutgoing(live, outgoing("x"));
    expect(timelineOf(answered, talkOf(answered)).some((row) => row.kind === "unread")).toBe(false);
    const allRead = withOpen(withReceipt(live, { ...read, read_seq: 3 }), "9");
    const later = heard(allRead, message(4));
    expect(timelineOf(later, talkOf(later)).some((row) => row.kind === "unread")).toBe(false);
  });

  it("[WEB24] conversations stand by newest activity and are named after the people", () => {
    const older = conversation({ id: "8", created_at: "2026-05-01T10:00:00.000Z", kind: "group" });
    const state = withConversation(started, older);
    expect(talksByActivity(state).map((talk) => talk.conversation.id)).toEqual(["9", "8"]);
    expect(titleOf(state, talkOf(state))).toBe("Grace");
    const waiting = withOutgoing(state, outgoing("x", { conversationId: "8" }));
    expect(talksByActivity(waiting)[0]?.conversation.id).toBe("8");
  });

  it("[WEB25] links leave out the punctuation behind them, initials leave out symbols", () => {
    const parts = splitText("see https://a.example/x?y=1, or javascript:alert(1)");
    expect(parts.map((part) => part.href)).toEqual([null, "https://a.example/x?y=1", null]);
    expect(parts.map((part) => part.text).join("")).toBe(
      "see https://a.example/x?y=1, or javascript:alert(1)",
    );
    expect(["mary.shelley", "Ada Lovelace", ""].map(initialsOf)).toEqual(["MS", "AL", "·"]);
    expect(caughtUpText(1)).toBe("Back. Caught up on 1 message.");
  });
});
