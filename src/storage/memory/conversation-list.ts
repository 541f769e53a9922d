/** The list of conversations in memory; the twin of ../postgres/conversation-list.ts. */
import type { ConversationsPage, ListAsked } from "../../ports/edge.ts";
import {
  type ConversationSummary,
  FEW_MEMBERS_MAX,
  type Totals,
} from "../../protocol/conversation-list.ts";
import type { UserId } from "../../protocol/ids.ts";
import { withOwnMember } from "../../protocol/members.ts";
import type { Prefs } from "../../protocol/prefs.ts";
import { isArchived, isHidden, isMuted } from "../../protocol/prefs-rules.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import {
  decodeListPlace,
  encodeListPlace,
  type ListPlace,
  PART,
} from "../postgres/conversation-list.ts";
import { beginsWords } from "./folding.ts";
import {
  compareIds,
  type MemoryTables,
  newestMessages,
  type StoredConversation,
  shownConversation,
  shownFrom,
  standingIn,
  visibleIn,
} from "./tables.ts";

interface Placed {
  part: number;
  at: number;
  stored: StoredConversation;
}

export function listConversations(
  tables: MemoryTables,
  reader: UserId,
  limit: number,
  cursor: string | null,
  asked: ListAsked,
): ConversationsPage | undefined {
  const began = cursor === null ? null : decodeListPlace(cursor);
  if (began === undefined) return undefined;
  const placed = tables
    .conversationsOf(reader)
    .filter((stored) => stored.parent === null && isAsked(tables, stored, reader, asked))
    .flatMap((stored) => placesOf(tables, stored, reader, began))
    .sort(compare)
    .filter((one) => began === null || isAfter(one, began));
  const page = placed.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ stored }) => itemOf(tables, stored, reader, asked)),
    next_cursor:
      placed.length > limit && last !== undefined
        ? encodeListPlace({
            part: last.part,
            at: last.at,
            id: last.stored.id,
            beganMs: began?.beganMs ?? tables.nowMs(),
            prefsRev: began?.prefsRev ?? tables.prefs.lastRevOf(reader),
            // In place of a transaction the number of the newest activity, from 1.
            snapshot: began?.snapshot ?? `${tables.activities + 1}:${tables.activities + 1}:`,
          })
        : null,
  };
}

export function totalsOf(tables: MemoryTables, reader: UserId): Totals {
  const counted = tables.conversationsOf(reader).filter((stored) => {
    const prefs = tables.prefs.rowOf(reader, stored.id)?.prefs;
    if (prefs === undefined) return true;
    return !isMuted(prefs, tables.nowIso()) && !isArchived(prefs, lastN(stored), tables.nowIso());
  });
  const unreadIn = (some: StoredConversation[]) =>
    some.map((stored) => standingIn(stored, reader).standing.unread_count);
  const talks = counted.filter(({ parent }) => parent === null);
  const unread = unreadIn(talks);
  const threads = unreadIn(counted.filter(({ parent }) => parent !== null));
  const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
  return {
    messages: sum(unread),
    mentions: sum(talks.map((stored) => mentionsIn(stored, reader))),
    conversations: unread.filter((count) => count > 0).length,
    notifications: tables.social.unreadOf(reader),
    threads: threads.filter((count) => count > 0).length,
  };
}

function isAsked(
  tables: MemoryTables,
  stored: StoredConversation,
  reader: UserId,
  { filter, kind, q }: ListAsked,
): boolean {
  if (kind !== undefined && stored.kind !== kind) return false;
  if (q !== undefined && !beginsWords(q, nameOf(tables, stored, reader))) return false;
  const prefs: Partial<Prefs> = tables.prefs.rowOf(reader, stored.id)?.prefs ?? {};
  const archived = isArchived(prefs, lastN(stored), tables.nowIso());
  switch (filter) {
    case "all":
      return true;
    case "unread":
      return standingIn(stored, reader).standing.unread_count > 0;
    case "archived":
      return archived;
    case "pinned":
      return prefs.pinned_at !== undefined;
    case undefined:
      return !archived && !isHidden(prefs, lastN(stored));
  }
}

/** Its place in each part of a pass that it belongs to. */
function placesOf(
  tables: MemoryTables,
  stored: StoredConversation,
  reader: UserId,
  began: ListPlace | null,
): Placed[] {
  const prefs = tables.prefs.rowOf(reader, stored.id)?.prefs;
  const part = prefs?.pinned_at === undefined ? PART.others : PART.pinned;
  const places = [{ part, at: -stored.lastActivityMs, stored } as Placed];
  if (began === null) return places;
  if (stored.activity >= Number(began.snapshot.split(":")[0])) {
    places.push({ part: PART.moved, at: stored.lastActivityMs, stored });
  }
  const rev = prefs?.prefs_rev ?? 0;
  if (rev > began.prefsRev) places.push({ part: PART.set, at: rev, stored });
  return places;
}

function compare(a: Placed, b: Placed): number {
  return a.part - b.part || a.at - b.at || byId(a.part, a.stored.id, b.stored.id);
}

function isAfter(one: Placed, { part, at, id }: ListPlace): boolean {
  if (one.part !== part) return one.part > part;
  return one.at === at ? byId(part, one.stored.id, id) > 0 : one.at > at;
}

/** Downwards in the order as it is, upwards in what changed meanwhile. */
function byId(part: number, a: string, b: string): number {
  return part > PART.others ? compareIds(a, b) : compareIds(b, a);
}

function nameOf(tables: MemoryTables, stored: StoredConversation, reader: string): string {
  if (stored.kind !== "direct") return stored.title ?? "";
  const other = [...stored.members.keys()].find((id) => id !== reader);
  const user = tables.users.get(other ?? "")?.user;
  return user === undefined ? "" : `${user.display_name} ${user.username}`;
}

function itemOf(
  tables: MemoryTables,
  stored: StoredConversation,
  reader: UserId,
  { members }: ListAsked,
): ConversationSummary {
  const whole = shownConversation(stored, reader);
  const visible = visibleIn(stored, shownFrom(stored, reader));
  const prefs = tables.prefs.rowOf(reader, stored.id)?.prefs;
  const mentions = mentionsIn(stored, reader);
  const newest = stored.messages.length;
  return {
    ...(members === "few" ? withFew(whole, reader) : withOwnMember(whole, reader)),
    last_message: newestMessages(visible, 1).find(({ seq }) => seq === newest) ?? null,
    ...standingIn(stored, reader).standing,
    ...(prefs && { prefs: structuredClone(prefs) }),
    ...(mentions > 0 && { mention_count: mentions }),
  };
}

function withFew(conversation: Conversation, reader: string): Conversation {
  const { members } = conversation;
  if (conversation.kind === "channel") return withOwnMember(conversation, reader);
  const own = members.filter(({ user_id }) => user_id === reader);
  const others = members.filter(({ user_id }) => user_id !== reader);
  const few = [...own, ...others].slice(0, FEW_MEMBERS_MAX);
  const isPart = few.length < members.length;
  return {
    ...conversation,
    members: few,
    member_count: members.length,
    ...(isPart && { members_partial: true as const }),
  };
}

function mentionsIn(stored: StoredConversation, reader: string): number {
  const from = Math.max(stored.members.get(reader)!.readSeq + 1, shownFrom(stored, reader));
  return stored.messages.filter(
    ({ seq, mentions }) => seq >= from && mentions?.includes(reader) === true,
  ).length;
}

function lastN({ messages }: StoredConversation): number {
  return messages.at(-1)?.n ?? messages.length;
}
