/**
 * The behaviours' port to storage. Implemented twice, in src/storage: PostgreSQL, and a
 * memory twin for tests; both pass test/contract. Every promise settles within the storage
 * deadline and rejects only when storage cannot be reached (`unavailable` to the caller).
 * `seq` and `rev` are always taken inside the committing transaction.
 */

import type { InviteWish } from "../src/protocol/actor-ops.ts";
import type { AppData } from "../src/protocol/app-data.ts";
import type {
  ConversationExtras,
  ConversationPatch,
  MemberPatch,
} from "../src/protocol/conversation-patch.ts";
import type { Result } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Prefs } from "../src/protocol/prefs.ts";
import type { Privacy, PrivacyPatch } from "../src/protocol/privacy.ts";
import type {
  Conversation,
  Cursors,
  Invite,
  MadeKind,
  Message,
  OwnReactions,
  User,
} from "../src/protocol/schemas.ts";
import type { OwnMarks } from "../src/protocol/unread.ts";
import type { AppStore } from "./app-ports.ts";
import type { ChannelStore } from "./channel-ports.ts";
import type { PrefsStore } from "./prefs-ports.ts";
import type { SocialPorts } from "./social-ports.ts";
import type { StreamStore } from "./stream-ports.ts";

export interface NewMessage {
  conversationId: ConversationId;
  senderId: UserId;
  clientId: string;
  body: string;
  replyToSeq: number | null;
  /** Left out where a message has nothing beside its body. */
  content?: NewContent;
}

/** Keys that have nothing to say are left out. */
export interface NewContent {
  type?: string;
  data?: AppData;
  /** Ids of files that the sender has uploaded. */
  attachments?: string[];
  silent?: true;
  expireInS?: number;
  /** Folded usernames that the body mentions; those of members become `mentions`. */
  names?: string[];
  mentionAll?: true;
  /** The text arrives in pieces: see stream-ports.ts. */
  isStream?: true;
}

/** A system message of a service; see NewMessage for its content. */
export interface ServiceMessage {
  conversationId: ConversationId;
  /** The `sub` of the service's token. */
  subject: string;
  clientId: string;
  body: string;
  replyToSeq: number | null;
  content: Pick<NewContent, "data" | "silent" | "expireInS">;
}

/** One change of a message. */
export type MessageChange =
  /** Changes what is named; `names` and `all` are of `body`. `data` null removes it. */
  | {
      does: "edit";
      body?: string;
      data?: AppData | null;
      attachments?: string[];
      names: string[];
      all: boolean;
    }
  /**
   * `any`: also messages of others, but for those of `spared`; `system`: also system messages.
   */
  | { does: "delete"; any: boolean; system: boolean; spared: string[] }
  | { does: "pin" | "unpin" };

export interface Revised {
  message: Message;
  /** False: it was so before, and there is no new rev. */
  changed: boolean;
  /** Users whom the message mentions since this change. */
  newlyMentioned: UserId[];
}

export interface Appended {
  message: Message;
  /** The `client_id` was seen: `message` is the first one as it is now, nothing was written. */
  duplicate: boolean;
  unmarked?: Unmarked;
  /** Those who follow the thread since this message, with their cursors. */
  followed?: Follower[];
}

/** A user who has begun to follow a thread. The same is delivered that they have read. */
export interface Follower {
  userId: UserId;
  readSeq: number;
}

/**
 * The write took away what the user had marked unread: their preferences of the conversation after
 * that. Null: it may have, which is not known.
 */
export type Unmarked = Prefs | null;

export interface CursorMark {
  conversationId: ConversationId;
  userId: UserId;
  /** 0 to the conversation's last_seq (checked by the caller). */
  seq: number;
  /** `read` moves both cursors, else only `delivered`. */
  read: boolean;
}

export interface Marked extends Cursors {
  /** Whether either cursor moved. */
  changed: boolean;
  /** The user's own point after the mark. */
  own: OwnMarks;
  unmarked?: Unmarked;
  /**
   * Others do not see how far the user has read: 1, by the user's own choice, and reading delivers
   * nothing; 2, by the choice of the other one of the direct conversation.
   */
  mask?: 1 | 2;
  /** With `mask`: whether what is delivered moved. */
  isDelivery?: boolean;
}

/** What stands between members of a conversation. */
export interface Reserves {
  /** A block stands between the two of a direct conversation; false for a group. */
  isApart: boolean;
  /** Members of whom others do not see how far they have read; see `Marked.mask`. */
  maskedIds: UserId[];
  /** Streams are open: see StreamStore. */
  hasStreams?: true;
}

/** One caller's change of a conversation. `by` null: a service, which may do what the owner may. */
export type ConversationCall = { by: UserId | null } & (
  | ({ does: "update" } & ConversationPatch)
  | { does: "add"; userIds: UserId[] }
  | { does: "remove"; userId: UserId }
  | ({ does: "member"; userId: UserId } & MemberPatch)
  | { does: "join" }
  | { does: "accept"; inviteId: string }
  | { does: "ban"; userId: UserId; until: string | null; reason: string | null }
  | { does: "unban"; userId: UserId }
  | { does: "delete" }
  | { does: "trim" }
);

/** What a new conversation has beside members and title. */
export interface NewConversation {
  /** The user who makes it, the owner unless said; null: a service, whom blocks do not bind. */
  by?: UserId | null;
  extras?: ConversationExtras;
  externalId?: string;
  /** The name of the service that makes it. */
  service?: string;
  /** A channel's; `members` unless said. */
  audience?: Conversation["audience"];
}

/** Calls that were gathered into one change of a conversation. */
export interface ConversationChange {
  /**
   * For each call, in order: whether it changed something, or why it was refused. A call changes
   * nothing when the title was the same or the users were members already.
   */
  outcomes: Result<{ changed: boolean }>[];
  /**
   * The conversation after the change, with all members. Null where there is none; then every
   * call was refused.
   */
  conversation: Conversation | null;
  /** False where no call did anything: no new rev. */
  changed: boolean;
  /** Members who were not there before the change, or were removed by it and added again. */
  addedIds: UserId[];
  /** Users who were members before the change and were removed by it. */
  removedIds: UserId[];
  /** Members of before and after whose role, data or silence changed, or who became the owner. */
  changedIds: UserId[];
  /** The conversation was deleted: `conversation` is what is left of it, without members. */
  deleted: boolean;
  /**
   * Messages about the calls that changed something, where the conversation's settings want them.
   * They have the revs after the change's own, and `conversation` is as of the last of them.
   */
  systemMessages: Message[];
  /** Somebody has gone, and there are threads, which they have left, too. */
  hasThreads: boolean;
  /** See Reserves; of the members after the change. */
  maskedIds: UserId[];
  /** Only of a channel: what happened to ordinary members. The lists above name the others. */
  quiet?: QuietChange;
}

/** Ordinary members of a channel who came, went, or whose role, data or silence changed. */
export interface QuietChange {
  joinedIds: UserId[];
  leftIds: UserId[];
  changedIds: UserId[];
  memberCount: number;
}

export interface Erased {
  /** Rising. */
  seqs: number[];
  rev: number;
}

export interface ConversationStore {
  /** The conversation with its members and their cursors; null when there is none. */
  load(id: ConversationId): Promise<Conversation | null>;
  reserves(id: ConversationId): Promise<Reserves>;
  /** The newest `limit` messages, by rising seq. */
  newest(id: ConversationId, limit: number): Promise<Message[]>;
  /** At most `limit` messages from `fromSeq` on that changed after `rev`, by rising rev. */
  changedAfter(
    id: ConversationId,
    rev: number,
    limit: number,
    fromSeq?: number,
  ): Promise<Message[]>;

  /** The first seq that is shown to each member who has cleared what is older. */
  clearedBefore(id: ConversationId): Promise<Map<UserId, number>>;
  /**
   * How long ago each member sent their last message here or in a thread, in milliseconds; of those
   * who sent within the last `withinMs`, among the newest 5,000 messages of each.
   */
  lastSends(id: ConversationId, withinMs: number): Promise<Map<UserId, number>>;
  /** The message that the sender sent with that `client_id`, as it is now. */
  sent(id: ConversationId, senderId: UserId, clientId: string): Promise<Message | null>;

  /**
   * Group-committed. Resolves in the order of the calls. Moves the sender's cursors to the
   * message. Refuses: not_found (sender is no member), invalid_payload (no such reply_to_seq),
   * forbidden (a block in a direct one; a client_id that was seen is answered all the same).
   */
  append(message: NewMessage): Promise<Result<Appended>>;
  /**
   * A system message without a sender, which moves nobody's cursors. One `clientId` of one subject
   * makes one message. Refuses: not_found, invalid_payload (no such reply_to_seq).
   */
  appendForService(message: ServiceMessage): Promise<Result<Appended>>;
  /**
   * Group-committed; cursors never move back. Refuses: not_found (no member), forbidden (block).
   */
  mark(mark: CursorMark): Promise<Result<Marked>>;
  /**
   * The user opened the conversation: it counts as active by their own doing, as sends and reads
   * do by themselves. Does nothing for one who is no member. Where storage is away it is not
   * recorded, and the conversation may rank lower in the next session.
   */
  opened(id: ConversationId, userId: UserId): Promise<void>;

  /**
   * Refuses: not_found, forbidden (not the sender, or a block), conflict (the message is deleted,
   * or as many are pinned as may be), invalid_payload (too large, or nothing would be left). A
   * deletion or pin that was made before is answered as it is.
   */
  revise(
    id: ConversationId,
    seq: number,
    by: UserId,
    change: MessageChange,
  ): Promise<Result<Revised>>;
  /** Deletes a message whose time has come; null: there is no such message any more. */
  expire(id: ConversationId, seq: number): Promise<Revised | null>;
  /** Shows the files of a message as they are now; null: there is no such message any more. */
  refreshFiles(id: ConversationId, seq: number): Promise<Revised | null>;
  /** Empties messages of an erased user as one change: which ones; none, and nothing changed. */
  eraseMessages(id: ConversationId, by: UserId, most: number): Promise<Erased>;

  /**
   * Makes a group or a channel, or finds or makes the one direct conversation of a pair (`kind` says).
   * `memberIds` holds the owner. Refuses: not_found (a user that is not there), forbidden (a
   * block between the creator and another member, or who takes that from contacts only, but for a
   * direct one that exists), conflict (the
   * external id names another kind of conversation, or another pair).
   */
  create(
    kind: MadeKind,
    ownerId: UserId,
    memberIds: UserId[],
    title: string | null,
    more?: NewConversation,
  ): Promise<Result<{ created: boolean; conversation: Conversation }>>;
  /**
   * Refuses: not_found (no member), conflict (a kind that nobody is invited to, or the member has
   * 100 of them), forbidden (the role).
   */
  createInvite(id: ConversationId, by: UserId, wish: InviteWish): Promise<Result<Invite>>;
  /** Refuses: not_found, also where it is another's and `by` is no moderator. */
  endInvite(id: ConversationId, by: UserId, inviteId: string): Promise<Result<null>>;
  /**
   * Applies the calls in order in one transaction, which takes one rev if any of them changed
   * something that members see. A refused call does not affect the others. Every call is judged by
   * protocol/permissions.ts: not_found (the caller is no member), forbidden (by the role), conflict
   * (the kind of conversation cannot do it). Beside that:
   * - update refuses conflict (`if_rev` is not the present `meta_rev`) and invalid_payload (the
   *   merged data is too large);
   * - add refuses not_found (a user that is not there), invalid_payload (more than 1,000 members)
   *   and forbidden (a block between the caller and a user who is added; a user who is banned, or,
   *   unless a service adds, has left this group by themselves or takes that from contacts only);
   * - remove lets everyone leave, and records those who do. A leaving owner is followed
   *   by the highest role, and among those by the longest standing;
   * - join and accept answer a member without a change, refuse not_found (not open, no such
   *   invitation, banned, a block from the inviter) and conflict (full);
   * - ban and unban take no rev where the user is no member; delete is the owner's.
   */
  change(id: ConversationId, calls: readonly ConversationCall[]): Promise<ConversationChange>;
}

/** A thread as it was when somebody began or ceased to follow it. */
export interface FollowedThread extends Pick<Conversation, "rev" | "last_seq" | "last_n"> {
  changed: boolean;
}

export interface ThreadStore {
  /**
   * Finds or makes the thread of a message, whose sender then follows it. Refuses: not_found (no
   * member, no such message), forbidden (a block), conflict (in a thread; the message is deleted).
   */
  create(
    parent: ConversationId,
    seq: number,
    by: UserId,
  ): Promise<Result<{ created: boolean; thread: Conversation; follower: UserId | null }>>;
  /**
   * A new follower has read everything before `beforeSeq`; null: everything. Refuses: not_found
   * (no such thread, or the user may not read it).
   */
  follow(
    id: ConversationId,
    user: UserId,
    on: boolean,
    beforeSeq: number | null,
  ): Promise<Result<FollowedThread>>;
  /** Brings the summary in a root up to date; null: there is no thread of that message. */
  summarize(parent: ConversationId, seq: number): Promise<Revised | null>;
}

/** One caller's change of the reactions to a message. `key` is normalised. */
export interface ReactionCall {
  by: UserId;
  key: string;
  on: boolean;
  /** The user's other keys go in the same change. */
  isOnly: boolean;
  /** The key goes for all users; `on` is false. */
  isForAll: boolean;
  /** Whether the user may react, or take away for all; all may take away what is their own. */
  isAllowed: boolean;
}

/** Calls that were gathered into one change of a message. */
export interface ReactionFlush {
  /**
   * For each call, in order, that was done: whether it changed something, or why it was refused.
   * Shorter than the calls where the change was full; `more`: so was it before the last of these
   * had taken a key away for all.
   */
  outcomes: Result<{ changed: boolean }>[];
  more: boolean;
  /** The change; null where no call changed anything. */
  change: { rev: number; event: string } | null;
  /** The message afterwards; null where there is none. */
  message: Message | null;
  /** The keys of each user who called, in the order in which they reacted. */
  own: ReadonlyMap<UserId, string[]>;
}

export interface ReactionStore {
  /**
   * Applies the calls in order in one transaction, which takes one rev if any of them changed
   * something, until REACTION_CHANGES_MAX reactions came or went. Each call refuses not_found (no
   * member, or no such message), forbidden (not allowed, or a block), conflict (the message is
   * deleted, or has REACTION_KEYS_MAX keys). `event` is the JSON text of `reaction`.
   */
  react(id: ConversationId, seq: number, calls: readonly ReactionCall[]): Promise<ReactionFlush>;
  /** The user's own, of the messages of these seqs that have any. */
  own(id: ConversationId, user: UserId, seqs: readonly number[]): Promise<OwnReactions[]>;
}

export interface LastSeen {
  /** ISO 8601; null: never. */
  at: string | null;
  /** Whether the user hides presence or the time last seen from anybody. */
  isReserved: boolean;
}

export interface PrivacySet {
  privacy: Privacy;
  /** Where somebody's reads are hidden or shown since this change. */
  conversationIds: ConversationId[];
}

export interface UserStore {
  /** Undefined: no such user. */
  lastSeen(id: UserId): Promise<LastSeen | undefined>;
  /** Pushes to this user need not wait for a session any more. */
  releasePushes(id: UserId): Promise<void>;
  /** Group-committed; `at` is ISO 8601; an older value never replaces a newer one. */
  saveLastSeen(id: UserId, at: string): Promise<void>;
  /** Notes in the event log that the user is there, where somebody has asked for such events. */
  cameOnline(id: UserId): Promise<void>;
  /** Null: no such user. */
  profile(id: UserId): Promise<User | null>;
  privacy(id: UserId): Promise<Privacy>;
  /** Changes what is named. */
  setPrivacy(id: UserId, patch: PrivacyPatch): Promise<PrivacySet>;
}

export interface ActorPorts extends SocialPorts {
  conversations: ConversationStore;
  channels: ChannelStore;
  users: UserStore;
  prefs: PrefsStore;
  reactions: ReactionStore;
  apps: AppStore;
  threads: ThreadStore;
  streams: StreamStore;
}
