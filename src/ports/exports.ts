/**
 * What is read for an export. Implemented in src/storage/postgres/exports.ts; src/jobs/export.ts makes
 * an archive of it. Types only. Every promise rejects only when storage is out of reach.
 */

export type ExportedThing =
  | { is: "user"; id: string }
  | { is: "conversation"; id: string }
  | { is: "all" };

export interface ExportView {
  /** Whether the application's own names of users and conversations are shown, as to services. */
  namesOutside: boolean;
  /** Whether hashes of passwords are, of everybody in an export of all. */
  passwords: boolean;
}

/** A file, whole. */
export interface ExportedFile {
  id: string;
  name: string;
  mime: string;
  bytes: number;
  created_at: string;
}

export interface ExportStore {
  /** False: there is none, or it is deleted or erased. */
  isThere(thing: ExportedThing): Promise<boolean>;
  /**
   * Everything but files: JSON texts, one an object, some hundred at a time. Read page by page, each a
   * statement of its own.
   */
  lines(thing: ExportedThing, view: ExportView): AsyncIterable<string[]>;
  /** Some hundred at a time. */
  files(thing: ExportedThing): AsyncIterable<ExportedFile[]>;
  /** Jobs that export, whether they have ended or not. */
  jobs(): Promise<string[]>;
  /** Jobs of the same key before this one, which have ended. */
  olderJobs(key: string, jobId: string): Promise<string[]>;
  /** Whether a user is being erased, or was within that time, in milliseconds. */
  isErasing(withinMs: number): Promise<boolean>;
}
