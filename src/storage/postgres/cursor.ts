/** Opaque cursors of `GET /api/conversations`: the last item's place in the list. */
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
