/** What the answer of a provider means for the push, and for the device. */
import type { SendOutcome } from "../../ports/push-senders.ts";
import { retryAfterOf } from "../retry-after.ts";

const DETAIL_CHARS_MAX = 200;

/**
 * [PVD5] FCM and APNs answer in JSON. A page of HTML with the status 404 is from somebody else, whom
 *        an address with a mistake in it leads to: it takes no device away, and the push is tried
 *        again.
 */
export function unlessPage(outcome: SendOutcome, said: string): SendOutcome {
  if (outcome.is !== "gone" || !said.trimStart().startsWith("<")) return outcome;
  return { is: "failed", detail: outcome.detail, retryAfterMs: 0 };
}

/** `nowMs`: since the epoch, for a Retry-After that is a date. */
export function outcomeOf(
  status: number,
  retryAfter: string | string[] | undefined,
  said: string,
  nowMs: number,
): SendOutcome {
  const detail = `${status} ${said}`.trim().slice(0, DETAIL_CHARS_MAX);
  if (status >= 200 && status < 300) return { is: "sent" };
  if (status === 404 || status === 410) return { is: "gone", detail };
  // Refused credentials may be put right meanwhile.
  const isPassing = status === 408 || status === 429 || status === 401 || status === 403;
  if (status >= 400 && status < 500 && !isPassing) return { is: "refused", detail };
  return { is: "failed", detail, retryAfterMs: retryAfterOf(retryAfter, nowMs) };
}

export function unanswered(error: unknown): SendOutcome {
  const detail = error instanceof Error ? error.message : String(error);
  return { is: "failed", detail: detail.slice(0, DETAIL_CHARS_MAX), retryAfterMs: 0 };
}
