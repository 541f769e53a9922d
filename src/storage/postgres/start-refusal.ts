/** Explains in one sentence why a start fails at the database, where the operator can fix it. */
import { StartRefusal } from "../../base/errors.ts";
import { StorageFault } from "./fault.ts";
import { ForeignDatabaseError } from "./foreign-database.ts";
import { NewerDatabaseError } from "./migrate.ts";
import { PooledDatabaseError } from "./pooler.ts";

/** Anything else comes back as it is. */
export function startRefusalOf(error: unknown): unknown {
  if (
    error instanceof NewerDatabaseError ||
    error instanceof PooledDatabaseError ||
    error instanceof ForeignDatabaseError
  ) {
    return new StartRefusal(error.message);
  }
  if (!(error instanceof StorageFault)) return error;
  return new StartRefusal(sentenceOf(error), { cause: error });
}

function sentenceOf(fault: StorageFault): string {
  const { cause, message, reason, why } = fault;
  // Without the fault's own address, which is this start.
  const said = cause instanceof Error && cause.message !== "" ? cause.message : message;
  switch (reason) {
    case "no_rights":
      return (
        `The database role lacks a right: ${said}. ` +
        "GRANT CREATE ON SCHEMA public TO it, or run `troupe migrate` as a role that may."
      );
    case "unreachable":
      return `The database cannot be reached: ${said}`;
    default:
      return `The database cannot be used: ${why} (${said}).`;
  }
}
