/**
 * Feeds the index of messages: one job over all hosts, which runs for as long as its host does.
 *
 * A round asks which conversations have changed since the last one, reads their changes by rev, and
 * writes rows of the index with the rev up to which they are fed, in one transaction. The next job
 * begins at these revs, so no crash makes it miss a message. Sends do nothing for it.
 *
 * [SIX1] New messages are added to the newest row of their conversation, or to a new one; the rows of
 *        those that were edited or deleted are made from the messages as they are now.
 * [SIX2] The rest between two rounds is at least twice as long as the round took, so that a flood
 *        makes the index late and not the sends.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { ATTACHMENT_TOKEN, segmentsOf, senderToken, tokensOf } from "../base/search-text.ts";
import type {
  DueConversation,
  Feed,
  IndexedMessage,
  LiveBlock,
  NewBlock,
  SearchIndex,
  Tail,
} from "../ports/search.ts";
import type { ConversationId } from "../protocol/ids.ts";
import { BEFORE_ALL, later, msBetween } from "../protocol/time.ts";
import type { JobHandlers } from "./runner.ts";

export const FEED_SEARCH = "search.feed";

/** A look reads all conversations, so it is followed by a rest of ten times as long, within these. */
const REST_MS = 400;
const REST_MS_MAX = 1_000;
/** After PostgreSQL did not answer, or another job fed. */
const TROUBLE_MS = 1_000;
const DUE_MAX = 500;
const CONVERSATIONS_AT_ONCE = 20;
const MESSAGES_AT_ONCE = 1_000;
/** Messages of a row, by their seq: the width of its positions. */
const ROW_WIDTH = 64;
/** A tsvector holds 1 MiB. */
const ROW_BYTES_MAX = 400_000;
/** A token takes these beside its text. */
const TOKEN_BYTES = 8;
/** How long texts are taken apart before others get their turn on this thread. */
const SLICE_MS = 5;

interface SearchJobDeps {
  index: SearchIndex;
  clock: Clock;
  log: Log;
}

export function searchJobs({ index, clock, log }: SearchJobDeps): JobHandlers {
  return {
    async [FEED_SEARCH](_job, { signal }) {
      const feeder = new Feeder(index, clock);
      try {
        while (!signal.aborted) {
          const begunMs = clock.monotonicMs();
          const isMore = await feeder.round(signal);
          const tookMs = msBetween(begunMs, clock.monotonicMs());
          await rest(clock, isMore ? tookMs : clamped(10 * tookMs), signal);
        }
      } catch (err) {
        log.warn({ event: "search_feed_waits", err });
        return { is: "again", inMs: TROUBLE_MS };
      }
      return { is: "again", inMs: 0 };
    },
  };
}

const clamped = (ms: number): number => Math.min(REST_MS_MAX, Math.max(REST_MS, ms));

class Feeder {
  readonly #index: SearchIndex;
  readonly #clock: Clock;
  #epoch: string | null = null;
  /** Everything that transactions before it have changed is fed. */
  #since: string | null = null;
  #sliceEndsMs = BEFORE_ALL;

  constructor(index: SearchIndex, clock: Clock) {
    this.#index = index;
    this.#clock = clock;
  }

  /** True where there is more to do at once. */
  async round(signal: AbortSignal): Promise<boolean> {
    const due = await this.#index.due(this.#since, DUE_MAX);
    if (due.epoch !== this.#epoch) {
      const isFirst = this.#epoch === null;
      this.#epoch = due.epoch;
      this.#since = null;
      if (!isFirst) return true;
    }
    const { conversations } = due;
    let isMore = conversations.length === DUE_MAX;
    for (let at = 0; at < conversations.length; at += CONVERSATIONS_AT_ONCE) {
      if (signal.aborted) return true;
      const some = conversations.slice(at, at + CONVERSATIONS_AT_ONCE);
      if (await this.#feed(some)) isMore = true;
    }
    if (!isMore) this.#since = due.next;
    return isMore;
  }

  /** True where one has more changes than were read. */
  async #feed(due: readonly DueConversation[]): Promise<boolean> {
    const most = Math.ceil(MESSAGES_AT_ONCE / due.length);
    const present = due.filter(({ gone }) => !gone);
    const changes = byConversation(await this.#index.changes(present, most));
    const ids = [...changes.keys()];
    const tails = new Map(
      (ids.length === 0 ? [] : await this.#index.tails(ids)).map((tail) => [
        tail.conversationId,
        tail,
      ]),
    );
    const revised = [...changes.values()]
      .flat()
      .filter(({ conversationId, seq }) => seq <= (tails.get(conversationId)?.lastSeq ?? 0));
    const stale = byConversation(revised.length === 0 ? [] : await this.#index.blocksWith(revised));
    let isMore = false;
    const feeds: Feed[] = [];
    for (const conversation of due) {
      const changed = changes.get(conversation.id) ?? [];
      const isWhole = changed.length < most;
      if (!isWhole) isMore = true;
      const rev = isWhole ? conversation.rev : changed.at(-1)!.rev;
      const tail = tails.get(conversation.id) ?? null;
      const feed = { conversation, rev, removed: [], blocks: [] };
      feeds.push(await this.#laidOut(feed, changed, tail, stale.get(conversation.id) ?? []));
    }
    if (!(await this.#index.feed(feeds)))
      throw new Error("another job feeds the index of messages");
    return isMore;
  }

  /** [SIX1] */
  async #laidOut(
    feed: Feed,
    changed: readonly IndexedMessage[],
    tail: Tail | null,
    stale: readonly LiveBlock[],
  ): Promise<Feed> {
    let open: Open | null = tail === null ? null : { ...tail, block: null };
    for (const block of stale) {
      feed.removed.push(block.firstSeq);
      let last: Open | null = null;
      for (const message of block.messages) last = await this.#put(feed, last, message);
      if (block.firstSeq === tail?.firstSeq) open = last;
    }
    const fresh = changed.filter(({ seq }) => seq > (tail?.lastSeq ?? 0));
    for (const message of fresh.sort((a, b) => a.seq - b.seq)) {
      open = await this.#put(feed, open, message);
    }
    return feed;
  }

  /** Adds a message to the open row, or to a new one. */
  async #put(feed: Feed, open: Open | null, message: IndexedMessage): Promise<Open> {
    const { seq, createdAt } = message;
    const tokens = await this.#tokens(message);
    let bytes = 0;
    for (const token of tokens) bytes += Buffer.byteLength(token) + TOKEN_BYTES;
    const hasRoom =
      open !== null && seq - open.firstSeq < ROW_WIDTH && open.bytes + bytes <= ROW_BYTES_MAX;
    const into: Open = hasRoom ? open! : { firstSeq: seq, bytes: 0, block: null };
    into.bytes += bytes;
    into.block ??= emptyBlock(feed, into.firstSeq, createdAt);
    const { block } = into;
    block.lastSeq = seq;
    block.bytes += bytes;
    if (createdAt < block.firstAt) block.firstAt = createdAt;
    if (createdAt > block.lastAt) block.lastAt = createdAt;
    for (const token of tokens) {
      const places = block.tokens.get(token);
      if (places === undefined) block.tokens.set(token, [seq - into.firstSeq + 1]);
      else places.push(seq - into.firstSeq + 1);
    }
    return into;
  }

  async #tokens({ body, senderId, hasAttachment }: IndexedMessage): Promise<Set<string>> {
    if (body === null) return new Set();
    if (this.#clock.monotonicMs() >= this.#sliceEndsMs) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      this.#sliceEndsMs = later(this.#clock.monotonicMs(), SLICE_MS);
    }
    const tokens = tokensOf(segmentsOf(body));
    if (senderId !== null) tokens.add(senderToken(senderId));
    if (hasAttachment) tokens.add(ATTACHMENT_TOKEN);
    return tokens;
  }
}

interface GrowingBlock extends NewBlock {
  tokens: Map<string, number[]>;
}

/** The row that messages are added to. */
interface Open {
  firstSeq: number;
  bytes: number;
  /** The part that will be written; null: nothing yet. */
  block: GrowingBlock | null;
}

function emptyBlock(feed: Feed, firstSeq: number, at: string): GrowingBlock {
  const tokens = new Map<string, number[]>();
  const block = { firstSeq, lastSeq: firstSeq, bytes: 0, firstAt: at, lastAt: at, tokens };
  feed.blocks.push(block);
  return block;
}

function byConversation<T extends { conversationId: ConversationId }>(
  all: readonly T[],
): Map<ConversationId, T[]> {
  const groups = new Map<ConversationId, T[]>();
  for (const one of all) {
    const group = groups.get(one.conversationId);
    if (group === undefined) groups.set(one.conversationId, [one]);
    else group.push(one);
  }
  return groups;
}

function rest(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const cancel = clock.after(ms, end);
    function end(): void {
      signal.removeEventListener("abort", end);
      cancel();
      resolve();
    }
    signal.addEventListener("abort", end);
  });
}
