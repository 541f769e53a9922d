/** Deleting, joining, invitations and bans. Changes ask the conversation's actor. */
import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../../base/clock.ts";
import type { Queries } from "../../../ports/edge.ts";
import type { MembershipPage } from "../../../ports/membership.ts";
import { INVITE_S_DEFAULT } from "../../../protocol/conversation-patch.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import { RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { asConversationId, asUserId } from "../../../protocol/schemas.ts";
import { epochMsOf } from "../../../protocol/time.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { actingOf } from "../server/acting.ts";
import { answered, BAD_CURSOR, badField, type Handlers } from "../server/call.ts";
import { type AskActors, seenIn } from "./conversations.ts";

type Route =
  | "deleteConversation"
  | "joinConversation"
  | "createInvite"
  | "listInvites"
  | "endInvite"
  | "getInvitation"
  | "acceptInvite"
  | "banUser"
  | "unbanUser"
  | "listBans";

const TOKEN_BYTES = 32;
const NO_INVITE = refused("not_found", "No such invitation.");
const NOT_OF_THREADS = refused("conflict", "A thread has neither invitations nor bans of its own.");
const PAST = badField("body", "until", "must lie in the future");

const hashOf = (token: string) => createHash("sha256").update(token).digest("hex");

export function membershipRoutes(
  gateway: AskActors,
  queries: Queries,
  clock: Pick<Clock, "wallMs">,
): Handlers<Route> {
  const seenBy = seenIn(queries);
  const silently = (answer: Result<unknown>) => (answer.ok ? answered(204, ok(null)) : answer);

  return {
    async deleteConversation({ caller, params }) {
      return silently(
        await gateway.ask("conversation", params.id, "delete_conversation", actingOf(caller)),
      );
    },

    async joinConversation({ caller, params }) {
      const answer = await gateway.ask("conversation", params.id, "come_in", actingOf(caller));
      if (!answer.ok) return answer;
      return answered(200, ok(await seenBy(caller, answer.value.conversation)));
    },

    async createInvite({ caller, params, body }) {
      const token = randomBytes(TOKEN_BYTES).toString("base64url");
      const made = await gateway.ask("conversation", params.id, "create_invite", {
        ...actingOf(caller),
        token_hash: hashOf(token),
        role: body.role ?? null,
        max_uses: body.max_uses ?? null,
        expires_in_s: body.expires_in_s ?? INVITE_S_DEFAULT,
      });
      return made.ok ? answered(201, ok({ ...made.value, token })) : made;
    },

    async listInvites({ caller, params, query }) {
      const id = asConversationId(params.id);
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      return pageAnswer(
        await orUnreachable(queries.invites(caller.userId, id, limit, query.cursor ?? null)),
      );
    },

    async endInvite({ caller, params }) {
      const { invite_id } = params;
      const asked = { ...actingOf(caller), invite_id };
      return silently(await gateway.ask("conversation", params.id, "end_invite", asked));
    },

    async getInvitation({ caller, params }) {
      const hash = hashOf(params.token);
      const found = await orUnreachable(queries.invitation(caller.userId, hash));
      return found?.isOpen ? answered(200, ok(found.shown)) : NO_INVITE;
    },

    async acceptInvite({ caller, params }) {
      const hash = hashOf(params.token);
      const found = await orUnreachable(queries.invitation(caller.userId, hash));
      if (found === null || !(found.isOpen || found.isMember)) return NO_INVITE;
      const answer = await gateway.ask("conversation", found.conversationId, "accept", {
        ...actingOf(caller),
        invite_id: found.inviteId,
      });
      if (!answer.ok) return answer;
      return answered(200, ok(await seenBy(caller, answer.value.conversation)));
    },

    async banUser({ caller, params, body }) {
      const { until = null, reason = null } = body;
      if (until !== null && Date.parse(until) <= epochMsOf(clock.wallMs())) return PAST;
      const user = asUserId(params.user_id);
      const banned = await gateway.ask("conversation", params.id, "ban", {
        ...actingOf(caller),
        user_id: user,
        until,
        reason,
      });
      if (!banned.ok) return banned;
      const ban = await orUnreachable(queries.ban(asConversationId(params.id), user));
      // Lifted again at this moment.
      return ban === null ? REFUSALS.userNotFound : answered(200, ok(ban));
    },

    async unbanUser({ caller, params }) {
      const asked = { ...actingOf(caller), user_id: asUserId(params.user_id) };
      return silently(await gateway.ask("conversation", params.id, "unban", asked));
    },

    async listBans({ caller, params, query }) {
      const id = asConversationId(params.id);
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      return pageAnswer(
        await orUnreachable(queries.bans(caller.userId, id, limit, query.cursor ?? null)),
      );
    },
  };
}

function pageAnswer<T>(page: MembershipPage<T>) {
  switch (page.is) {
    case "page":
      return answered(200, ok({ items: page.items, next_cursor: page.next_cursor }));
    case "not_found":
      return REFUSALS.conversationNotFound;
    case "thread":
      return NOT_OF_THREADS;
    case "forbidden":
      return RULES.role;
    case "bad_cursor":
      return BAD_CURSOR;
  }
}
