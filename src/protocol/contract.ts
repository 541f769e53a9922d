/**
 * The versions of the contract that a session can speak, and the events that only newer ones
 * know. A session of version 1 receives a translation in the place of such an event, or nothing
 * where it has none: see Packet (src/edge/transport/packet.ts), which holds both.
 *
 * [CTR1] A session that does not say which contract it speaks is one of version 1.
 * [CTR2] A version that is newer than the newest here counts as the newest.
 * [CTR3] Every durable change reaches a session of version 1 as an event that version 1 knows, so
 *        that its `rev` has no gaps.
 */
import { ok, type Result, refused } from "./errors.ts";

export type ContractVersion = "1" | "1.1";

export const NEWEST_CONTRACT: ContractVersion = "1.1";

const MALFORMED = refused(
  "invalid_payload",
  'auth.contract is the version that the client speaks, as text: "1.1".',
);

/** The contract of a session by its `auth.contract`. Refuses what is no version at all. */
export function contractOf(asked: unknown): Result<ContractVersion> {
  if (asked === undefined || asked === null) return ok("1");
  if (typeof asked !== "string" || !/^\d{1,6}(\.\d{1,6})?$/.test(asked)) return MALFORMED;
  const [major, minor = 0] = asked.split(".").map(Number) as [number, number?];
  return ok(major > 1 || (major === 1 && minor >= 1) ? "1.1" : "1");
}

/** Events that a session of version 1 never receives under their own name. */
const SINCE_1_1: ReadonlySet<string> = new Set([
  "rev_skipped",
  "reaction",
  "message_checkpoint",
  "message_delta",
  "messages_erased",
  "conversation_deleted",
  "prefs_updated",
  "signal",
  "occupancy",
  "changes",
  "skipped",
]);

export function isSince11(event: string): boolean {
  return SINCE_1_1.has(event);
}

/** An event of version 1 that stands for a newer one. `body`: its payload as JSON text. */
export interface Translation {
  name: "message" | "message_updated" | "conversation_updated";
  body: string;
}

/**
 * The two bodies of an event that only newer sessions know, as one text: it is published as the
 * event's body, and each edge takes it apart with `translationIn`. JSON text has no line breaks.
 */
export function withTranslation(body: string, { name, body: former }: Translation): string {
  return `${body}\n${name} ${former}`;
}

/** What `withTranslation` joined; `former` is null where there is no translation. */
export function translationIn(text: string): { body: string; former: Translation | null } {
  const end = text.indexOf("\n");
  if (end < 0) return { body: text, former: null };
  const space = text.indexOf(" ", end);
  const name = text.slice(end + 1, space) as Translation["name"];
  return { body: text.slice(0, end), former: { name, body: text.slice(space + 1) } };
}
