/** What the page makes of what the SDK shows: names, rows, ticks, and signs of the connection. */
import { describe, expect, it } from "vitest";
import type { ConnectionState, Outgoing } from "../../src/client/index.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import { messageAt, titleOf, unreadTotal } from "../../src/web/app/selection.ts";
import {
  initialState,
  linkOf,
  type State,
  type Talk,
  withAnswered,
  withOpen,
  withTalks,
  withUsers,
} from "../../src/web/app/state.ts";
import { type MessageRow, type Row, timelineOf } from "../../src/web/app/timeline.ts";
import { caughtUpText, initialsOf, presenceText, splitText } from "../../src/web/app/wording.ts";

const CREATED_AT = "2026-05-04T10:00:00.000Z";
const NOON_MS = Date.parse("2026-05-04T12:00:00.000Z");
const ada = { id: "1", username: "ada", display_name: "Ada", created_at: CREATED_AT };
const grace = { id: "2", username: "grace", display_name: "Grace", created_at: CREATED_AT };

/** By Grace unless said otherwise. */
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
  return { ...base, createdAtMs: NOON_MS + 60_000, ...changes };
}

/** As the SDK shows it; `readSeq`: Ada's. */
function talk(
  messages: Message[] = [],
  changes: Partial<Talk> = {},
  of: Partial<Conversation> = {},
): Talk {
  const readSeq = changes.readSeq ?? 0;
  const last_seq = messages.at(-1)?.seq ?? 0;
  const members = [
    { user_id: ada.id, delivered_seq: readSeq, read_seq: readSeq },
    { user_id: grace.id, delivered_seq: 0, read_seq: 0 },
  ];
  const conversation: Conversation = {
    id: "9",
    kind: "direct",
    title: null,
    owner_id: null,
    members,
    last_seq,
    rev: 1 + last_seq,
    created_at: CREATED_AT,
    ...of,
  };
  return {
    id: conversation.id,
    conversation,
    memberCount: members.length,
    messages,
    ownReactions: new Map(),
    outgoing: [],
    lastMessage: messages.at(-1) ?? null,
    typing: [],
    unread: last_seq - readSeq,
    readSeq,
    hasOlder: false,
    isLoaded: true,
    ...changes,
  };
}

const empty = withUsers(initialState(ada), [grace]);
const rows = (state: State): Row[] => timelineOf(state, state.talks.get("9")!);
const kinds = (state: State): string[] => rows(state).map((row) => row.kind);
const bubbles = (state: State): MessageRow[] =>
  rows(state).filter((row): row is MessageRow => row.kind === "message");

describe("system messages", () => {
  it("[WEB30] they are sentences of their own in the timeline, with keys of their own", () => {
    const said = (seq: number, event: string, more: object): Message => ({
      ...message(seq),
      ...{ sender_id: ada.id, client_id: null, body: "", type: "system" },
      data: { event, ...more },
    });
    const own = talk([
      said(1, "troupe.member_added", { user_ids: [grace.id] }),
      said(2, "troupe.title_changed", { title: "Plans" }),
      { ...said(3, "order.shipped", {}), sender_id: null, body: "Your order is on its way" },
    ]);
    const shown = rows(withTalks(empty, [own])).filter((row) => row.kind === "system");
    expect(shown.map(({ key }) => key)).toEqual(["seq:1", "seq:2", "seq:3"]);
    expect(shown.map(({ words }) => words.replace(/[\u2066-\u2069]/g, ""))).toEqual([
      "Ada added Grace",
      "Ada changed the title to Plans",
      "Your order is on its way",
    ]);
  });
});

describe("talks", () => {
  it("[WEB7] the open talk is closed when it is gone, an address that came first is not", () => {
    const early = withOpen(empty, "9");
    expect(withTalks(early, []).openId).toBe("9");
    const open = withTalks(early, [talk([message(1)], { readSeq: 1 })]);
    expect(open.openMark).toEqual({ readSeq: 1, lastSeq: 1 });
    expect(withTalks(open, []).openId).toBeNull();
  });

  it("[WEB13] what is unread is added up over the talks", () => {
    const other = talk([message(1)], { id: "8", unread: 4 });
    expect(unreadTotal(withTalks(empty, [talk([message(1), message(2)]), other]))).toBe(6);
  });

  it("[WEB24] a talk is named after its people, its title, or those who are left", () => {
    const named = (one: Talk): string => titleOf(empty, one);
    expect(named(talk())).toBe("Grace");
    expect(named(talk([], {}, { kind: "group", title: "Plans" }))).toBe("Plans");
    expect(named(talk([], {}, { kind: "group" }))).toBe("Grace");
    expect(named(talk([], {}, { kind: "group", members: [] }))).toBe("Just you");
  });
});

describe("the connection's signs", () => {
  const reason = { by: "network", detail: "gone" } as const;
  const waiting = (attempt: number): ConnectionState => ({
    is: "waiting",
    reason,
    attempt,
    retryAtMs: 0,
  });

  it("[WEB26] the first attempts are connecting, later ones and those after a session a return", () => {
    const first = linkOf({ is: "connecting", attempt: 0 }, empty.link, false);
    expect(first.kind).toBe("connecting");
    expect(linkOf(waiting(0), first, false).kind).toBe("connecting");
    expect(linkOf(waiting(2), first, false).kind).toBe("reconnecting");
    const online = linkOf({ is: "online", sessionId: "s" }, first, false);
    expect(linkOf(waiting(0), online, true)).toEqual({ kind: "reconnecting", isOffline: true });
  });

  it("[WEB27] what ended for good says why", () => {
    const closed: ConnectionState = {
      is: "closed",
      reason: { by: "server", code: "suspended", message: "Suspended." },
    };
    expect(linkOf(closed, empty.link, false)).toEqual({ kind: "stopped", message: "Suspended." });
  });
});

describe("rows", () => {
  it("[WEB18] waiting messages stand last, keep their row when sent, and say when refused", () => {
    const waits = (problem: Outgoing["problem"]) =>
      bubbles(
        withTalks(empty, [talk([message(1)], { outgoing: [outgoing("mine", { problem })] })]),
      );
    const before = waits(null).at(-1);
    expect(before?.tick).toBe("sending");
    const own = message(2, { sender_id: ada.id, client_id: "mine" });
    const sent = bubbles(withTalks(empty, [talk([message(1), own])])).at(-1);
    expect([sent?.key, sent?.tick]).toEqual([before?.key, "sent"]);
    const refused = waits({ code: "forbidden", message: "No." }).at(-1);
    expect([refused?.tick, refused?.problem]).toEqual(["failed", "No."]);
  });

  it("[WEB21] presence in words", () => {
    const seen = (status: "online" | "away" | "offline", last_seen_at: string | null) =>
      presenceText({ user_id: "2", status, last_seen_at }, NOON_MS);
    expect(seen("online", null)).toBe("online");
    expect(seen("away", null)).toBe("away");
    expect(seen("offline", "2026-05-04T11:55:00.000Z")).toBe("last seen 5 min ago");
    expect(seen("offline", "2026-05-04T09:00:00.000Z")).toBe("last seen 3 h ago");
  });

  it("[WEB22] days are separated, and one sender's run is one group", () => {
    const nextDay = new Date(NOON_MS + 24 * 3_600_000).toISOString();
    const own = message(3, { sender_id: ada.id });
    const late = message(4, { created_at: nextDay });
    const state = withTalks(empty, [talk([message(1), message(2), own, late])]);
    expect(kinds(state)).toEqual(["day", "message", "message", "message", "day", "message"]);
    expect(bubbles(state).map((row) => [row.isFirst, row.isLast])).toEqual([
      [true, false],
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  it("[WEB23] the line of the new stands where reading stopped at opening, and stays", () => {
    const two = [message(1), message(2)];
    const open = withOpen(withTalks(empty, [talk(two, { readSeq: 1 })]), "9");
    const live = withTalks(open, [talk([...two, message(3)], { readSeq: 3 })]);
    expect(kinds(live)).toEqual(["day", "message", "unread", "message", "message"]);
    expect(kinds(withAnswered(live))).not.toContain("unread");
    const later = withTalks(withOpen(live, "9"), [talk([...two, message(3), message(4)])]);
    expect(kinds(later)).not.toContain("unread");
  });

  it("[WEB28] a reply quotes what is here, and what is not as an earlier message", () => {
    const shown = [message(5), message(6, { reply_to_seq: 5 }), message(7, { reply_to_seq: 2 })];
    const state = withTalks(empty, [talk(shown)]);
    expect(messageAt(talk(shown), 6)?.seq).toBe(6);
    expect(bubbles(state).map((row) => row.quote?.body)).toEqual([
      undefined,
      "message 5",
      "An earlier message",
    ]);
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
