/** Scheduled messages over HTTP. The sender's rights are judged when a message is sent. */

import type { Clock } from "../../../base/clock.ts";
import type { ScheduledStore } from "../../../ports/scheduled.ts";
import { ok, refused } from "../../../protocol/errors.ts";
import { contentOf, editRefusal, filesOf, sendRefusal } from "../../../protocol/message-content.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { SCHEDULED_AHEAD_MS_MAX } from "../../../protocol/scheduled-routes.ts";
import { asConversationId } from "../../../protocol/schemas.ts";
import { epochMsOf } from "../../../protocol/time.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";

type Route =
  | "scheduleMessage"
  | "listScheduled"
  | "getScheduled"
  | "updateScheduled"
  | "deleteScheduled";

const TOO_LATE = refused("invalid_payload", "body: send_at is more than 120 days ahead.", [
  { in: "body", at: "send_at", problem: "is more than 120 days ahead" },
]);
const NO_CHANGE = refused("invalid_payload", "body: names nothing to change.", [
  { in: "body", at: "", problem: "names nothing to change" },
]);
const NO_ITEM = refused("not_found", "No such scheduled message, or it was sent.");

export function scheduledRoutes(scheduled: ScheduledStore, clock: Clock): Handlers<Route> {
  const isTooLate = (sendAt: string) =>
    Date.parse(sendAt) - epochMsOf(clock.wallMs()) > SCHEDULED_AHEAD_MS_MAX;

  return {
    async scheduleMessage({
      caller,
      params,
      body: { send_at, client_id, reply_to_seq, ...asked },
    }) {
      const refusal = sendRefusal(asked, "body");
      if (refusal !== null) return { ok: false, error: refusal };
      if (isTooLate(send_at)) return TOO_LATE;
      const made = await orUnreachable(
        scheduled.schedule(caller.userId, asConversationId(params.id), {
          clientId: client_id,
          sendAt: send_at,
          body: asked.body ?? "",
          replyToSeq: reply_to_seq ?? null,
          content: contentOf(asked) ?? {},
        }),
      );
      if (!made.ok) return made;
      const { value } = made;
      return value.created ? answered(201, ok(value.item)) : answered(200, ok(value.item));
    },

    async listScheduled({ caller, query: { conversation_id, limit, cursor } }) {
      const page = await orUnreachable(
        scheduled.scheduled(
          caller.userId,
          conversation_id === undefined ? null : asConversationId(conversation_id),
          limit ?? PAGE_LIMIT_DEFAULT,
          cursor ?? null,
        ),
      );
      if (page.is === "bad_cursor") return BAD_CURSOR;
      return answered(200, ok({ items: page.items, next_cursor: page.next_cursor }));
    },

    async getScheduled({ caller, params }) {
      const item = await orUnreachable(scheduled.scheduledItem(caller.userId, params.id));
      return item === null ? NO_ITEM : answered(200, ok(item));
    },

    async updateScheduled({ caller, params, body: { send_at, ...edited } }) {
      const isEdit = Object.keys(edited).length > 0;
      if (!isEdit && send_at === undefined) return NO_CHANGE;
      if (send_at !== undefined && isTooLate(send_at)) return TOO_LATE;
      const item = await orUnreachable(scheduled.scheduledItem(caller.userId, params.id));
      if (item === null) return NO_ITEM;
      if (isEdit) {
        const { data = item.data, body = item.body, attachments = item.attachments } = edited;
        const whole = { ...item, body, attachments, data: data ?? undefined };
        const refusal = editRefusal(edited, "body") ?? sendRefusal(whole, "body");
        if (refusal !== null) return { ok: false, error: refusal };
      }
      return answered(
        200,
        await orUnreachable(
          scheduled.reschedule(caller.userId, params.id, {
            ...(send_at !== undefined && { sendAt: send_at }),
            ...(edited.body !== undefined && { body: edited.body }),
            ...(edited.data !== undefined && { data: edited.data }),
            ...(edited.attachments && { attachments: filesOf(edited.attachments) }),
          }),
        ),
      );
    },

    async deleteScheduled({ caller, params }) {
      const isGone = await orUnreachable(scheduled.unschedule(caller.userId, params.id));
      return isGone ? answered(204, ok(null)) : NO_ITEM;
    },
  };
}
