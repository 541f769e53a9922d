/**
 * A user's notifications, and the way in for those that another back end sends. The actor of
 * the user who is notified makes and marks them, so that its `seq` has no gaps.
 */

import type { SocialQueries } from "../../../ports/social.ts";
import { ok, REFUSALS, type refused } from "../../../protocol/errors.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import {
  NOTIFICATION_DATA_BYTES_MAX,
  NOTIFICATION_DATA_DEPTH_MAX,
} from "../../../protocol/social-routes.ts";
import { isWellFormed } from "../../../protocol/text.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import type { AskActors } from "./conversations.ts";

type Route = "listNotifications" | "readNotifications" | "sendNotification";

export function notificationRoutes(
  gateway: AskActors,
  queries: Pick<SocialQueries, "notifications">,
): Handlers<Route> {
  return {
    async listNotifications({ caller, query }) {
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      const page = await orUnreachable(
        queries.notifications(caller.userId, limit, query.cursor ?? null),
      );
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },

    async readNotifications({ caller, body }) {
      return answered(200, await gateway.ask("user", caller.userId, "read_notifications", body));
    },

    async sendNotification({ body }) {
      const { user_id, type, message, data = null } = body;
      const refusal = data === null ? null : dataRefusal(data);
      if (refusal !== null) return refusal;
      const made = await gateway.ask("user", user_id, "notify", {
        type,
        message,
        actor_id: null,
        post_id: null,
        comment_id: null,
        data,
      });
      if (!made.ok) return made;
      // There is no acting user who could be blocked: null only means that the user does not exist.
      return made.value === null ? REFUSALS.userNotFound : answered(201, ok(made.value));
    },
  };
}

const refuseData = (problem: string) => badField("body", "data", problem);

/**
 * Refuses text that PostgreSQL cannot store as JSON (NUL, lone surrogates), numbers that a double
 * cannot hold, data that is too large or too deep, and keys that would change an object's prototype
 * in a client that merges it. Null: the data is accepted.
 */
function dataRefusal(data: Record<string, unknown>): ReturnType<typeof refused> | null {
  // Depth first, without recursion: 64 KiB hold 30,000 brackets.
  const open: { value: unknown; depth: number }[] = [{ value: data, depth: 1 }];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { value, depth } = at;
    if (typeof value === "string" && !isKeepable(value)) {
      return refuseData("holds text with a NUL character or half a surrogate pair");
    }
    if (typeof value === "number" && !Number.isFinite(value)) {
      return refuseData("holds a number that is too large");
    }
    if (typeof value !== "object" || value === null) continue;
    if (depth > NOTIFICATION_DATA_DEPTH_MAX) {
      return refuseData(`must not be nested more than ${NOTIFICATION_DATA_DEPTH_MAX} deep`);
    }
    for (const [name, inner] of Object.entries(value)) {
      if (isPrototypeKey(name, inner)) return refuseData(`must not have the key ${name}`);
      if (!isKeepable(name)) {
        return refuseData("holds a key with a NUL character or half a surrogate pair");
      }
      open.push({ value: inner, depth: depth + 1 });
    }
  }
  return Buffer.byteLength(JSON.stringify(data)) > NOTIFICATION_DATA_BYTES_MAX
    ? refuseData(`must not have more than ${NOTIFICATION_DATA_BYTES_MAX} bytes as JSON text`)
    : null;
}

/** A text may be called constructor; an object with a prototype in it is no text. */
function isPrototypeKey(name: string, value: unknown): boolean {
  if (name === "__proto__") return true;
  if (name !== "constructor" || typeof value !== "object" || value === null) return false;
  return Object.hasOwn(value, "prototype");
}

function isKeepable(text: string): boolean {
  return !text.includes("\u0000") && isWellFormed(text);
}
