/**
 * Presence of one user, as a pure rule: sessions in, published status out.
 *
 * [PRS1] The published status is the best among the user's sessions: online, then away, then offline.
 * [PRS2] A worse status after the end of a session is published only after the grace period, and not
 *        at all when another session has opened by then, so that the status does not flap.
 * [PRS3] A status that users set themselves is published at once.
 * [PRS4] An actor that has just moved publishes nothing until the edges had time to announce
 *        their sessions. It starts from the status that the edges last received.
 * [PRS5] Meanwhile it answers questions with the better of that status and the announced one, so
 *        a user with a living session is never shown as offline.
 * [PRS6] A user whose sessions died with the actor was last seen when the actor moved.
 * [PRS7] Sessions in doubt are settled in the same way: the living ones are announced again.
 * [PRS8] A session that has ended stays ended, even if a late letter still reports its status.
 * [PRS9] While the worker of a session in doubt cannot be reached, the session keeps its status.
 * [PRS13] So does a status that no announced session explains, while the worker that the actor moved
 *        from cannot be reached: sessions of the user may live there, or be known to it alone.
 * [PRS11] An invisible session does not count: its user was last seen when the last visible
 *        session ended or became invisible.
 * [PRS12] A push waits while a session is online, or while the grace period after the last one goes
 *        on.
 * [PRS10] When a user comes back within the grace period that followed a move, the status is
 *        published again, because an edge may have asked in between and found nobody.
 */
import type { PushReach, SessionNote, SessionStatus } from "../src/protocol/actor-ops.ts";
import type { SessionId } from "../src/protocol/ids.ts";
import type { PresenceStatus } from "../src/protocol/schemas.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import { ENDED_SESSIONS_KEPT, PRESENCE_SETTLE_MS } from "./limits.ts";

export interface PresenceSession {
  worker: string;
  status: SessionStatus;
  openedAtMs: Monotonic;
}

type Phase =
  /** The published status is the present one. */
  | { is: "steady" }
  /**
   * A session ended; a worse status waits for `untilMs`. With `wasSettling` the actor had just moved,
   * and an edge may have read the user as offline before.
   */
  | { is: "grace"; untilMs: Monotonic; doubted: Doubted; wasSettling: boolean }
  /** Moved here; sessions are still being announced. */
  | { is: "settling"; sinceMs: Monotonic; untilMs: Monotonic; doubted: Doubted };

/** Workers whose sessions are in doubt, and may be unreachable. */
type Doubted = ReadonlySet<string>;
const NONE: Doubted = new Set();

export interface Presence {
  sessions: ReadonlyMap<SessionId, PresenceSession>;
  /** [PRS8] The sessions that ended last; late letters about them may still arrive. */
  ended: ReadonlySet<SessionId>;
  published: PresenceStatus;
  /** When the last session ended, or null if one lives or none was seen. */
  lastEndedAtMs: Monotonic | null;
  phase: Phase;
}

export type PresenceEvent =
  | {
      type: "opened";
      session: SessionId;
      worker: string;
      status: SessionStatus;
      age_ms?: number;
    }
  | { type: "announced"; worker: string; sessions: readonly SessionNote[] }
  | { type: "closed"; session: SessionId }
  /** Ordered to end, as there are too many. One counts again if an edge announces it once more. */
  | { type: "surplus"; sessions: readonly SessionId[] }
  | { type: "set"; session: SessionId; worker: string; status: SessionStatus }
  | { type: "workers_gone"; incarnations: ReadonlySet<string> }
  /** Their sessions count again once they are announced. */
  | { type: "workers_doubted"; incarnations: ReadonlySet<string> }
  /** `former`: the worker that the actor moved from, where that is unreachable. */
  | { type: "known"; status: PresenceStatus; former?: string }
  | { type: "time_up" };

type IsAway = (worker: string) => boolean;

export interface PresenceStep {
  presence: Presence;
  /** Publish this status; null: publish nothing. */
  notice: PresenceStatus | null;
  /**
   * The actor moved, and watchers may have this status already: those who have no status yet take it
   * as their first one, not as a change.
   */
  isRestated: boolean;
  /** Call again with `time_up` after this; null: no timer wanted. */
  wakeInMs: number | null;
}

export const ABSENT: Presence = {
  sessions: new Map(),
  ended: new Set(),
  published: "offline",
  lastEndedAtMs: null,
  phase: { is: "steady" },
};

const RANK: Record<PresenceStatus, number> = { offline: 0, away: 1, online: 2 };

/** [PRS1] [PRS11] */
export function bestStatus(sessions: ReadonlyMap<SessionId, PresenceSession>): PresenceStatus {
  let best: PresenceStatus = "offline";
  for (const { status } of sessions.values()) {
    if (status !== "invisible" && RANK[status] > RANK[best]) best = status;
  }
  return best;
}

const hasVisible = (sessions: ReadonlyMap<SessionId, PresenceSession>): boolean =>
  bestStatus(sessions) !== "offline";

/** Of more sessions than `max`, the oldest, as many as there are too many. */
export function surplusSessions({ sessions }: Presence, max: number): SessionId[] {
  if (sessions.size <= max) return [];
  return [...sessions]
    .sort(([, one], [, other]) => msBetween(other.openedAtMs, one.openedAtMs))
    .slice(0, sessions.size - max)
    .map(([session]) => session);
}

/** [PRS5] The status with which the actor answers a question. */
export function shownStatus({ phase, published, sessions }: Presence): PresenceStatus {
  if (phase.is !== "settling") return published;
  const announced = bestStatus(sessions);
  return RANK[announced] > RANK[published] ? announced : published;
}

/** [PRS12] */
export function pushReach({ sessions, phase }: Presence): PushReach {
  const isOnline = [...sessions.values()].some(({ status }) => status === "online");
  if (isOnline) return "wait";
  if (phase.is === "settling") return "unsure";
  return phase.is === "grace" && sessions.size === 0 ? "wait" : "now";
}

/** `isAway`: whether a worker cannot be reached now. */
export function stepPresence(
  before: Presence,
  event: PresenceEvent,
  nowMs: Monotonic,
  graceMs: number,
  isAway: IsAway = () => false,
): PresenceStep {
  const over = event.type === "closed" ? endedWith(before.ended, event.session) : before.ended;
  const sessions = sessionsAfter(before.sessions, event, over, nowMs);
  // [PRS6]
  const wasHere = event.type === "known" && RANK[event.status] > 0 && before.lastEndedAtMs === null;
  const isHere = hasVisible(sessions);
  const ended = (hasVisible(before.sessions) || wasHere) && !isHere;
  const presence: Presence = {
    ...before,
    sessions,
    ended: over,
    lastEndedAtMs: isHere ? null : ended ? nowMs : before.lastEndedAtMs,
  };
  return settle(presence, event, nowMs, graceMs, isAway, doubtedBy(event, before));
}

function settle(
  presence: Presence,
  event: PresenceEvent,
  nowMs: Monotonic,
  graceMs: number,
  isAway: IsAway,
  doubted: Doubted,
): PresenceStep {
  const { phase, published } = presence;
  const actual = bestStatus(presence.sessions);
  const isAnyAway = (workers: Doubted) => [...workers].some(isAway);
  switch (phase.is) {
    case "steady": {
      const isMoved =
        event.type === "announced" || (event.type === "known" && RANK[event.status] > 0);
      if (isMoved && published === "offline") {
        const known = event.type === "known" ? event.status : "offline";
        return settling({ ...presence, published: known }, nowMs, nowMs, doubted);
      }
      if (RANK[actual] < RANK[published] && event.type === "workers_doubted") {
        return settling(presence, nowMs, nowMs, doubted);
      }
      if (RANK[actual] < RANK[published] && event.type !== "set") {
        return grace(presence, later(nowMs, graceMs), nowMs, {
          doubted: NONE,
          wasSettling: false,
        });
      }
      return steady(presence, actual, false);
    }
    case "grace": {
      const { wasSettling } = phase;
      const inDoubt = both(phase.doubted, doubted);
      // [PRS10]
      if (RANK[actual] >= RANK[published]) return steady(presence, actual, wasSettling);
      if (nowMs < phase.untilMs) {
        return grace(presence, phase.untilMs, nowMs, { doubted: inDoubt, wasSettling });
      }
      // [PRS9]
      if (isAnyAway(inDoubt)) {
        return grace(presence, later(nowMs, graceMs), nowMs, { doubted: inDoubt, wasSettling });
      }
      return steady(presence, actual, false);
    }
    case "settling": {
      const inDoubt = both(phase.doubted, doubted);
      const known = event.type === "known" && RANK[event.status] > RANK[published];
      const told = known ? { ...presence, published: event.status } : presence;
      if (nowMs < phase.untilMs) return settling(told, phase.sinceMs, nowMs, inDoubt);
      if (RANK[actual] >= RANK[told.published]) return steady(told, actual, true);
      // [PRS9] [PRS13]
      if (isAnyAway(inDoubt)) return settling(told, nowMs, nowMs, inDoubt);
      const graceEndsAtMs = later(phase.sinceMs, graceMs);
      if (nowMs >= graceEndsAtMs) return steady(told, actual, false);
      return grace(told, graceEndsAtMs, nowMs, { doubted: inDoubt, wasSettling: true });
    }
  }
}

/** [PRS7] [PRS13] The doubted workers that had sessions of the user, or may have some. */
function doubtedBy(event: PresenceEvent, { sessions, phase }: Presence): Doubted {
  if (event.type === "workers_doubted") {
    // While sessions are still being announced, any of them may have one.
    if (phase.is === "settling") return event.incarnations;
    const workers = [...sessions.values()].map(({ worker }) => worker);
    return new Set(workers.filter((worker) => event.incarnations.has(worker)));
  }
  return event.type === "known" && event.former !== undefined ? new Set([event.former]) : NONE;
}

function both(one: Doubted, other: Doubted): Doubted {
  if (other.size === 0) return one;
  return one.size === 0 ? other : new Set([...one, ...other]);
}

function steady(presence: Presence, actual: PresenceStatus, isRestated: boolean): PresenceStep {
  const notice = actual === presence.published && !isRestated ? null : actual;
  return {
    presence: { ...presence, published: actual, phase: { is: "steady" } },
    notice,
    isRestated,
    wakeInMs: null,
  };
}

function grace(
  presence: Presence,
  untilMs: Monotonic,
  nowMs: Monotonic,
  marks: { doubted: Doubted; wasSettling: boolean },
): PresenceStep {
  return {
    presence: { ...presence, phase: { is: "grace", untilMs, ...marks } },
    notice: null,
    isRestated: false,
    wakeInMs: Math.max(0, msBetween(nowMs, untilMs)),
  };
}

function settling(
  presence: Presence,
  sinceMs: Monotonic,
  nowMs: Monotonic,
  doubted: Doubted,
): PresenceStep {
  const untilMs = later(sinceMs, PRESENCE_SETTLE_MS);
  return {
    presence: { ...presence, phase: { is: "settling", sinceMs, untilMs, doubted } },
    notice: null,
    isRestated: false,
    wakeInMs: Math.max(0, msBetween(nowMs, untilMs)),
  };
}

function endedWith(before: Presence["ended"], session: SessionId): Presence["ended"] {
  const after = new Set(before).add(session);
  const [oldest] = after;
  if (after.size > ENDED_SESSIONS_KEPT && oldest !== undefined) after.delete(oldest);
  return after;
}

function sessionsAfter(
  before: Presence["sessions"],
  event: PresenceEvent,
  ended: Presence["ended"],
  nowMs: Monotonic,
): Presence["sessions"] {
  switch (event.type) {
    case "opened":
    case "set": {
      const { session, worker, status } = event;
      if (ended.has(session)) return before;
      const ageMs = event.type === "opened" ? (event.age_ms ?? 0) : 0;
      const openedAtMs = before.get(session)?.openedAtMs ?? later(nowMs, -ageMs);
      return new Map(before).set(session, { worker, status, openedAtMs });
    }
    case "announced": {
      // The whole truth about that worker: what it does not name is gone from it.
      const after = new Map([...before].filter(([, { worker }]) => worker !== event.worker));
      for (const { session, status, age_ms } of event.sessions) {
        if (ended.has(session)) continue;
        const openedAtMs = later(nowMs, -(age_ms ?? 0));
        after.set(session, { worker: event.worker, status, openedAtMs });
      }
      return after;
    }
    case "closed": {
      if (!before.has(event.session)) return before;
      const after = new Map(before);
      after.delete(event.session);
      return after;
    }
    case "surplus": {
      const after = new Map(before);
      for (const session of event.sessions) after.delete(session);
      return after;
    }
    case "workers_gone":
    case "workers_doubted": {
      const after = new Map(
        [...before].filter(([, { worker }]) => !event.incarnations.has(worker)),
      );
      return after.size === before.size ? before : after;
    }
    case "known":
    case "time_up":
      return before;
  }
}
