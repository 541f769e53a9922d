/**
 * Brings a backup back into an empty database, its files into the store of files and its secrets into
 * DATA_DIR.
 *
 * [BAK3] Everything is verified before anything is written, and the rows appear last and all at once:
 *        a restore that was killed is begun again.
 */
import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { StartRefusal } from "../../base/errors.ts";
import type { FileStore } from "../../ports/files.ts";
import { syncFolder } from "../files/disk-paths.ts";
import { type Manifest, readManifest, verify } from "./manifest.ts";
import { Target } from "./target.ts";

export interface RestoreOptions {
  dir: string;
  /** Empty, or without tables. */
  url: string;
  dataDir: string;
  files: Pick<FileStore, "write" | "missing">;
  version: string;
}

/** What a restore will write. Refuses with StartRefusal where it is not whole. */
export async function verifiedBackup(dir: string): Promise<Manifest> {
  const manifest = await readManifest(dir);
  await verify(dir, manifest);
  return manifest;
}

/** `manifest` is verified. */
export async function restore(manifest: Manifest, options: RestoreOptions): Promise<void> {
  const { dir, url, version, dataDir, files } = options;
  if (manifest.files.length > 0 && files.missing !== null) {
    throw new StartRefusal(
      "The backup holds files, and several hosts have no store for them: set FILES_URL.",
    );
  }
  await Target.fill({ url, schema: manifest.schema, version }, async (target) => {
    for (const table of manifest.tables) target.checkHas(table);
    for (const { name, columns, path, rows } of manifest.tables) {
      const written = await target.write(name, columns, createReadStream(join(dir, path)));
      if (written === rows) continue;
      throw new StartRefusal(
        `The backup is damaged: ${path} holds ${written} rows, and held ${rows}.`,
      );
    }
    await target.finish(manifest.sequences, true);
    for (const { key, path } of manifest.files) {
      await files.write(key, createReadStream(join(dir, path)));
    }
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    for (const { name, path } of manifest.secrets) {
      await putSecret(join(dataDir, name), await readFile(join(dir, path)));
    }
    await target.commit();
    await target.analyze();
  });
}

/** In place of one that a start has made: with an empty database nothing was signed with it. */
async function putSecret(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.restored`;
  const file = await open(aside, "w", 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  await syncFolder(join(path, ".."));
}
