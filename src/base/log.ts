/**
 * The log: JSON lines on stderr (stdout belongs to the banner), one `event` a line with its
 * ids and `ms`: `log.info({ event: "worker_online", worker, ms })`. Every process and thread makes
 * its own logger; secrets that slip into a line are removed here.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from "pino";

export type Log = Logger;

/** Keys whose values never reach the log, at the top of a line or one or two levels down. */
const SECRET_KEYS = [
  "token",
  "access_token",
  "refresh_token",
  "accessToken",
  "refreshToken",
  "password",
  "passwordHash",
  "secret",
  "jwtSecret",
  "authorization",
  "cookie",
  "databaseUrl",
  "databaseDirectUrl",
  "redisUrl",
];

export interface LogOptions {
  /** A pino level, or "silent". */
  level: string;
  /** The process or thread that writes: "primary", "worker", "thread". */
  name?: string;
  /** Fields on every line of this logger: `{ worker, slot }`. */
  bindings?: Record<string, unknown>;
  /** Where lines go instead of stderr; for tests. */
  to?: DestinationStream;
}

export function createLogger(options: LogOptions): Log {
  // Synchronous, because the last line before a crash matters most and hot paths do not log.
  const to = options.to ?? destination({ dest: 2, sync: true });
  return pino(
    {
      level: options.level,
      base: { pid: process.pid, name: options.name, ...options.bindings },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
        censor: "[secret]",
      },
    },
    to,
  );
}
