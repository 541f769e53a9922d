/** Presence over HTTP: a snapshot; live changes are the socket's. */

import { ok } from "../../../protocol/errors.ts";
import type { UserId } from "../../../protocol/ids.ts";
import { asUserId, type Status } from "../../../protocol/schemas.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, type Handlers } from "../server/call.ts";

export interface PresenceReader {
  /** One status an id that exists, in the order of the ids, as the viewer may see it. */
  statuses(viewer: UserId, ids: readonly UserId[]): Promise<Status[]>;
}

export function presenceRoutes(presence: PresenceReader): Handlers<"listPresence"> {
  return {
    async listPresence({ caller, query }) {
      const ids = [...new Set(query.user_ids)].map(asUserId);
      return answered(
        200,
        ok({ items: await orUnreachable(presence.statuses(caller.userId, ids)) }),
      );
    },
  };
}
