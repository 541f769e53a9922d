/**
 * Reactions over HTTP: what changes them asks the conversation's actor; who reacted is read from
 * the database, where the reader's membership is part of the query.
 */
import type { Queries } from "../../../ports/edge.ts";
import { ok, REFUSALS } from "../../../protocol/errors.ts";
import { reactionKeyOf } from "../../../protocol/reaction-keys.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asConversationId } from "../../../protocol/schemas.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "addReaction" | "removeReaction" | "listReactions";

/** The schema has let only keys through. */
const normalised = (key: string) => reactionKeyOf(key) ?? key;

export function reactionRoutes(gateway: AskActors, queries: Queries): Handlers<Route> {
  /** Over HTTP no session acts, so every session of the user receives the event. */
  async function react(
    caller: Identity,
    { id, seq, key }: { id: string; seq: number; key: string },
    change: { on: boolean; all?: true },
  ) {
    const answer = await gateway.ask("conversation", id, "react", {
      user: caller.userId,
      session: "",
      ask: "",
      seq,
      key: normalised(key),
      ...change,
    });
    if (!answer.ok) return answer;
    const { rev, reactions, own } = answer.value;
    return answered(200, ok({ ...(rev !== undefined && { rev }), reactions, own }));
  }

  return {
    addReaction: ({ caller, params }) => react(caller, params, { on: true }),

    removeReaction: ({ caller, params, query }) =>
      react(caller, params, { on: false, ...(query.all === "true" && { all: true as const }) }),

    async listReactions({ caller, params, query }) {
      const { key = null } = query;
      const page = await orUnreachable(
        queries.reactors(
          caller.userId,
          {
            id: asConversationId(params.id),
            seq: params.seq,
            key: key === null ? null : normalised(key),
          },
          query.limit ?? PAGE_LIMIT_DEFAULT,
          query.cursor ?? null,
        ),
      );
      switch (page.is) {
        case "page":
          return answered(200, ok({ items: page.items, next_cursor: page.next_cursor }));
        case "not_found":
          return REFUSALS.conversationNotFound;
        case "message_not_found":
          return REFUSALS.messageNotFound;
        case "bad_cursor":
          return BAD_CURSOR;
      }
    },
  };
}
