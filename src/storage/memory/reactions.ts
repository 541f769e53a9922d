/** Reactions in memory; the twin of ../postgres/reactions.ts, held to the same suite. */
import type { ReactionCall, ReactionFlush, ReactionStore } from "../../../actors/ports.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import {
  foldedReactionKey,
  LAST_REACTORS_MAX,
  REACTION_CHANGES_MAX,
  REACTION_KEYS_MAX,
} from "../../protocol/reaction-keys.ts";
import type { Message, OwnReactions, ReactionCount } from "../../protocol/schemas.ts";
import { type Refusal, STORAGE_REFUSALS } from "../postgres/refusals.ts";
import {
  type MemoryTables,
  type StoredConversation,
  type StoredReactionRow,
  shownFrom,
} from "./tables.ts";

interface Change {
  user_id: string;
  key: string;
  on: boolean;
}

/** What one call did; null: not done, because the change is full. */
type Done = { outcome: Result<{ changed: boolean }>; more: boolean } | null;

export class MemoryReactions implements ReactionStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async react(
    id: ConversationId,
    seq: number,
    calls: readonly ReactionCall[],
  ): Promise<ReactionFlush> {
    const stored = this.#tables.conversations.get(id);
    const message = stored?.messages[seq - 1];
    const flush = new Flush(this.#tables, stored, message);
    const outcomes: Result<{ changed: boolean }>[] = [];
    let more = false;
    for (const call of calls) {
      const done = flush.do(call);
      if (done === null) break;
      outcomes.push(done.outcome);
      more = done.more;
      if (more) break;
    }
    const change = flush.commit();
    const callers = new Set(calls.map(({ by }) => by));
    const own = new Map(
      [...callers].map((by) => [by, stored === undefined ? [] : ownKeys(stored, by, seq)]),
    );
    return { outcomes, more, change, message: message ? { ...message } : null, own };
  }

  async own(id: ConversationId, user: UserId, seqs: readonly number[]): Promise<OwnReactions[]> {
    const stored = this.#tables.conversations.get(id);
    return stored === undefined ? [] : ownReactionsIn(stored, user, seqs);
  }
}

/** One user's own reactions to these messages. */
export function ownReactionsIn(
  stored: StoredConversation,
  user: string,
  seqs: readonly number[],
): OwnReactions[] {
  return seqs
    .map((seq) => ({ seq, keys: ownKeys(stored, user, seq) }))
    .filter(({ keys }) => keys.length > 0)
    .sort((a, b) => a.seq - b.seq);
}

function ownKeys(stored: StoredConversation, user: string, seq: number): string[] {
  return stored.reactions
    .filter((row) => row.seq === seq && row.userId === user)
    .map(({ key }) => key);
}

/** Whether the message is from before the member may see the history, or is cleared. */
export function isHiddenFrom(stored: StoredConversation, user: string, seq: number): boolean {
  return seq < shownFrom(stored, user);
}

/** The summary of a message's reactions as its rows say. */
export function reactionCounts(
  stored: StoredConversation,
  seq: number,
  order: readonly { key: string }[] = [],
): ReactionCount[] {
  const rows = stored.reactions.filter((row) => row.seq === seq);
  const keys = new Set(rows.map(({ key }) => key));
  const placed = order.map(({ key }) => key).filter((key) => keys.has(key));
  return [...new Set([...placed, ...keys])].map((key) => countOf(rows, key));
}

function countOf(rows: readonly StoredReactionRow[], key: string): ReactionCount {
  const own = rows.filter((row) => row.key === key);
  const newest = own.slice(-LAST_REACTORS_MAX).reverse();
  return { key, count: own.length, last_user_ids: newest.map(({ userId }) => userId) };
}

class Flush {
  readonly #tables: MemoryTables;
  readonly #stored: StoredConversation | undefined;
  readonly #message: Message | undefined;
  /** Keys in the order of first use; one that goes keeps its place until the end. */
  readonly #keys: string[];
  readonly #before: ReadonlySet<string>;
  readonly #changes: Change[] = [];

  constructor(tables: MemoryTables, stored?: StoredConversation, message?: Message) {
    this.#tables = tables;
    this.#stored = stored;
    this.#message = message;
    this.#keys = message?.reactions?.map(({ key }) => key) ?? [];
    this.#before = new Set(this.#keys);
  }

  do(call: ReactionCall): Done {
    const room = REACTION_CHANGES_MAX - this.#changes.length;
    if (room < (call.isOnly ? REACTION_KEYS_MAX + 1 : 1)) return null;
    const refusal = this.#refusalOf(call);
    if (refusal !== null) return { outcome: refusal, more: false };
    const folded = foldedReactionKey(call.key);
    const key = this.#keys.find((each) => foldedReactionKey(each) === folded) ?? call.key;
    if (call.isForAll) {
      const taken = this.#rows(key).slice(0, room);
      for (const row of taken) this.#take(row);
      return {
        outcome: ok({ changed: taken.length > 0 }),
        more: taken.length > 0 && this.#rows(key).length > 0,
      };
    }
    return { outcome: this.#change(call, key), more: false };
  }

  commit(): ReactionFlush["change"] {
    if (this.#changes.length === 0) return null;
    const stored = this.#stored!;
    const message = this.#message!;
    const touched = new Set(this.#changes.map(({ key }) => key));
    const counts = this.#keys.map((key) => countOf(this.#rows(key), key));
    if (!stored.reactionChanges.some(({ rev }) => rev === message.rev)) {
      stored.versions.push({ ...message, replacedAtMs: this.#tables.nowMs() });
    }
    message.rev = ++stored.rev;
    const kept = counts.filter(({ count }) => count > 0);
    if (kept.length > 0) message.reactions = kept;
    else delete message.reactions;
    const event = {
      conversation_id: stored.id,
      seq: message.seq,
      rev: message.rev,
      changed: counts.filter(
        ({ key, count }) => touched.has(key) && (count > 0 || this.#before.has(key)),
      ),
      changes: this.#changes,
    };
    stored.reactionChanges.push({
      rev: message.rev,
      seq: message.seq,
      event,
      changedAtMs: this.#tables.nowMs(),
    });
    return { rev: message.rev, event: JSON.stringify(event) };
  }

  #refusalOf({ by, on, isForAll, isAllowed }: ReactionCall): Refusal | null {
    const stored = this.#stored;
    if (stored === undefined || this.#tables.readableOf(by, stored.id) === undefined) {
      return REFUSALS.conversationNotFound;
    }
    if (this.#message === undefined || isHiddenFrom(stored, by, this.#message.seq)) {
      return REFUSALS.messageNotFound;
    }
    if (this.#tables.isBlocked(stored)) return STORAGE_REFUSALS.apart;
    if (this.#message.deleted_at !== null) return STORAGE_REFUSALS.messageDeleted;
    return (on || isForAll) && !isAllowed ? STORAGE_REFUSALS.mayNotReact : null;
  }

  #change({ by, on, isOnly }: ReactionCall, key: string): Result<{ changed: boolean }> {
    const stored = this.#stored!;
    const { seq } = this.#message!;
    const mine = stored.reactions.filter((row) => row.seq === seq && row.userId === by);
    const has = mine.some((row) => row.key === key);
    const others = on
      ? mine.filter((row) => isOnly && row.key !== key)
      : mine.filter((row) => row.key === key);
    if (on && !has && this.#rows(key).length === 0) {
      const going = new Set(others.map((row) => row.key));
      const left = this.#keys.filter((each) => this.#rows(each).length > (going.has(each) ? 1 : 0));
      if (left.length >= REACTION_KEYS_MAX) return STORAGE_REFUSALS.keysMax;
    }
    for (const row of others) this.#take(row);
    if (on && !has) {
      if (!this.#keys.includes(key)) this.#keys.push(key);
      stored.reactions.push({
        id: this.#tables.nextId(),
        userId: by,
        seq,
        key,
        createdAt: this.#tables.nowIso(),
      });
      this.#changes.push({ user_id: by, key, on: true });
    }
    return ok({ changed: others.length > 0 || (on && !has) });
  }

  #rows(key: string): StoredReactionRow[] {
    const seq = this.#message!.seq;
    return this.#stored!.reactions.filter((row) => row.seq === seq && row.key === key);
  }

  #take(row: StoredReactionRow): void {
    const { reactions } = this.#stored!;
    reactions.splice(reactions.indexOf(row), 1);
    this.#changes.push({ user_id: row.userId, key: row.key, on: false });
  }
}
