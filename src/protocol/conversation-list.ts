/**
 * What `GET /api/conversations` and `GET /api/me/totals` ask and answer. The twins of the rules in
 * SQL are the functions is_archived, is_hidden and unread_count.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { Prefs } from "./prefs.ts";
import type { RouteSpec } from "./route-spec.ts";
import { Limit, PageCursor } from "./route-spec.ts";
import {
  Conversation,
  Count,
  Message,
  Nullable,
  OwnUnread,
  Page,
  Request,
  Title,
} from "./schemas.ts";

/** Members of each conversation in a list with `members=few`. */
export const FEW_MEMBERS_MAX = 20;

/** An item of `GET /api/conversations`. */
export const ConversationSummary = Type.Object({
  ...Conversation.properties,
  last_message: Nullable(Message),
  ...OwnUnread.properties,
  prefs: Type.Optional(Prefs),
  mention_count: Type.Optional(
    Type.Integer({
      minimum: 1,
      description:
        "Messages above the read point that mention the caller by name; left out where there are none.",
    }),
  ),
});

export const ListFilter = Type.Union(
  [Type.Literal("all"), Type.Literal("unread"), Type.Literal("archived"), Type.Literal("pinned")],
  {
    description:
      "All conversations, or those that are unread, archived or pinned. Without it: those that are" +
      " neither archived nor hidden.",
  },
);

const LIST_QUERY = {
  filter: Type.Optional(ListFilter),
  kind: Type.Optional(
    Type.Union([Type.Literal("direct"), Type.Literal("group"), Type.Literal("channel")]),
  ),
  q: Type.Optional(Title),
  members: Type.Optional(
    Type.Literal("few", {
      description: `At most ${FEW_MEMBERS_MAX} members of each, the caller first, and \`member_count\`.`,
    }),
  ),
};

/** What a badge shows: without muted and archived conversations. */
export const Totals = Type.Object({
  messages: Count,
  mentions: Count,
  conversations: Count,
  notifications: Count,
  threads: Count,
});

export const LIST_ROUTES = {
  listConversations: {
    group: "Conversations",
    method: "GET",
    path: "/api/conversations",
    summary:
      "One's conversations, pinned ones first, then newest activity first. `q`: each word begins a" +
      " word of the title or of the other's name. While the order changes a conversation may come" +
      " twice in a pass, and none is missed.",
    token: true,
    query: Request({ ...LIST_QUERY, limit: Limit, cursor: PageCursor }),
    answers: { 200: Page(ConversationSummary) },
    refusals: [],
  },
  getTotals: {
    group: "Conversations",
    method: "GET",
    path: "/api/me/totals",
    summary: "How much is unread in all, without muted and archived conversations.",
    token: true,
    answers: { 200: Totals },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type ConversationSummary = Static<typeof ConversationSummary>;
export type Totals = Static<typeof Totals>;
export type ListFilter = Static<typeof ListFilter>;
