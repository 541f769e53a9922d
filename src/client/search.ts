/**
 * `troupe-client/search`: messages and people that a client's user searches for. Apart from the
 * client, so that a page without a search does not load it.
 */

import type { User } from "../protocol/schemas.ts";
import type { FoundMessage } from "../protocol/search-routes.ts";
import type { CallInput } from "./api.ts";
import type { Client } from "./client.ts";

export type { FoundMessage } from "../protocol/search-routes.ts";

export interface MessageFilter {
  conversationId?: string;
  senderId?: string;
  /** Times, as the server writes them: only what was made before, after. */
  before?: string;
  after?: string;
  has?: "attachment";
  /** Messages of a page, 1–100; the server's default is 50. */
  limit?: number;
}

export interface FoundPage {
  /** Newest first. It may be empty where there is a next page. */
  items: readonly FoundMessage[];
  /** The next page; null: this is the last. */
  next: (() => Promise<FoundPage>) | null;
  /** Milliseconds since the oldest change that the server's search does not know yet; 0: none. */
  behindMs: number;
}

/**
 * Messages that hold all words of `q`: words, "phrases", `-` before what must not be there; the
 * last word fits by its beginning. Rejects with TroupeError.
 */
export function searchMessages(
  client: Client,
  q: string,
  { conversationId, senderId, ...others }: MessageFilter = {},
): Promise<FoundPage> {
  const asked: CallInput<"GET /api/search/messages"> = { q, ...others };
  if (conversationId !== undefined) asked.conversation_id = conversationId;
  if (senderId !== undefined) asked.sender_id = senderId;
  const page = async (cursor: string | null): Promise<FoundPage> => {
    const { items, next_cursor, behind_ms } = await client.api(
      "GET /api/search/messages",
      cursor === null ? asked : { ...asked, cursor },
    );
    const next = next_cursor === null ? null : () => page(next_cursor);
    return { items, next, behindMs: behind_ms };
  };
  return page(null);
}

/** Users by the beginning of the username or of a word of the name. Rejects with TroupeError. */
export async function searchPeople(client: Client, q: string, limit = 20): Promise<User[]> {
  return (await client.api("GET /api/users/search", { q, limit })).items;
}

export interface Part {
  text: string;
  /** It fits what was searched for. */
  isFound: boolean;
}

/** The body of what was found in parts, to be shown with what fits marked. */
export function partsOf({ message, ranges }: FoundMessage): Part[] {
  // Ranges count code points.
  const characters = [...message.body];
  const parts: Part[] = [];
  const add = (from: number, to: number, isFound: boolean) => {
    if (from < to) parts.push({ text: characters.slice(from, to).join(""), isFound });
  };
  let at = 0;
  for (const [from = 0, to = 0] of ranges) {
    add(at, from, false);
    add(from, to, true);
    at = to;
  }
  add(at, characters.length, false);
  return parts;
}
