/**
 * Everything the client knows, as one immutable value. Changed by steps.ts alone; shown through
 * the views in views.ts. Objects of the wire are kept as they came (`snake_case`).
 */
import type { ErrorCode, ErrorObject } from "../protocol/errors.ts";
import type { ClientPayload, EndCode, ServerPayload } from "../protocol/events.ts";
import type { Conversation, Message, Receipt, User } from "../protocol/schemas.ts";

/** Why there is no connection. */
export type Disconnect =
  /** `close` was called. */
  | { by: "client" }
  /** The connection was lost, or could not be made. */
  | { by: "network"; detail: string }
  /** The server ended the session and said why. */
  | { by: "server"; code: EndCode; message: string }
  /** The handshake was refused, or there was no token to show. */
  | { by: "refused"; code: ErrorCode; message: string };

export type ConnectionState =
  /** Being made; `attempt` counts from 0 since the last success. */
  | { is: "connecting"; attempt: number }
  /** The session has begun; what was missed is being fetched. */
  | { is: "syncing"; sessionId: string }
  /** Everything is here and stays so. */
  | { is: "online"; sessionId: string }
  /** The next attempt comes at `retryAtMs` (this machine's clock), or with `retryNow`. */
  | { is: "waiting"; reason: Disconnect; attempt: number; retryAtMs: number }
  /** It will not come back by itself. */
  | { is: "closed"; reason: Disconnect };

/** What a message may have beside its text and what it replies to. */
export type More = Pick<
  ClientPayload<"send_message">,
  "attachments" | "data" | "expire_in_s" | "silent" | "type"
>;

/** A message on its way: kept until the server has answered for its `clientId`. */
export interface Outgoing {
  clientId: string;
  conversationId: string;
  body: string;
  replyToSeq: number | null;
  /** Left out by what earlier versions stored. */
  more?: More;
  createdAtMs: number;
  /** Why the server refused it for good; null while it is still being tried. */
  problem: ErrorObject | null;
}

/** A durable change that this user may not see. */
export type Skipped = ServerPayload<"rev_skipped">;

/** Messages that are empty from then on. */
export type Erased = ServerPayload<"messages_erased">;

/** The text so far of a streamed message was stored; it came by deltas (streams.ts). */
export type Checkpoint = ServerPayload<"message_checkpoint">;

/** By seq, this user's own keys. */
export type OwnKeys = ReadonlyMap<number, readonly string[]>;

/** A flush of reactions. `isWhole`: `changed` and `own` are all there are, as an answer says. */
export type Reaction = ServerPayload<"reaction"> & {
  me: string;
  isWhole: boolean;
};

/**
 * A durable change of a conversation: a message, reactions to one, its members or title, or one
 * that is hidden; or messages that were erased.
 */
export type Change = Message | Reaction | Conversation | Skipped | Erased | Checkpoint;

/** This user's own point in a conversation; see held-unread.ts. */
export interface Point {
  /** A read cursor, and how many messages up to it count as unread. */
  seq: number;
  n: number;
  /** The `prefs_rev` of the last change of what follows that came in this session; 0: none. */
  rev: number;
  /** What is marked unread and cleared: by the first seq, as preferences have it, … */
  unreadFrom?: number;
  cleared?: number;
  /** … or by the count before it, as other answers have it. */
  unreadFromN?: number;
  clearedN?: number;
}

/**
 * One conversation. Invariant: `messages` and `conversation` hold every change up to `rev`
 * (older messages than those held are history); what came beyond a gap waits in `ahead`.
 */
export interface Held {
  /**
   * Members and title; its own `rev` is that of their snapshot. For a large group `members` has
   * only the members known here, and `members_partial` says that there are others.
   */
  conversation: Conversation;
  /** The rev since which changes of members were followed one by one. */
  membersSince: number;
  rev: number;
  /** The highest rev known to exist: if it is above `rev`, `sync` fills the gap. */
  latestRev: number;
  ahead: ReadonlyMap<number, Change>;
  /** Receipts of users who are not members as far as is known here yet. */
  early: readonly Receipt[];
  /** By seq. May have holes below its newest run. */
  messages: ReadonlyMap<number, Message>;
  /** Reactions of this user. */
  own: OwnKeys;
  point: Point;
  typing: readonly string[];
  /** The newest page is here. */
  isLoaded: boolean;
  /**
   * The newest seq that was held when the session began. Null: an answer or event has brought this
   * user's own point since, which is newer than the one of `ready`, or the conversation was not
   * held. See `takeUnread`.
   */
  seqAtReady: number | null;
}

export interface State {
  connection: ConnectionState;
  me: User | null;
  conversations: ReadonlyMap<string, Held>;
  /**
   * Conversations that the user left, with the rev of leaving; older changes must not bring them
   * back.
   */
  left: ReadonlyMap<string, number>;
  /** The list of conversations has been read once. */
  isListed: boolean;
  outbox: readonly Outgoing[];
}

export const INITIAL_STATE: State = {
  connection: { is: "connecting", attempt: 0 },
  me: null,
  conversations: new Map(),
  left: new Map(),
  isListed: false,
  outbox: [],
};
