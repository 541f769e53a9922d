/**
 * The operations of actors: the vocabulary that edges (callers) and behaviours
 * (callees) share. Bodies travel as JSON inside frames; they are made by our own code, so
 * they are typed here and not validated again.
 */
import type { AppCaller, AppEvent } from "./app-actors.ts";
import type { AppData } from "./app-data.ts";
import type { ChannelMembership } from "./channels.ts";
import type { ConversationExtras, ConversationPatch, MemberPatch } from "./conversation-patch.ts";
import type { ConversationId, PostId, SessionId, UserId } from "./ids.ts";
import type { MessageContent } from "./message-content.ts";
import type { Role } from "./permissions.ts";
import type { Draft, Prefs, PrefsChange } from "./prefs.ts";
import type { Privacy, PrivacyPatch } from "./privacy.ts";
import type {
  Conversation,
  Cursors,
  Invite,
  MadeKind,
  Message,
  OwnReactions,
  OwnUnread,
  PresenceStatus,
  Reacted,
  ReactionCount,
  Status,
} from "./schemas.ts";
import type { SignalBody } from "./signals.ts";
import type { Blocked, Comment, Following, Liked, Notification, Post } from "./social.ts";
import type { ShownStream, StreamEnd } from "./streams.ts";
import type { ThreadRules, ThreadStanding } from "./threads.ts";
import type { OwnMarks } from "./unread.ts";

export type ActorKind = "user" | "conversation" | "post" | "app";

export interface ActorAddress {
  kind: ActorKind;
  id: string;
}

/** The status that a session announces for its user; an `invisible` session does not count. */
export type SessionStatus = Exclude<PresenceStatus, "offline"> | "invisible";

/** A session as its edge announces it. `worker` is the incarnation id of the edge's worker. */
export interface SessionNote {
  session: SessionId;
  status: SessionStatus;
  /** How long it has been open: the clocks of two workers are not one. */
  age_ms?: number;
}

/** `unsure`: the actor has just moved, and is asked again. */
export type PushReach = "now" | "wait" | "unsure";

export interface UserOps {
  /** A session has just begun. */
  session_opened: { body: SessionNote & { worker: string }; answer: null };
  /** After the actor moved here: all sessions of this user on one worker, as they are now. */
  sessions_announced: { body: { worker: string; sessions: SessionNote[] }; answer: null };
  session_closed: { body: { session: SessionId }; answer: null };
  set_status: { body: SessionNote & { worker: string }; answer: Record<string, never> };
  status: { body: Record<string, never>; answer: Status };
  /**
   * Answers the status if it differs from `told`, the one that the asking edge sent last. An actor
   * that has just moved or was not active settles from the statuses that edges have sent. `former`:
   * the worker that it moved from, where that is unreachable and may be alive.
   */
  compare_status: { body: { told: PresenceStatus; former?: string }; answer: Status | null };
  /** Whether the user has a session, an invisible one, too; null: it is not sure at this moment. */
  has_session: { body: Record<string, never>; answer: { has: boolean | null } };
  /**
   * Whether a push should go at once, or wait for a session that may read it. With `hold` the actor
   * says in storage when it need not wait any more (release_pushes).
   */
  push_reach: { body: { hold: boolean }; answer: { reach: PushReach } };
  /** The user's name, picture, `data` or `trusted` changed in storage. */
  profile_changed: { body: Record<string, never>; answer: null };
  create_conversation: {
    body: {
      member_ids: UserId[];
      title: string | null;
      /** Without it: direct for one other member and no title. */
      kind?: MadeKind;
      /** A channel's. */
      audience?: Conversation["audience"];
      extras?: ConversationExtras;
      /** A service asks, on behalf of nobody; this is the application's own name for it. */
      external_id?: string;
      /** The name of that service, for the event. */
      service?: string;
    };
    answer: { created: boolean; conversation: Conversation };
  };
  privacy: { body: Record<string, never>; answer: Privacy };
  /** Answers also the conversations whose actors have to read again who hides their reads. */
  set_privacy: {
    body: { patch: PrivacyPatch };
    answer: { privacy: Privacy; conversation_ids: ConversationId[] };
  };
  /** `attachments`: the ids of files, each once. */
  create_post: { body: { body: string; data?: AppData; attachments?: string[] }; answer: Post };
  follow: { body: { user_id: UserId; following: boolean }; answer: Following };
  block: { body: { user_id: UserId; blocked: boolean }; answer: Blocked };
  /** A notification for this user; answers null when it is none (own act, or a block). */
  notify: { body: Notice; answer: Notification | null };
  /** These users liked that post of this user: gathered into one notification a window. */
  post_liked: { body: { post_id: PostId; likers: UserId[] }; answer: null };
  set_prefs: {
    body: {
      /** The session whose acknowledgement carries the change; "": none. */
      session: SessionId | "";
      conversation_id: ConversationId;
      change: Omit<PrefsChange, "draft"> & { draft?: Draft | null };
      /** The session that wrote the draft; "": none. */
      draft_by: SessionId | "";
      /** The draft goes only where `draft_by` wrote it last. */
      own_draft_only?: true;
    };
    answer: Prefs;
  };
  /** These users reacted to that message of this user; likewise. */
  message_reacted: {
    body: { conversation_id: ConversationId; seq: number; by: { user: UserId; key: string }[] };
    answer: null;
  };
  read_notifications: { body: { up_to_seq: number }; answer: { unread_count: number } };
}

/** The content of a notification. `message` is a sentence about the acting user. */
export interface Notice {
  type: string;
  message: string;
  actor_id: UserId | null;
  post_id: PostId | null;
  comment_id: string | null;
  data: unknown;
  /** The conversation that it comes from, which the user may have silenced. */
  conversation_id?: ConversationId;
}

/** An invitation as it is asked for. `token_hash`: SHA-256 of its token, hex. */
export interface InviteWish {
  token_hash: string;
  /** Null: the lower of `member` and the inviter's own at its acceptance. */
  role: Role | null;
  max_uses: number | null;
  expires_in_s: number;
}

/** The acting user and their socket ("" over HTTP). */
export interface Acting {
  user: UserId;
  session: SessionId | "";
  /** A service acts for the user, which slow mode and limits on how often do not bind. */
  isService?: true;
}

/** An act about which the application's hooks may be asked. */
export interface AskedAbout extends Acting {
  /** What the application had put into the user's token. */
  claims?: Readonly<Record<string, unknown>>;
}

export interface ConversationOps {
  send: {
    body: AskedAbout & {
      client_id: string;
      body: string;
      reply_to_seq: number | null;
      content?: MessageContent;
    };
    answer: { message: Message; duplicate?: true };
  };
  /** A system message of a service, from nobody. `subject`: the `sub` of its token. */
  service_send: {
    body: {
      subject: string;
      client_id: string;
      body: string;
      reply_to_seq: number | null;
      content: Pick<MessageContent, "data" | "silent" | "expire_in_s">;
    };
    answer: { message: Message; duplicate?: true };
  };
  edit: {
    /** `attachments`: ids of files. */
    body: AskedAbout & {
      seq: number;
      body?: string;
      data?: AppData | null;
      attachments?: string[];
    };
    answer: { message: Message };
  };
  delete: { body: Acting & { seq: number }; answer: { message: Message } };
  /** Text for the sender's own open stream. `offset` and `length` in code points. */
  append: {
    body: AskedAbout & { seq: number; offset: number; text: string };
    answer: { length: number };
  };
  end: {
    body: Acting & { seq: number; state: StreamEnd; data?: AppData };
    answer: { message: Message };
  };
  /** Answered once the sender's stream has ended, or after some seconds with `message` null. */
  ended: { body: Acting & { seq: number }; answer: { message: Message | null } };
  /** The open streams that the user may see. */
  streams: { body: Acting; answer: { streams: ShownStream[] } };
  /** Streams are open of which nothing was stored lately. */
  streams_due: { body: Record<string, never>; answer: null };
  react: {
    /** `key` is normalised. `ask`: the edge's own name for this call, with which the event names it. */
    body: Acting & { seq: number; key: string; on: boolean; only?: true; all?: true; ask: string };
    answer: Reacted;
  };
  pin: { body: Acting & { seq: number; on: boolean }; answer: { message: Message } };
  /** A moderator of the server deletes a message, or bans a user. */
  moderator_delete: { body: { seq: number }; answer: null };
  moderator_ban: {
    body: { user_id: UserId; until: string | null; reason: string | null };
    answer: Record<string, never>;
  };
  /** The server deletes messages whose time has come. */
  expire: { body: { seqs: number[] }; answer: null };
  /** Files that messages show have changed or are gone. Answered when it is committed. */
  refresh_files: { body: { seqs: number[] }; answer: null };
  /** Empties at most `most` messages of an erased user as one change; how many there were. */
  erase_messages: { body: { user: UserId; most: number }; answer: { erased: number } };
  /**
   * Messages are older than the conversation keeps them: it begins at a later seq now, which its
   * members receive as a change. A thread's beginning is moved by storage, before.
   */
  trim: { body: Record<string, never>; answer: Record<string, never> };
  mark: {
    body: Acting & { seq: number; read: boolean };
    /** A read mark also answers the user's own point. */
    answer: Cursors & Partial<OwnUnread>;
  };
  typing: { body: Acting & { worker: string; is_typing: boolean }; answer: Record<string, never> };
  /** Answers how many receive it. */
  signal: { body: Acting & SignalBody; answer: { receivers: number } };
  /** How many would receive a signal that names nobody; refuses as that signal would. */
  signal_audience: { body: Acting; answer: { receivers: number } };
  /** From a service, for nobody. */
  service_signal: { body: SignalBody; answer: { receivers: number } };
  /** That session ended while its user typed here. */
  session_closed: { body: { session: SessionId }; answer: null };
  join: {
    /** `isOpened`: the user opened the conversation, which counts as own activity. */
    body: Acting & {
      after_rev: number | null;
      limit: number;
      isOpened?: true;
      /** The session knows streams. */
      streams?: true;
    };
    answer: {
      conversation: Conversation;
      messages: Message[];
      own_reactions?: OwnReactions[];
      has_more: boolean;
      typing: UserId[];
      streams?: ShownStream[];
    };
  };
  update: { body: Acting & ConversationPatch; answer: { conversation: Conversation } };
  update_member: {
    body: Acting & { user_id: UserId } & MemberPatch;
    answer: { conversation: Conversation };
  };
  /** The conversation is open to join. */
  come_in: { body: Acting; answer: { conversation: Conversation } };
  accept: { body: Acting & { invite_id: string }; answer: { conversation: Conversation } };
  ban: {
    body: Acting & { user_id: UserId; until: string | null; reason: string | null };
    answer: Record<string, never>;
  };
  unban: { body: Acting & { user_id: UserId }; answer: Record<string, never> };
  delete_conversation: { body: Acting; answer: Record<string, never> };
  create_invite: { body: Acting & InviteWish; answer: Invite };
  end_invite: { body: Acting & { invite_id: string }; answer: Record<string, never> };
  add_members: { body: Acting & { user_ids: UserId[] }; answer: { conversation: Conversation } };
  remove_member: { body: Acting & { user_id: UserId }; answer: Record<string, never> };
  /** Somebody hides how far they have read, or does not any more. */
  reads_masked: { body: Record<string, never>; answer: null };
  /** A service has given the conversation the application's own name. */
  named: { body: { external_id: string }; answer: null };
  /** This member has cleared what is before that seq. */
  cleared: { body: { user: UserId; before: number }; answer: null };
  /** How many sessions of one worker watch a channel. */
  watching: { body: { worker: string; sessions: number }; answer: null };
  /** A block between the two of a direct conversation came or went. */
  apart_changed: { body: { is_apart: boolean }; answer: null };
  create_thread: {
    body: Acting & { seq: number };
    answer: { created: boolean; conversation: Conversation };
  };
  /** Refused where the conversation is no thread. */
  follow: {
    body: Acting & { on: boolean };
    answer: { conversation: Conversation };
  };
  /** A thread asks its parent before it does what a user asks for. */
  judge_thread: { body: ThreadQuestion; answer: ThreadVerdict };
  /** A thread tells its parent that a send, which the parent had counted, was not made. */
  reply_failed: { body: { user: UserId }; answer: null };
  /** A conversation tells a thread that its members, roles or settings have changed. */
  parent_changed: { body: Record<string, never>; answer: null };
  /** A thread tells its parent that there is news for the summary of that root. */
  thread_changed: { body: { seq: number }; answer: null };
}

export interface ThreadQuestion {
  user: UserId;
  thread: ConversationId;
  /** The `seq` of the root. */
  root: number;
  /** What the user asks of the thread, by the name of its operation. */
  act: string;
  /** Only with a reaction. */
  on?: boolean;
  all?: true;
  /** Only with a send. */
  client_id?: string;
  /** The roles of all members who have one of their own are wanted. */
  roles?: true;
}

/** The right to delete messages beside one's own. */
export interface DeletionRights {
  any: boolean;
  /** System messages. */
  system: boolean;
  /** Not those of these users. */
  spared: string[];
}

export interface ThreadVerdict {
  rules: ThreadRules;
  standing: ThreadStanding & { role: Role };
  /** Another number than before: members have left the parent, and follow the thread no more. */
  departures: number;
  /** Only where the question wants them. */
  roles?: { [user_id: string]: ThreadStanding };
  /** Only with a deletion. */
  deletes?: DeletionRights;
  /** The message was sent before, and slow mode would refuse another one: this answers the send. */
  sent?: Message;
}

export interface PostOps {
  like: { body: { user: UserId; liked: boolean }; answer: Liked };
  comment: { body: { user: UserId; body: string; data?: AppData }; answer: Comment };
  edit: {
    body: { user: UserId; body?: string; data?: AppData | null; attachments?: string[] };
    answer: Post;
  };
  /** `user` null: a moderator. */
  delete_comment: {
    body: { user: UserId | null; comment_id: string };
    answer: Record<string, never>;
  };
  /** `user` null: a moderator. */
  delete: { body: { user: UserId | null }; answer: Record<string, never> };
}

/** What a watching session of one of the application's actors is known by. */
export interface AppWatcherNote {
  session: SessionId;
  caller: AppCaller;
}

/** Events as their receiver may know them; see `visibleTo`. */
export interface AppNews {
  rev: number;
  /** JSON text. Left out where `events` stands for it. */
  view?: string;
  events?: AppEvent[];
  /** `after_rev` is past the actor's `rev`. */
  reset?: true;
}

export interface AppOps {
  create: {
    body: {
      args: unknown;
      call_id: string;
      hash: string;
      caller: AppCaller;
      conversation_id: ConversationId | null;
    };
    /** The acknowledgement. */
    answer: { view: unknown; rev: number } | { repeated: true; rev: number };
  };
  call: {
    body: {
      action: string;
      args: unknown;
      call_id: string;
      hash: string;
      caller: AppCaller;
      hops?: number;
    };
    answer: { result: unknown; rev: number } | { repeated: true; rev: number };
  };
  /** The view, or the events that stand for it; watches with `session`. */
  watch: {
    body: {
      caller: AppCaller;
      after_rev: number | null;
      watch?: { session: SessionId; worker: string };
    };
    answer: AppNews & { epoch: number };
  };
  unwatch: { body: { session: SessionId }; answer: null };
  /** After the actor has moved, or events may have been lost: who watches on one worker. */
  announced: {
    body: { worker: string; watchers: AppWatcherNote[]; rev: number; epoch: number };
    /** `closed`: it is gone, or was made again: nobody watches it any more. */
    answer: { rev: number; epoch: number; events: AppEvent[] } | { closed: AppCloseCode };
  };
  /** A timer or an effect is due. */
  wake: { body: Record<string, never>; answer: null };
}

export type AppCloseCode = "destroyed" | "unwatched" | "restarted" | "forbidden";

/** With the event `actor_closed` on an actor's topic: whose watches end. */
export interface AppClosedNote {
  code: AppCloseCode;
  /** Null: all. */
  sessions: SessionId[] | null;
}

export interface ActorOps {
  app: AppOps;
  user: UserOps;
  conversation: ConversationOps;
  post: PostOps;
}

export type Op<K extends ActorKind> = keyof ActorOps[K] & string;
export type OpBody<K extends ActorKind, O extends Op<K>> = ActorOps[K][O] extends { body: infer B }
  ? B
  : never;
export type OpAnswer<K extends ActorKind, O extends Op<K>> = ActorOps[K][O] extends {
  answer: infer A;
}
  ? A
  : never;

/** With the event `reaction`: whose acknowledgements stand for it, and what they say. */
export interface ReactionNote {
  makers: { session: SessionId; ask: string; own: string[] }[];
  reactions: ReactionCount[];
}

/**
 * On `notifications:{user}`: orders to the edges about that user, beside the events that reach
 * the user's sessions as they are (`notification`, and `like_update` and `comment_update` of
 * the user's own posts).
 */
export interface UserOrders {
  /** Whether the user hides presence or the time last seen from anybody, before and now. */
  privacy_changed: { was_reserved: boolean; is_reserved: boolean };
  /** A block between the two, made by either of them, came or went. */
  apart_changed: { user_id: UserId; is_apart: boolean };
  following_changed: { user_id: UserId; following: boolean };
  /** The user follows a thread, which is as they see it, or follows it no more. */
  following_thread: { conversation: Conversation; following: boolean };
  /** See channels.ts; also where the user's own point in a channel moved. */
  channel_membership: ChannelMembership;
  channel_read: { conversation_id: ConversationId; own: OwnMarks };
  /** Whether the user's preferences were changed is not known. */
  prefs_doubted: Record<string, never>;
  /** The user has more sessions than may be: this one, the oldest, ends. */
  session_surplus: { session: SessionId };
}

/**
 * On `memberships`, or for a few users on their own topics, as `conversation_joined`: these are
 * members since `conversation.rev`. For a large group, `conversation` names those who were added;
 * if the group was just made it names nobody, and each edge adds to each user's copy that user
 * (`withNewcomer`).
 */
export interface JoinedOrder {
  user_ids: UserId[];
  conversation: Conversation;
}

/**
 * On the same topics with the name `threads_left`: these users have left a conversation with
 * threads, so they may not read its threads either. With null the conversation was deleted, and its
 * threads with it.
 */
export interface ThreadsLeftOrder {
  user_ids: UserId[] | null;
  conversation_id: ConversationId;
}
