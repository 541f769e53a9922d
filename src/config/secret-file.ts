/**
 * A random secret in a file that only its owner may read, made on first use. Two processes that
 * make it at once get the same secret, and a crash leaves no partial file.
 */
import { randomBytes } from "node:crypto";
import { chmod, link, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { errorCode, fileTrouble, StartRefusal } from "../base/errors.ts";

/** One secret a line, the newest first. */
const SECRETS = /^[0-9a-f]{64}(\n[0-9a-f]{64})*$/;

/**
 * 64 hex digits, 256 bits; where there are several, they are separated by commas. Refuses a start
 * where the file holds anything else.
 */
export async function readOrMakeSecretFile(path: string): Promise<string> {
  try {
    return (await readSecret(path)) ?? (await makeSecret(path));
  } catch (error) {
    if (error instanceof StartRefusal) throw error;
    throw new StartRefusal(`The secret in ${path} cannot be used: ${fileTrouble(error)}.`);
  }
}

/** Null where the file does not exist. Refuses like `readOrMakeSecretFile`. */
export async function readSecretFile(path: string): Promise<string | null> {
  try {
    return await readSecret(path);
  } catch (error) {
    if (error instanceof StartRefusal) throw error;
    throw new StartRefusal(`The secret in ${path} cannot be used: ${fileTrouble(error)}.`);
  }
}

async function readSecret(path: string): Promise<string | null> {
  let text: string;
  try {
    text = (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
  if (!SECRETS.test(text)) {
    throw new StartRefusal(
      `${path} should hold a secret of 64 hex digits and does not: restore it, or remove it to have a new one made.`,
    );
  }
  // A restored backup is often readable for everyone.
  if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, 0o600);
  return text.replaceAll("\n", ",");
}

/**
 * Puts a new secret before those in the file, or, where `isOnly`, in their place; the number of
 * secrets afterwards. Null: there is no file. A crash leaves the file as it was.
 */
export async function rotateSecretFile(path: string, isOnly: boolean): Promise<number | null> {
  const known = await readSecretFile(path);
  if (known === null) return null;
  const secret = randomBytes(32).toString("hex");
  const all = isOnly ? [secret] : [secret, ...known.split(",")];
  const fresh = await writeFresh(path, `${all.join("\n")}\n`);
  await rename(fresh, path);
  return all.length;
}

/** A file beside `path`, with these bytes on the disk. */
async function writeFresh(path: string, text: string): Promise<string> {
  const fresh = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(fresh, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return fresh;
}

async function makeSecret(path: string): Promise<string> {
  const secret = randomBytes(32).toString("hex");
  const fresh = await writeFresh(path, `${secret}\n`);
  try {
    // Unlike rename, link never replaces a file that another process has made meanwhile.
    await link(fresh, path);
    return secret;
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    const theirs = await readSecret(path);
    if (theirs === null) throw error;
    return theirs;
  } finally {
    await unlink(fresh);
  }
}
