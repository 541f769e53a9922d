/** The operators' routes, for service tokens of scope `ops`; see edge/ops/ops.ts. */
import { asConversationId, asUserId } from "../../../protocol/schemas.ts";
import type { Ops } from "../../ops/ops.ts";
import { answered, badField, type Handlers } from "../server/call.ts";

type Route = "opsSummary" | "opsUser" | "opsFindUser" | "opsEndSessions" | "opsFindMessage";

const ONE_WAY = badField("query", "id", "or conversation_id and seq say which message");

export function opsRoutes(ops: Ops): Handlers<Route> {
  return {
    async opsSummary() {
      return answered(200, await ops.summary());
    },
    async opsUser({ params }) {
      return answered(200, await ops.user(asUserId(params.id)));
    },
    async opsFindUser({ query }) {
      return answered(200, await ops.userByName(query.username.toLowerCase()));
    },
    async opsEndSessions({ params }) {
      return answered(200, await ops.endSessions(asUserId(params.id)));
    },
    async opsFindMessage({ query: { id, conversation_id, seq } }) {
      if (id !== undefined && conversation_id === undefined && seq === undefined) {
        return answered(200, await ops.message(id));
      }
      if (id !== undefined || conversation_id === undefined || seq === undefined) return ONE_WAY;
      return answered(200, await ops.messageAt(asConversationId(conversation_id), seq));
    },
  };
}
