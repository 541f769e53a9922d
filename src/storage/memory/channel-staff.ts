/** Which members of a channel whole reads of it show; the twin of the view conversation_rows. */
import { isStaff } from "../../protocol/channels.ts";
import type { Role } from "../../protocol/permissions.ts";

/** Moderators and above, and `reader`. */
export function staffOf<Member extends { userId: string; extra: { role?: Role } }>(
  members: Iterable<Member>,
  ownerId: string | null,
  reader: string | null,
): Member[] {
  return [...members].filter(
    ({ userId, extra }) =>
      userId === reader || userId === ownerId || isStaff(extra.role ?? "member"),
  );
}
