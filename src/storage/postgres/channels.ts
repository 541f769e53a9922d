/** What is read of channels beside what every conversation has. */
import type { ChannelStanding, ChannelStore } from "../../../actors/channel-ports.ts";
import type { ChannelQueries } from "../../ports/channels.ts";
import type { ChannelActivity } from "../../protocol/channels.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { Batcher } from "../batching/shared-reads.ts";
import type { Database } from "./pool.ts";
import { type ConversationRow, conversationOf, type MemberExtra, PART_COLUMNS } from "./rows.ts";

const OPEN_CHANNEL = {
  name: "open_channel",
  text: `SELECT ${PART_COLUMNS}
    FROM conversations c CROSS JOIN LATERAL open_reader(c, $1) o
    CROSS JOIN (SELECT '{}'::bigint[] AS member_ids, '{}'::bigint[] AS member_delivered,
      '{}'::bigint[] AS member_read, NULL::json AS member_extras) v
    WHERE c.id = $2`,
};
const READERS = {
  name: "channel_readers",
  text: `SELECT u.id::text AS id FROM conversations c
    CROSS JOIN unnest($2::bigint[]) u (id)
    WHERE c.id = $1 AND (c.deleted_at IS NOT NULL
      OR EXISTS (
        SELECT 1 FROM conversation_members k WHERE k.conversation_id = c.id AND k.user_id = u.id)
      OR EXISTS (SELECT 1 FROM open_reader(c, u.id)))`,
};
const ACTIVITY = {
  name: "channel_activity",
  text: `SELECT c.id, c.rev, c.last_seq, c.last_n, c.first_n FROM conversations c
    WHERE c.id = ANY ($1::bigint[])`,
};
const STANDINGS = {
  name: "channel_standings",
  text: `SELECT a.n::int, k.user_id, k.delivered_seq, k.read_seq, k.extra, k.cleared_before_seq,
      EXISTS (
        SELECT 1 FROM conversation_bans b
        WHERE b.conversation_id = a.id AND b.user_id = a.reader
          AND (b.until IS NULL OR b.until > clock_timestamp())
      ) AS banned
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (id, reader, n)
    LEFT JOIN conversation_members k ON k.conversation_id = a.id AND k.user_id = a.reader`,
};

interface ActivityRow {
  id: ConversationId;
  rev: string;
  last_seq: string;
  last_n: string | null;
  first_n: string | null;
}

interface StandingRow {
  n: number;
  user_id: UserId | null;
  delivered_seq: string;
  read_seq: string;
  extra: MemberExtra | null;
  cleared_before_seq: string | null;
  banned: boolean;
}

/** A channel as a user sees it who is no member; null where they may not read it. */
export async function readOpenChannel(
  database: Database,
  reader: UserId,
  id: ConversationId,
): Promise<Conversation | null> {
  const [row] = await database.read<ConversationRow>(OPEN_CHANNEL, [reader, id]);
  return row === undefined ? null : conversationOf(row);
}

/** See ChannelQueries. */
export class PostgresChannelQueries implements ChannelQueries {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async channelReaders(id: ConversationId, users: readonly UserId[]): Promise<UserId[]> {
    const rows = await this.#database.read<{ id: UserId }>(READERS, [id, users]);
    return rows.map((row) => row.id);
  }

  async channelActivity(
    ids: readonly ConversationId[],
  ): Promise<Map<ConversationId, ChannelActivity>> {
    const rows = await this.#database.read<ActivityRow>(ACTIVITY, [ids]);
    return new Map(
      rows.map(({ id, rev, last_seq, last_n, first_n }) => [
        id,
        {
          rev: Number(rev),
          last_seq: Number(last_seq),
          ...(last_n !== null && { last_n: Number(last_n) }),
          ...(first_n !== null && { first_n: Number(first_n) }),
        },
      ]),
    );
  }
}

export class PostgresChannels implements ChannelStore {
  readonly #standings: Batcher<{ id: ConversationId; user: UserId }, ChannelStanding>;

  constructor(database: Database) {
    this.#standings = new Batcher(
      async (asks) => {
        const rows = await database.read<StandingRow>(STANDINGS, [
          asks.map(({ id }) => id),
          asks.map(({ user }) => user),
        ]);
        return rows.sort((a, b) => a.n - b.n).map(standingOf);
      },
      { batchMax: 500, inFlightMax: 2 },
    );
  }

  standing(id: ConversationId, user: UserId): Promise<ChannelStanding> {
    return this.#standings.ask({ id, user });
  }
}

function standingOf(row: StandingRow): ChannelStanding {
  const member = row.user_id !== null && {
    user_id: row.user_id,
    delivered_seq: Number(row.delivered_seq),
    read_seq: Number(row.read_seq),
    ...row.extra,
  };
  return {
    member: member || null,
    clearedBefore: Number(row.cleared_before_seq ?? 1),
    isBanned: row.banned,
  };
}
