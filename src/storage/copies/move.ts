/**
 * Moves the rows of a database that is being written into an empty one, and its files into a store of
 * files where another one is configured.
 *
 * copying: all rows of one snapshot, while the server goes on.
 * catching up: what changed since the snapshot before, again and again, until that takes little.
 * stopped: writers wait; what is left is copied, the new database commits, the old one becomes
 * read-only and is marked. From here on the new one holds everything.
 *
 * [MOV2] Until the new database has committed, nothing of the old one has changed, and a move that
 *        is killed leaves the new one empty. Between the commit and the mark the old one is as whole
 *        as the new one.
 * [MOV3] Nothing is acknowledged by the old database after the rows for the new one were read:
 *        sessions that could still write are ended while the locks stand.
 */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type { Client } from "pg";
import { stopwatch } from "../../base/clock.ts";
import { errorCode } from "../../base/errors.ts";
import type { FileStore } from "../../ports/files.ts";
import { wholeFiles } from "./backup.ts";
import { bringUp, oldestUnseen } from "./changes.ts";
import { rowsOf, withClient } from "./copy.ts";
import { hold, makeReadOnly } from "./freeze.ts";
import { schemaOf, sequencesOf, type TableShape, tablesOf } from "./tables.ts";
import { Target } from "./target.ts";

/** Catching up ends with a round that takes less, or the last. */
const SHORT_MS = 1_000;
const ROUNDS_MAX = 5;

export interface MoveOptions {
  from: string;
  to: string;
  version: string;
  dataDir: string;
  /** Where the files go; null: they stay in DATA_DIR. */
  files: Pick<FileStore, "write"> | null;
  /** Marks the old one, so that it does not start again. */
  mark(): Promise<void>;
  onProgress(line: string): void;
}

export interface Moved {
  rows: number;
  files: number;
  /** How long writers waited, until the new database had everything. */
  stoppedMs: number;
}

export async function move(options: MoveOptions): Promise<Moved> {
  const { from, to, version, onProgress } = options;
  return withClient(from, "move", async (source) => {
    const schema = await schemaOf(source);
    const tables = await tablesOf(source);
    return Target.fill({ url: to, schema, version }, async (target) => {
      for (const table of tables) target.checkHas(table);
      const { rows, since } = await copyAll(source, target, tables);
      onProgress(`Copied ${rows} rows, while Troupe goes on.`);
      const files = new FileMove(options);
      await files.round();
      await target.analyze();
      const last = await catchUp(source, target, tables, since);
      onProgress("Writes wait now.");
      const elapsedMs = stopwatch();
      await hold(source, tables);
      await bringUp(source, target.client, tables, last);
      await target.finish(await sequencesOf(source), false);
      await files.round();
      await target.commit();
      await makeReadOnly(from, source);
      await options.mark();
      await source.query("ROLLBACK");
      return { rows, files: files.count, stoppedMs: Math.round(elapsedMs()) };
    });
  });
}

async function copyAll(source: Client, target: Target, tables: readonly TableShape[]) {
  await source.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const since = await oldestUnseen(source);
  let rows = 0;
  for (const table of tables) {
    rows += await target.write(table.name, table.columns, rowsOf(source, table));
  }
  await source.query("COMMIT");
  return { rows, since };
}

/** The transaction since which the copy may lack something. */
async function catchUp(
  source: Client,
  { client }: Target,
  tables: readonly TableShape[],
  since: string,
): Promise<string> {
  let from = since;
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const elapsedMs = stopwatch();
    await source.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const next = await oldestUnseen(source);
    await bringUp(source, client, tables, from);
    await source.query("COMMIT");
    from = next;
    if (elapsedMs() < SHORT_MS) break;
  }
  return from;
}

/** Files are copied once, and again where another one has taken a file's place. */
class FileMove {
  readonly #options: MoveOptions;
  readonly #copied = new Map<string, string>();

  constructor(options: MoveOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#copied.size;
  }

  async round(): Promise<void> {
    const { files, dataDir } = this.#options;
    if (files === null) return;
    for (const path of await wholeFiles(dataDir)) {
      try {
        const { ino, size, mtimeMs } = await stat(path);
        const state = `${ino} ${size} ${mtimeMs}`;
        if (this.#copied.get(path) === state) continue;
        await files.write(basename(path), createReadStream(path));
        this.#copied.set(path, state);
      } catch (error) {
        // It was deleted meanwhile.
        if (errorCode(error) !== "ENOENT") throw error;
      }
    }
  }
}
