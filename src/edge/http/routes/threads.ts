/** Threads over HTTP: changes are asked of an actor, the list is read from the database. */
import type { Queries } from "../../../ports/edge.ts";
import { ok } from "../../../protocol/errors.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import type { Identity } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "createThread" | "followThread" | "unfollowThread" | "listThreads";

export function threadRoutes(gateway: AskActors, queries: Queries): Handlers<Route> {
  /** Over HTTP no session acts, so every session of the user receives the event. */
  const acting = (caller: Identity) => ({ user: caller.userId, session: "" as const });

  return {
    async createThread({ caller, params: { id, seq } }) {
      const asked = { ...acting(caller), seq };
      const made = await gateway.ask("conversation", id, "create_thread", asked);
      if (!made.ok) return made;
      return answered(made.value.created ? 201 : 200, ok(made.value.conversation));
    },

    async followThread({ caller, params }) {
      const asked = { ...acting(caller), on: true };
      const answer = await gateway.ask("conversation", params.id, "follow", asked);
      return answer.ok ? answered(200, ok(answer.value.conversation)) : answer;
    },

    async unfollowThread({ caller, params }) {
      const asked = { ...acting(caller), on: false };
      const answer = await gateway.ask("conversation", params.id, "follow", asked);
      return answer.ok ? answered(204, ok(null)) : answer;
    },

    async listThreads({ caller, query: { unread, limit = PAGE_LIMIT_DEFAULT, cursor = null } }) {
      const isUnread = unread === "true";
      const page = await orUnreachable(queries.threads(caller.userId, isUnread, limit, cursor));
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },
  };
}
