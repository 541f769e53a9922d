/**
 * The lines of an import, one JSON object each, by their `type`. What an export writes can be read
 * back; keys that it writes for people only (`id`, `bytes` …) are taken and mean nothing here.
 *
 * References: users and conversations are named by their `external_id`, messages by their `seq`, which
 * is their number among the lines of their conversation where a line does not say another.
 */
import type { TObject } from "typebox";
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { PERMISSION_PARTS, partly, RoleName, SETTING_PARTS } from "./conversation-settings.ts";
import { MessageType } from "./message-content.ts";
import {
  Audience,
  ClientId,
  Cursor,
  ExternalId,
  ImageUrl,
  Ordinal,
  ReactionKey,
  Request,
  Title,
  TrustedData,
  UserData,
  Username,
} from "./schemas.ts";

const opt = Type.Optional;
const Said = opt(Type.Unknown({ description: "Written by exports; it means nothing here." }));
const At = (description: string) => Type.String({ format: "time", description });
const CreatedAt = opt(At("When it was made; now, where it is left out."));
const typed = <T extends string>(type: T) => Type.Literal(type);

const Hash = Type.String({
  pattern: "^(\\$(scrypt|2[aby]|argon2(i|d|id))\\$|scrypt\\$)[\\x21-\\x7e]{20,400}$",
  description:
    "In PHC form: scrypt, bcrypt or argon2. The first login replaces it by Troupe's own.",
});
/** As stored texts may be: longer ones came from streams, and deleted messages have none. */
const Text = Type.String({ maxLength: 65_536 });

export const IMPORT_LINES = {
  user: Request({
    type: typed("user"),
    external_id: ExternalId,
    username: opt(Username),
    display_name: opt(Type.String({ maxLength: 400, description: "At most 80 code points." })),
    image_url: opt(ImageUrl),
    data: opt(UserData),
    trusted: opt(TrustedData),
    password_hash: opt(Hash),
    issuer: opt(Type.String({ maxLength: 400 })),
    subject: opt(Type.String({ maxLength: 400 })),
    suspended_at: opt(At("The user may not sign in.")),
    created_at: CreatedAt,
    id: Said,
    erased_at: Said,
    last_seen_at: Said,
  }),
  conversation: Request({
    type: typed("conversation"),
    external_id: ExternalId,
    kind: Type.Union([
      Type.Literal("direct"),
      Type.Literal("group"),
      Type.Literal("channel"),
      Type.Literal("thread"),
    ]),
    title: opt(Title),
    audience: opt(Audience),
    owner: opt(ExternalId),
    members: opt(Type.Array(ExternalId, { maxItems: 1000 })),
    data: opt(AppData(4096)),
    settings: opt(Request(partly(SETTING_PARTS))),
    permissions: opt(Request(partly(PERMISSION_PARTS))),
    created_at: CreatedAt,
    /** A thread names its parent by the `id` of that line, and the message that it belongs to. */
    parent_id: opt(Type.String({ maxLength: 128 })),
    parent_seq: opt(Ordinal),
    id: opt(Type.String({ maxLength: 128 })),
  }),
  member: Request({
    type: typed("member"),
    conversation: ExternalId,
    user: ExternalId,
    role: opt(RoleName),
    read: opt(Cursor),
    delivered: opt(Cursor),
    joined_at: opt(At("When the user became a member; now, where it is left out.")),
  }),
  message: Request({
    type: typed("message"),
    conversation: ExternalId,
    sender: opt(ExternalId),
    external_id: opt(ClientId),
    client_id: opt(Type.Union([ClientId, Type.Null()])),
    body: opt(Text),
    data: opt(AppData(4096)),
    message_type: opt(MessageType),
    reply_to_seq: opt(Ordinal),
    silent: opt(Type.Literal(true)),
    created_at: CreatedAt,
    edited_at: opt(At("When it was last edited.")),
    deleted_at: opt(At("When it was deleted; its body has to be empty.")),
    pinned_at: opt(At("When it was pinned.")),
    expires_at: opt(At("When the server is to delete it.")),
    seq: opt(Ordinal),
    id: Said,
    mentions: Said,
    event: Said,
    attachments: Said,
  }),
  reaction: Request({
    type: typed("reaction"),
    conversation: ExternalId,
    seq: Ordinal,
    user: ExternalId,
    key: ReactionKey,
    created_at: CreatedAt,
  }),
  follow: Request({
    type: typed("follow"),
    follower: ExternalId,
    followee: ExternalId,
    created_at: CreatedAt,
  }),
  block: Request({
    type: typed("block"),
    blocker: ExternalId,
    blocked: ExternalId,
    created_at: CreatedAt,
  }),
  post: Request({
    type: typed("post"),
    external_id: opt(ExternalId),
    id: opt(Type.String({ maxLength: 128 })),
    author: ExternalId,
    body: Text,
    data: opt(AppData(4096)),
    created_at: CreatedAt,
    edited_at: opt(At("When it was last edited.")),
    attachments: Said,
  }),
  comment: Request({
    type: typed("comment"),
    post_id: Type.String({
      maxLength: 128,
      description: "The `id` or `external_id` of the post's line.",
    }),
    author: ExternalId,
    body: Text,
    data: opt(AppData(4096)),
    created_at: CreatedAt,
    id: Said,
  }),
  like: Request({
    type: typed("like"),
    post_id: Type.String({
      maxLength: 128,
      description: "The `id` or `external_id` of the post's line.",
    }),
    user: ExternalId,
    created_at: CreatedAt,
  }),
} as const satisfies Record<string, TObject>;

export type ImportLineType = keyof typeof IMPORT_LINES;

/** Lines of exports that are not read back. */
export const PASSED_OVER: ReadonlySet<string> = new Set([
  "file",
  "privacy",
  "preferences",
  "login",
  "scheduled_message",
  "report",
]);
