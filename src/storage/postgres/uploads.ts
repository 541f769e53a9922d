/** UploadTable on PostgreSQL. */
import type { UploadHold, UploadInParts, UploadTable } from "../../ports/uploads.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Database } from "./pool.ts";

const BEGIN = {
  name: "begin_upload",
  text: `WITH made AS MATERIALIZED (SELECT begin_file($1, $2, $3, $4) AS id)
    INSERT INTO uploads (file_id, bytes) SELECT m.id, $3 FROM made m WHERE m.id IS NOT NULL
    RETURNING file_id AS id`,
};
const FIND = {
  name: "upload_in_parts",
  text: `SELECT u.bytes, f.state <> 'uploading' AS is_whole, f.removed_at IS NOT NULL AS is_gone
    FROM uploads u JOIN files f ON f.id = u.file_id
    WHERE u.file_id = $2 AND f.user_id = $1`,
};
const HOLD = {
  name: "hold_upload",
  text: `UPDATE uploads u
    SET holder = $2, held_until = clock_timestamp() + $3 * interval '1 millisecond', is_wanted = false
    WHERE u.file_id = $1 AND (u.holder IS NULL OR u.held_until < clock_timestamp())
    RETURNING u.file_id`,
};
const WANT = {
  name: "want_upload",
  text: "UPDATE uploads u SET is_wanted = true WHERE u.file_id = $1 AND u.holder <> $2",
};
const RENEW = {
  name: "renew_upload",
  text: `UPDATE uploads u SET held_until = clock_timestamp() + $3 * interval '1 millisecond',
      touched_at = clock_timestamp()
    WHERE u.file_id = $1 AND u.holder = $2 RETURNING u.is_wanted`,
};
const RELEASE = {
  name: "release_upload",
  text: `UPDATE uploads u SET holder = NULL, held_until = NULL, touched_at = clock_timestamp()
    WHERE u.file_id = $1 AND u.holder = $2`,
};

export class PostgresUploads implements UploadTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async begin(owner: UserId, name: string, bytes: number, quotaBytes: number) {
    const [row] = await this.#database.write<{ id: string }>(BEGIN, [
      owner,
      name,
      bytes,
      quotaBytes,
    ]);
    return row?.id ?? null;
  }

  async find(owner: UserId, id: string): Promise<UploadInParts | null> {
    const [row] = await this.#database.read<{
      bytes: string;
      is_whole: boolean;
      is_gone: boolean;
    }>(FIND, [owner, id]);
    if (row === undefined) return null;
    const state = row.is_gone ? "gone" : row.is_whole ? "whole" : "unfinished";
    return { bytes: Number(row.bytes), state };
  }

  async hold(id: string, holder: string, leaseMs: number): Promise<boolean> {
    const held = await this.#database.write(HOLD, [id, holder, leaseMs]);
    if (held.length === 0) await this.#database.write(WANT, [id, holder]);
    return held.length > 0;
  }

  async renew(id: string, holder: string, leaseMs: number): Promise<UploadHold> {
    const [row] = await this.#database.write<{ is_wanted: boolean }>(RENEW, [id, holder, leaseMs]);
    if (row === undefined) return "lost";
    return row.is_wanted ? "wanted" : "kept";
  }

  async release(id: string, holder: string): Promise<void> {
    await this.#database.write(RELEASE, [id, holder]);
  }
}
