/**
 * Logins and refusals in the log: event, user, address, reason. Never a password, a token or a
 * name that was typed, for people type passwords into the field of the name.
 *
 * [ACL1] Bounded: one worker writes at most 200 lines at once and 20 a second after that, so that
 *        an attacker cannot fill a disk. The next line has the number of omitted lines.
 */
import type { Logger } from "pino";
import type { Clock } from "../../base/clock.ts";
import { TokenBucket } from "../../base/token-bucket.ts";
import type { UserId } from "../../protocol/ids.ts";

const LINES = { perS: 20, burst: 200 };
const TEXT_CHARS_MAX = 200;

export interface AccessEvent {
  event:
    | "registered"
    | "login"
    | "login_refused"
    | "refresh_refused"
    | "logout"
    | "login_ended"
    | "password_changed"
    | "password_change_refused"
    | "tokens_revoked"
    | "access_refused"
    | "service_token_revoked";
  /** See request-ids.ts. */
  request_id?: string;
  user_id?: UserId;
  address?: string;
  reason?: string;
  /** What is wrong with a token: its claim, or the member of its header, and how. */
  claim?: string;
  header?: string;
  problem?: string;
  /** The route or event that was refused. */
  act?: string;
  user_agent?: string;
}

export interface AccessLog {
  note(event: AccessEvent): void;
}

export function createAccessLog(log: Logger, clock: Pick<Clock, "monotonicMs">): AccessLog {
  const bucket = new TokenBucket(LINES);
  let leftOut = 0;
  return {
    note(event) {
      if (!bucket.take(clock.monotonicMs())) {
        leftOut++;
        return;
      }
      const line: Record<string, unknown> = {};
      for (const [key, value] of Object.entries(event)) {
        if (value !== undefined) line[key] = String(value).slice(0, TEXT_CHARS_MAX);
      }
      if (leftOut > 0) line["left_out"] = leftOut;
      leftOut = 0;
      if (event.event.endsWith("_refused")) log.warn(line);
      else log.info(line);
    },
  };
}
