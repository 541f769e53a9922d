/** ImportStore on PostgreSQL; what is written is functions in sql/functions (import_*). */
import type { ImportCounts, ImportStore, StagedLine } from "../../ports/imports.ts";
import type { Database } from "./pool.ts";

/** Lines a transaction: some hundred milliseconds. */
const USERS = 500;
const GRAPH = 500;
const NAMES = 1_000;
const CLEARED = 20_000;
/** Raised by import_conversation. */
const WRITTEN_BY_OTHERS = "TR409";

const BEGIN = {
  text: `INSERT INTO imports AS i (key) VALUES ($1)
    ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING i.id, i.is_good`,
};
const CLEAR = {
  text: `DELETE FROM import_lines l WHERE l.import_id = $1 AND l.n IN (
    SELECT x.n FROM import_lines x WHERE x.import_id = $1 LIMIT ${CLEARED}) RETURNING 1 AS one`,
};
const STAGE = {
  text: `INSERT INTO import_lines (import_id, n, type, ref, usr, seq, client_id, line)
    SELECT $1, x.n, x.type, x.ref, x.usr, x.seq, x.client_id, x.line
    FROM json_to_recordset($2) AS x (
      n bigint, type text, ref text, usr text, seq bigint, client_id text, line json)`,
};
const PROBLEMS = { text: "SELECT p.n, p.problem, p.is_conflict FROM import_problems($1, $2) p" };
const ACCEPT = { text: "UPDATE imports i SET is_good = true WHERE i.id = $1" };
const USERS_AFTER = { text: `SELECT import_users($1, $2, ${USERS}) AS last` };
const GRAPH_AFTER = { text: `SELECT import_graph($1, $2, ${GRAPH}) AS last` };
const NAMES_AFTER = {
  text: `SELECT DISTINCT l.ref FROM import_lines l
    LEFT JOIN import_lines c ON c.import_id = l.import_id AND c.type = 'conversation' AND c.ref = l.ref
    WHERE l.import_id = $1 AND l.type IN ('conversation', 'member', 'message', 'reaction')
      AND l.ref > $2 AND (c.line->>'kind' = 'thread') IS NOT DISTINCT FROM $3
    ORDER BY l.ref LIMIT ${NAMES}`,
};
const WRITE = {
  text: "SELECT sum(import_conversation($1, r.ref)) AS added FROM unnest($2::text[]) r (ref)",
};
const COUNTS = {
  text: `SELECT count(*) FILTER (WHERE l.type = 'user')::float8 AS users,
      count(*) FILTER (WHERE l.type = 'conversation')::float8 AS conversations,
      count(*) FILTER (WHERE l.type = 'message')::float8 AS messages
    FROM import_lines l WHERE l.import_id = $1`,
};
// Not while a statement writes the lines: each holds the row.
const CLOSE = { text: "UPDATE imports i SET is_good = false WHERE i.id = $1" };
const END = { text: "DELETE FROM imports i WHERE i.id = $1" };

export class PostgresImports implements ImportStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(key: string) {
    const [row] = await this.#database.write<{ id: string; is_good: boolean }>(BEGIN, [key]);
    return { id: row!.id, isGood: row!.is_good };
  }

  async clear(id: string): Promise<void> {
    for (let left = 1; left > 0; ) left = (await this.#database.write(CLEAR, [id])).length;
  }

  async stage(id: string, lines: readonly StagedLine[]): Promise<void> {
    await this.#database.write(STAGE, [id, JSON.stringify(lines)]);
  }

  async problems(id: string, most: number) {
    const rows = await this.#database.write<{ n: string; problem: string; is_conflict: boolean }>(
      PROBLEMS,
      [id, most],
    );
    return rows.map(({ n, problem, is_conflict }) => ({
      line: Number(n),
      problem,
      isConflict: is_conflict,
    }));
  }

  async accept(id: string): Promise<void> {
    await this.#database.write(ACCEPT, [id]);
  }

  async writeUsers(id: string, after: string): Promise<string | null> {
    const [row] = await this.#database.write<{ last: string | null }>(USERS_AFTER, [id, after]);
    return row!.last;
  }

  async *conversations(id: string): AsyncGenerator<string[]> {
    for (const isThread of [null, false, true]) {
      for (let after = ""; ; ) {
        const rows: { ref: string }[] = await this.#database.read(NAMES_AFTER, [
          id,
          after,
          isThread,
        ]);
        if (rows.length > 0) yield rows.map(({ ref }) => ref);
        if (rows.length < NAMES) break;
        after = rows.at(-1)!.ref;
      }
    }
  }

  async writeConversations(id: string, names: readonly string[]): Promise<number | null> {
    try {
      const [row] = await this.#database.write<{ added: string }>(WRITE, [id, names]);
      return Number(row!.added);
    } catch (error) {
      if (isWrittenByOthers(error)) return null;
      throw error;
    }
  }

  async writeGraph(id: string, after: string): Promise<string | null> {
    const [row] = await this.#database.write<{ last: string | null }>(GRAPH_AFTER, [id, after]);
    return row!.last;
  }

  async counts(id: string): Promise<ImportCounts> {
    const [row] = await this.#database.read<ImportCounts>(COUNTS, [id]);
    return row!;
  }

  async end(id: string): Promise<void> {
    await this.#database.write(CLOSE, [id]);
    await this.clear(id);
    await this.#database.write(END, [id]);
  }
}

function isWrittenByOthers(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && at.code === WRITTEN_BY_OTHERS) return true;
  }
  return false;
}
