/**
 * A small history in which every promise is kept: two people in one conversation, a third who
 * is put out of it, one fault of Redis. Tests of the chaos checker spoil it, one rule at a time.
 */
import type {
  ChangeRecord,
  FaultRecord,
  History,
  MessageFact,
  Rec,
} from "../../bench/chaos/history.ts";

export const ADA = 0;
export const BEN = 1;
export const CLEO = 2;
export const TALK = "7";
/** The thread of TALK's first message; Ada follows it. */
export const THREAD = "8";
/** When the fault is healed; everything before it is early, the rest late. */
export const HEALED_MS = 22_000;
export const END_MS = 60_000;

export function message(seq: number, rev: number, sender = "1"): MessageFact {
  const clientId = `c${seq}`;
  return { id: `${100 + seq}`, seq, rev, sender, clientId, digest: `d${seq}`, deleted: false };
}

export function heard(client: number, atMs: number, fact: MessageFact): ChangeRecord {
  return {
    kind: "change",
    via: "event",
    name: "message",
    client,
    atMs,
    conversation: TALK,
    rev: fact.rev,
    message: fact,
  };
}

export function acked(client: number, atMs: number, fact: MessageFact): ChangeRecord {
  return { ...heard(client, atMs, fact), via: "ack", name: "send_message" };
}

/** A send of Ada with everything that follows from it. */
export function sends(op: number, atMs: number, fact: MessageFact): Rec[] {
  const of = { client: ADA, op, name: "send_message" };
  return [
    {
      ...of,
      kind: "tried",
      atMs,
      conversation: TALK,
      clientId: fact.clientId,
      digest: fact.digest,
    },
    { ...of, kind: "answered", atMs: atMs + 5, ok: true, code: "", ms: 5 },
    acked(ADA, atMs + 5, fact),
    heard(BEN, atMs + 6, fact),
  ];
}

function connects(client: number, atMs: number): Rec[] {
  return [
    { kind: "connected", client, atMs, host: 0, session: `s${client}` },
    {
      kind: "synced",
      client,
      atMs: atMs + 10,
      conversations: [
        {
          conversation: TALK,
          afterRev: null,
          rev: 1,
          messages: [],
          members: ["1", "2", "3"],
          hasMore: false,
          reset: false,
        },
      ],
      unchanged: [],
      removed: [],
      hasMore: false,
    },
  ];
}

const members = (client: number, atMs: number): Rec => ({
  kind: "change",
  via: "event",
  name: "conversation_updated",
  client,
  atMs,
  conversation: TALK,
  rev: 3,
  members: ["1", "2"],
});

/** Ada's reaction to the third message, which Ben hears of. */
function reacts(atMs: number): Rec[] {
  const at = { conversation: TALK, seq: 3 };
  const of = { client: ADA, op: 20, name: "react" };
  return [
    { ...of, ...at, kind: "tried", atMs, key: "ok", on: true },
    { ...of, kind: "answered", atMs: atMs + 5, ok: true, code: "", ms: 5 },
    { ...at, kind: "change", client: ADA, atMs: atMs + 5, via: "ack", name: "react", rev: 7 },
    { kind: "newer", client: BEN, atMs: atMs + 6, name: "reaction", conversation: TALK },
    { ...at, kind: "change", client: BEN, atMs: atMs + 6, via: "event", name: "reaction", rev: 7 },
  ];
}

export const sets = (
  what: "role" | "pin" | "member",
  subject: string,
  value: string,
  atMs: number,
): Rec => ({
  kind: "set",
  what,
  conversation: TALK,
  subject,
  value,
  fromMs: atMs - 5,
  atMs,
  ok: true,
});

export function goodHistory(): History {
  const [first, second, third] = [message(1, 2), message(2, 4), message(3, 5)];
  const edited = { ...third, rev: 6, digest: "d3, edited" };
  const fault: FaultRecord = {
    fault: "redis-kill",
    detail: "SIGKILL",
    injectedAtMs: 15_000,
    healedAtMs: HEALED_MS,
    recoveredAtMs: 23_000,
    claims: [{ claim: "it ends", holds: true, found: "100 ms" }],
  };
  const records: Rec[] = [
    ...connects(ADA, 100),
    ...connects(BEN, 120),
    ...connects(CLEO, 140),
    { kind: "status", client: BEN, atMs: 150, user: "1", status: "online", via: "ack" },
    { kind: "status", client: BEN, atMs: 150, user: "3", status: "online", via: "ack" },
    { kind: "tried", client: ADA, atMs: 900, op: 9, name: "typing", conversation: TALK },
    {
      kind: "typing",
      client: BEN,
      atMs: 910,
      conversation: TALK,
      user: "1",
      isTyping: true,
    },
    ...sends(1, 1000, first),
    heard(CLEO, 1006, first),
    {
      kind: "typing",
      client: BEN,
      atMs: 1007,
      conversation: TALK,
      user: "1",
      isTyping: false,
    },
    sets("member", "3", "out", 1_990),
    members(ADA, 2000),
    members(BEN, 2000),
    members(CLEO, 2000),
    { kind: "disconnected", client: CLEO, atMs: 3000, reason: "closed here" },
    { kind: "status", client: BEN, atMs: 8100, user: "3", status: "offline", via: "event" },
    ...sends(2, 16_000, second),
    { kind: "ready_sample", atMs: 18_000, host: 0, status: 200, word: "degraded" },
    { kind: "memory_sample", atMs: 18_000, host: 0, workerRssMbMax: 120 },
    ...sends(3, 30_000, third),
    {
      ...acked(ADA, 31_000, edited),
      name: "edit_message",
    },
    { ...heard(BEN, 31_001, edited), name: "message_updated" },
    {
      kind: "tried",
      client: BEN,
      atMs: 32_000,
      op: 1,
      name: "mark_read",
      conversation: TALK,
      seq: 2,
    },
    {
      kind: "marked",
      client: BEN,
      atMs: 32_005,
      conversation: TALK,
      deliveredSeq: 2,
      readSeq: 2,
      unreadCount: 1,
      knownSeq: 3,
    },
    {
      kind: "receipt",
      client: ADA,
      atMs: 32_006,
      conversation: TALK,
      user: "2",
      deliveredSeq: 2,
      readSeq: 2,
    },
    ...reacts(33_000),
    { kind: "prefs", client: ADA, atMs: 34_000, via: "ack", conversation: TALK, rev: 1 },
    { kind: "prefs", client: ADA, atMs: 34_500, via: "event", conversation: TALK, rev: 2 },
    sets("role", "2", "admin", 34_600),
    sets("pin", "2", "on", 34_700),
    { kind: "presence_probe", atMs: 50_000, why: "at the end", trueAfterMs: 20, wrong: [] },
  ];
  const messages = [first, second, { ...edited, rev: 7, reactions: "ok 1 1" }];
  const shown = messages.map(({ seq, rev, digest, reactions }: MessageFact) => ({
    seq,
    rev,
    digest,
    ...(reactions !== undefined && { reactions }),
  }));
  const replica = { id: TALK, rev: 7, baseSeq: 0, messages: shown };
  const prefs = [{ conversation: TALK, rev: 2, text: "pinned" }];
  return {
    seed: 1,
    command: "",
    startedAt: "2025-01-01T00:00:00.000Z",
    hosts: 1,
    workers: 1,
    slackMs: 500,
    clients: [
      { name: "ada/1", user: "1", contract: "1.1" },
      { name: "ben/1", user: "2", contract: "1.1" },
      { name: "cleo/1", user: "3", contract: "1" },
    ],
    records,
    faults: [fault],
    loadEndedAtMs: 40_000,
    endedAtMs: END_MS,
    final: {
      conversations: [
        {
          id: TALK,
          kind: "group",
          rev: 7,
          lastSeq: 3,
          members: [
            { user: "1", deliveredSeq: 3, readSeq: 3, role: "owner" },
            { user: "2", deliveredSeq: 2, readSeq: 2, role: "admin" },
          ],
          messages,
          pinned: [2],
          reactors: [{ seq: 3, user: "1", key: "ok" }],
        },
        {
          id: THREAD,
          kind: "thread",
          rev: 1,
          lastSeq: 0,
          parent: { conversation: TALK, seq: 1 },
          members: [{ user: "1", deliveredSeq: 0, readSeq: 0 }],
          messages: [],
          pinned: [],
          reactors: [],
        },
      ],
      replicas: [
        {
          client: ADA,
          conversations: [
            { ...replica, unread: 0 },
            { id: THREAD, rev: 1, baseSeq: 0, messages: [], unread: 0 },
          ],
          prefs: structuredClone(prefs),
        },
        {
          client: BEN,
          conversations: [{ ...structuredClone(replica), unread: 1 }],
          prefs: [],
        },
        { client: CLEO, conversations: [] },
      ],
      unread: [
        { user: "1", conversations: [{ id: TALK, lastSeq: 3, readSeq: 3, unreadCount: 0 }], prefs },
        {
          user: "2",
          conversations: [{ id: TALK, lastSeq: 3, readSeq: 2, unreadCount: 1 }],
          prefs: [],
        },
      ],
      typing: [{ conversation: TALK, users: [] }],
      recount: [],
    },
  };
}
