import { DUE_KINDS, type DueKind } from "../../ports/edge.ts";
import type { Database } from "./pool.ts";

// Each part is one look into an index. Unlike clock_timestamp(), whose value may change within a
// statement, statement_timestamp() can be the end of a range in an index; with the former, every
// row that is not due yet would be read.
const DUE = {
  name: "due_kinds",
  text: `SELECT
    EXISTS (SELECT 1 FROM scheduled_messages x WHERE x.due_at <= statement_timestamp()
      AND (x.claimed_until IS NULL OR x.claimed_until < statement_timestamp())) AS scheduled,
    EXISTS (SELECT 1 FROM message_expiries x WHERE x.expires_at <= statement_timestamp()
      AND (x.claimed_until IS NULL OR x.claimed_until < statement_timestamp())) AS expiries,
    EXISTS (SELECT 1 FROM open_streams x WHERE x.due_at <= statement_timestamp()) AS streams,
    EXISTS (SELECT 1 FROM thread_summaries x WHERE x.due_at <= statement_timestamp()) AS summaries`,
};

/** See Queries.dueKinds. */
export async function readDueKinds(database: Database): Promise<readonly DueKind[]> {
  const [row] = await database.read<Record<DueKind, boolean>>(DUE, []);
  return DUE_KINDS.filter((kind) => row?.[kind]);
}
