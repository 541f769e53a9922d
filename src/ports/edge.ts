/**
 * The edge's port to storage: accounts, and reads that go straight to PostgreSQL instead
 * of through actors. Implemented in src/storage (PostgreSQL and memory twin, one contract
 * suite). Promises reject only when storage is out of reach; everything else is a Result.
 * Reads that many sessions make at once (`openSession`, `revs`, `lastSeen`) are gathered over
 * a turn of the event loop into one statement.
 */

import type { ConversationSummary, ListFilter, Totals } from "../protocol/conversation-list.ts";
import type { Result } from "../protocol/errors.ts";
import type { ConversationId, FamilyId, UserId } from "../protocol/ids.ts";
import type { JsonText } from "../protocol/json-text.ts";
import type { Role } from "../protocol/permissions.ts";
import type {
  Activity,
  Conversation,
  Member,
  Message,
  OwnReactions,
  OwnUnread,
  Reactor,
  Receipt,
  Unread,
  User,
} from "../protocol/schemas.ts";
import type { ChannelQueries } from "./channels.ts";
import type { MembershipQueries } from "./membership.ts";
import type { PrefsQueries } from "./prefs.ts";
import type { PrivacyQueries } from "./privacy.ts";
import type { SocialOpening, SocialQueries } from "./social.ts";
import type { StreamQueries } from "./streams.ts";
import type { OpenedThread, ThreadQueries } from "./threads.ts";

export interface Account {
  user: User;
  /** Self-describing scrypt hash: `scrypt$N$r$p$salt$key`, base64url; null for outside issuers. */
  passwordHash: string | null;
  suspended: boolean;
  /** Whether the user has logged in from the address in question before. */
  isKnownAddress: boolean;
}

/** Where a login is made. */
export interface LoginOrigin {
  /** SHA-256 of the root of its refresh tokens, hex. */
  rootHash: string;
  /** An IPv4 address or an IPv6 /64. */
  address: string;
  /** At most 200 characters; null: none was sent. */
  userAgent: string | null;
}

export interface StoredLogin {
  id: FamilyId;
  created_at: string;
  last_used_at: string;
  address: string | null;
  user_agent: string | null;
}

/** The users, logins and tokens that are refused since some time. */
export interface ShutOut {
  families: FamilyId[];
  suspensions: Suspension[];
  /** Until when the tokens of these users are refused: milliseconds since the epoch. */
  cuts: { user: UserId; atMs: number }[];
  /** The `jti` of revoked service tokens. */
  tokens: string[];
  /** The number of the newest rules for texts; read along, so that nobody asks for it alone. */
  rulesRev: number;
}

export interface EndedFamily {
  family: FamilyId;
  userId: UserId;
}

export interface Suspension {
  user: UserId;
  suspended: boolean;
}

/** `until` null: until it is lifted. */
export interface SuspensionTerms {
  /** ISO time. */
  until: string | null;
  reason: string | null;
}

/** The keys of a user that change; null takes a key away. */
export interface UserChange {
  username?: string;
  display_name?: string;
  image_url?: string | null;
  data?: Record<string, unknown> | null;
  trusted?: Record<string, unknown> | null;
}

export interface PutUser {
  user: User;
  created: boolean;
  /** Whether it is another one than before. */
  changed: boolean;
}

export interface RefreshGrant {
  user: User;
  family: FamilyId;
}

/** `username` is folded already. */
export interface NewOutsideUser {
  username: string | null;
  displayName: string | null;
  imageUrl: string | null;
}

export interface AccountStore {
  /** Refuses: conflict (username taken). `username` is folded already. */
  register(username: string, displayName: string, passwordHash: string): Promise<Result<User>>;
  byUsername(username: string, address: string): Promise<Account | null>;
  byId(id: UserId): Promise<User | null>;
  /**
   * The user of an outside issuer's subject, made on first sight with what can be had of `wished`:
   * a username that is taken or reserved is replaced by one of the subject's hash, and a display
   * name that is null by the username.
   */
  bySubject(
    issuer: string,
    subject: string,
    wished: NewOutsideUser,
  ): Promise<{ user: User; created: boolean }>;
  /**
   * The user's own change. Refuses: not_found, conflict (the name is taken or reserved, or was
   * changed less than 30 days ago).
   */
  changeUser(id: UserId, change: UserChange): Promise<Result<PutUser>>;
  /**
   * A service makes or changes the users that it calls so, in order, each as if alone; their events
   * name the service. Refuses: conflict (the name).
   */
  putExternal(
    users: readonly { externalId: string; change: UserChange }[],
    service?: string,
  ): Promise<Result<PutUser>[]>;
  /**
   * Sets the password and revokes every family of the user, in one transaction; the families that
   * it revoked. Refuses: not_found, conflict (an outside issuer's user).
   */
  setPassword(id: UserId, hash: string): Promise<Result<FamilyId[]>>;

  /**
   * Begins a refresh-token family. `tokenHash` is SHA-256 of the token, hex. `ttlMs` here and
   * `ms` below are measured by the store's own clock.
   */
  startFamily(
    userId: UserId,
    tokenHash: string,
    ttlMs: number,
    origin: LoginOrigin,
  ): Promise<FamilyId>;
  /**
   * Null lifts the suspension. Idempotent; a suspension that stands takes the new terms. Refuses:
   * not_found.
   */
  suspend(id: UserId, suspension: SuspensionTerms | null): Promise<Result<null>>;
  /**
   * Moves the user's cut to now and revokes every family, in one transaction; the cut in
   * milliseconds since the epoch. Cuts of one user rise. Null: no such user.
   */
  cutTokens(id: UserId): Promise<number | null>;
  /**
   * Families that were revoked within the last `familiesMs`, users who were suspended, let back in
   * or cut and service tokens that were revoked within the last `othersMs`; as they are now.
   */
  shutOutWithin(familiesMs: number, othersMs: number): Promise<ShutOut>;
  /** Replaces `oldHash`, unless the password was changed meanwhile. */
  rehash(id: UserId, oldHash: string, newHash: string): Promise<void>;

  /**
   * Replaces `oldHash` and revokes every family of the user but `kept`, in one transaction; the
   * families that it revoked. Null: `oldHash` is not the password's any more.
   */
  changePassword(
    id: UserId,
    oldHash: string,
    newHash: string,
    kept: FamilyId | null,
  ): Promise<FamilyId[] | null>;

  /**
   * Spends a refresh token and puts `nextHash` in its place, in one transaction. `unknown` also
   * stands for expired and revoked ones. `reused`: it was spent before, and this call has revoked
   * its family; but within 10 s, while `nextHash` is its unused successor, it is `repeated`. A
   * suspended user's token is not spent.
   */
  rotate(
    tokenHash: string,
    nextHash: string,
    ttlMs: number,
  ): Promise<
    | { outcome: "rotated" | "repeated"; grant: RefreshGrant }
    | ({ outcome: "reused" } & EndedFamily)
    | { outcome: "suspended" }
    | { outcome: "unknown" }
  >;
  /** Revokes the family of a refresh token; null when there is none. Idempotent. */
  revokeByToken(tokenHash: string): Promise<EndedFamily | null>;
  /** Revokes the live family with that root; null when there is none. */
  revokeByRoot(rootHash: string): Promise<EndedFamily | null>;
  /** Revokes that live family of the user; false when there is none. */
  endFamily(userId: UserId, family: FamilyId): Promise<boolean>;
  /** At most `limit` of the user's live families with an id below `before`, newest first. */
  families(userId: UserId, before: string | null, limit: number): Promise<StoredLogin[]>;
}

/** The data a session begins with. */
export interface SessionOpening extends SocialOpening {
  user: User;
  suspended: boolean;
  /**
   * The conversations whose events the session receives, at most LIVE_CONVERSATIONS_MAX. `peer` is
   * the other member of a direct conversation. The order is by the user's own last activity: only
   * the user's own sends, reads and joins and direct messages to them count, so that nobody else
   * moves a conversation up. Conversations without such activity follow: first those in which the
   * user has read messages, then those with the newest activity.
   */
  conversations: { id: ConversationId; rev: number; peer: UserId | null }[];
  /** Whether the user has conversations beside those. */
  hasMoreConversations: boolean;
  /** The same of followed threads, at most LIVE_THREADS_MAX, and those that are unread. */
  threads: OpenedThread[];
  hasMoreThreads: boolean;
  unreadThreads: Unread[];
  /** The user's channels, at most CHANNELS_MAX, those in which they were active last. */
  channels: Activity[];
  /** Conversations with unread messages in the same order, at most UNREAD_CONVERSATIONS_MAX. */
  unread: Unread[];
  hasMoreUnread: boolean;
  /** When this was read: the database's clock, milliseconds since the epoch. */
  readAtMs: number;
  /** The newest number of the user's preferences; 0 where none were ever set. */
  lastPrefsRev: number;
  /** Whether the user hides presence or the time last seen from anybody. */
  isReserved: boolean;
}

/** A user's conversations of which the changes since then are asked for. */
export interface ActivityRequest {
  user: UserId;
  /** The database's clock, milliseconds since the epoch. */
  sinceMs: number;
}

/** A conversation of `user` that has changed. */
export interface ActiveConversation extends Activity {
  user: UserId;
  /** Whether the user was active in it by their own doing since then; see SessionOpening. */
  isOwn: boolean;
  /** The parent of a thread. */
  threadOf?: ConversationId;
}

export interface ActivityAnswer {
  /** When this was read; changes that were not committed then may bear an earlier time. */
  readAtMs: number;
  found: ActiveConversation[];
}

export interface SyncRequest {
  userId: UserId;
  /** The rev that the client has, by conversation. */
  after: Map<ConversationId, number>;
  /** Whether conversations that the client did not list belong in the answer. */
  complete: boolean;
  /** The client speaks version 1 of the contract. */
  withoutThreads?: boolean;
}

export interface SyncedConversation extends OwnUnread {
  conversation_id: string;
  rev: number;
  messages: Message[];
  own_reactions?: OwnReactions[];
  conversation: Conversation | null;
  has_more: boolean;
  reset: boolean;
  truncated_before_seq?: number;
  last_n?: number;
  first_n?: number;
}

export interface SyncAnswer {
  conversations: SyncedConversation[];
  receipts: Receipt[];
  removed: string[];
  has_more: boolean;
  /** Those asked about, changed or not, in which streams are open; not for the client. */
  streaming?: ConversationId[];
}

/** A change that an edge missed; changes come by rising rev. */
export interface Change {
  name:
    | "message"
    | "message_updated"
    | "conversation_updated"
    | "reaction"
    | "message_checkpoint"
    | "messages_erased"
    | "conversation_deleted";
  rev: number;
  /**
   * JSON text of the payload as it was published, with its translation where it needs one (see
   * `withTranslation`); members' cursors may be newer.
   */
  body: string;
  /** All members after a `conversation_updated` of which it is not known who came and went. */
  memberIds?: string[];
}

export interface Changes {
  changes: Change[];
  /** Whether there may be more after the last of them. */
  hasMore: boolean;
  /**
   * The oldest change of members that is still known, where earlier ones are already forgotten: a
   * user whom those removed is sent this change and nothing after it.
   */
  forgotten: Change | null;
}

export interface HistoryWindow {
  beforeSeq: number | null;
  afterSeq: number | null;
  limit: number;
}

export interface HistoryPage {
  items: Message[];
  has_more: boolean;
  own_reactions?: OwnReactions[];
}

/** A page of those who reacted to a message; see ReactionQueries. */
export type ReactorsPage =
  | { is: "page"; items: Reactor[]; next_cursor: string | null }
  | { is: "not_found" }
  | { is: "message_not_found" }
  | { is: "bad_cursor" };

export interface ReactionQueries {
  /** Newest first. `key`: normalised, or null for all. */
  reactors(
    reader: UserId,
    place: { id: ConversationId; seq: number; key: string | null },
    limit: number,
    cursor: string | null,
  ): Promise<ReactorsPage>;
}

export interface MembersFilter {
  role?: Role | undefined;
  /** Each word of it begins the username or a word of the display name, folded. */
  q?: string | undefined;
}

/** Where `reader` is no member, may not list members, or the cursor is none of this list. */
export type MembersPage =
  | { is: "forbidden" }
  | { is: "page"; items: Member[]; next_cursor: string | null }
  | { is: "not_found" }
  | { is: "bad_cursor" };

/** Which conversations are asked for, and how they are shown. */
export interface ListAsked {
  filter?: ListFilter | undefined;
  kind?: "direct" | "group" | "channel" | undefined;
  q?: string | undefined;
  members?: "few" | undefined;
}

export interface ConversationsPage {
  items: ConversationSummary[];
  next_cursor: string | null;
}

/** How far a member has received and read. */
export interface MovedCursors {
  /** As others see it. */
  receipt: Receipt;
  /** As the member sees it. */
  own: OwnUnread;
  /** Others do not see how far the member has read. */
  isMasked: boolean;
}

/** Kinds of work that storage holds until its time comes; see edge/live/due-work.ts. */
export const DUE_KINDS = ["scheduled", "expiries", "streams", "summaries"] as const;
export type DueKind = (typeof DUE_KINDS)[number];

export interface Queries
  extends SocialQueries,
    PrefsQueries,
    ReactionQueries,
    MembershipQueries,
    ThreadQueries,
    ChannelQueries,
    StreamQueries,
    PrivacyQueries {
  openSession(userId: UserId): Promise<SessionOpening | null>;
  /**
   * The users among `users` who were added to a conversation, or whose follows or blocks changed,
   * less than `ageMs` ago. Changes older than 55 minutes are forgotten.
   */
  changedUsers(users: UserId[], ageMs: number): Promise<UserId[]>;
  /** What changed in all conversations of these users; a conversation may be named twice. */
  activity(requests: readonly ActivityRequest[]): Promise<ActivityAnswer>;
  /** How a conversation stands for one of its members; null where `reader` is none. */
  standing(
    reader: UserId,
    id: ConversationId,
  ): Promise<(Activity & { threadOf?: ConversationId; inChannel?: true }) | null>;
  /** The first seq that a member may see, of those who may not see all. */
  visibleFrom(id: ConversationId): Promise<Map<UserId, number>>;
  /**
   * Cursors of members who have read in these conversations within that time, channels left out;
   * not where the read cursor stands at a message of their own, which has moved it.
   */
  movedCursors(ids: ConversationId[], withinMs: number): Promise<MovedCursors[]>;
  /** Current rev of each conversation that exists. */
  revs(ids: ConversationId[]): Promise<Map<ConversationId, number>>;
  /**
   * Durable changes with rev in (afterRev, …], at most `limit`, none skipped that is less than
   * about an hour old; of older ones those that were not replaced since.
   */
  changes(id: ConversationId, afterRev: number, limit: number): Promise<Changes>;
  /**
   * The change by which `reader` came in for the last time, as it was then; where that is older
   * than is kept, the oldest of members or title that is. Null where there is no such
   * conversation or `reader` is no member.
   */
  joiningChange(reader: UserId, id: ConversationId): Promise<Change | null>;
  sync(request: SyncRequest): Promise<SyncAnswer>;

  /** With its first members; null when there is none or `reader` is no member. */
  conversation(reader: UserId, id: ConversationId): Promise<Conversation | null>;
  /** All members, in the order in which they joined. */
  members(
    reader: UserId,
    id: ConversationId,
    limit: number,
    cursor: string | null,
    filter?: MembersFilter,
  ): Promise<MembersPage>;
  /**
   * Pinned ones first, then newest activity first. `cursor` comes from an earlier page; undefined
   * result: bad cursor.
   */
  conversations(
    reader: UserId,
    limit: number,
    cursor: string | null,
    asked?: ListAsked,
  ): Promise<ConversationsPage | undefined>;
  /** How much is unread, without muted and archived conversations. */
  totals(reader: UserId): Promise<Totals>;
  /** By rising seq: the newest before `beforeSeq`, or the oldest after `afterSeq`. */
  /** The kinds of work of which something may be due now. */
  dueKinds(): Promise<readonly DueKind[]>;
  /**
   * At most `limit` messages whose time has come, the oldest first. No other worker receives them
   * for `leaseMs`.
   */
  claimExpired(limit: number, leaseMs: number): Promise<{ id: ConversationId; seq: number }[]>;
  /** The pinned messages, the newest pin first; null where `reader` is no member. */
  pins(reader: UserId, id: ConversationId): Promise<Message[] | null>;
  history(
    reader: UserId,
    id: ConversationId,
    window: HistoryWindow,
  ): Promise<JsonText<HistoryPage> | null>;

  user(id: UserId): Promise<User | null>;
  userByName(username: string): Promise<User | null>;
  /** The id of what the application calls so; null: there is none. */
  idOfExternal(kind: "user" | "conversation", externalId: string): Promise<string | null>;
  /** ISO time or null of each user that exists. */
  lastSeen(ids: UserId[]): Promise<Map<UserId, string | null>>;
  /** Resolves when the database answers; for /readyz. */
  ping(): Promise<void>;
}
