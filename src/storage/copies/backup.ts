/**
 * Writes a database, the files of DATA_DIR and its secrets into a folder, while a server goes on.
 *
 * [BAK2] All rows belong to one moment after the call, so the backup has what was acknowledged before
 *        the call. The bytes of files are read after that moment: each file that the rows name is
 *        there, unless it was deleted meanwhile. Unfinished uploads are left out, and their clients
 *        start over.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import { syncFolder, UNFINISHED, writeAll } from "../files/disk-paths.ts";
import { rowsOf, withClient } from "./copy.ts";
import {
  FORMAT,
  isOwnName,
  type Listed,
  type ListedFile,
  type ListedSecret,
  type ListedTable,
  MANIFEST,
  type Manifest,
} from "./manifest.ts";
import { schemaOf, sequencesOf, tablesOf } from "./tables.ts";

export interface BackupOptions {
  url: string;
  /** Where the files and the secrets are. */
  dataDir: string;
  /** Made where it is missing; else it must be empty. */
  dir: string;
  version: string;
  /** Called as parts are done. */
  onProgress(line: string): void;
}

/** Files of DATA_DIR that are no secrets, or that a new database has its own of. */
const NOT_SECRETS = /^(lock(\..*)?|postgres-password|moved\.json|.*\.[0-9a-f]{12})$/;
const SECRET_BYTES_MAX = 64 * 1024;

export async function writeBackup(options: BackupOptions): Promise<Manifest> {
  const { url, dir, version, onProgress } = options;
  await makeEmpty(dir);
  try {
    const rows = await withClient(url, "backup", async (client) => {
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
      const { rows } = await client.query<{ at: Date; cluster: string }>(
        "SELECT clock_timestamp() AS at, (SELECT i.id FROM cluster_identity i) AS cluster",
      );
      const { at, cluster } = rows[0]!;
      const schema = await schemaOf(client);
      const tables: ListedTable[] = [];
      for (const table of await tablesOf(client)) {
        const source = rowsOf(client, table);
        const listed = await writeListed(dir, `database/${table.name}.copy`, source);
        tables.push({ ...listed, name: table.name, columns: table.columns, rows: source.rowCount });
      }
      const sequences = await sequencesOf(client);
      await client.query("COMMIT");
      return { schema, cluster_id: cluster, made_at: at.toISOString(), tables, sequences };
    });
    const count = rows.tables.reduce((sum, table) => sum + table.rows, 0);
    onProgress(`${count} rows of ${rows.tables.length} tables`);
    const files = await writeFiles(options);
    onProgress(`${files.length} files`);
    const secrets = await writeSecrets(options);
    const manifest: Manifest = { format: FORMAT, troupe: version, ...rows, files, secrets };
    await finish(dir, manifest);
    return manifest;
  } catch (error) {
    if (error instanceof StartRefusal || errorCode(error) === undefined) throw error;
    if (!(error instanceof Error && "path" in error) && errorCode(error) !== "ENOSPC") throw error;
    throw new StartRefusal(`The backup cannot be written into ${dir}: ${fileTrouble(error)}.`);
  }
}

async function makeEmpty(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if ((await readdir(dir)).length === 0) return;
  } catch (error) {
    throw new StartRefusal(`${dir} cannot be made: ${fileTrouble(error)}.`);
  }
  throw new StartRefusal(`${dir} is not empty: name a new folder for each backup.`);
}

async function writeFiles({ dataDir, dir }: BackupOptions): Promise<ListedFile[]> {
  const listed: ListedFile[] = [];
  for (const path of await wholeFiles(dataDir)) {
    const key = basename(path);
    const to = `files/${basename(dirname(path))}/${key}`;
    try {
      listed.push({ ...(await writeListed(dir, to, createReadStream(path))), key });
    } catch (error) {
      // It was deleted meanwhile.
      if (errorCode(error) !== "ENOENT" || !(error instanceof Error && "path" in error))
        throw error;
      if (error.path !== path) throw error;
    }
  }
  return listed;
}

/** The paths of the files of DATA_DIR that are whole. */
export async function wholeFiles(dataDir: string): Promise<string[]> {
  const folder = join(dataDir, "files");
  const paths: string[] = [];
  for (const entry of await entriesOf(folder)) {
    if (!entry.isDirectory() || entry.name === UNFINISHED) continue;
    for (const file of await entriesOf(join(folder, entry.name))) {
      if (file.isFile() && isOwnName(file.name)) paths.push(join(folder, entry.name, file.name));
    }
  }
  return paths;
}

async function entriesOf(folder: string) {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
}

async function writeSecrets({ dataDir, dir }: BackupOptions): Promise<ListedSecret[]> {
  const listed: ListedSecret[] = [];
  for (const entry of await entriesOf(dataDir)) {
    if (!entry.isFile() || NOT_SECRETS.test(entry.name) || !isOwnName(entry.name)) continue;
    const path = join(dataDir, entry.name);
    // Somebody else's.
    if ((await stat(path)).size > SECRET_BYTES_MAX) continue;
    const source = createReadStream(path);
    const secret = await writeListed(dir, `secrets/${entry.name}`, source);
    listed.push({ ...secret, name: entry.name });
  }
  return listed;
}

async function writeListed(
  dir: string,
  path: string,
  source: AsyncIterable<Uint8Array>,
): Promise<Listed> {
  const hash = createHash("sha256");
  let bytes = 0;
  let file: Awaited<ReturnType<typeof open>> | null = null;
  try {
    // Opened with the first bytes, so that a source that is not there leaves no file.
    const begin = async () => {
      await mkdir(dirname(join(dir, path)), { recursive: true, mode: 0o700 });
      return open(join(dir, path), "wx", 0o600);
    };
    for await (const chunk of source) {
      file ??= await begin();
      hash.update(chunk);
      bytes += chunk.length;
      await writeAll(file, chunk);
    }
    file ??= await begin();
    await file.sync();
  } finally {
    await file?.close();
  }
  return { path, bytes, sha256: hash.digest("hex") };
}

/** The manifest appears whole, after everything that it lists is on the disk. */
async function finish(dir: string, manifest: Manifest): Promise<void> {
  const aside = join(dir, `${MANIFEST}.new`);
  const file = await open(aside, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  const folders = new Set(
    [...manifest.tables, ...manifest.files, ...manifest.secrets].map(({ path }) =>
      dirname(join(dir, path)),
    ),
  );
  for (const folder of folders) await syncFolder(folder);
  await rename(aside, join(dir, MANIFEST));
  await syncFolder(dir);
}
