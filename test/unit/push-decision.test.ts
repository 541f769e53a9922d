/** [PSH] Whether something is pushed, from what storage says. */
import { describe, expect, it } from "vitest";
import { isQuiet, whyNot } from "../../src/jobs/push/decision.ts";
import { cut, payloadOf } from "../../src/jobs/push/payload.ts";
import type { PushFacts, PushSubject } from "../../src/ports/push.ts";
import { asConversationId, asUserId } from "../../src/protocol/schemas.ts";
import { wallTime } from "../../src/protocol/time.ts";

const NOON = wallTime(Date.parse("2026-01-15T12:00:00.000Z"));
const MESSAGE: PushSubject = {
  userId: asUserId("7"),
  conversationId: asConversationId("42"),
  notificationId: null,
  firstSeq: 3,
  seq: 3,
};
const NOTICE: PushSubject = { ...MESSAGE, conversationId: null, notificationId: "9" };

type Conversation = NonNullable<PushFacts["conversation"]>;

const BASE: Conversation = {
  kind: "direct",
  title: null,
  deleted: false,
  member: true,
  muted: false,
  level: null,
  read_seq: 2,
  unread_ms: null,
  count: 1,
  last: { deleted: false, mention: false, blocked: false },
  newest: { seq: 3, body: "hello", sender: "Ann", files: 0 },
};
const READER: PushFacts = {
  level: null,
  snoozed: false,
  quiet_hours: null,
  content: null,
  suspended: false,
  conversation: null,
  notification: null,
};
const talk = (part: Partial<Conversation> = {}, reader: Partial<PushFacts> = {}): PushFacts => ({
  ...READER,
  ...reader,
  conversation: { ...BASE, ...part },
});
const notice = (type: string, level: PushFacts["level"] = null): PushFacts => ({
  ...READER,
  level,
  notification: {
    there: true,
    type,
    message: "Ann commented",
    post_id: "5",
    actor_id: "1",
    read: false,
    blocked: false,
  },
});
const passedOver = { newest: null };
const mention = { deleted: false, mention: true, blocked: false };

describe("the decision on a push", () => {
  it.each<[string, PushSubject, PushFacts, string | null]>([
    ["a message", MESSAGE, talk(), null],
    ["a reader who is suspended", MESSAGE, talk({}, { suspended: true }), "suspended"],
    ["a conversation that is gone", MESSAGE, talk({ deleted: true }), "deleted"],
    ["one who has left", MESSAGE, talk({ member: false }), "left"],
    ["what was read", MESSAGE, talk({ read_seq: 3 }), "read_before"],
    ["a muted conversation", MESSAGE, talk({ muted: true }), "muted"],
    ["level none", MESSAGE, talk({ level: "none" }), "level"],
    ["the user's level none", MESSAGE, talk({}, { level: "none" }), "level"],
    [
      "the conversation's level before the user's",
      MESSAGE,
      talk({ level: "all" }, { level: "none" }),
      null,
    ],
    ["a channel without a mention", MESSAGE, talk({ kind: "channel", ...passedOver }), "level"],
    ["a channel with one", MESSAGE, talk({ kind: "channel", last: mention }), null],
    ["a thread", MESSAGE, talk({ kind: "thread" }), null],
    ["a snoozing reader", MESSAGE, talk({}, { snoozed: true }), "snoozed"],
    [
      "a message that is gone",
      MESSAGE,
      talk({ ...passedOver, last: { ...mention, deleted: true } }),
      "deleted",
    ],
    [
      "one of somebody who is blocked",
      MESSAGE,
      talk({ ...passedOver, last: { ...mention, blocked: true } }),
      "blocked",
    ],
    ["a comment", NOTICE, notice("comment"), null],
    ["a comment at level mentions", NOTICE, notice("comment", "mentions"), "level"],
    ["a mention at level mentions", NOTICE, notice("mention", "mentions"), null],
    ["a service's own at level mentions", NOTICE, notice("order", "mentions"), null],
    ["any at level none", NOTICE, notice("mention", "none"), "level"],
  ])("[PSH1] [PSH2] [PSH3] %s", (_what, subject, facts, reason) => {
    expect(whyNot(subject, facts, NOON)).toBe(reason);
  });

  it.each([
    ["22:00", "07:00", "2026-01-15T21:30:00Z", true],
    ["22:00", "07:00", "2026-01-16T05:59:00Z", true],
    ["22:00", "07:00", "2026-01-16T06:00:00Z", false],
    ["22:00", "07:00", "2026-01-15T20:59:00Z", false],
    // Summer time: an hour earlier in UTC.
    ["22:00", "07:00", "2026-07-15T20:30:00Z", true],
    ["13:00", "14:00", "2026-01-15T12:00:00Z", true],
    ["13:00", "14:00", "2026-01-15T13:00:00Z", false],
    ["08:00", "08:00", "2026-01-15T07:00:00Z", false],
  ])("[PSH2] quiet from %s up to %s in Berlin at %s: %s", (from, to, at, isIt) => {
    expect(isQuiet({ from, to, tz: "Europe/Berlin" }, wallTime(Date.parse(at)))).toBe(isIt);
  });

  it("[PSH9] a text has at most 200 code points, and files have words", () => {
    expect([...cut("😀".repeat(201))]).toHaveLength(200);
    expect(cut("😀".repeat(200))).toBe("😀".repeat(200));
    const facts = talk({ newest: { seq: 3, body: "", sender: "Ann", files: 2 } });
    const said = { content: "full" as const, basePath: "/chat" };
    expect(payloadOf("message", MESSAGE, facts, 4, said)).toEqual({
      v: 1,
      kind: "message",
      conversation_id: "42",
      seq: 3,
      title: "Ann",
      body: "2 files",
      count: 1,
      badge: 4,
      url: "/chat/#/c/42",
    });
  });
});
