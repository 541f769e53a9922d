/** What users let others see, in memory; as the functions in sql/functions decide it. */
import {
  type Audience,
  isReserved,
  PRIVACY_DEFAULTS,
  type Privacy,
  type Sight,
} from "../../protocol/privacy.ts";
import type { MemoryTables, StoredConversation } from "./tables.ts";

export const privacyOf = (tables: MemoryTables, userId: string): Privacy => ({
  ...PRIVACY_DEFAULTS,
  ...tables.privacy.get(userId),
});

export const hidesPresence = (tables: MemoryTables, userId: string): boolean =>
  isReserved(privacyOf(tables, userId));

export function isContact(tables: MemoryTables, userId: string, other: string): boolean {
  if (tables.social.follows.get(userId)?.has(other) === true) return true;
  const direct = tables.directOf([userId, other]);
  const senders = new Set(direct?.messages.map(({ sender_id }) => sender_id));
  return senders.has(userId) && senders.has(other);
}

/** Those of `users` who take that from contacts only, and of whom `by` is none. */
export function wantsContacts(
  tables: MemoryTables,
  what: "direct" | "add_consent",
  by: string,
  users: readonly string[],
): boolean {
  return users.some(
    (userId) =>
      userId !== by &&
      privacyOf(tables, userId)[what] === "contacts" &&
      !isContact(tables, userId, by),
  );
}

export function sightOf(tables: MemoryTables, viewer: string, userId: string): Sight {
  const lets = (choice: Audience, one: string, other: string) =>
    choice === "everyone" || one === other
      ? true
      : choice === "contacts" && isContact(tables, one, other);
  const sees = (what: "presence" | "last_seen") =>
    lets(privacyOf(tables, userId)[what], userId, viewer) &&
    lets(privacyOf(tables, viewer)[what], viewer, userId);
  return { presence: sees("presence"), last_seen: sees("last_seen") };
}

/** Marks the members of whom others do not see how far they have read. */
export function maskReads(tables: MemoryTables, { kind, members }: StoredConversation): void {
  const hides = (userId: string) => !privacyOf(tables, userId).receipts;
  const isDirectOfOne = kind === "direct" && [...members.keys()].some(hides);
  for (const member of members.values()) {
    if (hides(member.userId)) member.readMask = 1;
    else if (isDirectOfOne) member.readMask = 2;
    else delete member.readMask;
  }
}

export const maskedIn = ({ members }: StoredConversation): string[] =>
  [...members.values()].filter(({ readMask }) => readMask !== undefined).map((it) => it.userId);
