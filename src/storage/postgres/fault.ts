/**
 * The one fault that storage throws: PostgreSQL is out of reach, or did not answer within the
 * deadline. Callers answer `unavailable`. Whether what was asked for happened is unknown.
 */
import { DatabaseError } from "pg";
import { errorCode } from "../../base/errors.ts";

export const STORAGE_REASONS = {
  disk_full: "PostgreSQL is out of disk space",
  read_only: "PostgreSQL is read-only: it is a standby, or default_transaction_read_only is on",
  no_connections: "PostgreSQL has no connection left for Troupe",
  out_of_memory: "PostgreSQL is out of memory",
  no_descriptors: "the process limit of open files is reached (ulimit -n)",
  server_descriptors: "PostgreSQL is out of file descriptors or other resources",
  too_slow: "PostgreSQL did not answer within the deadline",
  login_refused: "PostgreSQL refuses the login: wrong user, password, or pg_hba.conf",
  no_database: "the database does not exist",
  shutting_down: "PostgreSQL is starting up or shutting down",
  server_io: "PostgreSQL cannot read or write its own files",
  no_rights: "the database role lacks a right",
  locked: "another session holds a lock for too long",
  queue_full: "more writes wait than PostgreSQL can take",
  unreachable: "PostgreSQL cannot be reached",
} as const;
/** Why storage failed; the text is what operators read in the log, `/readyz` and `/ops`. */
export type StorageReason = keyof typeof STORAGE_REASONS;

export class StorageFault extends Error {
  override readonly name = "StorageFault";
  readonly reason: StorageReason;

  constructor(reason: StorageReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }

  /** The reason in words. */
  get why(): string {
    return STORAGE_REASONS[this.reason];
  }
}

/**
 * The reason of an SQLSTATE that describes the server's condition and not the statement; null
 * for any other. A whole class is looked up by its first two characters.
 */
const CONDITIONS: Readonly<Record<string, StorageReason>> = {
  "08": "unreachable",
  "28": "login_refused",
  "3D": "no_database",
  "53": "server_descriptors",
  "53100": "disk_full",
  "53200": "out_of_memory",
  "53300": "no_connections",
  "57": "shutting_down",
  "57014": "too_slow",
  "58": "server_io",
  // A standby that took over the address: a new connection may find the primary.
  "25006": "read_only",
  "42501": "no_rights",
  "55P03": "locked",
};

/** The fault that `error` is, or null when PostgreSQL was reached and refused the statement. */
export function faultOf(error: unknown, where: string): StorageFault | null {
  if (error instanceof StorageFault) return error;
  const reason = error instanceof DatabaseError ? conditionOf(error) : reasonOfBroken(error);
  if (reason === null) return null;
  const said = error instanceof Error ? error.message || error.name : String(error);
  return new StorageFault(reason, `${where}: ${said}`, { cause: error });
}

function conditionOf({ code = "", message }: DatabaseError): StorageReason | null {
  // The server's disk can also be full where its own files are written (class 58).
  if (code.startsWith("58") && message.includes("No space left")) return "disk_full";
  return CONDITIONS[code] ?? CONDITIONS[code.slice(0, 2)] ?? null;
}

/** No answer of PostgreSQL: the connection broke, could not be made, or nothing came in time. */
function reasonOfBroken(error: unknown): StorageReason {
  const code = errorCode(error);
  if (code === "EMFILE" || code === "ENFILE") return "no_descriptors";
  const said = error instanceof Error ? error.message : "";
  return said === "Query read timeout" || said.startsWith("timeout e") ? "too_slow" : "unreachable";
}

/** Whether the connection that reported this fault can still be used. */
export function isConnectionUsable({ cause }: StorageFault): boolean {
  if (!(cause instanceof DatabaseError) || cause.severity !== "ERROR") return false;
  return USABLE_AFTER.has(conditionOf(cause) ?? "unreachable");
}

const USABLE_AFTER: ReadonlySet<StorageReason> = new Set([
  "disk_full",
  "out_of_memory",
  "server_descriptors",
  "no_rights",
  "locked",
]);

const RETRYABLE = new Set(["40P01", "40001"]);

/** A deadlock or serialization failure: rolled back, and another try may well succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof DatabaseError && RETRYABLE.has(error.code ?? "");
}
