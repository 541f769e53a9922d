/** Rules about what each session received: rising order, no gaps, and nothing it must not see. */
import type { ChangeRecord } from "./history.ts";
import { type HistoryView, Look, type Rule } from "./rule.ts";
import type { SessionTrail } from "./sessions.ts";

/** The changes of each conversation in one session, in the order of the wire. */
function changesByConversation(session: SessionTrail): Map<string, ChangeRecord[]> {
  const found = new Map<string, ChangeRecord[]>();
  for (const rec of session.records) {
    if (rec.kind !== "change") continue;
    const changes = found.get(rec.conversation) ?? [];
    changes.push(rec);
    found.set(rec.conversation, changes);
  }
  return found;
}

/**
 * Revs above `from` and below `to` that nothing in `known` covers, not even by a later change of
 * the same thing, while the user was in it.
 */
function missing(
  { membership, lineage, messages }: HistoryView,
  session: SessionTrail,
  conversation: string,
  from: number,
  to: number,
  known: ReadonlySet<number>,
): number[] {
  const revs: number[] = [];
  const standing = new Set([...(messages.get(conversation)?.values() ?? [])].map(({ rev }) => rev));
  for (let rev = from + 1; rev < to; rev++) {
    // No client received it and no message has this rev: it was replaced before anybody read it.
    if (!lineage.wasReceived(conversation, rev) && !standing.has(rev)) continue;
    if (known.has(rev) || !membership.has(conversation, session.user, rev)) continue;
    if (!lineage.isSuperseded(conversation, rev, known)) revs.push(rev);
  }
  return revs;
}

/**
 * [CHS1] An answer to a repeated `client_id` may come at any time and shows the message as it
 * is. So may the ack of a change that was received as an event: after a crash a change is read
 * from storage, where it is not known whose request it answers.
 */
const risingOrder: Rule = {
  id: "CHS1",
  promise: 3,
  title: "every session hears changes in rising order",
  check({ sessions }) {
    const look = new Look();
    for (const session of sessions) {
      for (const [conversation, changes] of changesByConversation(session)) {
        let last: ChangeRecord | undefined;
        const heard = new Set<number>();
        for (const change of changes) {
          if (change.via === "duplicate") continue;
          if (change.via === "ack" && heard.has(change.rev)) continue;
          if (change.via === "event") heard.add(change.rev);
          const before = last;
          const what = () =>
            `${session.name}, conversation ${conversation}: ` +
            `${change.via} of rev ${change.rev} after ${before?.rev}`;
          look.at(before === undefined || change.rev > before.rev, what, before, change);
          if (before === undefined || change.rev > before.rev) last = change;
        }
      }
    }
    return look.verdict;
  },
};

/**
 * [CHS2] The first change of a session is one made during the session. (Deleting again what was
 * deleted before the session began answers that old change, whatever the session knows.)
 */
const noHoles: Rule = {
  id: "CHS2",
  promise: 3,
  title: "no session misses a change between its first and its end",
  check(view) {
    const look = new Look();
    for (const session of view.sessions) {
      for (const [conversation, changes] of changesByConversation(session)) {
        const known = new Set(changes.map((change) => change.rev));
        const isOwn = ({ via, rev }: ChangeRecord) =>
          via === "event" ||
          (via === "ack" && !view.lineage.isHeardBefore(conversation, rev, session.fromMs));
        const heard = changes.filter(isOwn).map(({ rev }) => rev);
        if (heard.length === 0) continue;
        const first = heard.reduce((a, b) => Math.min(a, b));
        const last = heard.reduce((a, b) => Math.max(a, b));
        const holes = missing(view, session, conversation, first, last, known);
        const what = () =>
          `${session.name}, conversation ${conversation}: rev ${holes.slice(0, 5).join(", ")} skipped`;
        look.at(holes.length === 0, what, { holes: holes.slice(0, 20), first, last });
      }
    }
    return look.verdict;
  },
};

/** [CHS3] */
const syncFills: Rule = {
  id: "CHS3",
  promise: 3,
  title: "sync fills what came while a client was away",
  check(view) {
    const look = new Look();
    for (const session of view.sessions) {
      const changes = changesByConversation(session);
      const standing = new Map<string, number>();
      let isWhole = false;
      for (const rec of session.records) {
        if (rec.kind !== "synced") continue;
        isWhole = !rec.hasMore && !rec.conversations.some((one) => one.hasMore);
        for (const [conversation, afterRev] of rec.unchanged) {
          if (!rec.hasMore) standing.set(conversation, afterRev);
        }
        for (const one of rec.conversations) {
          standing.set(one.conversation, one.rev);
          if (one.afterRev === null || one.reset) continue;
          // The message has not changed since, so it had this rev then and belonged in the answer.
          const answered = new Set(one.messages.map(([seq]) => seq));
          const left = [...(view.messages.get(one.conversation)?.values() ?? [])].filter(
            ({ seq, rev }) => rev > one.afterRev! && rev <= one.rev && !answered.has(seq),
          );
          const what = () =>
            `${session.name}, conversation ${one.conversation}: sync after ${one.afterRev} to ` +
            `${one.rev} leaves out seq ${left
              .slice(0, 5)
              .map(({ seq }) => seq)
              .join(", ")}`;
          look.at(left.length === 0, what, left.slice(0, 20), rec);
        }
      }
      // A session that ended before its sync was complete is owed nothing.
      if (!isWhole) continue;
      for (const [conversation, rev] of standing) {
        const heard = changes.get(conversation) ?? [];
        if (heard.length === 0) continue;
        const known = new Set(heard.map((change) => change.rev));
        const next = heard.reduce((a, b) => (b.rev > rev && b.rev < a ? b.rev : a), Infinity);
        if (next === Infinity) continue;
        const holes = missing(view, session, conversation, rev, next, known);
        const what = () =>
          `${session.name}, conversation ${conversation}: synced to ${rev}, then heard ${next}`;
        look.at(holes.length === 0, what, holes.slice(0, 20));
      }
    }
    return look.verdict;
  },
};

/** [CHS4] */
const isolation: Rule = {
  id: "CHS4",
  promise: 6,
  title: "nothing of a conversation reaches who is not in it",
  check({ sessions, membership, threads }) {
    const look = new Look();
    for (const session of sessions) {
      /** Conversations that the client was removed from and has not rejoined. */
      const out = new Set<string>();
      for (const rec of session.records) {
        if (rec.kind === "synced")
          for (const one of rec.conversations) out.delete(one.conversation);
        if (rec.kind === "change" && rec.via === "event") {
          const where = `${session.name}, conversation ${rec.conversation}, rev ${rec.rev}`;
          // No rev tells since when a user follows a thread. CHD1 judges threads.
          const may =
            threads.has(rec.conversation) ||
            membership.concerns(rec.conversation, session.user, rec.rev);
          look.at(may, () => `${where}: heard by no member`, rec);
          if (rec.members?.includes(session.user)) out.delete(rec.conversation);
          const isAfter = out.has(rec.conversation);
          look.at(!isAfter, () => `${where}: heard after the removal`, rec);
          if (rec.members !== undefined && !rec.members.includes(session.user)) {
            out.add(rec.conversation);
          }
        } else if (rec.kind === "typing" || rec.kind === "receipt") {
          const what = () =>
            `${session.name}, conversation ${rec.conversation}: ${rec.kind} after the removal`;
          look.at(!out.has(rec.conversation), what, rec);
        }
      }
    }
    return look.verdict;
  },
};

/** [CHS5] */
const everythingAnswered: Rule = {
  id: "CHS5",
  promise: 7,
  title: "every command gets its answer, and none is `internal`",
  check({ sessions }) {
    const look = new Look();
    for (const session of sessions) {
      for (const rec of session.records) {
        if (rec.kind === "answered") {
          const what = () => `${session.name}: ${rec.name} was answered "internal"`;
          look.at(rec.code !== "internal", what, rec);
        } else if (rec.kind === "unanswered") {
          look.at(false, () => `${session.name}: ${rec.name} had no answer in ${rec.ms} ms`, rec);
        }
      }
    }
    return look.verdict;
  },
};

/**
 * [CHS6] Receipts of one session rise; after leaving and rejoining a conversation they start over.
 */
const cursorsRise: Rule = {
  id: "CHS6",
  promise: 3,
  title: "read and delivered cursors never move back",
  check({ sessions }) {
    const look = new Look();
    for (const session of sessions) {
      const last = new Map<string, { deliveredSeq: number; readSeq: number }>();
      for (const rec of session.records) {
        if (rec.kind === "change" && rec.members !== undefined) {
          for (const key of last.keys()) {
            const [conversation, user] = key.split(" ") as [string, string];
            if (conversation === rec.conversation && !rec.members.includes(user)) last.delete(key);
          }
        }
        if (rec.kind !== "receipt") continue;
        const key = `${rec.conversation} ${rec.user}`;
        const before = last.get(key);
        const isRising =
          before === undefined ||
          (rec.deliveredSeq >= before.deliveredSeq && rec.readSeq >= before.readSeq);
        const what = () =>
          `${session.name}, conversation ${rec.conversation}: a receipt moves back`;
        look.at(isRising, what, before, rec);
        last.set(key, rec);
      }
    }
    return look.verdict;
  },
};

export const SESSION_RULES: readonly Rule[] = [
  risingOrder,
  noHoles,
  syncFills,
  isolation,
  everythingAnswered,
  cursorsRise,
];
