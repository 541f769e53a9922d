/** A user's own preferences of a conversation, over HTTP: a draft is a change at once. */
import type { PrefsQueries } from "../../../ports/prefs.ts";
import { ok, REFUSALS } from "../../../protocol/errors.ts";
import { draftOf } from "../../../protocol/prefs.ts";
import { asConversationId } from "../../../protocol/schemas.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

export function prefsRoutes(
  gateway: AskActors,
  queries: Pick<PrefsQueries, "prefs">,
): Handlers<"getPrefs" | "setPrefs"> {
  return {
    async getPrefs({ caller, params }) {
      const found = await orUnreachable(queries.prefs(caller.userId, asConversationId(params.id)));
      return found === null ? REFUSALS.conversationNotFound : answered(200, ok(found));
    },

    async setPrefs({ caller, params, body: { draft, ...change } }) {
      const set = await gateway.ask("user", caller.userId, "set_prefs", {
        session: "",
        conversation_id: asConversationId(params.id),
        change: { ...change, ...(draft !== undefined && { draft: draft && draftOf(draft) }) },
        draft_by: "",
      });
      return answered(200, set);
    },
  };
}
