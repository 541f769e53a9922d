/**
 * What a user has set for themselves in a conversation: preferences, and the draft. Nobody else
 * ever sees them. Each change takes the next number of the user's private stream, `prefs_rev`.
 *
 * Nothing is written when others send: whether a conversation is muted, archived or hidden follows
 * from what was set, from the time and from `last_n` (see prefs-rules.ts), and clients compute
 * the same.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { Cursor, Id, Nullable, Ordinal, Request, Time } from "./schemas.ts";

/** Conversations that one user may have pinned at one time. */
export const PINNED_MAX = 20;
/** Preferences in one answer of `sync`. */
export const SYNC_PREFS_MAX = 500;

const Level = Type.Union([Type.Literal("all"), Type.Literal("mentions"), Type.Literal("none")], {
  description:
    "Which messages the user wants to be told of: all, those that mention them, or none. Left out" +
    " or null: as the deployment has it.",
});

const Forever = Type.Literal("forever");

const DRAFT_DATA_BYTES_MAX = 4 * 1024;

export const Draft = Type.Object({
  body: Type.String(),
  reply_to_seq: Type.Optional(Ordinal),
  data: Type.Optional(
    Type.Unsafe<AppData>(Type.Unknown({ description: "The application's own." })),
  ),
});

const DraftAsked = Request({
  body: Type.String({
    format: "draft",
    description: "At most 4,000 code points; no control characters but tab and newline.",
  }),
  reply_to_seq: Type.Optional(Nullable(Ordinal)),
  data: Type.Optional(AppData(DRAFT_DATA_BYTES_MAX, "The application's own, as a message's")),
});

/** What a call changes; what it does not name stays. */
export const PREFS_CHANGE = {
  muted_until: Type.Optional(
    Type.Union([Type.String({ format: "moment" }), Forever, Type.Null()], {
      description: "A time, `forever`, or null: not muted.",
    }),
  ),
  level: Type.Optional(Nullable(Level)),
  pinned: Type.Optional(Type.Boolean()),
  archived: Type.Optional(Type.Boolean()),
  hidden: Type.Optional(Type.Boolean({ description: "Direct conversations only." })),
  unread_from_seq: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        "Mark it unread from this message on; at most the read point is kept. A read mark at or" +
        " past it, or one's own send, takes it away.",
    }),
  ),
  cleared_before_seq: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: "What is older is not shown to the user any more. It only rises.",
    }),
  ),
  draft: Type.Optional(Nullable(DraftAsked)),
};
export const PrefsChange = Request(PREFS_CHANGE);

export const Prefs = Type.Object({
  conversation_id: Id,
  prefs_rev: Cursor,
  removed: Type.Optional(
    Type.Literal(true, { description: "The conversation was left, and its preferences are gone." }),
  ),
  muted_until: Type.Optional(Type.Union([Time, Forever])),
  level: Type.Optional(Level),
  pinned_at: Type.Optional(Time),
  archived_n: Type.Optional(Cursor),
  hidden_n: Type.Optional(Cursor),
  unread_from_seq: Type.Optional(Cursor),
  cleared_before_seq: Type.Optional(Ordinal),
  draft: Type.Optional(Draft),
});

/**
 * The acknowledgement of `set_prefs`: without `prefs_rev` where nothing but a draft was set, which
 * becomes a change later.
 */
export const PrefsSet = Type.Object({
  ...Prefs.properties,
  prefs_rev: Type.Optional(Cursor),
});

export type Draft = Static<typeof Draft>;
export type PrefsChange = Static<typeof PrefsChange>;
export type Prefs = Static<typeof Prefs>;

/** A draft as it is kept: without `reply_to_seq` where it replies to nothing. */
export function draftOf(asked: Static<typeof DraftAsked>): Draft {
  const { reply_to_seq, ...rest } = asked;
  return reply_to_seq == null ? rest : { ...rest, reply_to_seq };
}
