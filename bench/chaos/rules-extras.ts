/**
 * Rules about what contract 1.1 adds: reactions, pins, roles, threads, preferences and unread
 * arithmetic, and about what sessions of version 1 receive of it.
 */
import { factsOf } from "./fault-table.ts";
import type { History, Rec } from "./history.ts";
import { Look, type Rule } from "./rule.ts";

type Tried = Extract<Rec, { kind: "tried" }>;

/** When the answer to each command came, and whether it was granted; by client and number. */
function grantsOf(history: History): Map<string, { ok: boolean; atMs: number }> {
  const grants = new Map<string, { ok: boolean; atMs: number }>();
  for (const rec of history.records) {
    if (rec.kind === "answered") grants.set(`${rec.client} ${rec.op}`, rec);
  }
  return grants;
}

/**
 * [CHR1] Judges the last call for each key of a user on a message. One that had no answer, or that
 * another of the user's clients overlapped, may have come to either end.
 */
const reactionsKept: Rule = {
  id: "CHR1",
  promise: 1,
  title: "reactions end as they were acknowledged, and their counts are those of the rows",
  check({ history, messages }) {
    const look = new Look();
    const grants = grantsOf(history);
    const last = new Map<string, { rec: Tried; isAlone: boolean; answeredMs: number }>();
    for (const rec of history.records) {
      if (rec.kind !== "tried" || rec.name !== "react") continue;
      const { user } = history.clients[rec.client]!;
      const key = `${rec.conversation} ${rec.seq} ${user} ${rec.key}`;
      const answeredMs = grants.get(`${rec.client} ${rec.op}`)?.atMs ?? Number.POSITIVE_INFINITY;
      const isAlone = (last.get(key)?.answeredMs ?? 0) <= rec.atMs;
      last.set(key, { rec, isAlone, answeredMs });
    }
    const rows = new Set<string>();
    for (const { id, reactors, messages: stored } of history.final.conversations) {
      const counts = new Map<string, number>();
      for (const { seq, user, key } of reactors) {
        rows.add(`${id} ${seq} ${user} ${key}`);
        counts.set(`${seq} ${key}`, (counts.get(`${seq} ${key}`) ?? 0) + 1);
      }
      for (const { seq, reactions = "" } of stored) {
        for (const text of reactions === "" ? [] : reactions.split("; ")) {
          const [key, count] = text.split(" ") as [string, string];
          const counted = counts.get(`${seq} ${key}`) ?? 0;
          const what = () =>
            `conversation ${id}, seq ${seq}: ${key} counts ${count}, not ${counted}`;
          look.at(Number(count) === counted, what);
          counts.delete(`${seq} ${key}`);
        }
      }
      for (const [key, count] of counts) {
        look.at(
          false,
          () => `conversation ${id}: ${count} rows of ${key}, and the message has none`,
        );
      }
    }
    for (const [key, { rec, isAlone }] of last) {
      const message = messages.get(rec.conversation)?.get(rec.seq ?? 0);
      const isGranted = grants.get(`${rec.client} ${rec.op}`)?.ok === true;
      if (!isGranted || !isAlone || message === undefined || message.deleted) continue;
      const what = () => `${key} was acknowledged as ${rec.on ? "on" : "off"} and is not so`;
      look.at(rows.has(key) === rec.on, what, rec);
    }
    return look.verdict;
  },
};

/** [CHC1] One owner sets them, one call after another. */
const settingsKept: Rule = {
  id: "CHC1",
  promise: 1,
  title: "roles and pins end as they were acknowledged",
  check({ history, messages }) {
    const look = new Look();
    const last = new Map<string, Extract<Rec, { kind: "set" }>>();
    for (const rec of history.records) {
      if (rec.kind !== "set" || rec.what === "member") continue;
      const key = `${rec.what} ${rec.conversation} ${rec.subject}`;
      // A refused call has changed nothing.
      if (rec.ok !== false) last.set(key, rec);
    }
    const found = new Map(history.final.conversations.map((one) => [one.id, one]));
    for (const rec of last.values()) {
      const conversation = found.get(rec.conversation);
      if (rec.ok !== true || conversation === undefined) continue;
      if (rec.what === "pin" && messages.get(rec.conversation)?.get(Number(rec.subject))?.deleted) {
        continue;
      }
      const value =
        rec.what === "pin"
          ? conversation.pinned.includes(Number(rec.subject))
            ? "on"
            : "off"
          : conversation.members.find(({ user }) => user === rec.subject)?.role;
      const what = () => `${rec.what} of ${rec.subject}: set to ${rec.value}, and is ${value}`;
      look.at(value === rec.value, what, rec);
    }
    return look.verdict;
  },
};

/**
 * [CHD1] A member who is out, from the answer to the removal until somebody asks for their return,
 * receives no message that was sent in that time, neither of the conversation nor of its threads.
 * While Redis is away a host learns late of a removal in a parent whose actor is on another host.
 */
const silentAfterRemoval: Rule = {
  id: "CHD1",
  promise: 6,
  title: "nothing of a conversation or its threads comes after the removal",
  check({ history, sessions, threads }) {
    const look = new Look();
    const outs = new Map<string, { fromMs: number; toMs: number }[]>();
    for (const rec of history.records) {
      if (rec.kind !== "set" || rec.what !== "member") continue;
      const key = `${rec.conversation} ${rec.subject}`;
      const known = outs.get(key) ?? [];
      outs.set(key, known);
      const latest = known.at(-1);
      if (rec.value === "in" && latest !== undefined && latest.toMs > rec.fromMs) {
        latest.toMs = rec.fromMs;
      } else if (rec.value === "out" && rec.ok === true) {
        known.push({ fromMs: rec.atMs, toMs: Number.POSITIVE_INFINITY });
      }
    }
    const begunMs = new Map<string, number>();
    for (const rec of history.records) {
      if (rec.kind !== "tried" || rec.clientId === undefined) continue;
      const key = `${rec.conversation} ${rec.clientId}`;
      if (!begunMs.has(key)) begunMs.set(key, rec.atMs);
    }
    for (const session of sessions) {
      for (const rec of session.records) {
        if (rec.kind !== "change" || rec.via !== "event" || rec.name !== "message") continue;
        if (threads.has(rec.conversation) && isApart(history, rec.atMs)) continue;
        const parent = threads.get(rec.conversation) ?? rec.conversation;
        const out = outs
          .get(`${parent} ${session.user}`)
          ?.find(({ fromMs, toMs }) => rec.atMs >= fromMs && rec.atMs < toMs);
        const sentMs = begunMs.get(`${rec.conversation} ${rec.message!.clientId}`) ?? 0;
        const what = () =>
          `${session.name}, conversation ${rec.conversation}: message ${rec.message!.seq}, ` +
          `sent at ${Math.round(sentMs)} ms, after the removal at ${Math.round(out?.fromMs ?? 0)} ms`;
        look.at(out === undefined || sentMs < out.fromMs, what, rec);
      }
    }
    return look.verdict;
  },
};

/** Hosts do not hear each other, or have yet to catch up with what they missed. */
function isApart({ faults, endedAtMs, slackMs }: History, atMs: number): boolean {
  return faults.some(({ fault, injectedAtMs, healedAtMs }) => {
    const { caughtUpWithinMs } = factsOf(fault);
    if (caughtUpWithinMs === undefined || atMs < injectedAtMs) return false;
    return atMs <= (healedAtMs ?? endedAtMs) + caughtUpWithinMs + slackMs;
  });
}

/**
 * [CHO1] A number that is missing was replaced, before it could be read, by a later change of the
 * same conversation. An answer that changed nothing has a number that the session knows already.
 */
const prefsNumbered: Rule = {
  id: "CHO1",
  promise: 3,
  title: "changes of one's preferences come in rising order, each once, without gaps",
  check({ history, sessions }) {
    const look = new Look();
    const places = new Map<string, string>();
    for (const rec of history.records) {
      if (rec.kind !== "prefs") continue;
      places.set(`${history.clients[rec.client]!.user} ${rec.rev}`, rec.conversation);
    }
    for (const session of sessions) {
      const heard = new Map<number, string>();
      let floor = 0;
      let last = 0;
      for (const rec of session.records) {
        if (rec.kind === "synced") floor = Math.max(floor, rec.prefsRev ?? 0);
        if (rec.kind !== "prefs") continue;
        if (rec.via === "ack" && (heard.has(rec.rev) || rec.rev <= floor)) continue;
        const before = last;
        const what = () => `${session.name}: ${rec.via} of prefs_rev ${rec.rev} after ${before}`;
        look.at(rec.rev > before, what, rec);
        last = Math.max(last, rec.rev);
        heard.set(rec.rev, rec.conversation);
      }
      const first = Math.min(...heard.keys());
      for (let rev = first; rev < last; rev++) {
        const place = places.get(`${session.user} ${rev}`);
        if (heard.has(rev) || place === undefined) continue;
        const isReplaced = [...heard].some(([later, where]) => later > rev && where === place);
        look.at(isReplaced, () => `${session.name}: prefs_rev ${rev} is missing`);
      }
    }
    return look.verdict;
  },
};

/** [CHO2] */
const prefsConverge: Rule = {
  id: "CHO2",
  promise: 3,
  title: "every session ends with the preferences that are stored",
  check({ history }) {
    const look = new Look();
    const stored = new Map(history.final.unread.map(({ user, prefs }) => [user, prefs]));
    for (const { client, prefs } of history.final.replicas) {
      if (prefs === undefined) continue;
      const { name, user } = history.clients[client]!;
      const mine = new Map(prefs.map((one) => [one.conversation, one]));
      for (const one of stored.get(user) ?? []) {
        const shown = mine.get(one.conversation);
        const what = () => `${name}, conversation ${one.conversation}: other preferences`;
        look.at(shown?.text === one.text, what, shown, one);
      }
    }
    return look.verdict;
  },
};

/** [CHU2] */
const unreadCountedAlike: Rule = {
  id: "CHU2",
  promise: 3,
  title: "what each client counts as unread is what the server counts",
  check({ history }) {
    const look = new Look();
    const counted = new Map<string, number>();
    for (const { user, conversations } of history.final.unread) {
      for (const one of conversations) counted.set(`${user} ${one.id}`, one.unreadCount);
    }
    for (const { client, conversations } of history.final.replicas) {
      const { name, user } = history.clients[client]!;
      for (const { id, unread } of conversations) {
        const server = counted.get(`${user} ${id}`);
        if (unread === undefined || server === undefined) continue;
        const what = () => `${name}, conversation ${id}: counts ${unread} unread, not ${server}`;
        look.at(unread === server, what);
      }
    }
    return look.verdict;
  },
};

/**
 * [CHU3] Every message of a run counts, so an answer's `unread_count` and `read_seq` make a `last_seq`:
 * at least what the client knew when it asked, and no more than has ever been there. Not where the
 * user marks the conversation unread.
 */
const unreadInAnswers: Rule = {
  id: "CHU3",
  promise: 3,
  title: "unread in every answer is a recount at some moment of the call",
  check({ history }) {
    const look = new Look();
    const marked = new Set<string>();
    const userOf = (client: number) => history.clients[client]!.user;
    for (const rec of history.records) {
      if (rec.kind !== "tried" || !rec.marksUnread) continue;
      marked.add(`${userOf(rec.client)} ${rec.conversation}`);
    }
    const lastSeqs = new Map(history.final.conversations.map(({ id, lastSeq }) => [id, lastSeq]));
    for (const rec of history.records) {
      if (rec.kind !== "marked" || rec.unreadCount === undefined) continue;
      if (marked.has(`${userOf(rec.client)} ${rec.conversation}`)) continue;
      const lastSeq = rec.readSeq + rec.unreadCount;
      const most = lastSeqs.get(rec.conversation) ?? Number.POSITIVE_INFINITY;
      const { name } = history.clients[rec.client]!;
      const what = () =>
        `${name}, conversation ${rec.conversation}: ${rec.unreadCount} unread after ${rec.readSeq}, ` +
        `with messages up to ${rec.knownSeq} known then and up to ${most} at the end`;
      look.at(lastSeq >= rec.knownSeq && lastSeq <= most, what, rec);
    }
    return look.verdict;
  },
};

/** [CHU4] */
const recountAgrees: Rule = {
  id: "CHU4",
  promise: 3,
  title: "troupe recount finds no difference",
  check({ history }) {
    const look = new Look();
    const { recount } = history.final;
    if (recount === null) return look.verdict;
    look.at(recount.length === 0, () => recount.join("\n"), recount);
    return look.verdict;
  },
};

/** [CHV1] */
const versionOneSpared: Rule = {
  id: "CHV1",
  promise: 6,
  title: "sessions of version 1 receive nothing that it does not have",
  check({ history, sessions, threads }) {
    const look = new Look();
    for (const session of sessions) {
      const isFormer = history.clients[session.client]!.contract === "1";
      for (const rec of session.records) {
        if (rec.kind !== "newer" && rec.kind !== "change") continue;
        const isNewer = rec.kind === "newer" || threads.has(rec.conversation);
        const what = () => `${session.name}, conversation ${rec.conversation}: ${rec.name}`;
        if (isFormer || isNewer) look.at(!(isFormer && isNewer), what, rec);
      }
    }
    return look.verdict;
  },
};

export const EXTRA_RULES: readonly Rule[] = [
  reactionsKept,
  settingsKept,
  silentAfterRemoval,
  prefsNumbered,
  prefsConverge,
  unreadCountedAlike,
  unreadInAnswers,
  recountAgrees,
  versionOneSpared,
];
