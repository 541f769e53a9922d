import { describe, expect, test } from "vitest";
import { ENDED_SESSIONS_KEPT, PRESENCE_SETTLE_MS } from "../../actors/limits.ts";
import {
  ABSENT,
  bestStatus,
  type Presence,
  type PresenceEvent,
  shownStatus,
  stepPresence,
} from "../../actors/presence.ts";
import type { SessionId } from "../../src/protocol/ids.ts";
import type { PresenceStatus } from "../../src/protocol/schemas.ts";
import { monotonic } from "../../src/protocol/time.ts";

const GRACE_MS = 5_000;
const PHONE = "phone" as SessionId;
const LAPTOP = "laptop" as SessionId;

/** One user's presence over time; rings its own timer as the runtime would. */
class Person {
  nowMs = 1_000_000;
  presence: Presence = ABSENT;
  /** Other hosts cannot be reached. */
  isCutOff = false;
  /** Of them only these; null: all. */
  away: string[] | null = null;
  readonly heard: { status: PresenceStatus; atMs: number; isRestated: boolean }[] = [];
  #wakeAtMs: number | null = null;

  is(event: PresenceEvent): this {
    const step = stepPresence(
      this.presence,
      event,
      monotonic(this.nowMs),
      GRACE_MS,
      (worker) => this.isCutOff && this.away?.includes(worker) !== false,
    );
    this.presence = step.presence;
    this.#wakeAtMs = step.wakeInMs === null ? null : this.nowMs + step.wakeInMs;
    if (step.notice !== null) {
      this.heard.push({ status: step.notice, atMs: this.nowMs, isRestated: step.isRestated });
    }
    return this;
  }

  opens(session: SessionId, worker = "w1", status: "online" | "away" = "online"): this {
    return this.is({ type: "opened", session, worker, status });
  }

  closes(session: SessionId): this {
    return this.is({ type: "closed", session });
  }

  sets(session: SessionId, status: "online" | "away", worker = "w1"): this {
    return this.is({ type: "set", session, worker, status });
  }

  announcedBy(worker: string, ...sessions: [SessionId, "online" | "away"][]): this {
    const notes = sessions.map(([session, status]) => ({ session, status }));
    return this.is({ type: "announced", worker, sessions: notes });
  }

  waits(ms: number): this {
    const endMs = this.nowMs + ms;
    while (this.#wakeAtMs !== null && this.#wakeAtMs <= endMs) {
      this.nowMs = this.#wakeAtMs;
      this.is({ type: "time_up" });
    }
    this.nowMs = endMs;
    return this;
  }

  get statuses(): PresenceStatus[] {
    return this.heard.map(({ status }) => status);
  }
}

describe("several sessions", () => {
  test("[PRS1] the best of the sessions counts", () => {
    const person = new Person().opens(PHONE, "w1", "away");
    expect(bestStatus(person.presence.sessions)).toBe("away");
    person.opens(LAPTOP, "w2");
    expect(bestStatus(person.presence.sessions)).toBe("online");
    expect(person.statuses).toEqual(["away", "online"]);
  });

  test("[PRS1] one of two sessions that ends changes nothing", () => {
    const person = new Person().opens(PHONE).opens(LAPTOP).closes(PHONE).waits(60_000);
    expect(person.statuses).toEqual(["online"]);
  });

  test("[PRS1] the same session opened twice is one session", () => {
    const person = new Person().opens(PHONE).opens(PHONE).closes(PHONE).waits(GRACE_MS);
    expect(person.statuses).toEqual(["online", "offline"]);
  });
});

describe("grace", () => {
  test("[PRS2] the last session's end shows exactly after the grace period", () => {
    const person = new Person().opens(PHONE);
    const endedAtMs = person.nowMs;
    person.closes(PHONE).waits(GRACE_MS - 1);
    expect(person.statuses).toEqual(["online"]);
    person.waits(1);
    expect(person.heard.at(-1)).toEqual({
      status: "offline",
      atMs: endedAtMs + GRACE_MS,
      isRestated: false,
    });
    expect(person.presence.lastEndedAtMs).toBe(endedAtMs);
  });

  test("[PRS2] a session that is back within the grace period leaves no trace", () => {
    const sessions = Array.from({ length: 100 }, (_, n) => `session ${n}` as SessionId);
    const person = new Person().opens(sessions[0]!);
    for (const [n, next] of sessions.slice(1).entries()) {
      person.closes(sessions[n]!);
      person
        .waits(GRACE_MS - 1)
        .opens(next)
        .waits(10);
    }
    expect(person.statuses).toEqual(["online"]);
    expect(person.presence.lastEndedAtMs).toBeNull();
  });

  test("[PRS2] a second end inside the grace period does not prolong it", () => {
    const person = new Person().opens(PHONE).opens(LAPTOP, "w2", "away").closes(PHONE);
    person.waits(4_000).closes(LAPTOP).waits(1_000);
    expect(person.statuses).toEqual(["online", "offline"]);
  });

  test("[PRS8] news of a session that comes after its end changes nothing", () => {
    const person = new Person().announcedBy("w1", [PHONE, "online"]).closes(PHONE).opens(PHONE);
    person.sets(PHONE, "away").announcedBy("w1", [PHONE, "online"]).waits(60_000);
    expect(person.presence.sessions.size).toBe(0);
    expect(person.presence.published).toBe("offline");
  });

  test("[PRS8] of sessions that ended a few are remembered", () => {
    const person = new Person();
    for (let n = 0; n < 1_000; n++) person.closes(`session ${n}` as SessionId);
    expect(person.presence.ended.size).toBe(ENDED_SESSIONS_KEPT);
    expect(person.presence.ended).toContain("session 999");
  });

  test("[PRS2] the online one of two ends: away after the grace period", () => {
    const person = new Person().opens(PHONE).opens(LAPTOP, "w2", "away").closes(PHONE);
    expect(person.waits(GRACE_MS).statuses).toEqual(["online", "away"]);
  });

  test("[PRS2] coming back away within the grace period shows away at its end", () => {
    const person = new Person().opens(PHONE).closes(PHONE).waits(100).opens(LAPTOP, "w1", "away");
    expect(person.statuses).toEqual(["online"]);
    expect(person.waits(GRACE_MS).statuses).toEqual(["online", "away"]);
  });

  test("[PRS2] an end that nobody knows of is no end", () => {
    expect(new Person().closes(PHONE).waits(GRACE_MS * 2).statuses).toEqual([]);
  });
});

describe("set_status", () => {
  test("[PRS3] what a user sets shows at once, down and up", () => {
    const person = new Person().opens(PHONE).sets(PHONE, "away").sets(PHONE, "online");
    expect(person.statuses).toEqual(["online", "away", "online"]);
  });

  test("[PRS3] setting the same again says nothing", () => {
    expect(new Person().opens(PHONE).sets(PHONE, "online").statuses).toEqual(["online"]);
  });

  test("[PRS3] away on one of two online sessions changes nothing", () => {
    const person = new Person().opens(PHONE).opens(LAPTOP).sets(PHONE, "away").waits(60_000);
    expect(person.statuses).toEqual(["online"]);
  });
});

describe("workers gone", () => {
  test("[PRS2] sessions of a dead worker end, those of others do not", () => {
    const person = new Person().opens(PHONE, "w1").opens(LAPTOP, "w2", "away");
    person.is({ type: "workers_gone", incarnations: new Set(["w1"]) }).waits(GRACE_MS);
    expect(person.statuses).toEqual(["online", "away"]);
    person.is({ type: "workers_gone", incarnations: new Set(["w2"]) }).waits(GRACE_MS);
    expect(person.statuses).toEqual(["online", "away", "offline"]);
  });

  test("[PRS2] a worker without sessions of this user is nothing to it", () => {
    const person = new Person().opens(PHONE, "w1");
    const before = person.presence;
    person.is({ type: "workers_gone", incarnations: new Set(["w9"]) });
    expect(person.presence.sessions).toBe(before.sessions);
  });
});

describe("sessions in doubt", () => {
  const doubted = { type: "workers_doubted", incarnations: new Set(["w1"]) } as const;

  test("[PRS7] announced again at once: nobody hears of it", () => {
    const person = new Person().opens(PHONE);
    const before = person.heard.length;
    person.is(doubted);
    expect(shownStatus(person.presence)).toBe("online");
    person.is({
      type: "announced",
      worker: "w1",
      sessions: [{ session: PHONE, status: "online" }],
    });
    person.waits(PRESENCE_SETTLE_MS + GRACE_MS);
    const changes = person.heard.slice(before).filter(({ isRestated }) => !isRestated);
    expect(changes).toEqual([]);
    expect(shownStatus(person.presence)).toBe("online");
  });

  test("[PRS7] not announced: offline after the grace period", () => {
    const person = new Person().opens(PHONE);
    const sinceMs = person.nowMs;
    person.is(doubted);
    person.waits(GRACE_MS + 1);
    expect(person.heard.at(-1)).toMatchObject({ status: "offline", atMs: sinceMs + GRACE_MS });
  });

  test("[PRS9] not announced because nobody can be heard: it stays until they can", () => {
    const person = new Person().opens(PHONE);
    const before = person.heard.length;
    person.is(doubted);
    person.isCutOff = true;
    person.waits(GRACE_MS * 10);
    expect(person.heard).toHaveLength(before);
    expect(shownStatus(person.presence)).toBe("online");
    person.isCutOff = false;
    person
      .is(doubted)
      .announcedBy("w1", [PHONE, "online"])
      .waits(GRACE_MS * 2);
    const changes = person.heard.slice(before).filter(({ isRestated }) => !isRestated);
    expect(changes).toEqual([]);
    expect(shownStatus(person.presence)).toBe("online");
  });

  test("[PRS9] in doubt during the grace period of another session, likewise", () => {
    const person = new Person().opens(LAPTOP, "w2").opens(PHONE);
    person.closes(LAPTOP).is(doubted);
    const before = person.heard.length;
    person.isCutOff = true;
    person.waits(GRACE_MS * 3);
    expect(person.heard).toHaveLength(before);
  });

  test("[PRS9] who is not back when they can be heard is offline after the grace period", () => {
    const person = new Person().opens(PHONE).is(doubted);
    person.isCutOff = true;
    person.waits(GRACE_MS * 3);
    person.isCutOff = false;
    person.waits(PRESENCE_SETTLE_MS + GRACE_MS);
    expect(person.heard.at(-1)).toMatchObject({ status: "offline" });
  });

  test("[PRS9] who leaves here goes offline, whoever else cannot be heard", () => {
    const person = new Person().opens(PHONE);
    person.isCutOff = true;
    person.closes(PHONE).waits(GRACE_MS + 1);
    expect(person.heard.at(-1)).toMatchObject({ status: "offline" });
  });

  test("[PRS7] sessions elsewhere are not in doubt", () => {
    const person = new Person().opens(PHONE).opens(LAPTOP, "w2");
    const before = person.heard.length;
    person.is(doubted).waits(GRACE_MS * 2);
    expect(person.heard).toHaveLength(before);
  });
});

describe("after a move", () => {
  test("[PRS4] nothing is published until the edges had time to announce", () => {
    const person = new Person().announcedBy("w1", [PHONE, "away"]).waits(PRESENCE_SETTLE_MS - 1);
    expect(person.statuses).toEqual([]);
    person.announcedBy("w2", [LAPTOP, "online"]);
    expect(person.statuses).toEqual([]);
    person.waits(1);
    expect(person.heard).toEqual([{ status: "online", atMs: person.nowMs, isRestated: true }]);
  });

  test("[PRS10] who is back within the grace period after a move is said to be there again", () => {
    const person = new Person().is({ type: "known", status: "online" });
    person.waits(PRESENCE_SETTLE_MS + 1).opens(PHONE);
    expect(person.heard).toEqual([{ status: "online", atMs: person.nowMs, isRestated: true }]);
  });

  test("[PRS4] a status that is still true is only said again", () => {
    const person = new Person().is({ type: "known", status: "online" });
    person.announcedBy("w1", [PHONE, "online"]).waits(60_000);
    expect(person.heard.map(({ isRestated }) => isRestated)).toEqual([true]);
  });

  test("[PRS4] known to be online, and nobody announces: offline after the grace period", () => {
    const person = new Person();
    const movedAtMs = person.nowMs;
    person.is({ type: "known", status: "online" }).waits(60_000);
    expect(person.heard).toEqual([
      { status: "offline", atMs: movedAtMs + GRACE_MS, isRestated: false },
    ]);
  });

  test("[PRS4] known to be online, back away: away after the grace period, never offline", () => {
    const person = new Person().is({ type: "known", status: "online" });
    person.announcedBy("w1", [PHONE, "away"]).waits(60_000);
    expect(person.statuses).toEqual(["away"]);
  });

  test("[PRS4] an announcement is the whole truth about its worker", () => {
    const person = new Person().opens(PHONE, "w1").opens(LAPTOP, "w2");
    person.announcedBy("w1").announcedBy("w2", [LAPTOP, "away"]).waits(GRACE_MS);
    expect([...person.presence.sessions.keys()]).toEqual([LAPTOP]);
    expect(person.statuses).toEqual(["online", "away"]);
  });

  test("[PRS4] settling is not prolonged for ever by announcements", () => {
    const person = new Person();
    for (let i = 0; i < 30; i++) person.announcedBy("w1", [PHONE, "online"]).waits(100);
    expect(person.statuses).toEqual(["online"]);
  });

  test("[PRS5] while it settles, the better of known and announced is shown", () => {
    const person = new Person().announcedBy("w1", [PHONE, "away"]);
    expect(shownStatus(person.presence)).toBe("away");
    person.is({ type: "known", status: "online" });
    expect(shownStatus(person.presence)).toBe("online");
    person.waits(60_000);
    expect(shownStatus(person.presence)).toBe("away");
  });

  test("[PRS6] who was known and does not come back was last there when the actor moved", () => {
    const person = new Person();
    const movedAtMs = person.nowMs;
    person.is({ type: "known", status: "online" }).waits(60_000);
    expect(person.presence.lastEndedAtMs).toBe(movedAtMs);
  });

  test("[PRS4] known to be offline moves nothing", () => {
    const person = new Person().is({ type: "known", status: "offline" }).waits(60_000);
    expect(person.statuses).toEqual([]);
    expect(person.presence.phase.is).toBe("steady");
  });

  test("[PRS9] sessions in doubt on a worker that can be heard do not wait for another one", () => {
    const person = new Person().opens(PHONE);
    person.isCutOff = true;
    person.away = ["w2"];
    person.is({ type: "workers_doubted", incarnations: new Set(["w1"]) }).waits(GRACE_MS + 1);
    expect(person.heard.at(-1)).toMatchObject({ status: "offline" });
  });

  test("[PRS13] moved from a worker that cannot be reached: who was online stays so until it can, or is gone", () => {
    const person = new Person();
    person.isCutOff = true;
    person.away = ["w2"];
    person.is({ type: "known", status: "online", former: "w2" }).waits(GRACE_MS * 10);
    expect(person.heard).toEqual([]);
    expect(shownStatus(person.presence)).toBe("online");
    person.isCutOff = false;
    person.is({ type: "workers_gone", incarnations: new Set(["w2"]) });
    person.waits(PRESENCE_SETTLE_MS + GRACE_MS);
    expect(person.statuses).toEqual(["offline"]);
  });

  test("[PRS13] a session here explains the status: it ends with that session", () => {
    const person = new Person();
    person.isCutOff = true;
    person.is({ type: "known", status: "online", former: "w2" });
    person.announcedBy("w1", [PHONE, "online"]).waits(PRESENCE_SETTLE_MS);
    person.closes(PHONE).waits(GRACE_MS + 1);
    expect(person.heard.at(-1)).toMatchObject({ status: "offline" });
  });

  test("[PRS13] moved from a worker that is dead: offline after the grace period", () => {
    const person = new Person().is({ type: "known", status: "online" });
    person.waits(PRESENCE_SETTLE_MS + GRACE_MS);
    expect(person.statuses).toEqual(["offline"]);
  });
});
