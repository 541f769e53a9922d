/** DATA_DIR, and the PostgreSQL that would run from it: touched, and left as it was. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import { packagedVersion } from "../../storage/embedded/binaries.ts";
import { runningEmbeddedUrl } from "../../storage/embedded/running.ts";
import { type Finding, fine, wrong } from "./finding.ts";

/** A folder is made in it, or where it will be, and taken away again. */
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

/** `path`, or the nearest above it that there is; a file where one is in the way. */
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

/** The programs are there and run; where the server runs, the URL of it. */
export async function checkEmbedded(
  dataDir: string,
): Promise<{ finding: Finding; runningUrl: string | null }> {
  const check = "embedded PostgreSQL";
  const runningUrl = await runningEmbeddedUrl(dataDir);
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
