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
/** Texts that are read at once for each result that is still wanted. */
const TEXTS_A_RESULT = 2;
const ID_MAX = "9223372036854775807";
/** PostgreSQL's and JavaScript's times both reach it. */
const END_OF_TIME_MS = Date.UTC(9999, 0);
/** Older than every message. */
const BOTTOM: MessagePlace = { atMs: -1, id: "1" };

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
  const results = new Results(terms);
  let looked = 0;
  let last: FoundBlock | null = null;
  for (let size = FIRST_BLOCKS; ; size = Math.min(2 * size, BLOCKS_MAX)) {
    const given: FoundBlock[] = await orUnreachable(
      search.blocks(reader, tokens, filter, below, last, size),
    );
    const blocks = first(given, CANDIDATES_MAX);
    const isEnd = blocks.length === given.length && given.length < size;
    last = blocks.at(-1) ?? last;
    // Rows that follow hold nothing newer than this.
    const frontier = isEnd || last === null ? BOTTOM : { atMs: last.lastAtMs, id: ID_MAX };
    const most = TEXTS_A_RESULT * limit;
    // The newest candidates of these rows, down to the last that was read.
    for (let read: MessagePlace | null = below; read !== null && blocks.length > 0; ) {
      const messages: Message[] = await orUnreachable(
        search.messages(reader, blocks, filter, read, most),
      );
      await results.take(messages);
      read = messages.length < most ? null : placeOf(messages.at(-1)!);
      const known = read === null || comesAfter(read, frontier) ? frontier : read;
      const certain = results.before(known);
      if (certain.length >= limit) {
        const items = certain.slice(0, limit);
        const isMore = certain.length > limit || !isEnd || read !== null;
        return pageOf(items, isMore ? placeOf(items.at(-1)!.message) : null);
      }
      if (results.isEnough && known === read) return pageOf(certain, read);
    }
    const certain = results.before(frontier);
    if (isEnd) return pageOf(certain, null);
    looked += blocks.reduce((sum, { seqs }) => sum + seqs.length, 0);
    const isTooMuch = looked >= LOOKED_MAX;
    // Without progress the next answer would begin where this one did.
    const isFurther = frontier.atMs < below.atMs;
    if (isFurther && (isTooMuch || results.isEnough)) return pageOf(certain, frontier);
    if (isTooMuch) {
      const items = results.before(BOTTOM).slice(0, limit);
      const end = items.at(-1);
      return pageOf(items, end ? placeOf(end.message) : { atMs: frontier.atMs, id: "1" });
    }
  }
}

/** What fits of the messages that were compared. */
class Results {
  readonly #terms: readonly Term[];
  readonly #found = new Map<string, Found>();
  #compared = 0;
  #characters = 0;
  #sliceEnd = SLICE_CHARACTERS;

  constructor(terms: readonly Term[]) {
    this.#terms = terms;
  }

  /** [MSE2] */
  get isEnough(): boolean {
    return this.#compared >= CANDIDATES_MAX || this.#characters >= CHARACTERS_MAX;
  }

  async take(messages: readonly Message[]): Promise<void> {
    for (const message of messages) {
      this.#characters += message.body.length;
      if (this.#characters > this.#sliceEnd) {
        this.#sliceEnd = this.#characters + SLICE_CHARACTERS;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      const ranges = match(this.#terms, message.body);
      if (ranges !== null) this.#found.set(message.id, { message, ranges });
    }
    this.#compared += messages.length;
  }

  /** Those at `place` and newer, the newest first. */
  before(place: MessagePlace): Found[] {
    return [...this.#found.values()]
      .filter(({ message }) => !comesAfter(placeOf(message), place))
      .sort((one, other) => (comesAfter(placeOf(one.message), placeOf(other.message)) ? 1 : -1));
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

const pageOf = (items: Found[], next: MessagePlace | null): FoundPage => ({
  items,
  next_cursor: next === null ? null : encodeSearchPlace(next),
});

const placeOf = ({ id, created_at }: Message): MessagePlace => ({
  atMs: Date.parse(created_at),
  id,
});

/** Whether `one` is older than `other`, or of the same moment with a lower id. */
function comesAfter(one: MessagePlace, other: MessagePlace): boolean {
  if (one.atMs !== other.atMs) return one.atMs < other.atMs;
  return one.id !== other.id && BigInt(one.id) < BigInt(other.id);
}
