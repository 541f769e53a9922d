/**
 * The errors that are not the contract's: a start that must not continue, and bugs. Refusals to
 * clients are values (src/protocol/errors.ts).
 */

/**
 * Troupe cannot start like this, and the person who started it can fix it. The message is one
 * sentence for a person; the command line prints it without a stack and exits with 1.
 */
export class StartRefusal extends Error {
  override readonly name = "StartRefusal";
}

/** Input from another process, thread or host that cannot be decoded. Its reader drops it. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

/** Ends a `switch` over a union: a missing case is a compile error, and reaching it is a bug. */
export function unreachable(x: never): never {
  throw new Error(`unreachable: ${JSON.stringify(x)}`);
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}

/** The system's code of an error ("ENOENT"); undefined where it has none. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Why the file system refused, in words, for the end of a sentence. */
export function fileTrouble(error: unknown): string {
  const code = errorCode(error);
  return (code && FILE_TROUBLES[code]) ?? (error instanceof Error ? error.message : String(error));
}

const FILE_TROUBLES: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "part of the path is a file, not a directory",
  EEXIST: "it is a file, not a directory",
  EISDIR: "it is a directory, not a file",
  ENOENT: "it does not exist",
  ENAMETOOLONG: "the path is too long",
};
