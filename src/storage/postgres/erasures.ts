/** ErasureStore on PostgreSQL; what goes, and is counted with it, are functions in sql/functions. */
import type {
  BegunErasure,
  ErasureMode,
  ErasureState,
  ErasureStore,
  LoggedRow,
  Walked,
} from "../../ports/erasures.ts";
import { ok, REFUSALS, type Result } from "../../protocol/errors.ts";
import type { ConversationId, UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";

/** Every edge has ended the user's sessions by then, and their last writes are committed. */
const DELAY = "interval '3 seconds'";
const RESERVED = "interval '30 days'";
/** Rows a statement: some tens of milliseconds. */
const WALKED = 1_000;
const FILES = 100;
const EVENT_ROWS = 200;

const BEGIN = { text: `SELECT * FROM begin_erasure($1, $2, $3, ${RESERVED}, ${DELAY})` };
const STATE = {
  text: `SELECT e.mode, e.step, e.after, e.counts FROM erasures e WHERE e.user_id = $1`,
};
const GO_ON = {
  text: "UPDATE erasures e SET step = $2, after = $3 WHERE e.user_id = $1",
};
const ACCOUNT = { text: "SELECT erase_account($1)" };
const POSTS = { text: `SELECT p.last FROM erase_from_posts($1, $2, ${WALKED}) p` };
const CONVERSATIONS = {
  text: `SELECT w.last, w.ids FROM erasable_conversations($1, $2, ${WALKED}) w`,
};
export const ERASE_MESSAGES = {
  name: "erase_messages",
  text: "SELECT e.seqs, e.rev FROM erase_messages($1, $2, $3) e",
};
const MEMBERSHIPS = {
  text: `SELECT max(x.id) AS last, array_agg(x.id ORDER BY x.id) AS ids FROM (
      SELECT c.id FROM conversation_members k JOIN conversations c ON c.id = k.conversation_id
      WHERE k.user_id = $1 AND c.id > $2 AND c.kind IN ('group', 'channel')
        AND c.deleted_at IS NULL
      ORDER BY c.id LIMIT ${WALKED}
    ) x`,
};
const FILES_OF = {
  text: `SELECT f.id FROM files f WHERE f.user_id = $1 AND ($2 OR NOT EXISTS (
      SELECT 1 FROM message_files r WHERE r.file_id = f.id))
    ORDER BY f.id LIMIT ${FILES}`,
};
const NOTE_FILE = { text: "SELECT count_erased($1, 'files', 1)" };
const NOTICES = { text: `SELECT n.last FROM erase_notices($1, $2, ${WALKED}) n` };
const EVENTS = {
  text: `SELECT x.id, x.events FROM (
      SELECT l.id, to_json(l.events) AS events FROM event_log l WHERE l.id > $1
      ORDER BY l.id LIMIT ${EVENT_ROWS}
    ) x`,
};
const REPLACE_EVENTS = {
  text: `WITH changed AS (
      UPDATE event_log l SET events = ARRAY(SELECT e FROM json_array_elements(x.events) e)
      FROM json_to_recordset($2) AS x (id bigint, events json) WHERE l.id = x.id RETURNING 1
    ) SELECT count_erased($1, 'events', (SELECT count(*) FROM changed))`,
};
// What the ends of the user's sessions have written since.
const FINISH = {
  text: `WITH seen AS (UPDATE users u SET last_seen_at = NULL WHERE u.id = $1)
    UPDATE erasures e SET finished_at = clock_timestamp() WHERE e.user_id = $1`,
};

interface WalkedRow {
  last: string | null;
  ids: ConversationId[] | null;
}

const walkedOf = ({ last, ids }: WalkedRow): Walked<ConversationId> => ({ last, found: ids ?? [] });

export class PostgresErasures implements ErasureStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(user: UserId, mode: ErasureMode, askedBy: string): Promise<Result<BegunErasure>> {
    const [row] = await this.#database.write<{
      outcome: "ok" | "not_found";
      job_id: string;
      cut_ms: string;
    }>(BEGIN, [user, mode, askedBy]);
    if (row!.outcome === "not_found") return REFUSALS.userNotFound;
    return ok({ jobId: row!.job_id, cutMs: Number(row!.cut_ms) });
  }

  async state(user: UserId): Promise<ErasureState | null> {
    const [row] = await this.#database.read<ErasureState>(STATE, [user]);
    return row ?? null;
  }

  async goOn(user: UserId, step: number, after: string): Promise<void> {
    await this.#database.read(GO_ON, [user, step, after]);
  }

  async eraseAccount(user: UserId): Promise<void> {
    await this.#database.write(ACCOUNT, [user]);
  }

  async eraseFromPosts(user: UserId, after: string): Promise<string | null> {
    const [row] = await this.#database.write<{ last: string | null }>(POSTS, [user, after]);
    return row!.last;
  }

  async conversationsWithMessages(user: UserId, after: string): Promise<Walked<ConversationId>> {
    const [row] = await this.#database.read<WalkedRow>(CONVERSATIONS, [user, after]);
    return walkedOf(row!);
  }

  async eraseMessages(id: ConversationId, user: UserId, most: number): Promise<number> {
    const values = [id, user, most];
    const [row] = await this.#database.write<{ seqs: string[] }>(ERASE_MESSAGES, values);
    return row!.seqs.length;
  }

  async memberships(user: UserId, after: string): Promise<Walked<ConversationId>> {
    const [row] = await this.#database.read<WalkedRow>(MEMBERSHIPS, [user, after]);
    return walkedOf(row!);
  }

  async files(user: UserId, mode: ErasureMode): Promise<string[]> {
    const values = [user, mode === "erase"];
    const rows = await this.#database.read<{ id: string }>(FILES_OF, values);
    return rows.map(({ id }) => id);
  }

  async noteFile(user: UserId): Promise<void> {
    await this.#database.write(NOTE_FILE, [user]);
  }

  async eraseNotices(user: UserId, after: string): Promise<string | null> {
    const [row] = await this.#database.write<{ last: string | null }>(NOTICES, [user, after]);
    return row!.last;
  }

  async events(after: string): Promise<Walked<LoggedRow>> {
    const rows = await this.#database.read<LoggedRow>(EVENTS, [after]);
    return { last: rows.at(-1)?.id ?? null, found: rows };
  }

  async replaceEvents(user: UserId, rows: readonly LoggedRow[]): Promise<void> {
    await this.#database.write(REPLACE_EVENTS, [user, JSON.stringify(rows)]);
  }

  async finish(user: UserId): Promise<void> {
    await this.#database.read(FINISH, [user]);
  }
}
