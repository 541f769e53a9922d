/** The search of messages over HTTP. */
import { termsOf } from "../../../base/search-text.ts";
import type { MessageSearch } from "../../../ports/search.ts";
import { ok, refused } from "../../../protocol/errors.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asConversationId, asUserId } from "../../../protocol/schemas.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { decodeSearchPlace, searchMessages } from "../message-search.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";

const OFF = refused("unavailable", "This server has no search of messages.");
const NOTHING_SOUGHT = badField("query", "q", "names no word that should be there");

const msOf = (time: string | undefined) => (time === undefined ? null : Date.parse(time));

/** Null: SEARCH=off. */
export function searchRoutes(search: MessageSearch | null): Handlers<"searchMessages"> {
  return {
    async searchMessages({ caller, query }) {
      if (search === null) return OFF;
      const terms = termsOf(query.q);
      if (terms.every(({ isNot }) => isNot)) return NOTHING_SOUGHT;
      const { conversation_id, sender_id, before, after, has, limit, cursor } = query;
      const place = cursor === undefined ? null : decodeSearchPlace(cursor);
      if (place === undefined) return BAD_CURSOR;
      const filter = {
        conversationId: conversation_id === undefined ? null : asConversationId(conversation_id),
        senderId: sender_id === undefined ? null : asUserId(sender_id),
        beforeMs: msOf(before),
        afterMs: msOf(after),
        hasAttachment: has === "attachment",
      };
      // Looked at first: what the index receives meanwhile makes it less late, not more.
      const behind_ms = await orUnreachable(search.behindMs(caller.userId));
      const most = limit ?? PAGE_LIMIT_DEFAULT;
      const page = await searchMessages(search, caller.userId, terms, filter, place, most);
      return answered(200, ok({ ...page, behind_ms }));
    },
  };
}
