/** The HTTP route of the search of messages; part of routes.ts. */
import type { Static } from "typebox";
import Type from "typebox";
import { Limit, PageCursor, type RouteSpec } from "./route-spec.ts";
import { Id, Message, Nullable, Request } from "./schemas.ts";
import { QUESTION_MAX } from "./text.ts";

/** A message that fits, and where. */
export const FoundMessage = Type.Object({
  message: Message,
  ranges: Type.Array(Type.Array(Type.Integer({ minimum: 0 }), { minItems: 2, maxItems: 2 }), {
    examples: [[[11, 16]]],
    description:
      "What fits in `body`, by code points: from the first up to before the second. They rise and do not overlap.",
  }),
});
export type FoundMessage = Static<typeof FoundMessage>;

const FoundMessages = Type.Object({
  items: Type.Array(FoundMessage),
  next_cursor: Nullable(Type.String()),
  behind_ms: Type.Integer({
    minimum: 0,
    description:
      "Milliseconds since the oldest change in one's conversations that the search does not know yet; 0: it knows all.",
  }),
});

const Moment = (description: string) => Type.Optional(Type.String({ format: "time", description }));

export const SEARCH_ROUTES = {
  searchMessages: {
    group: "Conversations",
    method: "GET",
    path: "/api/search/messages",
    summary:
      'Messages that one may see now and that hold all words of `q`, newest first: words, `"phrases"`,' +
      " and `-` before what must not be there. The last word fits by its beginning. Case, width and" +
      " accents make no difference. Chinese, Japanese, Korean and Thai text is found by any part of" +
      " two characters or more, and by one that stands alone. A page may hold fewer than `limit`" +
      " items, or none, and have a `next_cursor` all the same.",
    token: true,
    query: Request({
      q: Type.String({ format: "question", description: `1–${QUESTION_MAX} code points.` }),
      conversation_id: Type.Optional(Id),
      sender_id: Type.Optional(Id),
      before: Moment("Only messages that were made before this time."),
      after: Moment("Only messages that were made after this time."),
      has: Type.Optional(Type.Literal("attachment")),
      limit: Limit,
      cursor: PageCursor,
    }),
    answers: { 200: FoundMessages },
    refusals: [],
  },
} as const satisfies Record<string, RouteSpec>;
