/** Rules on live state: presence, typing, unread counts. */
import { factsOf } from "./fault-table.ts";
import type { History, Rec } from "./history.ts";
import { Look, type Rule } from "./rule.ts";
import {
  hearsUntilMs,
  isLiveFrom,
  isRemovalOf,
  type SessionTrail,
  shownTyping,
} from "./sessions.ts";

/** A session counts as living through a moment when it lived this long before and after. */
const BEFORE_MS = 3000;
const AFTER_MS = 1000;
/** After a fault that separates hosts: the time until presence is right again. */
const PRESENCE_LAG_MS = 10_000;
/** Promise 4 allows 10 s; a busy machine gets a little more. */
const SHOWN_AFTER_MS = 11_000;
/** Typing ends after this silence; a crash or a busy machine may add to it. */
const TYPING_EXPIRES_MS = 5000;
const TYPING_SLACK_MS = 4000;

/** [CHP1] */
const presenceTrue: Rule = {
  id: "CHP1",
  promise: 4,
  title: "presence is true within 10 s",
  check({ history }) {
    const look = new Look();
    for (const rec of history.records) {
      if (rec.kind !== "presence_probe") continue;
      const what = () => `${rec.why}: ${rec.wrong.slice(0, 3).join("; ")}`;
      look.at(rec.trueAfterMs !== null, what, rec);
    }
    return look.verdict;
  },
};

/** [CHP2] */
const neverOfflineWhileThere: Rule = {
  id: "CHP2",
  promise: 4,
  title: "nobody is told offline while a session of theirs lives",
  check({ history, sessions }) {
    const look = new Look();
    const heard = sessions.flatMap((session) => {
      const untilMs = hearsUntilMs(session) ?? history.endedAtMs;
      return session.records.filter((rec) => rec.atMs <= untilMs);
    });
    for (const rec of heard) {
      if (rec.kind !== "status" || rec.status !== "offline" || rec.via !== "event") continue;
      if (mayLag(history, rec.atMs)) continue;
      const there = sessions.find(
        (session) =>
          session.user === rec.user &&
          isLiveFrom(session, rec.atMs - BEFORE_MS, rec.atMs + AFTER_MS) &&
          rec.atMs + AFTER_MS <= history.endedAtMs,
      );
      const watcher = history.clients[rec.client]!.name;
      const what = () =>
        `${watcher} was told at ${Math.round(rec.atMs)} ms that user ${rec.user} is offline, while ${there?.name} lived`;
      look.at(there === undefined, what, rec);
    }
    return look.verdict;
  },
};

/**
 * [CHP5] The host that is cut off signs in PostgreSQL, so the others keep its users as they were.
 * Users of whom a session ends meanwhile are left out: the actor that knows of their other sessions
 * may be on the far side.
 */
const noFalseOffline: Rule = {
  id: "CHP5",
  promise: 9,
  title: "while one host is cut off from Redis nobody who is there is told offline (false_offline)",
  check({ history, sessions }) {
    const look = new Look();
    for (const fault of history.faults) {
      look.looked++;
      if (fault.fault !== "redis-cut") continue;
      const fromMs = fault.injectedAtMs - SHOWN_AFTER_MS;
      const untilMs = fault.healedAtMs ?? history.endedAtMs;
      const staying = (user: string, atMs: number) => {
        const theirs = sessions.filter((session) => {
          return session.user === user && (session.toMs ?? atMs) >= fromMs;
        });
        const isLeft = theirs.some(({ toMs }) => toMs !== null && toMs <= atMs + AFTER_MS);
        if (isLeft) return undefined;
        return theirs.find((session) => isLiveFrom(session, atMs - BEFORE_MS, atMs + AFTER_MS));
      };
      for (const session of sessions) {
        for (const rec of session.records) {
          if (rec.kind !== "status" || rec.atMs < fault.injectedAtMs || rec.atMs > untilMs)
            continue;
          const there = rec.status === "offline" ? staying(rec.user, rec.atMs) : undefined;
          const what = () =>
            `${session.name} was told at ${Math.round(rec.atMs)} ms that user ${rec.user} is offline, while ${there?.name} lived`;
          look.at(there === undefined, what, rec);
        }
      }
    }
    return look.verdict;
  },
};

function mayLag(history: History, atMs: number): boolean {
  return history.faults.some(
    ({ fault, injectedAtMs, healedAtMs }) =>
      factsOf(fault).presenceMayLag === true &&
      atMs >= injectedAtMs &&
      atMs <= (healedAtMs ?? history.endedAtMs) + PRESENCE_LAG_MS,
  );
}

/** [CHP3] */
const toldOnce: Rule = {
  id: "CHP3",
  promise: 4,
  title: "a change of presence is told once",
  check({ sessions }) {
    const look = new Look();
    for (const session of sessions) {
      const last = new Map<string, string>();
      for (const rec of session.records) {
        if (rec.kind !== "status") continue;
        const isNew = rec.via === "ack" || last.get(rec.user) !== rec.status;
        const what = () => `${session.name}: told twice that user ${rec.user} is ${rec.status}`;
        look.at(isNew, what, rec);
        last.set(rec.user, rec.status);
      }
    }
    return look.verdict;
  },
};

type StatusRecord = Extract<Rec, { kind: "status" }>;

/** [CHP4] Compares the status a client last received, at each probe and when its session ends. */
const watchersShowTruth: Rule = {
  id: "CHP4",
  promise: 4,
  title: "who watches shows, 10 s later at most, who is there",
  check({ history, sessions }) {
    const look = new Look();
    const probesMs = history.records
      .filter((rec) => rec.kind === "presence_probe")
      .map((rec) => rec.atMs);
    const users = new Map<string, SessionTrail[]>();
    for (const session of sessions) {
      users.set(session.user, [...(users.get(session.user) ?? []), session]);
    }
    for (const watcher of sessions) {
      const endMs = hearsUntilMs(watcher) ?? history.endedAtMs;
      const momentsMs = [...probesMs, endMs].filter(
        (atMs) =>
          atMs <= endMs && atMs >= watcher.fromMs + SHOWN_AFTER_MS && !mayLag(history, atMs),
      );
      for (const atMs of momentsMs) {
        const shown = new Map<string, StatusRecord>();
        for (const rec of watcher.records) {
          if (rec.atMs > atMs) break;
          if (rec.kind === "status") shown.set(rec.user, rec);
        }
        for (const [user, heard] of shown) {
          const { status } = heard;
          const truth = truthOf(users.get(user) ?? [], atMs);
          const isTrue = truth === null || (truth === "online") === (status !== "offline");
          const what = () =>
            `${watcher.name} shows at ${Math.round(atMs)} ms that user ${user} is ${status}, who was ${truth}`;
          look.at(isTrue, what, heard);
        }
      }
    }
    return look.verdict;
  },
};

/** Null where the status changed so recently that its event may still be on its way. */
function truthOf(sessions: SessionTrail[], atMs: number): "online" | "offline" | null {
  const fromMs = atMs - SHOWN_AFTER_MS;
  if (sessions.some((session) => isLiveFrom(session, fromMs, atMs))) return "online";
  const isTouched = sessions.some(
    ({ fromMs: beganMs, toMs }) => beganMs <= atMs && (toMs === null || toMs >= fromMs),
  );
  return isTouched ? null : "offline";
}

/** [CHT1] */
const noTypingLeft: Rule = {
  id: "CHT1",
  promise: 5,
  title: "no typing is left over",
  check({ history, threads }) {
    const look = new Look();
    for (const { conversation, users } of history.final.typing) {
      const what = () => `conversation ${conversation}: ${users.length} still type at the end`;
      look.at(users.length === 0, what, users);
    }
    const shown = shownTyping(history, history.endedAtMs, threads);
    const looked = history.records.filter((rec) => rec.kind === "typing").length;
    look.looked += looked;
    for (const one of shown) {
      const { name } = history.clients[one.client]!;
      look.at(false, () => `${name} shows user ${one.user} typing at the end`, one);
    }
    return look.verdict;
  },
};

/** [CHT2] */
const typingEnds: Rule = {
  id: "CHT2",
  promise: 5,
  title: "typing ends 5 s after the last keystroke",
  check({ history, sessions, threads }) {
    const look = new Look();
    const tries = new Map<string, number[]>();
    for (const rec of history.records) {
      if (rec.kind !== "tried" || rec.name !== "typing") continue;
      const key = `${rec.conversation} ${history.clients[rec.client]!.user}`;
      tries.set(key, [...(tries.get(key) ?? []), rec.atMs]);
    }
    for (const session of sessions) {
      const endMs = hearsUntilMs(session) ?? history.endedAtMs;
      const typing = session.records.filter((rec) => rec.kind === "typing");
      typing.forEach((rec, i) => {
        if (!rec.isTyping || rec.atMs > endMs) return;
        const next = typing
          .slice(i + 1)
          .find((one) => one.conversation === rec.conversation && one.user === rec.user);
        const removal = session.records.find(
          (one) =>
            one.atMs >= rec.atMs &&
            isRemovalOf(session.user, one) &&
            one.conversation === (threads.get(rec.conversation) ?? rec.conversation),
        );
        const untilMs = Math.min(next?.atMs ?? endMs, removal?.atMs ?? endMs, endMs);
        const keystrokes = tries.get(`${rec.conversation} ${rec.user}`) ?? [];
        const lastMs = keystrokes.reduce((a, b) => (b <= untilMs && b > a ? b : a), rec.atMs);
        const ms = Math.round(untilMs - lastMs);
        const what = () =>
          `${session.name}: user ${rec.user} shown typing ${ms} ms after the last keystroke`;
        look.at(ms <= TYPING_EXPIRES_MS + TYPING_SLACK_MS, what, rec, next);
      });
    }
    return look.verdict;
  },
};

/** [CHU1] */
const unreadRecounted: Rule = {
  id: "CHU1",
  promise: 3,
  title: "unread equals a recount",
  check({ history, messages, membership, threads }) {
    const look = new Look();
    const marks = marksOf(history);
    for (const { user, conversations } of history.final.unread) {
      for (const one of conversations) {
        const stored = [...(messages.get(one.id)?.values() ?? [])];
        const where = `user ${user}, conversation ${one.id}`;
        const from = Math.min(one.readSeq, (one.unreadFrom ?? Number.POSITIVE_INFINITY) - 1);
        const counted = stored.filter(({ seq }) => seq > from).length;
        const what = () => `${where}: unread_count ${one.unreadCount}, counted ${counted}`;
        look.at(one.unreadCount === counted, what, one);
        // A member who leaves loses their cursors, so marks made before that prove nothing.
        // A new follower of a thread has read everything before.
        if (membership.hasLeft(one.id, user) || threads.has(one.id)) continue;
        const mark = marks.get(`${one.id} ${user}`) ?? { acked: 0, tried: 0 };
        const own = stored.filter(({ sender }) => sender === user).map(({ seq }) => seq);
        const lastOwn = own.reduce((a, b) => Math.max(a, b), 0);
        // A mark without an answer may or may not have been applied.
        const least = Math.max(mark.acked, lastOwn);
        const most = Math.max(mark.tried, least);
        const isRight = one.readSeq >= least && one.readSeq <= most;
        look.at(isRight, () => `${where}: read_seq ${one.readSeq}, not in ${least}–${most}`, one);
      }
    }
    return look.verdict;
  },
};

function marksOf(history: History): Map<string, { acked: number; tried: number }> {
  const marks = new Map<string, { acked: number; tried: number }>();
  const of = (client: number, conversation: string) => {
    const key = `${conversation} ${history.clients[client]!.user}`;
    const mark = marks.get(key) ?? { acked: 0, tried: 0 };
    marks.set(key, mark);
    return mark;
  };
  for (const rec of history.records) {
    if (rec.kind === "tried" && rec.name === "mark_read") {
      const mark = of(rec.client, rec.conversation);
      mark.tried = Math.max(mark.tried, rec.seq ?? 0);
    } else if (rec.kind === "marked") {
      const mark = of(rec.client, rec.conversation);
      mark.acked = Math.max(mark.acked, rec.readSeq);
    }
  }
  return marks;
}

export const LIVE_RULES: readonly Rule[] = [
  presenceTrue,
  neverOfflineWhileThere,
  noFalseOffline,
  toldOnce,
  watchersShowTruth,
  noTypingLeft,
  typingEnds,
  unreadRecounted,
];
