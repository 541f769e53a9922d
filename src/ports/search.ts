/**
 * The index of messages: asked by the edge (MessageSearch), fed by a job (SearchIndex). Implemented
 * in src/storage/postgres/search.ts and search-index.ts. Types only. Promises reject only when
 * storage is out of reach.
 */
import type { ConversationId, UserId } from "../protocol/ids.ts";
import type { Message } from "../protocol/schemas.ts";

/** Conditions beside the words. Times are milliseconds since the epoch. */
export interface SearchFilter {
  conversationId: ConversationId | null;
  senderId: UserId | null;
  beforeMs: number | null;
  afterMs: number | null;
  hasAttachment: boolean;
}

/** A place in the results, newest first: below it is what is older, or as old with a lower id. */
export interface MessagePlace {
  atMs: number;
  id: string;
}

/** Places of messages that have all tokens, of one row of the index. */
export interface FoundBlock {
  conversationId: ConversationId;
  firstSeq: number;
  /** When the newest message of the row was made. */
  lastAtMs: number;
  /** Rising. */
  seqs: number[];
}

export interface MessageSearch {
  /**
   * Rows of the index of conversations that `reader` is a member of, and of their threads, with the
   * newest message first: those where one message may have all of `exact` and a token that begins
   * with `prefix`, and which come after `after` where it is given.
   */
  blocks(
    reader: UserId,
    tokens: { exact: readonly string[]; prefix: string | null },
    filter: SearchFilter,
    below: MessagePlace,
    after: FoundBlock | null,
    limit: number,
  ): Promise<FoundBlock[]>;
  /**
   * The newest `most` of the messages in these rows that come after `below`, that `reader` may see
   * now and that pass the filter; the newest first.
   */
  messages(
    reader: UserId,
    blocks: readonly FoundBlock[],
    filter: SearchFilter,
    below: MessagePlace,
    most: number,
  ): Promise<Message[]>;
  /** The age of the oldest change in the reader's conversations that the index does not have. */
  behindMs(reader: UserId): Promise<number>;
}

/** A conversation with changes that the index does not have. */
export interface DueConversation {
  id: ConversationId;
  /** The conversation whose members read it: in a thread the parent. */
  of: ConversationId;
  rev: number;
  /** The rev up to which the index has it. */
  fed: number;
  /** It was deleted. */
  gone: boolean;
}

export interface Due {
  epoch: string;
  /** What the next look passes as `since` where this one gave fewer than it might. */
  next: string;
  conversations: DueConversation[];
}

/** A message as the index takes it. */
export interface IndexedMessage {
  conversationId: ConversationId;
  seq: number;
  rev: number;
  /** Null: it was deleted. */
  body: string | null;
  senderId: UserId | null;
  createdAt: string;
  hasAttachment: boolean;
}

/** The newest row of a conversation in the index. */
export interface Tail {
  conversationId: ConversationId;
  firstSeq: number;
  lastSeq: number;
  bytes: number;
}

/** The messages of a row of the index, as they are now. */
export interface LiveBlock extends Tail {
  messages: IndexedMessage[];
}

/** A row of the index to be written; one that is there is added to. */
export interface NewBlock {
  firstSeq: number;
  lastSeq: number;
  bytes: number;
  firstAt: string;
  lastAt: string;
  /** Each token with the places, from 1, of the messages that have it. */
  tokens: ReadonlyMap<string, readonly number[]>;
}

export interface Feed {
  conversation: DueConversation;
  /** The rev up to which the index has the conversation from then on. */
  rev: number;
  /** `firstSeq` of rows to be removed before. */
  removed: number[];
  blocks: NewBlock[];
}

export interface SearchIndex {
  /** `since`: see Due.next; null: all are looked at. */
  due(since: string | null, most: number): Promise<Due>;
  /** By conversation, the oldest change first, at most `most` of each, and those of the last one's rev. */
  changes(of: readonly DueConversation[], most: number): Promise<IndexedMessage[]>;
  tails(ids: readonly ConversationId[]): Promise<Tail[]>;
  /** The rows that hold these messages, each once. */
  blocksWith(
    places: readonly { conversationId: ConversationId; seq: number }[],
  ): Promise<LiveBlock[]>;
  /** False, with nothing written: another job feeds, or the index was emptied. */
  feed(feeds: readonly Feed[]): Promise<boolean>;
  /** Empties the index, which is then built again; the number of conversations to read. */
  empty(): Promise<number>;
}
