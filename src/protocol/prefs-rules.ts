/**
 * What follows from a user's preferences of a conversation: pure, so that the storages and clients
 * give the same answer. Twins of SQL functions of these names.
 */
import type { Prefs } from "./prefs.ts";

/** `now`: as a contract's time. ISO 8601 times of one form compare as texts. */
export function isMuted(prefs: Pick<Prefs, "muted_until">, now: string): boolean {
  const until = prefs.muted_until;
  return until !== undefined && (until === "forever" || until > now);
}

/**
 * Whether a user with these preferences is not notified of something of this type in the
 * conversation; the twin of the SQL function is_silenced.
 */
export function isSilenced(
  prefs: Pick<Prefs, "muted_until" | "level">,
  type: string,
  now: string,
): boolean {
  const { level } = prefs;
  if (isMuted(prefs, now) || level === "none") return true;
  return level === "mentions" && type !== "mention" && type !== "reaction";
}

export function isArchived(
  prefs: Pick<Prefs, "muted_until" | "archived_n">,
  lastN: number,
  now: string,
): boolean {
  const { archived_n } = prefs;
  return archived_n !== undefined && (lastN <= archived_n || isMuted(prefs, now));
}

export function isHidden({ hidden_n }: Pick<Prefs, "hidden_n">, lastN: number): boolean {
  return hidden_n !== undefined && lastN <= hidden_n;
}
