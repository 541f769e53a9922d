/**
 * Reactions on PostgreSQL: the store of the conversation actors, whose changes are calls of the
 * thread's one writer, in their place among the sends; and what edges read.
 */
import type { ReactionCall, ReactionFlush, ReactionStore } from "../../../actors/ports.ts";
import type { ReactorsPage } from "../../ports/edge.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import {
  foldedReactionKey,
  REACTION_CHANGES_MAX,
  REACTION_KEYS_MAX,
} from "../../protocol/reaction-keys.ts";
import type { OwnReactions, ReactionCount, Reactor } from "../../protocol/schemas.ts";
import type { Writer } from "../batching/writer.ts";
import { faultOf } from "./fault.ts";
import { decodeListCursor, encodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { REACTION_OUTCOMES } from "./refusals.ts";
import { messageOf, readable, SHOWN_FROM } from "./rows.ts";

const REACT = {
  name: "react_to_message",
  text: "SELECT * FROM react_to_message($1, $2, $3, $4, $5)",
};
const OWN = {
  name: "own_reactions",
  text: `SELECT a.n::int, r.seq, array_agg(r.key ORDER BY r.id) AS keys
    FROM ROWS FROM (json_to_recordset($2) AS (c bigint, seqs bigint[]))
      WITH ORDINALITY AS a (c, seqs, n)
    CROSS JOIN LATERAL unnest(a.seqs) AS s (seq)
    JOIN message_reactions r
      ON r.conversation_id = a.c AND r.user_id = $1 AND r.seq = s.seq
    GROUP BY a.n, r.seq ORDER BY a.n, r.seq`,
};
// One row for a member: with a null seq where there is no such message.
const REACTED = {
  name: "message_of_reactors",
  text: `SELECT m.seq, m.reactions FROM ${readable("$1")}
    LEFT JOIN messages m ON m.conversation_id = c.id AND m.seq = $3
      AND m.seq >= ${SHOWN_FROM}
    WHERE c.id = $2`,
};
// The newest rows of each key, which an index holds in order: the page's rows are among them.
const REACTORS = {
  name: "reactors",
  text: `SELECT r.id, r.user_id, r.key, r.created_at
    FROM unnest($3::text[]) AS k (key)
    CROSS JOIN LATERAL (
      SELECT y.* FROM message_reactions y
      WHERE y.conversation_id = $1 AND y.seq = $2 AND y.key = k.key AND y.id < $4
      ORDER BY y.id DESC LIMIT $5
    ) r
    ORDER BY r.id DESC LIMIT $5`,
};

interface FlushRow {
  outcomes: string[];
  done: boolean[];
  rev: string | null;
  event: string | null;
  own: Record<UserId, string[]> | null;
  message: string | null;
}

export class PostgresReactions implements ReactionStore {
  readonly #database: Database;
  readonly #writer: Writer;

  constructor(database: Database, writer: Writer) {
    this.#database = database;
    this.#writer = writer;
  }

  async react(
    id: ConversationId,
    seq: number,
    calls: readonly ReactionCall[],
  ): Promise<ReactionFlush> {
    const text = JSON.stringify(calls.map(callRow));
    const values = [id, seq, text, REACTION_CHANGES_MAX, REACTION_KEYS_MAX];
    try {
      const [row] = await this.#writer.call<FlushRow>(REACT, values);
      return flushOf(row!);
    } catch (error) {
      const fault = faultOf(error, "reactions");
      if (fault) throw fault;
      // PostgreSQL refuses the values themselves.
      const outcomes = calls.map(() => REFUSALS.internal);
      return { outcomes, more: false, change: null, message: null, own: new Map() };
    }
  }

  async own(id: ConversationId, user: UserId, seqs: readonly number[]): Promise<OwnReactions[]> {
    const [own] = await readOwnReactions(this.#database, user, [{ id, seqs }]);
    return own ?? [];
  }
}

function callRow({ by, key, on, isOnly, isForAll, isAllowed }: ReactionCall): object {
  return { u: by, k: key, o: on, x: isOnly, a: isForAll, m: isAllowed };
}

function flushOf({ outcomes, done, rev, event, own, message }: FlushRow): ReactionFlush {
  return {
    outcomes: outcomes.map(
      (outcome, n): Result<{ changed: boolean }> =>
        outcome === "ok" || outcome === "more"
          ? ok({ changed: done[n] === true })
          : (REACTION_OUTCOMES[outcome] ?? REFUSALS.internal),
    ),
    more: outcomes.at(-1) === "more",
    change: rev === null || event === null ? null : { rev: Number(rev), event },
    message: message === null ? null : messageOf(message),
    own: new Map(Object.entries(own ?? {}) as [UserId, string[]][]),
  };
}

/** The user's own reactions to messages of several conversations; an answer each, in order. */
export async function readOwnReactions(
  database: Database,
  user: UserId,
  asked: readonly { id: string; seqs: readonly number[] }[],
): Promise<OwnReactions[][]> {
  const answers: OwnReactions[][] = asked.map(() => []);
  if (asked.every(({ seqs }) => seqs.length === 0)) return answers;
  const rows = await database.read<{ n: number; seq: string; keys: string[] }>(OWN, [
    user,
    JSON.stringify(asked.map(({ id, seqs }) => ({ c: id, seqs }))),
  ]);
  for (const { n, seq, keys } of rows) answers[n - 1]!.push({ seq: Number(seq), keys });
  return answers;
}

/** See ReactionQueries. */
export async function readReactors(
  database: Database,
  reader: UserId,
  place: { id: ConversationId; seq: number; key: string | null },
  limit: number,
  cursor: string | null,
): Promise<ReactorsPage> {
  const below = cursor === null ? TOP : decodeListCursor("reactions", cursor);
  if (below === undefined) return { is: "bad_cursor" };
  const [found] = await database.read<{ seq: string | null; reactions: string | null }>(REACTED, [
    reader,
    place.id,
    place.seq,
  ]);
  if (found === undefined) return { is: "not_found" };
  if (found.seq === null) return { is: "message_not_found" };
  const keys = keysIn(found.reactions, place.key);
  const rows = await database.read<Reactor & { id: string }>(REACTORS, [
    place.id,
    place.seq,
    keys,
    below,
    limit + 1,
  ]);
  return reactorsPage(rows, limit);
}

/** The keys of a message's summary, or the one that is the same as `key`. */
function keysIn(reactions: string | null, key: string | null): string[] {
  if (reactions === null || reactions === "") return [];
  const keys = (JSON.parse(reactions) as ReactionCount[]).map((each) => each.key);
  if (key === null) return keys;
  return keys.filter((each) => foldedReactionKey(each) === foldedReactionKey(key));
}

/** A page of what was found with one beyond the limit. Shared by both adapters. */
export function reactorsPage(found: readonly (Reactor & { id: string })[], limit: number) {
  const items = found
    .slice(0, limit)
    .map(({ user_id, key, created_at }) => ({ user_id, key, created_at }));
  const last = found[limit - 1];
  const isMore = found.length > limit && last !== undefined;
  const next_cursor = isMore ? encodeListCursor("reactions", last.id) : null;
  return { is: "page" as const, items, next_cursor };
}
