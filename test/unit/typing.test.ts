import { expect, test } from "vitest";
import { TYPING_SILENCE_MS } from "../../actors/limits.ts";
import { NOBODY_TYPES, stepTyping, type Typing, type TypingEvent } from "../../actors/typing.ts";
import type { SessionId, UserId } from "../../src/protocol/ids.ts";
import { monotonic } from "../../src/protocol/time.ts";

const ALICE = "1" as UserId;
const BOB = "2" as UserId;
const PHONE = "phone" as SessionId;
const LAPTOP = "laptop" as SessionId;

class Room {
  nowMs = 1_000_000;
  typing: Typing = NOBODY_TYPES;
  readonly heard: string[] = [];
  wakeAtMs: number | null = null;

  is(event: TypingEvent): this {
    const step = stepTyping(this.typing, event, monotonic(this.nowMs));
    this.typing = step.typing;
    this.wakeAtMs = step.wakeInMs === null ? null : this.nowMs + step.wakeInMs;
    for (const { user, isTyping } of step.notices)
      this.heard.push(`${user}${isTyping ? "+" : "-"}`);
    return this;
  }

  starts(user: UserId, session = PHONE, worker = "w1"): this {
    return this.is({ type: "started", user, session, worker });
  }

  stops(user: UserId, session = PHONE): this {
    return this.is({ type: "stopped", user, session });
  }

  waits(ms: number): this {
    const endMs = this.nowMs + ms;
    while (this.wakeAtMs !== null && this.wakeAtMs <= endMs) {
      this.nowMs = this.wakeAtMs;
      this.is({ type: "time_up" });
    }
    this.nowMs = endMs;
    return this;
  }
}

test("[TYP1] a hundred keystrokes are one notice", () => {
  const room = new Room();
  for (let i = 0; i < 100; i++) room.starts(ALICE).waits(100);
  expect(room.heard).toEqual(["1+"]);
});

test("[TYP1] saying twice that one has stopped is heard once", () => {
  expect(new Room().starts(ALICE).stops(ALICE).stops(ALICE).heard).toEqual(["1+", "1-"]);
});

test("[TYP2] typing ends after 5 s of silence, counted from the last keystroke", () => {
  const room = new Room()
    .starts(ALICE)
    .waits(3_000)
    .starts(ALICE)
    .waits(TYPING_SILENCE_MS - 1);
  expect(room.heard).toEqual(["1+"]);
  expect(room.waits(1).heard).toEqual(["1+", "1-"]);
  expect(room.wakeAtMs).toBeNull();
});

test("[TYP2] each user has a silence of their own", () => {
  const room = new Room().starts(ALICE).waits(2_000).starts(BOB).waits(3_000);
  expect(room.heard).toEqual(["1+", "2+", "1-"]);
  expect(room.waits(2_000).heard).toEqual(["1+", "2+", "1-", "2-"]);
});

test("[TYP3] typing ends with the user's own message, in all their sessions", () => {
  const room = new Room().starts(ALICE).starts(ALICE, LAPTOP).starts(BOB);
  expect(room.is({ type: "sent", user: ALICE }).heard).toEqual(["1+", "2+", "1-"]);
});

test("[TYP3] somebody else's message ends nothing", () => {
  expect(new Room().starts(ALICE).is({ type: "sent", user: BOB }).heard).toEqual(["1+"]);
});

test("[TYP4] it ends with the last of the sessions in which the user types", () => {
  const room = new Room().starts(ALICE, PHONE).starts(ALICE, LAPTOP);
  room.is({ type: "session_closed", session: PHONE });
  expect(room.heard).toEqual(["1+"]);
  expect(room.is({ type: "session_closed", session: LAPTOP }).heard).toEqual(["1+", "1-"]);
});

test("[TYP4] stopping in one session leaves the other typing", () => {
  const room = new Room().starts(ALICE, PHONE).starts(ALICE, LAPTOP).stops(ALICE, PHONE);
  expect(room.heard).toEqual(["1+"]);
});

test("[TYP4] a worker that is gone takes its sessions' typing with it", () => {
  const room = new Room().starts(ALICE, PHONE, "w1").starts(BOB, LAPTOP, "w2");
  expect(room.is({ type: "workers_gone", incarnations: new Set(["w1"]) }).heard).toEqual([
    "1+",
    "2+",
    "1-",
  ]);
});

test("[TYP4] a member who left types no more", () => {
  expect(new Room().starts(ALICE).is({ type: "left", user: ALICE }).heard).toEqual(["1+", "1-"]);
});

test("[TYP5] all end at once when the actor lets go", () => {
  const room = new Room().starts(ALICE).starts(BOB).is({ type: "let_go" });
  expect(room.heard).toEqual(["1+", "2+", "1-", "2-"]);
  expect(room.wakeAtMs).toBeNull();
});
