/** ExportStore on PostgreSQL; the lines are in user-export.ts and whole-export.ts. */
import type { ExportedFile, ExportedThing, ExportStore, ExportView } from "../../ports/exports.ts";
import { PAGE } from "./export-statements.ts";
import type { Database } from "./pool.ts";
import { userLines } from "./user-export.ts";
import { allLines, conversationLines } from "./whole-export.ts";

const FILE_COLUMNS = `f.id, f.name, f.mime, f.bytes::float8 AS bytes,
  iso_time(f.created_at) AS created_at`;
const IS_WHOLE = "f.state = 'ready' AND f.removed_at IS NULL";
const FILES = {
  text: `SELECT ${FILE_COLUMNS} FROM files f
    WHERE f.id > $1 AND ${IS_WHOLE} ORDER BY f.id LIMIT ${PAGE}`,
};
const USERS_FILES = {
  text: `SELECT ${FILE_COLUMNS} FROM files f
    WHERE f.user_id = $2 AND f.id > $1 AND ${IS_WHOLE} ORDER BY f.id LIMIT ${PAGE}`,
};
/** The messages that follow, with what they show: a file that several show is listed once a message. */
const SHOWN_FILES = {
  text: `SELECT r.seq AS place, ${FILE_COLUMNS} FROM message_files r JOIN files f ON f.id = r.file_id
    WHERE r.conversation_id = $2 AND (r.seq, r.file_id) > ($3, $1) AND ${IS_WHOLE}
      AND r.seq >= (SELECT kept_of(c) FROM conversations c WHERE c.id = $2)
      AND NOT EXISTS (SELECT 1 FROM message_files o
        WHERE o.file_id = r.file_id AND o.conversation_id = r.conversation_id AND o.seq < r.seq)
    ORDER BY r.seq, r.file_id LIMIT ${PAGE}`,
};
const IS_USER = {
  text: "SELECT 1 AS one FROM users u WHERE u.id = $1 AND u.erased_at IS NULL",
};
const IS_CONVERSATION = {
  text: "SELECT 1 AS one FROM conversations c WHERE c.id = $1 AND c.deleted_at IS NULL",
};
/** Jobs are kept for 7 days, so there are few. */
const JOBS = { text: "SELECT j.id FROM jobs j WHERE j.kind = 'export' AND j.asked_by IS NOT NULL" };
const OLDER_JOBS = {
  text: `SELECT j.id FROM jobs j
    WHERE j.kind = 'export' AND j.key = $1 AND j.id < $2 AND j.state IN ('done', 'failed')`,
};
const ERASING = {
  text: `SELECT 1 AS one FROM erasures e
    WHERE e.finished_at IS NULL OR e.finished_at > clock_timestamp() - $1 * interval '1 millisecond' LIMIT 1`,
};

export class PostgresExports implements ExportStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async isThere(thing: ExportedThing): Promise<boolean> {
    if (thing.is === "all") return true;
    const statement = thing.is === "user" ? IS_USER : IS_CONVERSATION;
    return (await this.#database.read(statement, [thing.id])).length > 0;
  }

  lines(thing: ExportedThing, { namesOutside, passwords }: ExportView): AsyncIterable<string[]> {
    switch (thing.is) {
      case "user":
        return userLines(this.#database, thing.id, namesOutside);
      case "conversation":
        return conversationLines(this.#database, thing.id, namesOutside);
      case "all":
        return allLines(this.#database, namesOutside, passwords);
    }
  }

  async *files(thing: ExportedThing): AsyncGenerator<ExportedFile[]> {
    let [place, after] = ["0", "0"];
    for (;;) {
      const rows = await this.#files(thing, place, after);
      if (rows.length > 0) yield rows.map(({ place: _, ...file }) => file);
      if (rows.length < PAGE) return;
      const last = rows.at(-1)!;
      place = last.place ?? place;
      after = last.id;
    }
  }

  #files(
    thing: ExportedThing,
    place: string,
    after: string,
  ): Promise<(ExportedFile & { place?: string })[]> {
    switch (thing.is) {
      case "user":
        return this.#database.read(USERS_FILES, [after, thing.id]);
      case "conversation":
        return this.#database.read(SHOWN_FILES, [after, thing.id, place]);
      case "all":
        return this.#database.read(FILES, [after]);
    }
  }

  async jobs(): Promise<string[]> {
    const rows = await this.#database.read<{ id: string }>(JOBS, []);
    return rows.map(({ id }) => id);
  }

  async olderJobs(key: string, jobId: string): Promise<string[]> {
    const rows = await this.#database.read<{ id: string }>(OLDER_JOBS, [key, jobId]);
    return rows.map(({ id }) => id);
  }

  async isErasing(withinMs: number): Promise<boolean> {
    return (await this.#database.read(ERASING, [withinMs])).length > 0;
  }
}
