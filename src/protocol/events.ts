/**
 * Every Socket.IO event of the contract: payload and acknowledgement of what clients send,
 * payload of what the server sends, and the typed maps for socket.io and socket.io-client.
 */
import type { Static, TSchema } from "typebox";
import Type from "typebox";
import {
  ACTOR_CLIENT_EVENTS,
  ACTOR_SERVER_EVENTS,
  SyncActors,
  SyncedActors,
} from "./app-actor-events.ts";
import { Totals } from "./conversation-list.ts";
import type { ErrorObject } from "./errors.ts";
import { EDITED, SENT_EXTRAS } from "./message-content.ts";
import { PREFS_CHANGE, Prefs, PrefsSet, SYNC_PREFS_MAX } from "./prefs.ts";
import { REACTION_CHANGES_MAX } from "./reaction-keys.ts";
import {
  Activity,
  ClientId,
  Conversation,
  Count,
  Cursor,
  Cursors,
  Id,
  Message,
  MessageBody,
  Nullable,
  Ordinal,
  OwnReactionsKey,
  OwnUnread,
  Reacted,
  ReactionCount,
  ReactionKey,
  ReadCursors,
  Receipt,
  Request,
  Status,
  Time,
  Unread,
  User,
} from "./schemas.ts";
import { UNREAD_CONVERSATIONS_MAX } from "./session-bounds.ts";
import { Signal, SignalPayload } from "./signals.ts";
import { CommentUpdate, LikeUpdate, Notification, PostCounts } from "./social.ts";
import {
  APPENDED,
  Checkpoint,
  Delta,
  ENDED,
  ShownStreams,
  STREAMED,
  StreamLength,
} from "./streams.ts";

const UserIds = Type.Array(Id, { maxItems: 500 });
const PostIds = Type.Array(Id, { maxItems: 200 });
const PostCountsOf = Type.Object({ posts: Type.Array(PostCounts) });
const SYNC_CONVERSATIONS_MAX = 500;
export const JOIN_LIMIT_DEFAULT = 50;

/** Client → server: `payload` is validated, `ack` is what `{ok: true}` adds. */
export const CLIENT_EVENTS = {
  send_message: {
    payload: Request({
      conversation_id: Id,
      client_id: ClientId,
      body: Type.Optional(MessageBody),
      reply_to_seq: Type.Optional(Nullable(Ordinal)),
      ...SENT_EXTRAS,
      ...STREAMED,
    }),
    ack: Type.Object({ message: Message, duplicate: Type.Optional(Type.Literal(true)) }),
  },
  append_message: {
    payload: Request({ conversation_id: Id, seq: Ordinal, ...APPENDED }),
    ack: StreamLength,
  },
  end_message: {
    payload: Request({ conversation_id: Id, seq: Ordinal, ...ENDED }),
    ack: Type.Object({ message: Message }),
  },
  join_conversation: {
    payload: Request({
      conversation_id: Id,
      after_rev: Type.Optional(Cursor),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    }),
    ack: Type.Object({
      conversation: Conversation,
      messages: Type.Array(Message),
      own_reactions: OwnReactionsKey,
      has_more: Type.Boolean(),
      typing: Type.Array(Id),
      streams: ShownStreams,
    }),
  },
  leave_conversation: { payload: Request({ conversation_id: Id }), ack: Type.Object({}) },
  typing: {
    payload: Request({ conversation_id: Id, is_typing: Type.Boolean() }),
    ack: Type.Object({}),
  },
  signal: { payload: SignalPayload, ack: Type.Object({}) },
  mark_delivered: { payload: Request({ conversation_id: Id, seq: Ordinal }), ack: Cursors },
  mark_read: { payload: Request({ conversation_id: Id, seq: Ordinal }), ack: ReadCursors },
  edit_message: {
    payload: Request({ conversation_id: Id, seq: Ordinal, ...EDITED }),
    ack: Type.Object({ message: Message }),
  },
  delete_message: {
    payload: Request({ conversation_id: Id, seq: Ordinal }),
    ack: Type.Object({ message: Message }),
  },
  set_prefs: { payload: Request({ conversation_id: Id, ...PREFS_CHANGE }), ack: PrefsSet },
  react: {
    payload: Request({
      conversation_id: Id,
      seq: Ordinal,
      key: ReactionKey,
      on: Type.Boolean(),
      only: Type.Optional(
        Type.Literal(true, { description: "One's other reactions to the message go." }),
      ),
    }),
    ack: Reacted,
  },
  ...ACTOR_CLIENT_EVENTS,
  sync: {
    payload: Request({
      conversations: Type.Array(Request({ conversation_id: Id, after_rev: Cursor }), {
        maxItems: SYNC_CONVERSATIONS_MAX,
      }),
      complete: Type.Optional(Type.Boolean()),
      notifications_after_seq: Type.Optional(Cursor),
      prefs_after_rev: Type.Optional(Cursor),
      actors: Type.Optional(SyncActors),
      totals: Type.Optional(Type.Literal(true, { description: "Answer `totals`, too." })),
    }),
    ack: Type.Object({
      conversations: Type.Array(
        Type.Object({
          conversation_id: Id,
          rev: Ordinal,
          messages: Type.Array(Message),
          own_reactions: OwnReactionsKey,
          conversation: Nullable(Conversation),
          has_more: Type.Boolean(),
          reset: Type.Boolean(),
          truncated_before_seq: Type.Optional(
            Type.Integer({
              minimum: 2,
              description:
                "Messages before it are not kept any longer: drop what you hold of them.",
            }),
          ),
          last_n: Type.Optional(Count),
          first_n: Type.Optional(Count),
          ...Type.Partial(OwnUnread).properties,
        }),
      ),
      receipts: Type.Array(Receipt),
      removed: Type.Array(Id),
      notifications: Type.Array(Notification),
      prefs: Type.Optional(
        Type.Array(Prefs, {
          maxItems: SYNC_PREFS_MAX,
          description: "Where `prefs_after_rev` was given.",
        }),
      ),
      actors: Type.Optional(SyncedActors),
      streams: ShownStreams,
      totals: Type.Optional(Totals),
      has_more: Type.Boolean(),
    }),
  },
  watch_presence: {
    payload: Request({ user_ids: UserIds }),
    ack: Type.Object({ statuses: Type.Array(Status) }),
  },
  unwatch_presence: {
    payload: Request({ user_ids: UserIds }),
    ack: Type.Object({ statuses: Type.Array(Status) }),
  },
  set_status: {
    payload: Request({
      status: Type.Union([
        Type.Literal("online"),
        Type.Literal("away"),
        Type.Literal("invisible", {
          description: "The session counts for nothing, and goes on seeing others.",
        }),
      ]),
    }),
    ack: Type.Object({}),
  },
  watch_posts: { payload: Request({ post_ids: PostIds }), ack: PostCountsOf },
  unwatch_posts: { payload: Request({ post_ids: PostIds }), ack: PostCountsOf },
  refresh_token: {
    payload: Request({ token: Type.String({ minLength: 1, maxLength: 8192 }) }),
    ack: Type.Object({ expires_at: Time }),
  },
} as const satisfies Record<string, { payload: TSchema; ack: TSchema }>;

/** Server → client. */
export const SERVER_EVENTS = {
  ready: Type.Object({
    user: User,
    session_id: Type.String(),
    server_time: Time,
    token_expires_at: Time,
    unread: Type.Object({
      notifications: Type.Integer(),
      conversations: Type.Array(Unread, { maxItems: UNREAD_CONVERSATIONS_MAX }),
      more: Type.Optional(Type.Literal(true)),
    }),
    contract: Type.Optional(
      Type.String({
        description:
          "The contract that this session speaks. Left out for version 1, which a client speaks" +
          " that does not say otherwise in the handshake's `auth: {token, contract}`.",
        examples: ["1.1"],
      }),
    ),
  }),
  message: Message,
  message_updated: Message,
  message_delta: Delta,
  message_checkpoint: Checkpoint,
  typing: Type.Object({ conversation_id: Id, user_id: Id, is_typing: Type.Boolean() }),
  signal: Signal,
  ...ACTOR_SERVER_EVENTS,
  reaction: Type.Object({
    conversation_id: Id,
    seq: Ordinal,
    rev: Ordinal,
    changed: Type.Array(ReactionCount, {
      description: "The keys that changed, as they are now. With `count: 0` a key is gone.",
    }),
    changes: Type.Array(Type.Object({ user_id: Id, key: Type.String(), on: Type.Boolean() }), {
      maxItems: REACTION_CHANGES_MAX,
    }),
  }),
  receipt: Receipt,
  conversation_updated: Conversation,
  messages_erased: Type.Object({
    conversation_id: Id,
    rev: Ordinal,
    seqs: Type.Array(Ordinal, { maxItems: 200, description: "Rising; each is empty from now on." }),
  }),
  conversation_deleted: Type.Object({ conversation_id: Id, rev: Ordinal }),
  occupancy: Type.Object({ conversation_id: Id, watching: Count, member_count: Count }),
  changes: Type.Object({
    conversation_id: Id,
    items: Type.Array(
      Type.Object({
        event: Type.String({ description: "The name of an event of a conversation." }),
        data: Type.Unknown({ description: "Its payload." }),
      }),
      { minItems: 1, description: "By rising `rev`, none skipped." },
    ),
  }),
  skipped: Type.Object({ conversation_id: Id, from_rev: Ordinal, to_rev: Ordinal }),
  rev_skipped: Type.Object({ conversation_id: Id, rev: Ordinal }),
  conversation_activity: Activity,
  prefs_updated: Prefs,
  notification: Notification,
  like_update: LikeUpdate,
  comment_update: CommentUpdate,
  user_status: Status,
  user_updated: User,
  token_expiring: Type.Object({ expires_at: Time }),
  server_draining: Type.Object({ reconnect_in_ms: Type.Integer({ minimum: 0 }) }),
  session_ended: Type.Object({
    code: Type.String(),
    message: Type.String(),
    reconnect: Type.Boolean(),
  }),
} as const satisfies Record<string, TSchema>;

export type ClientEventName = keyof typeof CLIENT_EVENTS;
export type ServerEventName = keyof typeof SERVER_EVENTS;
/**
 * Tables, so that the compiler works each type out once. As `Static` of a generic event it
 * compares schemas instead of payloads, which was half of all its time.
 */
type ClientPayloads = { [E in ClientEventName]: Static<(typeof CLIENT_EVENTS)[E]["payload"]> };
type ClientAcks = { [E in ClientEventName]: Static<(typeof CLIENT_EVENTS)[E]["ack"]> };
type ServerPayloads = { [E in ServerEventName]: Static<(typeof SERVER_EVENTS)[E]> };
export type ClientPayload<E extends ClientEventName> = ClientPayloads[E];
export type ClientAck<E extends ClientEventName> = ClientAcks[E];
export type ServerPayload<E extends ServerEventName> = ServerPayloads[E];

/** The argument of an acknowledgement. */
export type Ack<T> = ({ ok: true } & T) | { ok: false; error: ErrorObject };

export type ClientToServerEvents = {
  [E in ClientEventName]: (
    payload: ClientPayload<E>,
    ack?: (answer: Ack<ClientAck<E>>) => void,
  ) => void;
};
export type ServerToClientEvents = {
  [E in ServerEventName]: (payload: ServerPayload<E>) => void;
};

/** Why the server ends a session; `session_ended.code`. */
export type EndCode =
  | "token_expired"
  | "logged_out"
  | "suspended"
  | "too_many_sessions"
  | "ended_by_operator"
  | "rate_limited"
  | "slow_consumer"
  | "server_draining"
  | "protocol_error"
  | "internal";
