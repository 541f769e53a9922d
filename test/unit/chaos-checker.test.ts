/**
 * The chaos checker against hand-made histories: a good one keeps every rule, and each rule
 * fails on a history that breaks it. A checker that cannot fail proves nothing.
 */
import { describe, expect, it } from "vitest";
import { judge, RULES } from "../../bench/chaos/checker.ts";
import type { History, Rec } from "../../bench/chaos/history.ts";
import {
  ADA,
  BEN,
  CLEO,
  END_MS,
  goodHistory,
  HEALED_MS,
  heard,
  message,
  TALK,
  THREAD,
} from "../support/hand-made-history.ts";

type Spoil = (history: History) => void;

function drop(history: History, matches: (rec: Rec) => boolean): void {
  const at = history.records.findIndex(matches);
  expect(at, "the record to drop is there").toBeGreaterThanOrEqual(0);
  history.records.splice(at, 1);
}

/** In the order of time, as a recorder would have it. */
function add(history: History, ...records: Rec[]): void {
  history.records.push(...records);
  history.records.sort((a, b) => a.atMs - b.atMs);
}

const conversation = (history: History) => history.final.conversations[0]!;
const change = (client: number, rev: number) => (rec: Rec) =>
  rec.kind === "change" && rec.client === client && rec.rev === rev;

/** By rule: histories that break it, each with what is wrong in it. */
const SPOILED: Record<string, Record<string, Spoil>> = {
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

function brokenIn(history: History): string[] {
  return judge(history)
    .filter((one) => !one.holds)
    .map((one) => one.id);
}

describe("the chaos checker", () => {
  it("[CHK1] a history that keeps every promise passes every rule, and each looks at something", () => {
    const judged = judge(goodHistory());
    const findings = judged.flatMap((one) => one.findings.map(({ what }) => `${one.id}: ${what}`));
    expect(findings).toEqual([]);
    expect(judged.filter((one) => one.looked === 0).map((one) => one.id)).toEqual([]);
  });

  it("[CHK2] there is a spoiled history for every rule", () => {
    expect(Object.keys(SPOILED).sort()).toEqual(RULES.map((rule) => rule.id).sort());
  });

  for (const [id, spoils] of Object.entries(SPOILED)) {
    for (const [what, spoil] of Object.entries(spoils)) {
      it(`[${id}] is broken where ${what}`, () => {
        const history = goodHistory();
        spoil(history);
        expect(brokenIn(history)).toContain(id);
      });
    }
  }

  it("[CHK3] the ack of an own change stands for it, and a repeated send's answer breaks no order", () => {
    const history = goodHistory();
    add(history, { ...heard(ADA, 40_000, message(1, 2)), via: "duplicate", name: "send_message" });
    expect(brokenIn(history)).toEqual([]);
  });

  it("[CHK7] the answer to deleting again what was deleted long ago is no beginning of a session", () => {
    const history = goodHistory();
    add(
      history,
      { kind: "disconnected", client: ADA, atMs: 30_400, reason: "closed here" },
      { kind: "connected", client: ADA, atMs: 30_450, host: 0, session: "later" },
      { ...heard(ADA, 30_460, message(1, 2)), via: "ack", name: "delete_message" },
    );
    expect(brokenIn(history)).not.toContain("CHS2");
  });

  it("[CHK4] who is put out while somebody types is owed no end of it", () => {
    const history = goodHistory();
    add(history, {
      kind: "typing",
      client: CLEO,
      atMs: 1900,
      conversation: TALK,
      user: "2",
      isTyping: true,
    });
    drop(history, (rec) => rec.kind === "disconnected");
    drop(history, (rec) => rec.kind === "status" && rec.status === "offline");
    expect(brokenIn(history)).toEqual([]);
  });

  it("[CHK6] a run that broke off before its end is told as that, and not as loss", () => {
    const history = goodHistory();
    history.broken = "stopped";
    history.final = { conversations: [], replicas: [], unread: [], typing: [], recount: null };
    expect(brokenIn(history)).toEqual(["CHF2"]);
  });

  it("[CHK5] what a non-member did not hear is no hole", () => {
    const history = goodHistory();
    const back: Rec = {
      kind: "change",
      via: "event",
      name: "conversation_updated",
      client: CLEO,
      atMs: 2900,
      conversation: TALK,
      rev: 8,
      members: ["1", "2", "3"],
    };
    for (const client of [ADA, BEN]) add(history, { ...back, client, atMs: 35_000 });
    drop(history, (rec) => rec.kind === "disconnected");
    drop(history, (rec) => rec.kind === "status" && rec.status === "offline");
    add(history, { ...back, atMs: 35_000 });
    const { final } = history;
    final.conversations[0]!.rev = 8;
    final.conversations[0]!.members.push({ user: "3", deliveredSeq: 0, readSeq: 0 });
    for (const { conversations } of final.replicas) {
      for (const one of conversations) if (one.id === TALK) one.rev = 8;
    }
    final.replicas[CLEO]!.conversations.push({ id: TALK, rev: 8, baseSeq: 3, messages: [] });
    expect(brokenIn(history)).toEqual([]);
  });
});
