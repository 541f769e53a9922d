/** FileTable on PostgreSQL; quotas and visibility are functions in sql/functions. */
import type {
  FilePlaces,
  FileTable,
  MediaFacts,
  SettledFile,
  SniffedFile,
  StoredFile,
} from "../../ports/files.ts";
import type { FileKind, FileObject } from "../../protocol/files.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import { decodeFilePlace, encodeFilePlace } from "./cursor.ts";
import type { Database } from "./pool.ts";
import { joinedFrom } from "./rows.ts";

const WHOLE = "f.removed_at IS NULL AND f.state <> 'uploading'";
const COLUMNS = `f.id, f.user_id, file_json(f) AS shown,
  coalesce((f.facts->>'thumb_bytes')::int, 0) AS thumb_bytes`;

const KEY = { text: "SELECT key FROM file_key" };
const BEGIN = { name: "begin_file", text: "SELECT begin_file($1, $2, $3, $4) AS id" };
const COMPLETE = {
  name: "complete_file",
  text: `SELECT ${COLUMNS} FROM complete_file($1, $2, $3, $4, $5, $6, $7) f`,
};
const NOTE = {
  name: "note_file",
  text: "UPDATE files f SET facts = $2 WHERE f.id = $1 AND f.state = 'uploading'",
};
const SETTLE = { name: "settle_file", text: "SELECT settle_file($1, $2, $3, $4) AS is_settled" };
const FORGET = { name: "forget_file", text: "SELECT forget_file($1)" };
const FILE = {
  name: "file",
  text: `SELECT ${COLUMNS} FROM files f WHERE f.id = $1 AND ${WHOLE}`,
};
const FILE_FOR = {
  name: "file_for_reader",
  text: `SELECT ${COLUMNS} FROM files f WHERE f.id = $2 AND ${WHOLE} AND may_see_file($1, f)`,
};
const REMOVE = {
  name: "remove_file",
  text: `WITH gone AS (
      UPDATE files f SET removed_at = clock_timestamp() WHERE f.id = $1 AND ${WHOLE} RETURNING f.id
    ), shown AS (
      UPDATE users u SET image_url = NULL
      FROM pictures p, gone g WHERE p.file_id = g.id AND u.id = p.user_id
    )
    SELECT g.id FROM gone g`,
};
const IS_PICTURE = {
  name: "is_picture",
  text: "SELECT 1 FROM pictures p WHERE p.file_id = $1 LIMIT 1",
};
const NO_PICTURE = "NOT EXISTS (SELECT 1 FROM pictures p WHERE p.file_id = x.id)";
const NO_POST = "NOT EXISTS (SELECT 1 FROM posts p WHERE p.file_ids @> ARRAY[x.id])";
const PLACES = {
  name: "places_of_file",
  text: `SELECT r.conversation_id, array_agg(r.seq::int ORDER BY r.seq) AS seqs FROM message_files r
    WHERE r.file_id = $1 GROUP BY r.conversation_id ORDER BY r.conversation_id`,
};
const LAST = "9223372036854775807";
// A row of nulls where there is no file on the page, none where the reader is no member.
const OF_CONVERSATION = {
  name: "files_of_conversation",
  text: `SELECT x.seq, x.file_id, x.shown
    FROM conversations c
    JOIN conversation_members k
      ON k.conversation_id = coalesce(c.parent_id, c.id) AND k.user_id = $1
      AND coalesce(c.parent_seq, ${LAST}) >= ${joinedFrom("k")}
    LEFT JOIN LATERAL (
      SELECT r.seq, r.file_id, file_json(f) AS shown
      FROM message_files r JOIN files f ON f.id = r.file_id AND ${WHOLE}
      WHERE r.conversation_id = c.id AND coalesce(c.parent_seq, r.seq) >= ${joinedFrom("k")}
        AND r.seq >= kept_of(c)
        AND (r.seq, r.file_id) < ($4::bigint, $5::bigint)
        AND ($3::text IS NULL OR f.kind = $3)
      ORDER BY r.seq DESC, r.file_id DESC LIMIT $6
    ) x ON true
    WHERE c.id = $2 AND c.deleted_at IS NULL
    ORDER BY x.seq DESC, x.file_id DESC`,
};
// A file that no message and no post shows, and none that is scheduled is to show, is taken back here, and no
// message can show it from then on.
const SWEEP = {
  text: `UPDATE files f SET removed_at = coalesce(f.removed_at, clock_timestamp())
    WHERE f.id IN (
      (SELECT x.id FROM files x WHERE x.removed_at IS NOT NULL ORDER BY x.removed_at LIMIT $2)
      UNION ALL
      (SELECT x.id FROM files x
        WHERE x.attached_at IS NULL
          AND x.created_at < statement_timestamp() - $1 * interval '1 millisecond'
          AND NOT (x.state = 'uploading' AND EXISTS (SELECT 1 FROM uploads u
            WHERE u.file_id = x.id
              AND u.touched_at >= statement_timestamp() - $1 * interval '1 millisecond'))
          AND NOT is_to_be_sent(x) AND ${NO_PICTURE}
        ORDER BY x.created_at LIMIT $2)
      UNION ALL
      (SELECT x.id FROM files x
        WHERE x.attached_at < statement_timestamp() - interval '1 minute' AND NOT EXISTS (
          SELECT 1 FROM message_files r
          JOIN conversations c ON c.id = r.conversation_id AND c.deleted_at IS NULL
          WHERE r.file_id = x.id) AND NOT is_to_be_sent(x) AND ${NO_PICTURE} AND ${NO_POST}
        LIMIT $2)
    )
    -- Looked at again where a message or a post has just taken it.
    AND (f.removed_at IS NOT NULL OR f.attached_at IS NULL
      OR f.attached_at < statement_timestamp() - interval '1 minute')
    RETURNING f.id`,
};

interface FileRow {
  id: string;
  user_id: UserId;
  shown: FileObject;
  thumb_bytes: number;
}

interface ListedRow {
  seq: string | null;
  file_id: string;
  shown: FileObject;
}

export class PostgresFiles implements FileTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async key(): Promise<Buffer> {
    const [row] = await this.#database.read<{ key: Buffer }>(KEY, []);
    if (row === undefined) throw new Error("the table file_key is empty");
    return row.key;
  }

  async begin(owner: UserId, name: string, bytes: number, quotaBytes: number) {
    const values = [owner, name, bytes, quotaBytes];
    const [row] = await this.#database.write<{ id: string | null }>(BEGIN, values);
    return row?.id ?? null;
  }

  async note(id: string, facts: MediaFacts): Promise<void> {
    await this.#database.write(NOTE, [id, JSON.stringify(facts)]);
  }

  async complete(id: string, found: SniffedFile, quotaBytes: number): Promise<StoredFile | null> {
    const { bytes, mime, kind, state, mark } = found;
    const values = [id, bytes, mime, kind, state, mark, quotaBytes];
    return storedFile(await this.#database.write<FileRow>(COMPLETE, values));
  }

  async settle(id: string, settled: SettledFile): Promise<boolean> {
    const { bytes, facts } = settled.state === "ready" ? settled : { bytes: 0, facts: null };
    const values = [id, settled.state, bytes, JSON.stringify(facts ?? {})];
    const [row] = await this.#database.write<{ is_settled: boolean }>(SETTLE, values);
    return row?.is_settled ?? false;
  }

  async forget(id: string): Promise<void> {
    await this.#database.write(FORGET, [id]);
  }

  async file(id: string): Promise<StoredFile | null> {
    return storedFile(await this.#database.read<FileRow>(FILE, [id]));
  }

  async fileFor(reader: UserId, id: string): Promise<StoredFile | null> {
    return storedFile(await this.#database.read<FileRow>(FILE_FOR, [reader, id]));
  }

  async isPicture(id: string): Promise<boolean> {
    return (await this.#database.read(IS_PICTURE, [id])).length > 0;
  }

  async remove(id: string): Promise<boolean> {
    return (await this.#database.write(REMOVE, [id])).length > 0;
  }

  async places(id: string): Promise<FilePlaces[]> {
    const rows = await this.#database.read<{ conversation_id: ConversationId; seqs: number[] }>(
      PLACES,
      [id],
    );
    return rows.map(({ conversation_id, seqs }) => ({ conversationId: conversation_id, seqs }));
  }

  async ofConversation(
    reader: UserId,
    id: ConversationId,
    { kind, limit, cursor }: { kind: FileKind | null; limit: number; cursor: string | null },
  ) {
    const place = cursor === null ? { seq: LAST, fileId: LAST } : decodeFilePlace(cursor);
    if (place === undefined) return undefined;
    const values = [reader, id, kind, place.seq, place.fileId, limit + 1];
    const rows = await this.#database.read<ListedRow>(OF_CONVERSATION, values);
    if (rows.length === 0) return null;
    const found = rows.filter(({ seq }) => seq !== null);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ seq, shown }) => ({ ...shown, seq: Number(seq) })),
      next_cursor:
        found.length > limit && last !== undefined
          ? encodeFilePlace({ seq: last.seq ?? "", fileId: last.file_id })
          : null,
    };
  }

  async sweep(looseMs: number, most: number): Promise<string[]> {
    const rows = await this.#database.write<{ id: string }>(SWEEP, [looseMs, most]);
    return rows.map(({ id }) => id);
  }
}

function storedFile([row]: FileRow[]): StoredFile | null {
  if (row === undefined) return null;
  const { id, user_id: owner, shown, thumb_bytes: thumbBytes } = row;
  return { id, owner, shown, thumbBytes };
}
