/** One's own privacy. The user's actor changes it, and publishes what follows from it. */
import { ok } from "../../../protocol/errors.ts";
import type { ConversationId } from "../../../protocol/ids.ts";
import type { Gateway } from "../../../runtime/gateway.ts";
import { answered, type Handlers } from "../server/call.ts";

/** Conversations whose actors are asked at one time. */
const AT_ONCE = 100;

export function privacyRoutes(
  gateway: Pick<Gateway, "ask" | "peek">,
): Handlers<"getPrivacy" | "updatePrivacy"> {
  /** Only actors that are active have members in memory. */
  async function readAgain(ids: readonly ConversationId[]): Promise<void> {
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const some = ids.slice(at, at + AT_ONCE);
      await Promise.all(some.map((id) => gateway.peek("conversation", id, "reads_masked", {})));
    }
  }

  return {
    async getPrivacy({ caller }) {
      return answered(200, await gateway.ask("user", caller.userId, "privacy", {}));
    },

    async updatePrivacy({ caller, body }) {
      const set = await gateway.ask("user", caller.userId, "set_privacy", { patch: body });
      if (!set.ok) return set;
      const { privacy, conversation_ids } = set.value;
      await readAgain(conversation_ids);
      return answered(200, ok(privacy));
    },
  };
}
