/**
 * The list of what a backup holds, `manifest.json`, which is written last: a folder without one is a
 * backup that was not finished.
 *
 * [BAK1] A backup is used only where every file that it lists is there with its size and its sum.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import type { SequenceState } from "./tables.ts";

export const MANIFEST = "manifest.json";
export const FORMAT = 1;

export interface Listed {
  /** Below the backup's folder, with `/`. */
  path: string;
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
}

export interface ListedTable extends Listed {
  name: string;
  columns: string[];
  rows: number;
}

export interface ListedFile extends Listed {
  /** Its name in the store of files. */
  key: string;
}

export interface ListedSecret extends Listed {
  /** Its name in DATA_DIR. */
  name: string;
}

export interface Manifest {
  format: number;
  /** The Troupe that wrote it. */
  troupe: string;
  schema: number;
  cluster_id: string;
  /** By the clock of the database, at the moment of which all rows are. */
  made_at: string;
  tables: ListedTable[];
  sequences: SequenceState[];
  files: ListedFile[];
  secrets: ListedSecret[];
}

const PATH = /^(database|files|secrets)(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** Whether Troupe gives such names to its files; others found among them are left alone. */
export const isOwnName = (name: string): boolean => NAME.test(name);

/** Refuses with StartRefusal. */
export async function readManifest(dir: string): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(join(dir, MANIFEST), "utf8");
  } catch (error) {
    throw new StartRefusal(
      errorCode(error) === "ENOENT"
        ? `${dir} holds no whole backup: it has no ${MANIFEST}, which is written last.`
        : `${dir} cannot be read: ${fileTrouble(error)}.`,
    );
  }
  const manifest = parsed(text);
  if (manifest === null) throw new StartRefusal(`${join(dir, MANIFEST)} is damaged.`);
  if (manifest.format > FORMAT) {
    throw new StartRefusal(
      `The backup in ${dir} was written by Troupe ${manifest.troupe}, in a form that this one does not know.`,
    );
  }
  return manifest;
}

function parsed(text: string): Manifest | null {
  try {
    const read = JSON.parse(text) as Manifest;
    const all = everything(read);
    const isWhole =
      Number.isInteger(read.format) &&
      Number.isInteger(read.schema) &&
      Array.isArray(read.sequences) &&
      typeof read.cluster_id === "string" &&
      all.every(
        ({ path, bytes, sha256 }) => PATH.test(path) && bytes >= 0 && sha256.length === 64,
      ) &&
      read.secrets.every(({ name }) => isOwnName(name)) &&
      read.files.every(({ key }) => isOwnName(key));
    return isWhole ? read : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

export function everything({ tables, files, secrets }: Manifest): Listed[] {
  return [...tables, ...files, ...secrets];
}

/** [BAK1] Refuses with StartRefusal, which names the first file that is not as it was. */
export async function verify(dir: string, manifest: Manifest): Promise<void> {
  for (const { path, bytes, sha256 } of everything(manifest)) {
    const found = join(dir, path);
    let size: number;
    let sum: string;
    try {
      size = (await stat(found)).size;
      sum = size === bytes ? await sumOf(found) : "";
    } catch (error) {
      throw new StartRefusal(`The backup is damaged: ${found}: ${fileTrouble(error)}.`);
    }
    if (size !== bytes) {
      throw new StartRefusal(
        `The backup is damaged: ${found} has ${size} bytes, and had ${bytes} when it was written.`,
      );
    }
    if (sum !== sha256) {
      throw new StartRefusal(
        `The backup is damaged: the sum of ${found} is not what it was when it was written.`,
      );
    }
  }
}

async function sumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
