/**
 * The port to storage of reports and of the rules for texts. Implemented in src/storage (PostgreSQL
 * and memory twin, one contract suite). Rejects only when storage is out of reach.
 */
import type { UserId } from "../protocol/ids.ts";
import type {
  Report,
  ReportAction,
  ReportState,
  ReportSubject,
  WordRule,
} from "../protocol/moderation-routes.ts";
import type { ListPage } from "./pages.ts";

export interface NewReport {
  /** The user who reports, or the id of the rule that does. */
  by: { user: UserId } | { rule: string };
  subject: ReportSubject;
  authorId: string | null;
  reason: string;
  note: string | null;
  content: object;
}

/** `waitMs`: when the next one may be made. */
export type AddedReport = { id: string; created: boolean } | { waitMs: number };

export interface Resolution {
  action: ReportAction;
  note: string | null;
  by: string;
}

export interface ModerationStore {
  /**
   * The same user or rule and subject is one report: `created` is false for the second. A user who
   * has made `mostAnHour` within the last hour makes no further one; null: not limited.
   */
  addReport(report: NewReport, mostAnHour: number | null): Promise<AddedReport>;
  /** Newest first. Null: of both states. Undefined: bad cursor. */
  reports(
    state: ReportState | null,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<Report> | undefined>;
  /**
   * An open report that nobody else resolves for `leaseMs` from now on. "taken": it is resolved,
   * or somebody is about to. Null: there is no such report.
   */
  claimReport(id: string, leaseMs: number): Promise<Report | "taken" | null>;
  /** Ends the claim: with the resolution, or, where it is null, without one. */
  settleReport(id: string, resolution: Resolution | null): Promise<Report | null>;

  /** `rev` is another after every change. */
  wordRules(): Promise<{ rev: number; rules: WordRule[] }>;
  putWordRules(rules: readonly WordRule[]): Promise<number>;
}

/** What is reported, as one text. */
export function subjectKeyOf(subject: ReportSubject): string {
  const { conversation_id, seq, user_id, post_id, comment_id } = subject;
  if (conversation_id !== undefined) return `message:${conversation_id}/${seq}`;
  if (user_id !== undefined) return `user:${user_id}`;
  return post_id !== undefined ? `post:${post_id}` : `comment:${comment_id}`;
}
