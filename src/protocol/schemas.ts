/**
 * The contract's building blocks and objects, as TypeBox schemas: the one source for
 * validation, TypeScript types and the published documents. Requests refuse unknown keys;
 * what the server sends may grow.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ShownData } from "./app-data.ts";
import { Permissions, RoleName, Settings } from "./conversation-settings.ts";
import "./formats.ts";
import { AppData } from "./app-data.ts";
import { FileObject } from "./files.ts";
import type { ConversationId, FamilyId, UserId } from "./ids.ts";

/** A request object: unknown keys are refused. */
export const Request = <T extends Parameters<typeof Type.Object>[0]>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const Id = Type.String({ format: "id", description: "Decimal id.", examples: ["42"] });
export const Time = Type.String({ format: "time", description: "ISO 8601, UTC, milliseconds." });
/** `seq` and `rev`: counted from 1. */
export const Ordinal = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
/** A position between ordinals: 0 is before the first. */
export const Cursor = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
export const Count = Type.Integer({ minimum: 0 });
/** A number of unread arithmetic. */
const N = (description: string) => Type.Integer({ minimum: 0, description });
export const Body = Type.String({
  format: "body",
  description: "1–4,000 code points, not all white space; no control characters but tab, newline.",
});
/** A message's: it may be empty where other content is beside it. */
export const MessageBody = Type.String({
  format: "message_body",
  description:
    "At most 4,000 code points, not all white space; no control characters but tab, newline. May" +
    " be empty where there is an attachment, `data` or a `type` of one's own.",
});
export const Title = Type.String({ format: "title", description: "1–80 code points." });
export const ClientId = Type.String({
  pattern: "^[\\x20-\\x7e]{1,64}$",
  description: "1–64 printable ASCII characters; the same one again makes no second message.",
});
export const Username = Type.String({
  pattern: "^[A-Za-z0-9_.]{3,32}$",
  description: "3–32 of a-z 0-9 _ . ; upper case is folded.",
});
export const Password = Type.String({
  minLength: 8,
  maxLength: 200,
  description: "8–200 characters, not among the most common, not one repeated character.",
});

const EXTERNAL_ID = "^[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,127}$";
/** The application's own name for a user or a conversation. */
export const ExternalId = Type.String({
  pattern: EXTERNAL_ID,
  description: "1–128 of A-Z a-z 0-9 . _ ~ : @ - , not beginning with a dot.",
});
const externalId = new RegExp(EXTERNAL_ID);
export const isExternalId = (text: string): boolean => externalId.test(text);

export const PresenceStatus = Type.Union([
  Type.Literal("online"),
  Type.Literal("away"),
  Type.Literal("offline"),
]);

export const ImageUrl = Type.String({
  format: "image_url",
  maxLength: 2048,
  description:
    "An https address of at most 2,048 characters, or an address of one of Troupe's own files.",
});
export const UserData = AppData(4096, "The user's own JSON object");
export const TrustedData = AppData(1024, "Written by services only and read by all: a JSON object");

/** Keys that have nothing to say are left out. */
export const User = Type.Object({
  id: Id,
  username: Type.String(),
  display_name: Type.String(),
  image_url: Type.Optional(Type.String()),
  data: Type.Optional(UserData),
  trusted: Type.Optional(TrustedData),
  external_id: Type.Optional(
    Type.String({ description: "The application's own name; shown to services and to the user." }),
  ),
  erased: Type.Optional(
    Type.Literal(true, {
      description: "The user was erased: `username` is `erased.` and the id, `display_name` empty.",
    }),
  ),
  created_at: Time,
});

export const Tokens = Type.Object({
  user: User,
  access_token: Type.String(),
  refresh_token: Type.String(),
  expires_in: Type.Integer({ description: "Seconds until the access token expires." }),
});

export const ReactionKey = Type.String({
  format: "reaction_key",
  description:
    "Normalised to NFC: 1–16 code points and at most 64 bytes of UTF-8, with a visible character;" +
    " no white space, control characters, / or \\\\, not only dots. U+FE0F makes no difference.",
  examples: ["👍"],
});

/** One key of a message's reactions; the same for every reader. */
export const ReactionCount = Type.Object({
  key: Type.String(),
  count: Count,
  last_user_ids: Type.Array(Id, { maxItems: 5, description: "Newest first." }),
});

/** The reactions to a message, and one's own of them, after one reacted. */
export const Reacted = Type.Object({
  rev: Type.Optional(Type.Integer({ description: "Left out where nothing changed." })),
  reactions: Type.Array(ReactionCount),
  own: Type.Array(Type.String()),
});

/** One user's reaction, as the list of a message's reactions tells it. */
export const Reactor = Type.Object({ user_id: Id, key: Type.String(), created_at: Time });

/** One's own reactions to one message. */
export const OwnReactions = Type.Object({ seq: Ordinal, keys: Type.Array(Type.String()) });
export const OwnReactionsKey = Type.Optional(
  Type.Array(OwnReactions, { description: "Of the messages that have reactions of one's own." }),
);

/** What a root shows of its thread, from the first reply. */
export const ThreadSummary = Type.Object({
  conversation_id: Id,
  reply_count: Type.Integer({ minimum: 0, description: "Without deleted and system messages." }),
  last_reply_at: Nullable(Time),
  last_user_ids: Type.Array(Id, { maxItems: 5, description: "Who replied, the newest first." }),
});

/** How far a streamed message is; see streams.ts. */
export const StreamState = Type.Union([
  Type.Literal("open"),
  Type.Literal("done"),
  Type.Literal("cancelled"),
  Type.Literal("failed"),
]);

export const Message = Type.Object({
  id: Id,
  conversation_id: Id,
  seq: Ordinal,
  rev: Ordinal,
  sender_id: Nullable(Id),
  client_id: Nullable(Type.String()),
  body: Type.String(),
  reply_to_seq: Nullable(Ordinal),
  created_at: Time,
  edited_at: Nullable(Time),
  deleted_at: Nullable(Time),
  reactions: Type.Optional(
    Type.Array(ReactionCount, {
      minItems: 1,
      maxItems: 20,
      description: "In the order of first use; left out where there are none.",
    }),
  ),
  type: Type.Optional(
    Type.String({ description: "Left out for `text`. `system`, or an application's own." }),
  ),
  data: Type.Optional(ShownData),
  attachments: Type.Optional(Type.Array(FileObject, { minItems: 1, maxItems: 10 })),
  mentions: Type.Optional(
    Type.Array(Id, { minItems: 1, maxItems: 20, description: "Members whom the body names." }),
  ),
  mention_all: Type.Optional(Type.Literal(true)),
  thread: Type.Optional(ThreadSummary),
  pinned_at: Type.Optional(Time),
  pinned_by: Type.Optional(Id),
  stream: Type.Optional(
    Type.Object(
      { state: StreamState },
      { description: "Of a message whose text arrives, or has arrived, in pieces." },
    ),
  ),
  expires_at: Type.Optional(
    Type.String({ format: "time", description: "The server deletes it then." }),
  ),
  silent: Type.Optional(
    Type.Literal(true, { description: "No notification; it does not count as unread." }),
  ),
  n: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        "How many messages that count as unread there are up to and with this one; left out where" +
        " that is `seq`.",
    }),
  ),
});

/** Keys of a member that are left out where they have nothing to say. */
export const MEMBER_EXTRAS = {
  role: Type.Optional(RoleName),
  data: Type.Optional(ShownData),
  silenced_until: Type.Optional(Time),
  visible_from_seq: Type.Optional(Ordinal),
};

export const Member = Type.Object({
  user_id: Id,
  delivered_seq: Cursor,
  read_seq: Cursor,
  ...MEMBER_EXTRAS,
});

/** The kinds of conversation that can be asked for. */
export const MadeKind = Type.Union([
  Type.Literal("direct"),
  Type.Literal("group"),
  Type.Literal("channel"),
]);
export const ConversationKind = Type.Union([
  Type.Literal("direct"),
  Type.Literal("group"),
  Type.Literal("thread"),
  Type.Literal("channel"),
]);

/** The readers of a channel: its members, or every user who is not banned. */
export const Audience = Type.Union([Type.Literal("members"), Type.Literal("anyone")], {
  description: "Of a channel: who may read and watch it. Everybody but the banned with `anyone`.",
});

export const Conversation = Type.Object({
  id: Id,
  kind: ConversationKind,
  parent: Type.Optional(
    Type.Object({ conversation_id: Id, seq: Ordinal }, { description: "Of a thread: its root." }),
  ),
  title: Nullable(Type.String()),
  owner_id: Nullable(Id),
  members: Type.Array(Member, {
    description:
      "All members of a direct conversation or a group of at most 100. Of a larger group, in lists" +
      " and `sync` the caller, in `conversation_updated` those whom the change added, else the" +
      " first 100. Of a channel the caller alone, or the moderators whom an event concerns.",
  }),
  members_partial: Type.Optional(
    Type.Literal(true, { description: "`members` does not hold all members." }),
  ),
  member_count: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        "With a group of more than 100 members, a channel, and a thread, of which it is the followers.",
    }),
  ),
  removed_user_ids: Type.Optional(
    Type.Array(Id, {
      description: "In `conversation_updated` of such a group: those who are members no more.",
    }),
  ),
  audience: Type.Optional(Audience),
  last_seq: Cursor,
  rev: Ordinal,
  created_at: Time,
  external_id: Type.Optional(Type.String()),
  data: Type.Optional(ShownData),
  image_url: Type.Optional(Type.String()),
  settings: Type.Optional(Settings),
  permissions: Type.Optional(Permissions),
  meta_rev: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: "rev of the last change of title, data, image, settings or permissions.",
    }),
  ),
  last_n: Type.Optional(N("`n` of the newest message where not `last_seq`.")),
  first_seq: Type.Optional(
    Type.Integer({ minimum: 1, description: "The first message that is left." }),
  ),
  first_n: Type.Optional(N("`n` before `first_seq`.")),
});

/** One user's own point in a conversation; see unread.ts. Only that user is sent it. */
const OWN_MARKS = {
  read_seq: Cursor,
  read_n: Type.Optional(N("`n` at `read_seq` where not `read_seq`.")),
  cleared_n: Type.Optional(N("`n` before what the user has cleared.")),
  unread_from_n: Type.Optional(
    N("`n` before the message from which the user has marked it unread."),
  ),
};
const OWN_UNREAD = { ...OWN_MARKS, unread_count: Count };
export const OwnUnread = Type.Object(OWN_UNREAD);

/** A user who may neither be a member nor come in. */
export const Ban = Type.Object({
  user_id: Id,
  until: Type.Optional(Time),
  reason: Type.Optional(Type.String()),
  banned_by: Type.Optional(Id),
  created_at: Time,
});

export const Invite = Type.Object({
  id: Id,
  conversation_id: Id,
  inviter_id: Id,
  role: Type.Optional(RoleName),
  max_uses: Type.Optional(Count),
  uses: Count,
  expires_at: Time,
  created_at: Time,
});

/** An invitation as the one who makes it sees it, once. */
export const MadeInvite = Type.Object({ ...Invite.properties, token: Type.String() });

/** What an invitation shows to a user who has its token. */
export const Invitation = Type.Object({
  title: Nullable(Type.String()),
  image_url: Nullable(Type.String()),
  member_count: Count,
  kind: ConversationKind,
  inviter: User,
});

export const Cursors = Type.Object({ delivered_seq: Cursor, read_seq: Cursor });
/** A read mark's answer. */
export const ReadCursors = Type.Object({ delivered_seq: Cursor, ...OWN_UNREAD });

export const Receipt = Type.Object({
  conversation_id: Id,
  user_id: Id,
  delivered_seq: Cursor,
  read_seq: Cursor,
  read_n: Type.Optional(N("This and what follows: of one's own only.")),
  cleared_n: Type.Optional(Count),
  unread_from_n: Type.Optional(Count),
  unread_count: Type.Optional(Count),
});

export const Status = Type.Object({
  user_id: Id,
  status: PresenceStatus,
  last_seen_at: Nullable(Time),
});

export const Unread = Type.Object({
  conversation_id: Id,
  last_seq: Cursor,
  last_n: Type.Optional(Count),
  first_n: Type.Optional(Count),
  ...OWN_UNREAD,
});

/** Something changed in a conversation whose events the session does not receive. */
export const Activity = Type.Object({
  conversation_id: Id,
  last_seq: Cursor,
  rev: Ordinal,
  last_n: Type.Optional(Count),
  first_n: Type.Optional(Count),
  ...OWN_UNREAD,
});

export const ErrorBody = Type.Object({
  code: Type.String(),
  message: Type.String(),
  details: Type.Optional(Type.Unknown()),
  retry_after_ms: Type.Optional(Type.Integer()),
});

/** One page of a list; `next_cursor` is null on the last. */
export const Page = <T extends Type.TSchema>(item: T) =>
  Type.Object({ items: Type.Array(item), next_cursor: Nullable(Type.String()) });

export type User = Static<typeof User>;
export type Tokens = Static<typeof Tokens>;
export type Message = Static<typeof Message>;
export type StreamState = Static<typeof StreamState>;
export type ReactionCount = Static<typeof ReactionCount>;
export type Reacted = Static<typeof Reacted>;
export type Reactor = Static<typeof Reactor>;
export type OwnReactions = Static<typeof OwnReactions>;
export type Member = Static<typeof Member>;
export type Conversation = Static<typeof Conversation>;
export type ConversationKind = Static<typeof ConversationKind>;
export type MadeKind = Static<typeof MadeKind>;
export type Ban = Static<typeof Ban>;
export type Invite = Static<typeof Invite>;
export type Invitation = Static<typeof Invitation>;
export type ReadCursors = Static<typeof ReadCursors>;
export type OwnUnread = Static<typeof OwnUnread>;
export type Cursors = Static<typeof Cursors>;
export type Receipt = Static<typeof Receipt>;
export type Status = Static<typeof Status>;
export type PresenceStatus = Static<typeof PresenceStatus>;
export type Unread = Static<typeof Unread>;
export type Activity = Static<typeof Activity>;

/** Ids inside the server carry their brand; on the wire they are plain strings. */
export const asUserId = (id: string): UserId => id as UserId;
export const asFamilyId = (id: string): FamilyId => id as FamilyId;
export const asConversationId = (id: string): ConversationId => id as ConversationId;
