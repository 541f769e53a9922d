/** The application's own actors over HTTP, for users and for services. */
import type { AppQueries } from "../../../ports/app-actors.ts";
import { type AppCaller, appActorId } from "../../../protocol/app-actors.ts";
import type { AppKinds } from "../../../protocol/app-kinds.ts";
import { ok } from "../../../protocol/errors.ts";
import type { ConversationId } from "../../../protocol/ids.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { callHash, checkedArgs, userCaller } from "../../actor-calls.ts";
import { type Identity, SERVICE_USER } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, badField, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "createActor" | "callActor" | "getActor" | "listActors";

const BAD_KEY = badField("query", "cursor", "is not one that this list gave");
const KEY = /^[A-Za-z0-9_~:@-][A-Za-z0-9._~:@-]{0,127}$/;

function callerOf({ userId, service, claims }: Identity): AppCaller {
  if (userId === SERVICE_USER) {
    return { user: null, session: null, service: service?.subject ?? "" };
  }
  return userCaller(userId, null, claims);
}

export function actorRoutes(
  gateway: AskActors,
  kinds: AppKinds,
  queries: AppQueries,
): Handlers<Route> {
  return {
    async createActor({ caller, params: { kind, key }, body }) {
      const { args, call_id, conversation_id } = body;
      const unknown = kinds.refusalOf(kind);
      if (unknown !== null) return unknown;
      const checked = checkedArgs(args);
      if (!checked.ok) return checked;
      const conversation = (conversation_id ?? null) as ConversationId | null;
      const made = await gateway.ask("app", appActorId(kind, key), "create", {
        args,
        call_id,
        hash: callHash("", { args, conversation }),
        caller: callerOf(caller),
        conversation_id: conversation,
      });
      return answered(201, made);
    },

    async callActor({ caller, params: { kind, key, action }, body: { args = {}, call_id } }) {
      const unknown = kinds.refusalOf(kind, action);
      if (unknown !== null) return unknown;
      const checked = checkedArgs(args);
      if (!checked.ok) return checked;
      const called = await gateway.ask("app", appActorId(kind, key), "call", {
        action,
        args,
        call_id,
        hash: callHash(action, args),
        caller: callerOf(caller),
      });
      return answered(200, called);
    },

    async getActor({ caller, params: { kind, key } }) {
      const unknown = kinds.refusalOf(kind);
      if (unknown !== null) return unknown;
      const seen = await gateway.ask("app", appActorId(kind, key), "watch", {
        caller: callerOf(caller),
        after_rev: null,
      });
      if (!seen.ok) return seen;
      const { rev, view = "null" } = seen.value;
      return answered(200, ok({ view: JSON.parse(view) as unknown, rev }));
    },

    async listActors({ params: { kind }, query: { limit = PAGE_LIMIT_DEFAULT, cursor = "" } }) {
      const unknown = kinds.refusalOf(kind);
      if (unknown !== null) return unknown;
      if (cursor !== "" && !KEY.test(cursor)) return BAD_KEY;
      const found = await orUnreachable(queries.list(kind, cursor, limit + 1));
      const items = found.slice(0, limit);
      const next_cursor = found.length > limit ? (items.at(-1)?.key ?? null) : null;
      return answered(200, ok({ items, next_cursor }));
    },
  };
}
