/** PrefsStore and PrefsQueries in memory; the twin of ../postgres/prefs.ts, of the same suite. */
import type { AskedPrefs, MembershipPrefs, PrefsStore } from "../../../actors/prefs-ports.ts";
import type { PrefsQueries, StoredPrefs } from "../../ports/prefs.ts";
import { ok, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { PINNED_MAX, type Prefs } from "../../protocol/prefs.ts";
import { asUserId } from "../../protocol/schemas.ts";
import { PREFS_OUTCOMES } from "../postgres/refusals.ts";
import type { MemoryTables, StoredConversation, StoredMember } from "./tables.ts";

export class MemoryPrefs implements PrefsStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async change(asked: AskedPrefs): Promise<Result<{ prefs: Prefs; changed: boolean }>> {
    const { userId, conversationId: id, change, session, draftBy } = asked;
    const stored = this.#tables.preferredOf(userId, id);
    if (stored === undefined) return PREFS_OUTCOMES["not_found"]!;
    const own = this.#tables.prefs.of(userId);
    const row = this.#tables.prefs.rowOf(userId, id);
    const before: Prefs = row?.prefs ?? { conversation_id: id, prefs_rev: 0 };
    if (change.hidden !== undefined && stored.kind !== "direct") {
      return PREFS_OUTCOMES["conflict"]!;
    }
    if (change.pinned === true && before.pinned_at === undefined) {
      const pinned = [...own.rows.values()].filter(({ prefs }) => prefs.pinned_at !== undefined);
      if (pinned.length >= PINNED_MAX) return PREFS_OUTCOMES["pinned_max"]!;
    }
    const takesDraft = !asked.isOwnDraftOnly || row?.draftBy === draftBy;
    const after = this.#changed(
      stored,
      stored.members.get(userId),
      before,
      takesDraft ? change : withoutDraft(change),
    );
    const isDraftNamed = takesDraft && change.draft !== undefined;
    const wroteDraft = isDraftNamed && change.draft !== null ? draftBy : "";
    const nextDraftBy = isDraftNamed ? wroteDraft : (row?.draftBy ?? "");
    if (JSON.stringify(after) === JSON.stringify(before)) {
      if (row) row.draftBy = nextDraftBy;
      return ok({ prefs: { ...before }, changed: false });
    }
    const member = stored.members.get(userId);
    if (member && after.unread_from_seq !== undefined) {
      member.unreadFromSeq = after.unread_from_seq;
    }
    if (member && after.cleared_before_seq !== undefined) {
      member.clearedBeforeSeq = after.cleared_before_seq;
    }
    after.prefs_rev = ++own.lastRev;
    own.rows.set(id, { prefs: after, setBy: session, draftBy: nextDraftBy });
    return ok({ prefs: structuredClone(after), changed: true });
  }

  async forgotten(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]> {
    return users.flatMap((userId) => {
      const row = this.#tables.prefs.of(userId).rows.get(id);
      return row?.prefs.removed ? [{ userId, prefs: { ...row.prefs } }] : [];
    });
  }

  async begun(id: ConversationId, users: readonly UserId[]): Promise<MembershipPrefs[]> {
    return users.flatMap((userId) => {
      const row = this.#tables.prefs.rowOf(userId, id);
      return row === undefined ? [] : [{ userId, prefs: structuredClone(row.prefs) }];
    });
  }

  /** In the order of the contract's keys, so that equal preferences are equal texts. */
  #changed(
    stored: StoredConversation,
    /** Undefined: the user reads a thread without following it. */
    member: StoredMember | undefined,
    before: Prefs,
    change: AskedPrefs["change"],
  ): Prefs {
    const lastN = stored.messages.at(-1)?.n ?? stored.messages.length;
    const { muted_until, level, draft, pinned, archived, hidden } = change;
    const next = <T>(asked: T | null | undefined, present: T | undefined): T | undefined =>
      asked === undefined ? present : (asked ?? undefined);
    const switched = <T>(on: boolean | undefined, present: T | undefined, value: T) =>
      on === undefined ? present : on ? value : undefined;
    const unreadFrom =
      change.unread_from_seq === undefined || member === undefined
        ? before.unread_from_seq
        : Math.min(change.unread_from_seq, member.readSeq);
    const clearedBefore =
      change.cleared_before_seq === undefined || member === undefined
        ? before.cleared_before_seq
        : Math.max(
            before.cleared_before_seq ?? 0,
            Math.min(change.cleared_before_seq, stored.messages.length + 1),
          );
    const now = before.pinned_at ?? this.#tables.nowIso();
    return JSON.parse(
      JSON.stringify({
        conversation_id: before.conversation_id,
        prefs_rev: before.prefs_rev,
        muted_until: next(muted_until, before.muted_until),
        level: next(level, before.level),
        pinned_at: switched(pinned, before.pinned_at, now),
        archived_n: switched(archived, before.archived_n, lastN),
        hidden_n: switched(hidden, before.hidden_n, lastN),
        unread_from_seq: unreadFrom,
        cleared_before_seq: clearedBefore,
        draft: next(draft, before.draft),
      }),
    ) as Prefs;
  }
}

function withoutDraft({ draft: _, ...change }: AskedPrefs["change"]): AskedPrefs["change"] {
  return change;
}

/** As PrefsQueries; MemoryQueries answers with it. */
export function readPrefs(tables: MemoryTables): PrefsQueries {
  return {
    async prefs(reader, id) {
      if (tables.preferredOf(reader, id) === undefined) return null;
      const row = tables.prefs.rowOf(reader, id);
      return row ? structuredClone(row.prefs) : { conversation_id: id, prefs_rev: 0 };
    },

    async prefsAfter(reader, rev, limit): Promise<StoredPrefs[]> {
      return [...tables.prefs.of(reader).rows.values()]
        .filter(({ prefs }) => prefs.prefs_rev > rev)
        .sort((a, b) => a.prefs.prefs_rev - b.prefs.prefs_rev)
        .slice(0, limit)
        .map(({ prefs, setBy }) => ({ prefs: structuredClone(prefs), setBy }));
    },

    async prefsRevs(users) {
      return new Map(
        users.flatMap((user) => {
          const lastRev = tables.prefs.lastRevOf(user);
          return lastRev === 0 ? [] : [[asUserId(user), lastRev] as const];
        }),
      );
    },
  };
}
