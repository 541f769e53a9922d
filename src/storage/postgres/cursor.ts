/**
 * Opaque cursors of lists whose items have a place by two numbers: the last item's place.
 * `GET /api/conversations` has them without a tag, a conversation's members with one.
 */
import { isId } from "../../protocol/ids.ts";

export interface ActivityPlace {
  /** Milliseconds since the epoch. */
  atMs: number;
  id: string;
}

export function encodePlace(place: ActivityPlace): string {
  return Buffer.from(`${place.atMs}.${place.id}`, "latin1").toString("base64url");
}

/** Undefined: not a cursor of ours. */
export function decodePlace(cursor: string): ActivityPlace | undefined {
  const match = /^(\d{1,13})\.(\d{1,19})$/.exec(
    Buffer.from(cursor, "base64url").toString("latin1"),
  );
  const place = match && { atMs: Number(match[1]), id: match[2]! };
  if (!place || !isId(place.id) || encodePlace(place) !== cursor) return undefined;
  return place;
}

/** In the order of joining: by moment, of one moment by user id. */
export interface MemberPlace {
  joinedMs: number;
  userId: string;
}

export function encodeMemberPlace({ joinedMs, userId }: MemberPlace): string {
  return Buffer.from(`m${joinedMs}.${userId}`, "latin1").toString("base64url");
}

/** Undefined: not a cursor of ours. */
export function decodeMemberPlace(cursor: string): MemberPlace | undefined {
  const match = /^m(\d{1,13})\.(\d{1,19})$/.exec(
    Buffer.from(cursor, "base64url").toString("latin1"),
  );
  const place = match && { joinedMs: Number(match[1]), userId: match[2]! };
  if (!place || !isId(place.userId) || encodeMemberPlace(place) !== cursor) return undefined;
  return place;
}

/** Lists of users by when each came into them, newest first; of one moment the highest id first. */
export type UserList = "followers" | "following" | "likers" | "blocks" | "suspended";

const USER_LIST_TAGS: Record<UserList, string> = {
  followers: "u",
  following: "v",
  likers: "w",
  blocks: "x",
  suspended: "y",
};

export function encodeUserPlace(list: UserList, { atMs, id }: ActivityPlace): string {
  return Buffer.from(`${USER_LIST_TAGS[list]}${atMs}.${id}`, "latin1").toString("base64url");
}

/** Undefined: not a cursor of ours, or another list's. */
export function decodeUserPlace(list: UserList, cursor: string): ActivityPlace | undefined {
  const match = /^([a-z])(\d{1,13})\.(\d{1,19})$/.exec(
    Buffer.from(cursor, "base64url").toString("latin1"),
  );
  const place = match && { atMs: Number(match[2]), id: match[3]! };
  if (!place || !isId(place.id) || encodeUserPlace(list, place) !== cursor) return undefined;
  return place;
}

/** A place in the list of a conversation's files: the message's seq and the file's id. */
export interface FilePlace {
  seq: string;
  fileId: string;
}

export function encodeFilePlace({ seq, fileId }: FilePlace): string {
  return Buffer.from(`f${seq}.${fileId}`, "latin1").toString("base64url");
}

/** Undefined: not a cursor of ours. */
export function decodeFilePlace(cursor: string): FilePlace | undefined {
  const match = /^f(\d{1,19})\.(\d{1,19})$/.exec(
    Buffer.from(cursor, "base64url").toString("latin1"),
  );
  const place = match && { seq: match[1]!, fileId: match[2]! };
  if (!place || !isId(place.seq) || !isId(place.fileId)) return undefined;
  return encodeFilePlace(place) === cursor ? place : undefined;
}
