/**
 * Opaque cursors of the lists that page by one number (a post's or comment's id, a
 * notification's seq): the last item's, tagged with its list, so that one list's cursor is
 * refused by another. See cursor.ts for that of conversations.
 */
import { isId } from "../../protocol/ids.ts";

export type NumberedList =
  | "feed"
  | "comments"
  | "notifications"
  | "reactions"
  | "bans"
  | "invites"
  | "tokens"
  | "audit"
  | "user_posts"
  | "reports"
  | "users";

const TAGS: Record<NumberedList, string> = {
  feed: "f",
  comments: "c",
  notifications: "n",
  reactions: "r",
  bans: "b",
  invites: "i",
  tokens: "t",
  audit: "a",
  user_posts: "p",
  reports: "e",
  users: "s",
};

/** Before everything in a list that falls; no id or seq gets there. */
export const TOP = "9223372036854775807";
/** Before everything in a list that rises. */
export const BOTTOM = "0";

export function encodeListCursor(list: NumberedList, last: string): string {
  return Buffer.from(`${TAGS[list]}${last}`, "latin1").toString("base64url");
}

/** The number in it. Undefined: not a cursor of ours, or another list's. */
export function decodeListCursor(list: NumberedList, cursor: string): string | undefined {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const last = text.slice(1);
  if (text[0] !== TAGS[list] || !isId(last)) return undefined;
  return encodeListCursor(list, last) === cursor ? last : undefined;
}
