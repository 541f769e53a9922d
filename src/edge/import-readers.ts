/** Readers of the lines of imports, by the schemas that are published. */
import { refused } from "../protocol/errors.ts";
import { IMPORT_LINES, type ImportLineType } from "../protocol/import-lines.ts";
import { hashProblem } from "./auth/passwords.ts";
import { createReader, type Reader } from "./validation.ts";

export function importReaders(): Record<ImportLineType, Reader> {
  const readers = Object.fromEntries(
    Object.entries(IMPORT_LINES).map(([type, schema]) => [type, createReader("payload", schema)]),
  ) as Record<ImportLineType, Reader>;
  const { user } = readers;
  return {
    ...readers,
    user(value) {
      const read = user(value);
      if (!read.ok) return read;
      const hash = read.value["password_hash"];
      const problem = typeof hash === "string" ? hashProblem(hash) : null;
      return problem === null ? read : refused("invalid_payload", `password_hash ${problem}.`);
    },
  };
}
