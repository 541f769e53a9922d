/** How `troupe reload` finds a running server, and reads how its last reload ended. */

/** In DATA_DIR; one file a process, named by its pid. */
export const RELOADS_DIR = "reloads";

export interface ReloadNote {
  pid: number;
  /** When the process started, as processStart has it. */
  start: string | null;
  /** How many reloads have ended. */
  count: number;
  /** Why the last one changed nothing; null: it did not fail. */
  problem: string | null;
}
