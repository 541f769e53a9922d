/** What the answer of a provider means for the push, and for the device. */
import type { SendOutcome } from "../../ports/push-senders.ts";
import { retryAfterOf } from "../retry-after.ts";

const DETAIL_CHARS_MAX = 200;

/**
 * Whether the address that the operator has set is the provider's. An address with a mistake in it
 * answers 404 to everything, and that says nothing about any device.
 *
 * [PVD5] A 404 of such an address takes no device away before it has taken a push, or has named a
 *        device that is gone; until then the push is tried again.
 */
export class ProvenAddress {
  #isProven = false;

  /** What a 404 means that does not itself say so. */
  judge(outcome: SendOutcome, status: number): SendOutcome {
    if (outcome.is === "sent" || status === 410) this.#isProven = true;
    if (outcome.is !== "gone" || this.#isProven) return outcome;
    return { is: "failed", detail: outcome.detail, retryAfterMs: 0 };
  }
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
