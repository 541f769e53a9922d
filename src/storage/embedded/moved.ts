/**
 * The mark `moved.json` of an embedded database whose rows are in another one now. [MOV1] While it is
 * there, the old database is not started, so that nobody talks to the old one by mistake.
 */
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, fileTrouble, StartRefusal } from "../../base/errors.ts";
import { syncFolder } from "../files/disk-paths.ts";

const MARK = "moved.json";

/** Without user and password. */
export function addressOf(databaseUrl: string): string {
  const { protocol, host, pathname } = new URL(databaseUrl);
  return `${protocol}//${host}${pathname}`;
}

export async function markMoved(dataDir: string, to: string, at: Date): Promise<void> {
  const path = join(dataDir, MARK);
  const file = await open(`${path}.new`, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ to: addressOf(to), at: at.toISOString() })}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dataDir);
}

/** [MOV1] Refuses with StartRefusal. */
export async function refuseMoved(dataDir: string): Promise<void> {
  const path = join(dataDir, MARK);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw new StartRefusal(`${path} cannot be read: ${fileTrouble(error)}.`);
  }
  throw new StartRefusal(
    `The database in ${dataDir} was moved to ${placeIn(text)}: set DATABASE_URL. \`troupe move --undo\` takes the old one back into use, as it was at the move.`,
  );
}

function placeIn(text: string): string {
  try {
    const { to, at } = JSON.parse(text) as { to?: unknown; at?: unknown };
    return `${String(to)} at ${String(at)}`;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return "another database";
  }
}

/** Whether there was a mark. */
export async function unmark(dataDir: string): Promise<boolean> {
  const path = join(dataDir, MARK);
  try {
    await rm(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
  await syncFolder(dataDir);
  return true;
}
