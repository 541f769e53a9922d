/** Checks DATA_DIR and the PostgreSQL that would run from it, and leaves both as they were. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import { packagedVersion } from "../../storage/embedded/binaries.ts";
import { refuseMoved } from "../../storage/embedded/moved.ts";
import { runningEmbeddedUrl } from "../../storage/embedded/running.ts";
import { type Finding, fine, wrong } from "./finding.ts";

/** Makes a folder in it, or where it would be, and removes it again. */
export async function checkDataDir(path: string): Promise<Finding> {
  const check = "DATA_DIR";
  const there = await nearestFolder(path);
  try {
    await rm(await mkdtemp(join(there, ".troupe-doctor-")), { recursive: true });
  } catch (error) {
    const found = `${there} cannot be written: ${fileTrouble(error)}`;
    return wrong(check, found, "give it to the user that Troupe runs as, or set DATA_DIR");
  }
  return fine(check, there === path ? `${path} is writable` : `${path} will be made`);
}

/** `path`, or its nearest ancestor that exists, which may be a file. */
export async function nearestFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      const isMissing = errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR";
      if (!isMissing || dirname(at) === at) return at;
    }
  }
}

/** Checks that PostgreSQL's programs exist and run; answers the server's URL where it runs. */
export async function checkEmbedded(
  dataDir: string,
): Promise<{ finding: Finding; runningUrl: string | null }> {
  const check = "embedded PostgreSQL";
  const runningUrl = await runningEmbeddedUrl(dataDir);
  try {
    await refuseMoved(dataDir);
  } catch (error) {
    if (!(error instanceof StartRefusal)) throw error;
    const advice = "set DATABASE_URL, or take the old one back with troupe move --undo";
    return { finding: wrong(check, error.message, advice), runningUrl };
  }
  if (runningUrl !== null) return { finding: fine(check, "is running"), runningUrl };
  try {
    const version = await packagedVersion();
    const found =
      version === null ? "there; a start puts its programs in order" : `${version}, ready`;
    return { finding: fine(check, found), runningUrl };
  } catch (error) {
    if (!(error instanceof StartRefusal)) throw error;
    const advice = "npm ci, or set DATABASE_URL to a PostgreSQL of your own";
    return { finding: wrong(check, error.message, advice), runningUrl };
  }
}
