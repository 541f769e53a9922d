/** Files as objects: read one, delete one's own, list a conversation's. */
import type { Files } from "../../../ports/files.ts";
import { ok, REFUSALS } from "../../../protocol/errors.ts";
import { RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asConversationId } from "../../../protocol/schemas.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";

export function fileRoutes({
  table,
  retire,
}: Pick<Files, "table" | "retire">): Handlers<"getFile" | "deleteFile" | "listFiles"> {
  return {
    async getFile({ caller, params }) {
      const file = await orUnreachable(table.fileFor(caller.userId, params.id));
      return file === null ? RULES.shown : answered(200, ok(file.shown));
    },

    async deleteFile({ caller, params }) {
      const file = await orUnreachable(table.fileFor(caller.userId, params.id));
      if (file === null) return RULES.shown;
      if (file.owner !== caller.userId) return RULES.uploader;
      if (!(await orUnreachable(table.remove(file.id)))) return RULES.shown;
      await retire(file.id);
      return answered(204, ok(null));
    },

    async listFiles({ caller, params, query }) {
      const page = await orUnreachable(
        table.ofConversation(caller.userId, asConversationId(params.id), {
          kind: query.kind ?? null,
          limit: query.limit ?? PAGE_LIMIT_DEFAULT,
          cursor: query.cursor ?? null,
        }),
      );
      if (page === undefined) return BAD_CURSOR;
      return page === null ? REFUSALS.conversationNotFound : answered(200, ok(page));
    },
  };
}
