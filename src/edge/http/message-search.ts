/**
 * Asks the index of messages and looks at the messages themselves: the index gives hints, and the
 * rows of the messages say which of them fit and may be seen by the reader now.
 *
 * [MSE1] Results come newest first. A row of the index holds messages up to a time; what is newer than
 *        the newest of the rows that were not looked at is certain, and the rest waits for them.
 * [MSE2] An answer looks at 1,000 messages, or 400,000 characters of them, at most. Messages that
 *        are not found until then are behind `next_cursor`, also where the page has room.
 */
import { askedTokens, match, type Range, type Term } from "../../base/search-text.ts";
import type { FoundBlock, MessagePlace, MessageSearch, SearchFilter } from "../../ports/search.ts";
import { isId, type UserId } from "../../protocol/ids.ts";
import type { Message } from "../../protocol/schemas.ts";
import { orUnreachable } from "../storage-reachable.ts";

const CANDIDATES_MAX = 1_000;
const CHARACTERS_MAX = 400_000;
/** Places that are looked up, also those that are on pages before. */
const LOOKED_MAX = 50_000;
const FIRST_BLOCKS = 8;
const BLOCKS_MAX = 64;
/** Characters that are compared before others get their turn on this thread: some 5 ms. */
const SLICE_CHARACTERS = 25_000;
const ID_MAX = "9223372036854775807";
/** PostgreSQL's and JavaScript's times both reach it. */
const END_OF_TIME_MS = Date.UTC(9999, 0);

export interface Found {
  message: Message;
  ranges: Range[];
}

export interface FoundPage {
  items: Found[];
  next_cursor: string | null;
}

export function encodeSearchPlace({ atMs, id }: MessagePlace): string {
  return Buffer.from(`q${atMs}.${id}`, "latin1").toString("base64url");
}

/** Undefined: not a cursor of ours. */
export function decodeSearchPlace(cursor: string): MessagePlace | undefined {
  const text = Buffer.from(cursor, "base64url").toString("latin1");
  const match = /^q(\d{1,15})\.(\d{1,19})$/.exec(text);
  const place = match && { atMs: Number(match[1]), id: match[2]! };
  if (!place || !isId(place.id) || place.atMs > END_OF_TIME_MS) return undefined;
  return encodeSearchPlace(place) === cursor ? place : undefined;
}

/** `terms` hold one that is not excluded. `cursor`: null for the first page. */
export async function searchMessages(
  search: MessageSearch,
  reader: UserId,
  terms: readonly Term[],
  filter: SearchFilter,
  cursor: MessagePlace | null,
  limit: number,
): Promise<FoundPage> {
  const below = cursor ?? { atMs: END_OF_TIME_MS, id: ID_MAX };
  const tokens = askedTokens(terms);
  const found = new Map<string, Found>();
  let looked = 0;
  let compared = 0;
  let characters = 0;
  let last: FoundBlock | null = null;
  let size = FIRST_BLOCKS;
  for (;;) {
    const given: FoundBlock[] = await orUnreachable(
      search.blocks(reader, tokens, filter, below, last, size),
    );
    const blocks = first(given, CANDIDATES_MAX);
    const isEnd = blocks.length === given.length && given.length < size;
    const places = blocks.flatMap(({ conversationId, seqs }) =>
      seqs.map((seq) => ({ conversationId, seq })),
    );
    const messages =
      places.length === 0
        ? []
        : await orUnreachable(search.messages(reader, places, filter, below));
    let slice = 0;
    for (const message of messages) {
      slice += message.body.length;
      if (slice > SLICE_CHARACTERS) {
        slice = 0;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      characters += message.body.length;
      const ranges = match(terms, message.body);
      if (ranges !== null) found.set(message.id, { message, ranges });
    }
    looked += places.length;
    compared += messages.length;
    last = blocks.at(-1) ?? last;
    // Rows that follow hold nothing newer than this.
    const frontierMs = isEnd || last === null ? -1 : last.lastAtMs;
    const inOrder = [...found.values()].sort(newestFirst);
    const certain = inOrder.filter(({ message }) => madeMs(message) > frontierMs);
    if (certain.length >= limit || isEnd) {
      const items = certain.slice(0, limit);
      const isMore = certain.length > limit || !isEnd;
      return { items, next_cursor: isMore ? encodeSearchPlace(placeOf(items.at(-1)!)) : null };
    }
    if (compared >= CANDIDATES_MAX || characters >= CHARACTERS_MAX || looked >= LOOKED_MAX) {
      // Without anything certain the next answer would begin where this one did.
      if (frontierMs < below.atMs) {
        const next = { atMs: frontierMs, id: ID_MAX };
        return { items: certain, next_cursor: encodeSearchPlace(next) };
      }
      if (looked >= LOOKED_MAX) {
        const items = inOrder.slice(0, limit);
        const end = items.at(-1);
        const next = end === undefined ? { atMs: frontierMs, id: "1" } : placeOf(end);
        return { items, next_cursor: encodeSearchPlace(next) };
      }
    }
    size = Math.min(2 * size, BLOCKS_MAX);
  }
}

/** The first rows, with so many messages at most; one at least. */
function first(blocks: readonly FoundBlock[], most: number): FoundBlock[] {
  let count = 0;
  const end = blocks.findIndex(({ seqs }, n) => {
    count += seqs.length;
    return n > 0 && count > most;
  });
  return end < 0 ? [...blocks] : blocks.slice(0, end);
}

const madeMs = (message: Message) => Date.parse(message.created_at);
const placeOf = ({ message }: Found): MessagePlace => ({
  atMs: madeMs(message),
  id: message.id,
});

function newestFirst(one: Found, other: Found): number {
  const byTime = madeMs(other.message) - madeMs(one.message);
  if (byTime !== 0) return byTime;
  return BigInt(other.message.id) < BigInt(one.message.id) ? -1 : 1;
}
