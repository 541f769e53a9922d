/** What the edge reads of the application's actors without asking them. */

export interface AppListed {
  kind: string;
  key: string;
  rev: number;
  conversation_id?: string;
  created_at: string;
}

export interface AppQueries {
  /** Actors that a timer or an effect waits for; claimed for `leaseMs`. */
  claimWakes(limit: number, leaseMs: number): Promise<{ kind: string; key: string }[]>;
  /** By rising key, those after `after`. */
  list(kind: string, after: string, limit: number): Promise<AppListed[]>;
  /** Calls that are older than 24 hours. */
  forgetCalls(): Promise<void>;
}
