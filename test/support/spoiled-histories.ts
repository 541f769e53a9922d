/** Histories of chaos runs that break one rule each; test/unit/chaos-checker.test.ts judges them. */
import { expect } from "vitest";
import type { History, Rec } from "../../bench/chaos/history.ts";
import {
  ADA,
  BEN,
  CLEO,
  END_MS,
  HEALED_MS,
  heard,
  message,
  TALK,
  THREAD,
} from "./hand-made-history.ts";

type Spoil = (history: History) => void;

export function drop(history: History, matches: (rec: Rec) => boolean): void {
  const at = history.records.findIndex(matches);
  expect(at, "the record to drop is there").toBeGreaterThanOrEqual(0);
  history.records.splice(at, 1);
}

/** In the order of time, as a recorder would have it. */
export function add(history: History, ...records: Rec[]): void {
  history.records.push(...records);
  history.records.sort((a, b) => a.atMs - b.atMs);
}

export const conversation = (history: History) => history.final.conversations[0]!;
export const change = (client: number, rev: number) => (rec: Rec) =>
  rec.kind === "change" && rec.client === client && rec.rev === rev;

/** By rule: histories that break it, each with what is wrong in it. */
export const SPOILED: Record<string, Record<string, Spoil>> = {
  CHA1: {
    "an acknowledged message is gone": (history) => {
      conversation(history).messages.pop();
    },
    "another message stands at its seq": (history) => {
      conversation(history).messages[1] = { ...message(2, 4), id: "999" };
    },
  },
  CHA2: {
    "one client_id made two messages": (history) => {
      conversation(history).messages.push({ ...message(4, 7), clientId: "c1" });
    },
  },
  CHA3: {
    "a seq is skipped": (history) => {
      conversation(history).messages.splice(1, 1);
    },
    "last_seq counts a message that is not there": (history) => {
      conversation(history).lastSeq = 4;
    },
  },
  CHA4: {
    "two messages share a rev": (history) => {
      conversation(history).messages[1] = message(2, 2);
    },
    "two sessions hear different changes of one rev": (history) => {
      add(history, heard(CLEO, 2500, { ...message(9, 2), digest: "other" }));
    },
    "a told rev is past the stored one": (history) => {
      conversation(history).rev = 5;
    },
  },
  CHA5: {
    "an acknowledged edit is not stored": (history) => {
      conversation(history).messages[2] = message(3, 5);
    },
    "an acknowledged deletion came back": (history) => {
      const edit = history.records.find(
        (rec) => rec.kind === "change" && rec.name === "edit_message",
      );
      if (edit?.kind === "change") edit.message = { ...edit.message!, deleted: true };
    },
  },
  CHA6: {
    "a message that nobody sent": (history) => {
      conversation(history).messages.push({ ...message(4, 7), clientId: "from nowhere" });
    },
  },
  CHA7: {
    "a member lacks a message": (history) => {
      history.final.replicas[BEN]!.conversations[0]!.messages.pop();
    },
    "a member shows an old body": (history) => {
      history.final.replicas[BEN]!.conversations[0]!.messages[2]!.digest = "d3";
    },
    "a member stands at an old rev": (history) => {
      history.final.replicas[BEN]!.conversations[0]!.rev = 5;
    },
    "who was put out still shows it": (history) => {
      history.final.replicas[CLEO]!.conversations.push({
        id: TALK,
        rev: 2,
        baseSeq: 0,
        messages: [],
      });
    },
  },
  CHS1: {
    "an event comes after a later one": (history) => {
      drop(history, change(BEN, 4));
      add(history, heard(BEN, 30_500, message(2, 4)));
    },
    "an event comes twice": (history) => {
      add(history, heard(BEN, 16_007, message(2, 4)));
    },
  },
  CHS2: {
    "a session misses a change": (history) => drop(history, change(BEN, 4)),
    "a session misses a change of members": (history) => drop(history, change(BEN, 3)),
  },
  CHS3: {
    "sync leaves a message out": (history) => {
      add(history, {
        kind: "synced",
        client: BEN,
        atMs: 20_000,
        conversations: [
          {
            conversation: TALK,
            afterRev: 1,
            rev: 4,
            messages: [[1, 2]],
            hasMore: false,
            reset: false,
          },
        ],
        unchanged: [],
        removed: [],
        hasMore: false,
      });
    },
    "a hole between sync and the first event": (history) => {
      drop(history, change(BEN, 2));
    },
  },
  CHS4: {
    "a removed member hears a message": (history) => {
      add(history, heard(CLEO, 2500, message(2, 4)));
    },
    "a removed member hears typing": (history) => {
      add(history, {
        kind: "typing",
        client: CLEO,
        atMs: 2500,
        conversation: TALK,
        user: "1",
        isTyping: false,
      });
    },
  },
  CHS5: {
    "a command has no answer": (history) => {
      add(history, {
        kind: "unanswered",
        client: BEN,
        atMs: 40_000,
        op: 7,
        name: "sync",
        ms: 15_000,
      });
    },
    "a command is answered internal": (history) => {
      add(history, {
        kind: "answered",
        client: BEN,
        atMs: 40_000,
        op: 7,
        name: "sync",
        ok: false,
        code: "internal",
        ms: 3,
      });
    },
  },
  CHS6: {
    "a read cursor moves back": (history) => {
      add(history, {
        kind: "receipt",
        client: ADA,
        atMs: 40_000,
        conversation: TALK,
        user: "2",
        deliveredSeq: 2,
        readSeq: 1,
      });
    },
  },
  CHP1: {
    "presence stays wrong": (history) => {
      add(history, {
        kind: "presence_probe",
        atMs: 51_000,
        why: "after worker-kill",
        trueAfterMs: null,
        wrong: ["host 1 says offline of ada, online"],
      });
    },
  },
  CHP2: {
    "offline while a session lives": (history) => {
      add(history, {
        kind: "status",
        client: BEN,
        atMs: 45_000,
        user: "1",
        status: "offline",
        via: "event",
      });
    },
  },
  CHP3: {
    "a status is told twice": (history) => {
      add(history, {
        kind: "status",
        client: BEN,
        atMs: 45_000,
        user: "3",
        status: "offline",
        via: "event",
      });
    },
  },
  CHP4: {
    "a watcher never hears of the end": (history) => {
      drop(history, (rec) => rec.kind === "status" && rec.status === "offline");
    },
    "a late answer hides who is there": (history) => {
      const asked = { kind: "status", client: BEN, atMs: 33_000, user: "1" } as const;
      add(history, { ...asked, status: "offline", via: "ack" });
    },
  },
  CHP5: {
    "the users of a host that is cut off are told offline": (history) => {
      Object.assign(history.faults[0]!, { fault: "redis-cut", detail: "host 1" });
      add(history, {
        kind: "status",
        client: BEN,
        atMs: HEALED_MS - 100,
        user: "1",
        status: "offline",
        via: "event",
      });
    },
  },
  CHT1: {
    "the server still knows of typing": (history) => {
      history.final.typing[0]!.users.push("1");
    },
    "a client still shows typing": (history) => {
      drop(history, (rec) => rec.kind === "typing" && !rec.isTyping);
    },
  },
  CHT2: {
    "typing is shown for too long": (history) => {
      const end = history.records.find((rec) => rec.kind === "typing" && !rec.isTyping);
      if (end !== undefined) end.atMs = 20_000;
    },
  },
  CHU1: {
    "the count has drifted": (history) => {
      history.final.unread[1]!.conversations[0]!.unreadCount = 2;
    },
    "an acknowledged mark is lost": (history) => {
      Object.assign(history.final.unread[1]!.conversations[0]!, { readSeq: 0, unreadCount: 3 });
    },
    "more is read than anybody marked": (history) => {
      Object.assign(history.final.unread[1]!.conversations[0]!, { readSeq: 3, unreadCount: 0 });
    },
  },
  CHR1: {
    "an acknowledged reaction is gone": (history) => {
      conversation(history).reactors.pop();
      delete conversation(history).messages[2]!.reactions;
    },
    "one that was taken back is there": (history) => {
      for (const rec of history.records) if (rec.kind === "tried" && rec.op === 20) rec.on = false;
    },
    "a count is not that of the rows": (history) => {
      conversation(history).messages[2]!.reactions = "ok 2 1";
    },
    "rows are not counted": (history) => {
      conversation(history).reactors.push({ seq: 2, user: "2", key: "no" });
    },
  },
  CHC1: {
    "an acknowledged role is lost": (history) => {
      conversation(history).members[1]!.role = "member";
    },
    "an acknowledged pin is lost": (history) => {
      conversation(history).pinned.pop();
    },
  },
  CHD1: {
    "a removed member hears what is sent afterwards": (history) => {
      add(history, heard(CLEO, 16_010, message(2, 4)));
      drop(history, (rec) => rec.kind === "disconnected");
    },
    "a removed follower hears a reply": (history) => {
      const reply = { ...message(1, 2), clientId: "reply" };
      const tried = { kind: "tried", client: ADA, op: 30, name: "send_message" } as const;
      add(
        history,
        { ...tried, atMs: 2_400, conversation: THREAD, clientId: "reply" },
        { ...heard(CLEO, 2_410, reply), conversation: THREAD },
      );
    },
  },
  CHO1: {
    "a number comes after a later one": (history) => {
      const at = { client: ADA, conversation: TALK, via: "event" } as const;
      add(history, { ...at, kind: "prefs", atMs: 35_000, rev: 4 });
      add(history, { ...at, kind: "prefs", atMs: 35_100, rev: 3 });
    },
    "an answer comes after the event of a later change": (history) => {
      for (const rec of history.records) {
        if (rec.kind === "prefs" && rec.via === "ack") rec.atMs = 34_700;
      }
      history.records.sort((a, b) => a.atMs - b.atMs);
    },
    "another session hears a number that is missing here": (history) => {
      history.clients[BEN]!.user = "1";
      const at = { conversation: TALK, via: "event" } as const;
      add(history, { ...at, kind: "prefs", client: BEN, atMs: 35_000, rev: 3, conversation: "9" });
      add(history, { ...at, kind: "prefs", client: ADA, atMs: 35_000, rev: 4 });
    },
  },
  CHO2: {
    "a session ends with older preferences": (history) => {
      history.final.replicas[ADA]!.prefs![0]!.text = "not pinned";
    },
    "a session lacks some": (history) => {
      history.final.replicas[ADA]!.prefs!.pop();
    },
  },
  CHU2: {
    "a client counts otherwise": (history) => {
      history.final.replicas[BEN]!.conversations[0]!.unread = 2;
    },
  },
  CHU3: {
    "an answer counts a message too few": (history) => {
      for (const rec of history.records) if (rec.kind === "marked") rec.unreadCount = 0;
    },
    "an answer counts what never was": (history) => {
      for (const rec of history.records) if (rec.kind === "marked") rec.unreadCount = 2;
    },
  },
  CHU4: {
    "a stored count differs": (history) => {
      history.final.recount = ["conversations.rev"];
    },
  },
  CHV1: {
    "a session of version 1 hears a reaction": (history) => {
      add(history, {
        kind: "newer",
        client: CLEO,
        atMs: 2_500,
        name: "reaction",
        conversation: TALK,
      });
    },
    "a session of version 1 hears of a thread": (history) => {
      add(history, { ...heard(CLEO, 1_500, message(1, 2)), conversation: THREAD });
    },
  },
  CHF1: {
    "a claim does not hold": (history) => {
      history.faults[0]!.claims[0]!.holds = false;
    },
  },
  CHF2: {
    "not everybody comes back": (history) => {
      history.faults[0]!.recoveredAtMs = null;
    },
    "the run broke off": (history) => {
      history.broken = "a host did not become ready";
    },
  },
  CHF3: {
    "a send waits for Redis": (history) => {
      const matches = (rec: Rec) => rec.kind === "answered" && rec.op === 2;
      drop(history, matches);
    },
  },
  CHF4: {
    "a host keeps quiet about Redis": (history) => {
      for (const rec of history.records) if (rec.kind === "ready_sample") rec.word = "ready";
    },
  },
  CHF5: {
    "what was missed comes too late": (history) => {
      const missed = history.records.find(change(BEN, 4));
      if (missed !== undefined) missed.atMs = HEALED_MS + 5000;
      history.records.sort((a, b) => a.atMs - b.atMs);
    },
  },
  CHF6: {
    "a worker grows": (history) => {
      add(history, { kind: "memory_sample", atMs: END_MS, host: 0, workerRssMbMax: 3000 });
    },
  },
};
