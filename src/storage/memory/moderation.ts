/** ModerationStore in memory; the twin of ../postgres/moderation.ts, held to the same suite. */
import {
  type AddedReport,
  type ModerationStore,
  type NewReport,
  type Resolution,
  subjectKeyOf,
} from "../../ports/moderation.ts";
import type { ListPage } from "../../ports/pages.ts";
import type { Report, ReportState, WordRule } from "../../protocol/moderation-routes.ts";
import { decodeListCursor } from "../postgres/list-cursor.ts";
import { pageOf } from "../postgres/social-queries.ts";
import { compareIds, type MemoryTables } from "./tables.ts";

const HOUR_MS = 3_600_000;

export class MemoryModeration implements ModerationStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async addReport(report: NewReport, mostAnHour: number | null): Promise<AddedReport> {
    const { by, subject, authorId, reason, note, content } = report;
    const key = JSON.stringify([by, subjectKeyOf(subject)]);
    const known = this.#tables.reports.get(key);
    if (known !== undefined) return { id: known.report.id, created: false };
    const since = new Date(this.#tables.nowMs() - HOUR_MS).toISOString();
    const recent = [...this.#tables.reports.values()]
      .map((stored) => stored.report)
      .filter((one) => "user" in by && one.reporter_id === by.user && one.created_at > since);
    if (mostAnHour !== null && recent.length >= mostAnHour) {
      const first = Date.parse(recent[0]!.created_at);
      return { waitMs: Math.max(1, first + HOUR_MS - this.#tables.nowMs()) };
    }
    const made: Report = {
      id: this.#tables.nextId(),
      state: "open",
      subject,
      author_id: authorId,
      reporter_id: "user" in by ? by.user : null,
      rule: "rule" in by ? by.rule : null,
      reason,
      note,
      content: JSON.parse(JSON.stringify(content)),
      created_at: this.#tables.nowIso(),
      action: null,
      resolution_note: null,
      resolved_by: null,
      resolved_at: null,
    };
    this.#tables.reports.set(key, { report: made, claimedUntilMs: 0 });
    return { id: made.id, created: true };
  }

  async reports(
    state: ReportState | null,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Report> | undefined> {
    const below = cursor === null ? null : decodeListCursor("reports", cursor);
    if (below === undefined) return undefined;
    const found = [...this.#tables.reports.values()]
      .map(({ report }) => ({ ...report }))
      .filter((report) => state === null || report.state === state)
      .filter(({ id }) => below === null || compareIds(id, below) < 0)
      .reverse();
    return pageOf("reports", found, limit, ({ id }) => id);
  }

  async claimReport(id: string, leaseMs: number): Promise<Report | "taken" | null> {
    const stored = this.#named(id);
    if (stored === undefined) return null;
    const nowMs = this.#tables.nowMs();
    if (stored.report.state === "done" || stored.claimedUntilMs > nowMs) return "taken";
    stored.claimedUntilMs = nowMs + leaseMs;
    return { ...stored.report };
  }

  async settleReport(id: string, resolution: Resolution | null): Promise<Report | null> {
    const stored = this.#named(id);
    if (stored === undefined || stored.report.state === "done") return null;
    stored.claimedUntilMs = 0;
    if (resolution !== null) {
      Object.assign(stored.report, {
        state: "done",
        action: resolution.action,
        resolution_note: resolution.note,
        resolved_by: resolution.by,
        resolved_at: this.#tables.nowIso(),
      });
    }
    return { ...stored.report };
  }

  async wordRules(): Promise<{ rev: number; rules: WordRule[] }> {
    const { rev, rules } = this.#tables.wordRules;
    return { rev, rules: [...rules] };
  }

  async putWordRules(rules: readonly WordRule[]): Promise<number> {
    const rev = this.#tables.wordRules.rev + 1;
    this.#tables.wordRules = { rev, rules: JSON.parse(JSON.stringify(rules)) };
    return rev;
  }

  #named(id: string) {
    return [...this.#tables.reports.values()].find(({ report }) => report.id === id);
  }
}
