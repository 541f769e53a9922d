/** A page of a conversation's members, from one row more than it holds; shared by both adapters. */
import type { MembersPage } from "../../ports/edge.ts";
import type { Member } from "../../protocol/schemas.ts";
import { encodeMemberPlace } from "./cursor.ts";

/** A member with the moment of joining, by which the list is ordered. */
export interface PlacedMember extends Member {
  joinedMs: number;
}

/** `rows`: the next `limit` members, and one more if there is one. */
export function membersPageOf(rows: readonly PlacedMember[], limit: number): MembersPage {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    is: "page",
    items: page.map(({ joinedMs: _, ...member }) => member),
    next_cursor:
      rows.length > limit && last !== undefined
        ? encodeMemberPlace({ joinedMs: last.joinedMs, userId: last.user_id })
        : null,
  };
}
