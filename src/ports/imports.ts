/**
 * Imports: lines are staged, judged together, then written in short transactions, each of which does
 * nothing where it was done before. Types only.
 */

/** A line that is good by itself, with what it names taken out of it. */
export interface StagedLine {
  n: number;
  type: string;
  ref: string;
  usr: string | null;
  seq: number | null;
  client_id: string | null;
  line: object;
}

export interface ImportProblem {
  /** The number of the line, from 1. */
  line: number;
  problem: string;
}

export interface ImportCounts {
  users: number;
  conversations: number;
  messages: number;
}

export interface ImportStore {
  /** Begins it, or finds the one of that key. isGood: its lines are all here and may be written. */
  begin(key: string): Promise<{ id: string; isGood: boolean }>;
  /** Lines of before that were not all good go. */
  clear(id: string): Promise<void>;
  stage(id: string, lines: readonly StagedLine[]): Promise<void>;
  /** What is wrong beyond the form of each line, the first `most`. */
  problems(id: string, most: number): Promise<(ImportProblem & { isConflict: boolean })[]>;
  /** No line is wrong: it may be written, also after a crash. */
  accept(id: string): Promise<void>;
  /** The last line of those that were written, null after all of them. */
  writeUsers(id: string, after: string): Promise<string | null>;
  /** Names of conversations in the order in which they can be written; parents before threads. */
  conversations(id: string): AsyncIterable<string[]>;
  /** How many messages were added; null: others than imports have written into one of them. */
  writeConversations(id: string, names: readonly string[]): Promise<number | null>;
  writeGraph(id: string, after: string): Promise<string | null>;
  counts(id: string): Promise<ImportCounts>;
  /** Deletes its lines; another run that still writes them fails. Killed on the way, it begins again. */
  end(id: string): Promise<void>;
}
