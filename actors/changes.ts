/**
 * The limit on changes of a conversation that all its members receive: title, settings, members.
 * The conversation's actor holds the bucket, because it alone knows the members and exists once for
 * all workers and hosts. An actor that moves begins with a full bucket.
 *
 * [CHG1] A burst is allowed, then changes at the rate; a refusal says how long to wait.
 * [CHG3] A service that acts for a user is not limited, and takes nothing.
 * [CHG2] Nobody is kept in a group: leaving is never refused, and takes nothing.
 */
import type { ErrorObject } from "../src/protocol/errors.ts";
import { type Monotonic, msBetween } from "../src/protocol/time.ts";

/** A bucket of `burst` that refills at `perS`; null: no limit. */
export type ChangeRate = { perS: number; burst: number } | null;

export interface ChangeBucket {
  /** Taken and not refilled yet. */
  used: number;
  atMs: Monotonic;
}

/**
 * The acts beside the removal of others that the limit counts. Lifting a ban and making an
 * invitation reach no member, and nothing changes after the deletion of a conversation.
 */
const COUNTED: ReadonlySet<string> = new Set([
  "update",
  "update_member",
  "add_members",
  "come_in",
  "accept",
  "ban",
]);

/** Null: the act may go on, and is counted where it is such a change. Else its refusal. */
export function takeChange(
  bucket: ChangeBucket,
  rate: ChangeRate,
  act: string,
  body: unknown,
  nowMs: Monotonic,
): ErrorObject | null {
  if (rate === null || !isCounted(act, body as Counted)) return null;
  const elapsedMs = Math.max(0, msBetween(bucket.atMs, nowMs));
  const used = Math.max(0, bucket.used - (elapsedMs / 1000) * rate.perS);
  bucket.used = used;
  bucket.atMs = nowMs;
  if (used + 1 <= rate.burst) {
    bucket.used = used + 1;
    return null;
  }
  return {
    code: "rate_limited",
    message: "This conversation changes too often. Try again later.",
    retry_after_ms: Math.ceil(((used + 1 - rate.burst) / rate.perS) * 1000),
  };
}

interface Counted {
  user: string;
  user_id?: string;
  isService?: true;
}

function isCounted(act: string, { user, user_id, isService }: Counted): boolean {
  if (isService === true) return false;
  if (act === "remove_member") return user_id !== user;
  return COUNTED.has(act);
}
