/**
 * What is read to export a user. Implemented in src/storage/postgres/exports.ts; src/jobs/user-export.ts
 * makes an archive of it. Types only. Every promise rejects only when storage is out of reach.
 */
import type { UserId } from "../protocol/ids.ts";

/** A file of the user, whole. */
export interface ExportedFile {
  id: string;
  name: string;
  mime: string;
  bytes: number;
  created_at: string;
}

export interface ExportStore {
  /** False: there is no such user, or the user is erased. */
  isThere(user: UserId): Promise<boolean>;
  /**
   * Everything of the user but files: JSON texts, one an object, some hundred at a time. Read page by
   * page, each a statement of its own. `namesOutside`: what the application calls others and their
   * conversations stands there too, which services may see.
   */
  lines(user: UserId, namesOutside: boolean): AsyncIterable<string[]>;
  /** Some hundred at a time. */
  files(user: UserId): AsyncIterable<ExportedFile[]>;
  /** Jobs that export this user, whether they have ended or not. */
  jobsOf(user: UserId): Promise<string[]>;
  /** Jobs of the same key but this one, which have ended. */
  olderJobs(key: string, jobId: string): Promise<string[]>;
}
