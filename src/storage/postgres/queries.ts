/**
 * Queries on PostgreSQL: the edge's reads, which go past the actors. Each is one statement, so
 * that what it answers is one moment of the database.
 */
import type {
  ActivityAnswer,
  ActivityRequest,
  Change,
  Changes,
  ConversationsPage,
  DueKind,
  HistoryPage,
  HistoryWindow,
  ListAsked,
  MovedCursors,
  Queries,
  ReactorsPage,
  SessionOpening,
  SyncAnswer,
  SyncRequest,
} from "../../ports/edge.ts";
import type { MembershipQueries } from "../../ports/membership.ts";
import type { StoredPrefs } from "../../ports/prefs.ts";
import type { SightPair } from "../../ports/privacy.ts";
import type { Totals } from "../../protocol/conversation-list.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { JsonText } from "../../protocol/json-text.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import type { Sight } from "../../protocol/privacy.ts";
import type { Conversation, Message, User } from "../../protocol/schemas.ts";
import { Batcher } from "../batching/shared-reads.ts";
import { readActivity, readMovedCursors, readStanding } from "./activity.ts";
import {
  type ConversationUndo,
  changesOf,
  joiningChangeOf,
  NO_CHANGES,
  type StoredReaction,
} from "./changes.ts";
import { PostgresChannelQueries, readOpenChannel } from "./channels.ts";
import { readConversations, readTotals } from "./conversation-list.ts";
import { readDueKinds } from "./due-kinds.ts";
import { History } from "./history.ts";
import { readMembers } from "./members-query.ts";
import { PostgresMembership } from "./membership.ts";
import { claimExpired, readPins } from "./message-lists.ts";
import type { Database } from "./pool.ts";
import { PostgresPrefsQueries } from "./prefs.ts";
import { readSights } from "./privacy.ts";
import { readReactors } from "./reactions.ts";
import {
  CONVERSATION_COLUMNS,
  type ConversationRow,
  conversationOf,
  firstMembers,
  messagesOf,
  PART_COLUMNS,
  USER_COLUMNS,
  type UserRow,
  userOf,
} from "./rows.ts";
import { openSessions } from "./session-openings.ts";
import { PostgresSocialQueries } from "./social-queries.ts";
import { claimStreams } from "./streams.ts";
import { readSyncs } from "./sync.ts";
import {
  claimSummaries,
  readReadable,
  readThread,
  readThreadReaders,
  readThreads,
} from "./thread-queries.ts";
import { readLastSeen, readUsers, STORM_PACE_MS } from "./users.ts";

const REVS = {
  name: "revs",
  text: "SELECT c.id, c.rev FROM conversations c WHERE c.id = ANY ($1::bigint[])",
};
const VISIBLE_FROM = {
  name: "visible_from",
  text: `SELECT k.conversation_id AS id, k.user_id, k.visible_from_seq AS seq
    FROM conversation_members k
    WHERE k.conversation_id = ANY ($1::bigint[]) AND k.visible_from_seq IS NOT NULL`,
};
const CHANGED_USERS = {
  name: "changed_users",
  text: `SELECT DISTINCT u AS id FROM user_changes x, unnest(x.user_ids) u
    WHERE x.changed_at > clock_timestamp() - $2 * interval '1 millisecond'
      AND u = ANY ($1::bigint[])`,
};
const UNDO_JSON = `json_build_object(
  'rev', g.rev, 'beforeRev', g.before_rev, 'lastSeq', g.last_seq, 'lastN', g.last_n,
  'titleBefore', g.title_before, 'ownerBefore', g.owner_before::text,
  'extraBefore', g.extra_before, 'membersBefore', g.members_before,
  'addedIds', g.added_ids::text[], 'removed', g.removed)`;
export const CHANGES = {
  name: "changes",
  text: `SELECT c.meta_rev, c.deleted_at IS NOT NULL AS deleted, ${CONVERSATION_COLUMNS},
      x.messages, x.firsts, u.undos, f.reactions
    FROM conversations c
    -- Members and title are needed only where they changed, and beside messages that were erased.
    LEFT JOIN conversation_rows v ON v.id = c.id AND (c.meta_rev > $2 OR EXISTS (
      SELECT 1 FROM messages e WHERE e.conversation_id = c.id AND e.rev > $2
        AND e.deleted_at IS NOT NULL AND e.client_id IS NULL AND e.sender_id IS NOT NULL))
    CROSS JOIN LATERAL (
      SELECT string_agg(m.item, ',' ORDER BY m.rev) AS messages,
        array_agg(m.first ORDER BY m.rev) AS firsts
      FROM (
        (SELECT y.rev, message_text(y) AS item,
            y.edited_at IS NULL AND y.deleted_at IS NULL AND y.reactions IS NULL
              AND y.revised IS NULL AS first
          FROM messages y
          WHERE y.conversation_id = c.id AND y.rev > $2 AND y.seq >= kept_of(c)
          ORDER BY y.rev FETCH FIRST $3 ROWS WITH TIES)
        UNION ALL
        SELECT b.rev, message_text(b.message) AS item, b.edited_at IS NULL AND b.revised IS NULL AS first
        FROM (
          SELECT r.rev, r.edited_at, r.revised, message_before(y, r) AS message
          FROM message_versions r
          JOIN messages y ON y.conversation_id = r.conversation_id AND y.seq = r.seq
          WHERE r.conversation_id = c.id AND r.rev > $2 AND r.seq >= kept_of(c)
          ORDER BY r.rev LIMIT $3
        ) b
        ORDER BY rev FETCH FIRST $3 ROWS WITH TIES
      ) m
    ) x
    CROSS JOIN LATERAL (
      SELECT json_agg(${UNDO_JSON}) AS undos
      FROM conversation_changes g WHERE g.conversation_id = c.id AND g.rev > $2
    ) u
    CROSS JOIN LATERAL (
      SELECT string_agg('[' || g.event || ',' || message_text(y) || ']', ',' ORDER BY g.rev)
        AS reactions
      FROM (
        SELECT * FROM reaction_changes a WHERE a.conversation_id = c.id AND a.rev > $2
        ORDER BY a.rev LIMIT $3
      ) g
      JOIN messages y ON y.conversation_id = c.id AND y.seq = g.seq AND y.seq >= kept_of(c)
    ) f
    WHERE c.id = $1`,
};
const JOINING_CHANGE = {
  name: "joining_change",
  text: `SELECT c.meta_rev, ${CONVERSATION_COLUMNS}, u.undos
    FROM conversation_members k
    JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
    JOIN conversation_rows v ON v.id = c.id
    CROSS JOIN LATERAL (
      SELECT json_agg(${UNDO_JSON}) AS undos
      FROM conversation_changes g
      WHERE g.conversation_id = c.id AND g.rev >= coalesce((
        SELECT max(j.rev) FROM conversation_changes j
        WHERE j.conversation_id = c.id AND k.user_id = ANY (j.added_ids)), 0)
    ) u
    WHERE k.conversation_id = $2 AND k.user_id = $1`,
};
const CONVERSATION = {
  name: "conversation_of_reader",
  text: `SELECT ${PART_COLUMNS} FROM conversation_members k
    JOIN conversations c ON c.id = k.conversation_id AND c.deleted_at IS NULL
    CROSS JOIN LATERAL (${firstMembers("c", "$1::bigint")}) v
    WHERE k.conversation_id = $2 AND k.user_id = $1 AND k.thread_of IS NULL`,
};
const USER_OF_EXTERNAL = {
  name: "user_of_external",
  text: "SELECT u.id FROM users u WHERE u.external_id = $1",
};
const CONVERSATION_OF_EXTERNAL = {
  name: "conversation_of_external",
  text: "SELECT c.id FROM conversations c WHERE c.external_id = $1 AND c.deleted_at IS NULL",
};
const USER_BY_NAME = {
  name: "user_by_name",
  text: `SELECT ${USER_COLUMNS} FROM users u WHERE u.username = $1`,
};
const PING = { text: "SELECT 1" };

export class PostgresQueries extends PostgresSocialQueries implements Queries {
  readonly #database: Database;
  readonly #history: History;
  readonly #membership: MembershipQueries;
  readonly #users: Batcher<UserId, User | null>;
  readonly #syncs: Batcher<SyncRequest, SyncAnswer>;
  readonly #openings: Batcher<UserId, SessionOpening | null>;
  readonly #revs: Batcher<ConversationId[], Map<ConversationId, number>>;
  readonly #visibleFrom: Batcher<ConversationId, Map<UserId, number>>;
  readonly #lastSeen: Batcher<UserId[], Map<UserId, string | null>>;
  readonly #sights: Batcher<readonly SightPair[], Sight[]>;
  readonly #prefs: PostgresPrefsQueries;
  readonly #channels: PostgresChannelQueries;

  constructor(database: Database) {
    super(database);
    this.#database = database;
    this.#history = new History(database);
    this.#prefs = new PostgresPrefsQueries(database);
    this.#membership = new PostgresMembership(database);
    this.#channels = new PostgresChannelQueries(database);
    this.#users = new Batcher((ids) => readUsers(database, ids), {
      batchMax: 256,
      inFlightMax: 2,
    });
    // Few: an answer may hold a thousand messages, and all in the statement wait for it.
    this.#syncs = new Batcher((requests) => readSyncs(database, requests), {
      batchMax: 8,
      inFlightMax: 2,
    });
    // When a thousand sessions come back at once, the waiting ones share a statement.
    const gathered = { batchMax: 256, inFlightMax: 1, stormPaceMs: STORM_PACE_MS };
    this.#openings = new Batcher((ids) => openSessions(database, ids), gathered);
    this.#revs = new Batcher(async (asks) => {
      const ids = [...new Set(asks.flat())];
      const rows = await database.read<{ id: ConversationId; rev: string }>(REVS, [ids]);
      const revs = new Map(rows.map((row) => [row.id, Number(row.rev)]));
      return asks.map((ask) => picked(revs, ask));
    }, gathered);
    this.#visibleFrom = new Batcher(async (ids) => {
      const rows = await database.read<{ id: ConversationId; user_id: UserId; seq: string }>(
        VISIBLE_FROM,
        [[...new Set(ids)]],
      );
      const found = new Map<ConversationId, Map<UserId, number>>();
      for (const { id, user_id, seq } of rows) {
        found.set(id, (found.get(id) ?? new Map<UserId, number>()).set(user_id, Number(seq)));
      }
      return ids.map((id) => found.get(id) ?? new Map<UserId, number>());
    }, gathered);
    this.#lastSeen = new Batcher(async (asks) => {
      const read = await readLastSeen(database, [...new Set(asks.flat())]);
      const seen = new Map([...read].map(([id, { at }]) => [id, at]));
      return asks.map((ask) => picked(seen, ask));
    }, gathered);
    this.#sights = new Batcher(async (asks) => {
      const sights = await readSights(database, asks.flat());
      return asks.map(({ length }) => sights.splice(0, length));
    }, gathered);
  }

  openSession(userId: UserId): Promise<SessionOpening | null> {
    return this.#openings.ask(userId);
  }

  async changedUsers(users: UserId[], ageMs: number): Promise<UserId[]> {
    const rows = await this.#database.read<{ id: UserId }>(CHANGED_USERS, [users, ageMs]);
    return rows.map(({ id }) => id);
  }

  revs(ids: ConversationId[]): Promise<Map<ConversationId, number>> {
    return this.#revs.ask(ids);
  }

  visibleFrom(id: ConversationId): Promise<Map<UserId, number>> {
    return this.#visibleFrom.ask(id);
  }

  activity(requests: readonly ActivityRequest[]): Promise<ActivityAnswer> {
    return readActivity(this.#database, requests);
  }

  movedCursors(ids: ConversationId[], withinMs: number): Promise<MovedCursors[]> {
    return readMovedCursors(this.#database, ids, withinMs);
  }

  standing(reader: UserId, id: ConversationId): ReturnType<typeof readStanding> {
    return readStanding(this.#database, reader, id);
  }

  async changes(id: ConversationId, afterRev: number, limit: number): Promise<Changes> {
    const [row] = await this.#database.read<
      Omit<ConversationRow, "id"> & {
        /** Null where members and title have not changed since. */
        id: string | null;
        meta_rev: string;
        deleted: boolean;
        messages: string | null;
        /** Whether each message is as it was sent, in the order of the messages. */
        firsts: boolean[] | null;
        undos: ConversationUndo[] | null;
        /** Pairs of the event and the message, joined by commas. */
        reactions: string | null;
      }
    >(CHANGES, [id, afterRev, limit]);
    if (!row) return NO_CHANGES;
    const stored = {
      conversation: row.id === null ? null : conversationOf({ ...row, id: row.id }),
      metaRev: Number(row.meta_rev),
      messages: messagesOf(row.messages).map((message, n) => ({
        message,
        isFirst: row.firsts?.[n] === true,
      })),
      undos: row.undos ?? [],
      reactions: JSON.parse(`[${row.reactions ?? ""}]`) as StoredReaction[],
      isDeleted: row.deleted,
    };
    return changesOf(stored, afterRev, limit);
  }

  async joiningChange(reader: UserId, id: ConversationId): Promise<Change | null> {
    const [row] = await this.#database.read<
      ConversationRow & { meta_rev: string; undos: ConversationUndo[] | null }
    >(JOINING_CHANGE, [reader, id]);
    if (!row) return null;
    const conversation = conversationOf(row);
    const stored = { conversation, metaRev: Number(row.meta_rev), undos: row.undos ?? [] };
    return joiningChangeOf(stored, reader);
  }

  sync(request: SyncRequest): Promise<SyncAnswer> {
    return this.#syncs.ask(request);
  }

  async conversation(reader: UserId, id: ConversationId): Promise<Conversation | null> {
    const [row] = await this.#database.read<ConversationRow>(CONVERSATION, [reader, id]);
    // Whoever is no member here may be a reader of a thread, or of a channel that is open to anyone.
    if (row) return conversationOf(row);
    return (
      (await readThread(this.#database, reader, id)) ??
      (await readOpenChannel(this.#database, reader, id))
    );
  }

  channelReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]> {
    return this.#channels.channelReaders(id, users);
  }

  channelActivity(ids: readonly ConversationId[]) {
    return this.#channels.channelActivity(ids);
  }

  threads(reader: UserId, isUnread: boolean, limit: number, cursor: string | null) {
    return readThreads(this.#database, reader, isUnread, limit, cursor);
  }

  readableThreads(reader: UserId, ids: readonly ConversationId[]): Promise<ConversationId[]> {
    return readReadable(this.#database, reader, ids);
  }

  claimStreams(limit: number, leaseMs: number) {
    return claimStreams(this.#database, limit, leaseMs);
  }

  threadReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]> {
    return readThreadReaders(this.#database, id, users);
  }

  claimSummaries(limit: number, leaseMs: number) {
    return claimSummaries(this.#database, limit, leaseMs);
  }

  members(...[reader, id, limit, cursor, filter]: Parameters<Queries["members"]>) {
    return readMembers(this.#database, reader, id, limit, cursor, filter);
  }

  conversations(
    reader: UserId,
    limit: number,
    cursor: string | null,
    asked: ListAsked = {},
  ): Promise<ConversationsPage | undefined> {
    return readConversations(this.#database, reader, limit, cursor, asked);
  }

  totals(reader: UserId): Promise<Totals> {
    return readTotals(this.#database, reader);
  }

  dueKinds(): Promise<readonly DueKind[]> {
    return readDueKinds(this.#database);
  }

  claimExpired(limit: number, leaseMs: number): Promise<{ id: ConversationId; seq: number }[]> {
    return claimExpired(this.#database, limit, leaseMs);
  }

  pins(reader: UserId, id: ConversationId): Promise<Message[] | null> {
    return readPins(this.#database, reader, id);
  }

  history(
    reader: UserId,
    id: ConversationId,
    window: HistoryWindow,
  ): Promise<JsonText<HistoryPage> | null> {
    return this.#history.read(reader, id, window);
  }

  prefs(reader: UserId, id: ConversationId): Promise<Prefs | null> {
    return this.#prefs.prefs(reader, id);
  }

  prefsAfter(reader: UserId, rev: number, limit: number): Promise<StoredPrefs[]> {
    return this.#prefs.prefsAfter(reader, rev, limit);
  }

  prefsRevs(users: UserId[]): Promise<Map<UserId, number>> {
    return this.#prefs.prefsRevs(users);
  }

  reactors(
    reader: UserId,
    place: { id: ConversationId; seq: number; key: string | null },
    limit: number,
    cursor: string | null,
  ): Promise<ReactorsPage> {
    return readReactors(this.#database, reader, place, limit, cursor);
  }

  bans(...asked: Parameters<MembershipQueries["bans"]>) {
    return this.#membership.bans(...asked);
  }

  ban(...asked: Parameters<MembershipQueries["ban"]>) {
    return this.#membership.ban(...asked);
  }

  invites(...asked: Parameters<MembershipQueries["invites"]>) {
    return this.#membership.invites(...asked);
  }

  invitation(...asked: Parameters<MembershipQueries["invitation"]>) {
    return this.#membership.invitation(...asked);
  }

  user(id: UserId): Promise<User | null> {
    return this.#users.ask(id);
  }

  async idOfExternal(kind: "user" | "conversation", externalId: string): Promise<string | null> {
    const statement = kind === "user" ? USER_OF_EXTERNAL : CONVERSATION_OF_EXTERNAL;
    const [row] = await this.#database.read<{ id: string }>(statement, [externalId]);
    return row?.id ?? null;
  }

  async userByName(username: string): Promise<User | null> {
    const [row] = await this.#database.read<UserRow>(USER_BY_NAME, [username]);
    return row ? userOf(row) : null;
  }

  lastSeen(ids: UserId[]): Promise<Map<UserId, string | null>> {
    return this.#lastSeen.ask(ids);
  }

  sights(pairs: readonly SightPair[]): Promise<Sight[]> {
    return this.#sights.ask(pairs);
  }

  async ping(): Promise<void> {
    await this.#database.read(PING, []);
  }
}

function picked<Key, Value>(from: Map<Key, Value>, keys: Key[]): Map<Key, Value> {
  const found = new Map<Key, Value>();
  for (const key of keys) {
    const value = from.get(key);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
