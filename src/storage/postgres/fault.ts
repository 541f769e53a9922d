/**
 * The one fault that storage throws: PostgreSQL is out of reach, or did not answer within the
 * deadline. Callers answer `unavailable`. Whether what was asked for happened is unknown.
 */
import { DatabaseError } from "pg";

export class StorageFault extends Error {
  override readonly name = "StorageFault";
}

/** SQLSTATE classes that tell of the server's condition, not of the statement. */
const CONDITION_CLASSES = new Set([
  "08", // connection
  "28", // authorization
  "3D", // no such database
  "53", // out of disk, memory or connections
  "57", // shutting down, starting up, or cancelled at the deadline
  "58", // the server's own I/O
]);
/** A standby took over the address and refuses writes: connecting anew finds the primary. */
const READ_ONLY = "25006";

/** The fault that `error` is, or null when PostgreSQL was reached and refused the statement. */
export function faultOf(error: unknown, where: string): StorageFault | null {
  if (error instanceof StorageFault) return error;
  if (error instanceof DatabaseError) {
    const code = error.code ?? "";
    if (!CONDITION_CLASSES.has(code.slice(0, 2)) && code !== READ_ONLY) return null;
  }
  const reason = error instanceof Error ? error.message || error.name : String(error);
  return new StorageFault(`${where}: ${reason}`, { cause: error });
}

const RETRYABLE = new Set(["40P01", "40001"]);

/** A deadlock or serialization failure: rolled back, and another try may well succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof DatabaseError && RETRYABLE.has(error.code ?? "");
}
