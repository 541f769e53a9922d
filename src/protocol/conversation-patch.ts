/**
 * What one sends to make or change a conversation or a member of one, as schemas.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { PERMISSION_PARTS, partly, RoleName, SETTING_PARTS } from "./conversation-settings.ts";
import { Nullable, Ordinal, Request, Time, Title } from "./schemas.ts";

export const DATA_BYTES_MAX = 4096;
/** The same for a member's data. */
export const MEMBER_DATA_BYTES_MAX = 512;

export const ExternalId = Type.String({
  pattern: "^[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,127}$",
  description: "The application's own name for it.",
  examples: ["order:A-17"],
});
const ImageUrl = Type.String({
  format: "image_url",
  description:
    "An https address of at most 2,048 characters, or an address of one of Troupe's own files.",
  examples: ["https://images.example/team.png"],
});

type Nullables<T extends Record<string, Type.TSchema>> = {
  [K in keyof T]: Type.TUnion<[T[K], Type.TNull]>;
};

/** The same properties; `null` removes one. */
const removable = <T extends Record<string, Type.TSchema>>(parts: T) =>
  partly(
    Object.fromEntries(
      Object.entries(parts).map(([key, schema]) => [key, Nullable(schema)]),
    ) as unknown as Nullables<T>,
  );

/** What a conversation can have beside its members and title. */
export const CONVERSATION_EXTRAS = {
  data: Type.Optional(Nullable(AppData(DATA_BYTES_MAX))),
  image_url: Type.Optional(Nullable(ImageUrl)),
  settings: Type.Optional(Request(removable(SETTING_PARTS))),
  permissions: Type.Optional(Request(removable(PERMISSION_PARTS))),
};

/** Objects merge by top-level key, and `null` removes one; a title stays or becomes another. */
export const ConversationPatch = Request({
  title: Type.Optional(Title),
  ...CONVERSATION_EXTRAS,
  if_rev: Type.Optional(Ordinal),
});

export const MemberPatch = Request({
  role: Type.Optional(RoleName),
  data: Type.Optional(Nullable(AppData(MEMBER_DATA_BYTES_MAX))),
  silenced_until: Type.Optional(Nullable(Time)),
});

const INVITE_S_MAX = 30 * 86_400;
export const INVITE_S_DEFAULT = 7 * 86_400;

export const NewInvite = Request({
  expires_in_s: Type.Optional(Type.Integer({ minimum: 1, maximum: INVITE_S_MAX })),
  max_uses: Type.Optional(Nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }))),
  role: Type.Optional(RoleName),
});

export const NewBan = Request({
  until: Type.Optional(Nullable(Time)),
  reason: Type.Optional(Nullable(Type.String({ format: "notice" }))),
});

export type ConversationPatch = Static<typeof ConversationPatch>;
export type MemberPatch = Static<typeof MemberPatch>;
export type ConversationExtras = Pick<
  ConversationPatch,
  "data" | "image_url" | "settings" | "permissions"
>;
