/**
 * The chaos checker against hand-made histories: a good one keeps every rule, and each rule
 * fails on a history that breaks it. A checker that cannot fail proves nothing.
 */
import { describe, expect, it } from "vitest";
import { judge, RULES } from "../../bench/chaos/checker.ts";
import type { History, Rec } from "../../bench/chaos/history.ts";
import { ADA, BEN, CLEO, goodHistory, heard, message, TALK } from "../support/hand-made-history.ts";
import { add, drop, SPOILED } from "../support/spoiled-histories.ts";

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
