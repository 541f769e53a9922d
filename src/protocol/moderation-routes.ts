/**
 * Reports of what users see, and the rules by which texts are masked, refused or reported. Part of
 * ROUTES in routes.ts.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { ShownData } from "./app-data.ts";
import { ById, Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Nullable, Ordinal, Page, Request, Time } from "./schemas.ts";
import { NOTE_MAX } from "./text.ts";

export const WORD_RULES_MAX = 500;
const RULES_BYTES_MAX = 256 * 1024;
const PATTERN_MAX = 1_000;

export const ReportReason = Type.Union([
  Type.Literal("spam"),
  Type.Literal("abuse"),
  Type.Literal("illegal"),
  Type.Literal("other"),
]);
export const ReportAction = Type.Union([
  Type.Literal("none"),
  Type.Literal("delete"),
  Type.Literal("suspend"),
  Type.Literal("ban"),
]);
export const ReportState = Type.Union([Type.Literal("open"), Type.Literal("done")]);

/** One of a message, a user, a post or a comment; the keys of the others are left out. */
export const ReportSubject = Request({
  conversation_id: Type.Optional(Id),
  seq: Type.Optional(Ordinal),
  user_id: Type.Optional(Id),
  post_id: Type.Optional(Id),
  comment_id: Type.Optional(Id),
});

const Note = Type.String({
  format: "note",
  description: `At most ${NOTE_MAX} code points.`,
});

export const Report = Type.Object({
  id: Id,
  state: ReportState,
  subject: Type.Object(ReportSubject.properties),
  author_id: Nullable(Id),
  reporter_id: Nullable(Type.String({ description: "null where a rule made the report." })),
  rule: Nullable(Type.String({ description: "The id of the rule that made it." })),
  reason: Type.String(),
  note: Nullable(Type.String()),
  content: Type.Unsafe<Record<string, unknown>>(ShownData),
  created_at: Time,
  action: Nullable(Type.String()),
  resolution_note: Nullable(Type.String()),
  resolved_by: Nullable(Type.String()),
  resolved_at: Nullable(Time),
});

/** More do not go into the body. */
const RULE_WORDS_MAX = RULES_BYTES_MAX / 4;
const RuleWord = Type.String({ minLength: 1, maxLength: 200 });
/** One of the three keys. */
export const RuleMatch = Request({
  words: Type.Optional(Type.Array(RuleWord, { minItems: 1, maxItems: RULE_WORDS_MAX })),
  pattern: Type.Optional(
    Type.String({ minLength: 1, maxLength: PATTERN_MAX, description: "In the syntax of RE2." }),
  ),
  domains: Type.Optional(Type.Array(RuleWord, { minItems: 1, maxItems: RULE_WORDS_MAX })),
});

export const WordRule = Request({
  id: Type.String({
    pattern: "^[\\x21-\\x7e]{1,64}$",
    description: "1–64 printable ASCII characters; once in the list.",
  }),
  match: RuleMatch,
  action: Type.Union([Type.Literal("mask"), Type.Literal("refuse"), Type.Literal("report")]),
});
const WordRules = Request({ rules: Type.Array(WordRule, { maxItems: WORD_RULES_MAX }) });

export const MODERATION_ROUTES = {
  createReport: {
    group: "Moderation",
    method: "POST",
    path: "/api/reports",
    summary:
      "Report a message, a user, a post or a comment that one sees. The content is kept as it is; the same again is the same report.",
    token: true,
    body: Request({ subject: ReportSubject, reason: ReportReason, note: Type.Optional(Note) }),
    answers: { 201: Type.Object({ id: Id }), 200: Type.Object({ id: Id }) },
    refusals: ["not_found"],
  },
  listReports: {
    group: "Moderation",
    method: "GET",
    path: "/api/reports",
    summary: "Reports, newest first.",
    token: true,
    scope: "moderate",
    query: Request({ state: Type.Optional(ReportState), limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(Report) },
    refusals: [],
  },
  resolveReport: {
    group: "Moderation",
    method: "POST",
    path: "/api/reports/:id/resolve",
    summary:
      "Resolve a report, and do what `action` says: delete what was reported, suspend its author, or ban them from the conversation. The reporter hears that it was resolved, not how.",
    token: true,
    scope: "moderate",
    params: ById,
    body: Request({ action: ReportAction, note: Type.Optional(Note) }),
    answers: { 200: Report },
    refusals: ["not_found", "conflict"],
  },
  getWordRules: {
    group: "Moderation",
    method: "GET",
    path: "/api/moderation/rules",
    summary: "The rules for texts, in their order.",
    token: true,
    scope: "moderate",
    answers: { 200: WordRules },
    refusals: [],
  },
  putWordRules: {
    group: "Moderation",
    method: "PUT",
    path: "/api/moderation/rules",
    summary:
      "Replace the rules for messages, posts, comments and names; in force on every host within 2 s.",
    token: true,
    scope: "moderate",
    bodyBytesMax: RULES_BYTES_MAX,
    body: WordRules,
    answers: { 200: WordRules },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type ReportSubject = Static<typeof ReportSubject>;
export type ReportReason = Static<typeof ReportReason>;
export type ReportAction = Static<typeof ReportAction>;
export type ReportState = Static<typeof ReportState>;
export type Report = Static<typeof Report>;
export type WordRule = Static<typeof WordRule>;
