/**
 * The ports that answer operators' questions: storage (implemented in
 * src/storage/postgres/ops-queries.ts), and the cluster, where each worker answers for itself and
 * primaries gather the answers. Types only.
 */
import type { ConversationId, UserId } from "../protocol/ids.ts";
import type {
  Fault,
  OpsDatabase,
  OpsHost,
  OpsMessage,
  OpsSession,
  WorkerVitals,
} from "../protocol/ops.ts";
import type { User } from "../protocol/schemas.ts";

export interface OpsAccount {
  user: User;
  suspended: boolean;
  last_seen_at: string | null;
  conversations: number;
  logins: number;
}

export interface OpsQueries {
  account(id: UserId): Promise<OpsAccount | null>;
  accountByName(username: string): Promise<OpsAccount | null>;
  messageAt(id: ConversationId, seq: number): Promise<Omit<OpsMessage, "actor"> | null>;
  /** By the message's own id. */
  message(id: string): Promise<Omit<OpsMessage, "actor"> | null>;
  health(): Promise<OpsDatabase>;
}

/** A question to every worker of the cluster. */
export type OpsQuestion =
  | { ask: "vitals" }
  | { ask: "sessions"; user: UserId }
  | { ask: "end_sessions"; user: UserId };

/** A worker's sessions of one user. */
export type SessionFacts = Omit<OpsSession, "host" | "worker">;

export interface WorkerAnswers {
  vitals: { vitals: WorkerVitals; faults: Fault[] };
  sessions: { sessions: SessionFacts[]; count: number };
  end_sessions: { ended: number };
}
export type WorkerAnswer = WorkerAnswers[OpsQuestion["ask"]];

/** The actor thread's part of its worker's vitals. */
export interface ThreadReport {
  vitals: Pick<
    WorkerVitals,
    "sends" | "actors" | "mailbox" | "thread_lag_ms" | "commit_rows" | "commit_ms" | "application"
  >;
  faults: Fault[];
}

/** One worker's part of an answer; null: it did not answer in time. */
export interface WorkerPart<A> {
  incarnation: string;
  answer: A | null;
}

/** One host's part of an answer about a user; `workers` null: it did not answer in time. */
export interface HostPart<A> {
  host: string;
  workers: WorkerPart<A>[] | null;
}

/** The primary's answers to its worker. */
export interface ClusterAnswers {
  /** `at`: when the counts were gathered, ISO. */
  vitals: { at: string; answered_by: string; view: number; hosts: OpsHost[] };
  sessions: HostPart<WorkerAnswers["sessions"]>[];
  end_sessions: HostPart<WorkerAnswers["end_sessions"]>[];
}
