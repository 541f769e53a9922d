/** ModerationStore on PostgreSQL. */
import {
  type AddedReport,
  type ModerationStore,
  type NewReport,
  type Resolution,
  subjectKeyOf,
} from "../../ports/moderation.ts";
import type { ListPage } from "../../ports/pages.ts";
import type { Report, ReportState, WordRule } from "../../protocol/moderation-routes.ts";
import { decodeListCursor, TOP } from "./list-cursor.ts";
import type { Database } from "./pool.ts";
import { pageOf } from "./social-queries.ts";

const REPORT_COLUMNS = `r.id, r.subject, r.author_id, r.reporter_id, r.rule, r.reason, r.note,
  r.content, r.created_at, r.action, r.resolution_note, r.resolved_by, r.resolved_at`;
// Every part sees the table as it was before: a report that is there already, and how many there are.
const ADD = {
  text: `WITH known AS (
      SELECT r.id FROM reports r
      WHERE r.subject_key = $1 AND (r.reporter_id = $4::bigint OR r.rule = $5::text)
    ), recent AS (
      SELECT count(*) AS reports, min(r.created_at) AS first FROM reports r
      WHERE r.reporter_id = $4 AND r.created_at > clock_timestamp() - interval '1 hour'
    ), added AS (
      INSERT INTO reports
        (subject_key, subject, author_id, reporter_id, rule, reason, note, content)
      SELECT $1, $2::json, $3::bigint, $4, $5, $6, $7, $8::json FROM recent c
      WHERE $9::int IS NULL OR c.reports < $9
      ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT k.id, false AS created, NULL AS wait_ms FROM known k
    UNION ALL SELECT a.id, true, NULL FROM added a
    UNION ALL
    SELECT NULL, false, greatest(1, ceil(extract(epoch FROM
      c.first + interval '1 hour' - clock_timestamp()) * 1000))::bigint::text
    FROM recent c WHERE c.reports >= $9 AND NOT EXISTS (SELECT 1 FROM known)`,
};
const LIST = {
  text: `SELECT ${REPORT_COLUMNS} FROM reports r
    WHERE r.id < $1 AND ($2::boolean IS NULL OR (r.resolved_at IS NULL) = $2)
    ORDER BY r.id DESC LIMIT $3`,
};
const REPORT = { text: `SELECT ${REPORT_COLUMNS} FROM reports r WHERE r.id = $1` };
const CLAIM = {
  text: `UPDATE reports r SET claimed_until = clock_timestamp() + $2 * interval '1 millisecond'
    WHERE r.id = $1 AND r.resolved_at IS NULL
      AND (r.claimed_until IS NULL OR r.claimed_until < clock_timestamp())
    RETURNING ${REPORT_COLUMNS}`,
};
const SETTLE = {
  text: `UPDATE reports r SET claimed_until = NULL,
      resolved_at = CASE WHEN $2::text IS NOT NULL THEN clock_timestamp() END,
      action = $2, resolution_note = $3, resolved_by = $4
    WHERE r.id = $1 AND r.resolved_at IS NULL RETURNING ${REPORT_COLUMNS}`,
};
const RULES_REV = { name: "word_rules_rev", text: "SELECT m.rev FROM moderation_rules m" };
const RULES = { text: "SELECT m.rev, m.rules FROM moderation_rules m" };
const PUT_RULES = {
  text: "UPDATE moderation_rules m SET rules = $1, rev = m.rev + 1 RETURNING m.rev",
};

interface AddedRow {
  id: string | null;
  created: boolean;
  wait_ms: string | null;
}
type ReportRow = Omit<Report, "state">;

export class PostgresModeration implements ModerationStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async addReport(report: NewReport, mostAnHour: number | null): Promise<AddedReport> {
    const { by, subject, authorId, reason, note, content } = report;
    // Tried again after a lost answer, it finds the report.
    const add = () =>
      this.#database.read<AddedRow>(ADD, [
        subjectKeyOf(subject),
        JSON.stringify(subject),
        authorId,
        "user" in by ? by.user : null,
        "rule" in by ? by.rule : null,
        reason,
        note,
        JSON.stringify(content),
        mostAnHour,
      ]);
    // Where another call added it between the two parts of the statement, the next one sees it.
    const [row] = await add();
    const [made] = row === undefined ? await add() : [row];
    if (made === undefined) throw new Error("a report was neither added nor found");
    if (made.id === null) return { waitMs: Number(made.wait_ms) };
    return { id: made.id, created: made.created };
  }

  async reports(
    state: ReportState | null,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Report> | undefined> {
    const below = cursor === null ? TOP : decodeListCursor("reports", cursor);
    if (below === undefined) return undefined;
    const isOpen = state === null ? null : state === "open";
    const rows = await this.#database.read<ReportRow>(LIST, [below, isOpen, limit + 1]);
    return pageOf("reports", rows.map(reportOf), limit, ({ id }) => id);
  }

  async claimReport(id: string, leaseMs: number): Promise<Report | "taken" | null> {
    const [claimed] = await this.#database.write<ReportRow>(CLAIM, [id, leaseMs]);
    if (claimed !== undefined) return reportOf(claimed);
    const [row] = await this.#database.read<ReportRow>(REPORT, [id]);
    return row === undefined ? null : "taken";
  }

  async settleReport(id: string, resolution: Resolution | null): Promise<Report | null> {
    const { action = null, note = null, by = null } = resolution ?? {};
    const [row] = await this.#database.write<ReportRow>(SETTLE, [id, action, note, by]);
    return row === undefined ? null : reportOf(row);
  }

  /** The number of the newest rules. */
  async rulesRev(): Promise<number> {
    const [row] = await this.#database.read<{ rev: string }>(RULES_REV, []);
    return Number(row?.rev ?? 0);
  }

  async wordRules(): Promise<{ rev: number; rules: WordRule[] }> {
    const [row] = await this.#database.read<{ rev: string; rules: WordRule[] }>(RULES, []);
    return { rev: Number(row?.rev ?? 0), rules: row?.rules ?? [] };
  }

  async putWordRules(rules: readonly WordRule[]): Promise<number> {
    const values = [JSON.stringify(rules)];
    const [row] = await this.#database.write<{ rev: string }>(PUT_RULES, values);
    return Number(row!.rev);
  }
}

function reportOf(row: ReportRow): Report {
  return { ...row, state: row.resolved_at === null ? "open" : "done" };
}
