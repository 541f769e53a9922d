/**
 * The configuration, from environment variables (table in README). Checked whole: every wrong
 * variable is named at once, with its meaning and what was found.
 */

export interface Config {
  port: number;
  host: string;
  /** Edge processes. */
  workers: number;
  /** Absolute path; embedded PostgreSQL and the generated secret live there. */
  dataDir: string;
  /** Null: the embedded PostgreSQL. */
  databaseUrl: string | null;
  /** Null: one host. */
  redisUrl: string | null;
  /** HS256 secret; null until the primary has made or read the one in `dataDir`. */
  jwtSecret: string | null;
  jwtIssuer: string;
  jwtAudience: string;
  /** Set: an outside issuer signs the tokens, and its keys are fetched here. */
  jwtJwksUrl: string | null;
  accessTokenTtlS: number;
  refreshTokenTtlS: number;
  presenceGraceMs: number;
  rateLimits: boolean;
  tlsCert: string | null;
  tlsKey: string | null;
  trustProxy: boolean;
  /** Allowed origins; null: any. */
  corsOrigin: string[] | null;
  logLevel: string;
}

/** What a worker gets: nothing left open. */
export interface WorkerConfig extends Config {
  databaseUrl: string;
}
