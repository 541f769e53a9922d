/**
 * Conversations and their messages. Changes are asked of the actor, which also checks membership;
 * lists and history are read from the database, where the reader's membership is part of the query.
 */
import type { Queries } from "../../../ports/edge.ts";
import { ok, REFUSALS, type Result, refused } from "../../../protocol/errors.ts";
import {
  contentOf,
  editOf,
  editRefusal,
  sendRefusal,
  serviceSendRefusal,
} from "../../../protocol/message-content.ts";
import { RULES } from "../../../protocol/policy.ts";
import { PAGE_LIMIT_DEFAULT } from "../../../protocol/route-spec.ts";
import { MEMBERS_MAX } from "../../../protocol/routes.ts";
import {
  asConversationId,
  asUserId,
  type Conversation,
  type ReadCursors,
} from "../../../protocol/schemas.ts";
import type { Gateway } from "../../../runtime/gateway.ts";
import { type Identity, SERVICE_USER } from "../../auth/identity.ts";
import { orUnreachable } from "../../storage-reachable.ts";
import { actingOf, askedActingOf } from "../server/acting.ts";
import { answered, BAD_CURSOR, type Handlers } from "../server/call.ts";
import { streamed } from "./streamed.ts";

type Route =
  | "createConversation"
  | "putExternalConversation"
  | "signalConversation"
  | "listConversations"
  | "getTotals"
  | "getConversation"
  | "updateConversation"
  | "listMembers"
  | "addMembers"
  | "removeMember"
  | "updateMember"
  | "listMessages"
  | "getMessage"
  | "listPins"
  | "pinMessage"
  | "unpinMessage"
  | "sendMessage"
  | "appendMessage"
  | "endMessage"
  | "editMessage"
  | "deleteMessage"
  | "markRead";

const NO_OTHERS = refused("invalid_payload", "body: member_ids names nobody but yourself.", [
  { in: "body", at: "member_ids", problem: "names nobody but yourself" },
]);
const TOO_MANY = refused("invalid_payload", `A group has at most ${MEMBERS_MAX} members.`, [
  { in: "body", at: "member_ids", problem: `makes more than ${MEMBERS_MAX} members` },
]);
const NO_CHANGE = refused("invalid_payload", "body: names nothing to change.", [
  { in: "body", at: "", problem: "names nothing to change" },
]);
const NOT_A_PAIR = refused("invalid_payload", "A direct conversation has one other member.", [
  { in: "body", at: "member_ids", problem: "names more than one for a direct conversation" },
]);
const NOBODY = refused("invalid_payload", "body: names no member.", [
  { in: "body", at: "member_ids", problem: "names nobody, and there is no owner_id" },
]);
const PLAIN_PAIR = refused(
  "conflict",
  "A direct conversation has no title, settings or permissions of its own.",
);
const NO_MEMBERS = refused("invalid_payload", "body: member_ids is missing.", [
  { in: "body", at: "member_ids", problem: "is missing" },
]);
const NO_TITLE = refused("invalid_payload", "body: a channel needs a title.", [
  { in: "body", at: "title", problem: "is missing" },
]);
const NO_AUDIENCE = refused("invalid_payload", "body: only a channel has an audience.", [
  { in: "body", at: "audience", problem: "is for channels only" },
]);
const TWO_WAYS = refused(
  "invalid_payload",
  "query: before_seq and after_seq cannot be used together.",
  [{ in: "query", at: "after_seq", problem: "cannot be used together with before_seq" }],
);

export type AskActors = Pick<Gateway, "ask" | "peek">;

/** A channel has a title, and nothing else has an audience. */
function channelRefusal(kind: string | undefined, title: string | null, audience: unknown) {
  if (kind === "channel") return title === null ? NO_TITLE : null;
  return audience === undefined ? null : NO_AUDIENCE;
}

export type SeenBy = (caller: Identity, found: Conversation) => Promise<Conversation>;

/**
 * A conversation that an actor answered, as its caller sees it. Actors answer all callers alike, so
 * the read cursor of one who hides it is 0 there, and a channel has nobody's entry.
 */
export function seenIn(queries: Pick<Queries, "conversation" | "standing">): SeenBy {
  return async ({ userId }, found) => {
    if (found.kind === "channel") {
      const id = asConversationId(found.id);
      return (await orUnreachable(queries.conversation(userId, id))) ?? found;
    }
    const own = found.members.find(({ user_id }) => user_id === userId);
    if (own === undefined || own.read_seq > 0 || own.delivered_seq === 0) return found;
    const standing = await orUnreachable(queries.standing(userId, asConversationId(found.id)));
    if (standing === null || standing.read_seq === 0) return found;
    const { read_seq } = standing;
    const members = found.members.map((one) => (one === own ? { ...one, read_seq } : one));
    return { ...found, members };
  };
}

export function conversationRoutes(gateway: AskActors, queries: Queries): Handlers<Route> {
  const seenBy = seenIn(queries);

  return {
    async createConversation({ caller, body }) {
      const { kind: asked, member_ids, audience } = body;
      if (member_ids === undefined && asked !== "channel") return NO_MEMBERS;
      const others = [...new Set(member_ids)].filter((id) => id !== caller.userId).map(asUserId);
      const title = body.title ?? null;
      const unruled = channelRefusal(asked, title, audience);
      if (unruled !== null) return unruled;
      const kind = asked ?? (others.length === 1 && title === null ? "direct" : "group");
      // A group can begin with its owner alone, but only where it is asked for by its kind.
      if (others.length === 0 && (asked ?? "direct") === "direct") return NO_OTHERS;
      if (others.length >= MEMBERS_MAX) return TOO_MANY;
      const { data, image_url, settings, permissions } = body;
      if (kind === "direct") {
        if (others.length > 1) return NOT_A_PAIR;
        if (title !== null || settings !== undefined || permissions !== undefined)
          return PLAIN_PAIR;
      }
      const made = await gateway.ask("user", caller.userId, "create_conversation", {
        kind,
        member_ids: others,
        title,
        ...(audience !== undefined && { audience }),
        extras: { data, image_url, settings, permissions },
      });
      if (!made.ok) return made;
      return answered(
        made.value.created ? 201 : 200,
        ok(await seenBy(caller, made.value.conversation)),
      );
    },

    async signalConversation({ params, body }) {
      const sent = await gateway.ask("conversation", params.id, "service_signal", body);
      return answered(204, sent.ok ? ok(null) : sent);
    },

    async putExternalConversation({ caller, params, body }) {
      const { kind, member_ids, title = null, data, image_url, settings, permissions } = body;
      const unruled = channelRefusal(kind, title, body.audience);
      if (unruled !== null) return unruled;
      const [owner, ...others] = [...new Set([body.owner_id ?? [], member_ids].flat())];
      if (owner === undefined) return NOBODY;
      if (others.length >= MEMBERS_MAX) return TOO_MANY;
      if (kind === "direct") {
        if (others.length !== 1) return NOT_A_PAIR;
        const isRuled = settings?.join !== undefined || settings?.history !== undefined;
        if (title !== null || isRuled || permissions !== undefined) return PLAIN_PAIR;
      }
      const made = await gateway.ask("user", owner, "create_conversation", {
        kind,
        member_ids: others.map(asUserId),
        title,
        ...(body.audience !== undefined && { audience: body.audience }),
        extras: { data, image_url, settings, permissions },
        external_id: params.external_id,
        ...(caller.service !== null && { service: caller.service.subject }),
      });
      if (!made.ok) return made;
      return answered(made.value.created ? 201 : 200, ok(made.value.conversation));
    },

    async listConversations({ caller, query: { limit, cursor, ...asked } }) {
      const page = await orUnreachable(
        queries.conversations(caller.userId, limit ?? PAGE_LIMIT_DEFAULT, cursor ?? null, asked),
      );
      return page === undefined ? BAD_CURSOR : answered(200, ok(page));
    },

    async getTotals({ caller }) {
      return answered(200, ok(await orUnreachable(queries.totals(caller.userId))));
    },

    async getConversation({ caller, params }) {
      const found = await orUnreachable(
        queries.conversation(caller.userId, asConversationId(params.id)),
      );
      return found === null ? REFUSALS.conversationNotFound : answered(200, ok(found));
    },

    async updateConversation({ caller, params, body }) {
      const { if_rev: _condition, ...changes } = body;
      if (Object.keys(changes).length === 0) return NO_CHANGE;
      const answer = await gateway.ask("conversation", params.id, "update", {
        ...body,
        ...actingOf(caller),
      });
      if (!answer.ok) return answer;
      return answered(200, ok(await seenBy(caller, answer.value.conversation)));
    },

    async updateMember({ caller, params, body }) {
      if (Object.keys(body).length === 0) return NO_CHANGE;
      const answer = await gateway.ask("conversation", params.id, "update_member", {
        ...body,
        ...actingOf(caller),
        user_id: asUserId(params.user_id),
      });
      if (!answer.ok) return answer;
      return answered(200, ok(await seenBy(caller, answer.value.conversation)));
    },

    async listMembers({ caller, params, query }) {
      const id = asConversationId(params.id);
      const limit = query.limit ?? PAGE_LIMIT_DEFAULT;
      const page = await orUnreachable(
        queries.members(caller.userId, id, limit, query.cursor ?? null, {
          role: query.role,
          q: query.q,
        }),
      );
      switch (page.is) {
        case "page":
          return answered(200, ok({ items: page.items, next_cursor: page.next_cursor }));
        case "not_found":
          return REFUSALS.conversationNotFound;
        case "forbidden":
          return RULES.role;
        case "bad_cursor":
          return BAD_CURSOR;
      }
    },

    async addMembers({ caller, params, body }) {
      const answer = await gateway.ask("conversation", params.id, "add_members", {
        ...actingOf(caller),
        user_ids: [...new Set(body.user_ids)].map(asUserId),
      });
      if (!answer.ok) return answer;
      return answered(200, ok(await seenBy(caller, answer.value.conversation)));
    },

    async removeMember({ caller, params }) {
      const answer = await gateway.ask("conversation", params.id, "remove_member", {
        ...actingOf(caller),
        user_id: asUserId(params.user_id),
      });
      return answer.ok ? answered(204, ok(null)) : answer;
    },

    async listMessages({ caller, params, query }) {
      if (query.before_seq !== undefined && query.after_seq !== undefined) return TWO_WAYS;
      const page = await orUnreachable(
        queries.history(caller.userId, asConversationId(params.id), {
          beforeSeq: query.before_seq ?? null,
          afterSeq: query.after_seq ?? null,
          limit: query.limit ?? PAGE_LIMIT_DEFAULT,
        }),
      );
      if (page === null) return REFUSALS.conversationNotFound;
      return answered(200, ok(await streamed(gateway, caller.userId, params.id, page)));
    },

    async getMessage({ caller, params: { id, seq } }) {
      const window = { afterSeq: seq - 1, beforeSeq: seq + 1, limit: 1 };
      const page = await orUnreachable(
        queries.history(caller.userId, asConversationId(id), window),
      );
      if (page === null) return REFUSALS.conversationNotFound;
      const [message] = (await streamed(gateway, caller.userId, id, page)).value().items;
      return message === undefined ? REFUSALS.messageNotFound : answered(200, ok(message));
    },

    async listPins({ caller, params }) {
      const items = await orUnreachable(queries.pins(caller.userId, asConversationId(params.id)));
      return items === null ? REFUSALS.conversationNotFound : answered(200, ok({ items }));
    },

    async pinMessage({ caller, params: { id, seq } }) {
      const asked = { ...actingOf(caller), seq, on: true };
      return answered(200, taken(await gateway.ask("conversation", id, "pin", asked), "message"));
    },

    async unpinMessage({ caller, params: { id, seq } }) {
      const asked = { ...actingOf(caller), seq, on: false };
      return answered(200, taken(await gateway.ask("conversation", id, "pin", asked), "message"));
    },

    async sendMessage({ caller, params, body: { client_id, reply_to_seq, ...asked } }) {
      const isService = caller.userId === SERVICE_USER;
      const refusal = isService ? serviceSendRefusal(asked) : sendRefusal(asked, "body");
      if (refusal !== null) return { ok: false, error: refusal };
      const content = contentOf(asked);
      const message = { client_id, body: asked.body ?? "", reply_to_seq: reply_to_seq ?? null };
      const sent =
        isService && caller.service !== null
          ? await gateway.ask("conversation", params.id, "service_send", {
              ...message,
              subject: caller.service.subject,
              content: { ...content },
            })
          : await gateway.ask("conversation", params.id, "send", {
              ...askedActingOf(caller),
              ...message,
              ...(content && { content }),
            });
      if (!sent.ok) return sent;
      return answered(sent.value.duplicate === true ? 200 : 201, ok(sent.value.message));
    },

    async appendMessage({ caller, params: { id, seq }, body }) {
      const asked = { ...askedActingOf(caller), ...body, seq };
      return answered(200, await gateway.ask("conversation", id, "append", asked));
    },

    async endMessage({ caller, params: { id, seq }, body }) {
      const asked = { ...actingOf(caller), ...body, seq };
      return answered(200, taken(await gateway.ask("conversation", id, "end", asked), "message"));
    },

    async editMessage({ caller, params, body }) {
      const refusal = editRefusal(body, "body");
      if (refusal !== null) return { ok: false, error: refusal };
      const answer = await gateway.ask("conversation", params.id, "edit", {
        ...askedActingOf(caller),
        seq: params.seq,
        ...editOf(body),
      });
      return answered(200, taken(answer, "message"));
    },

    async deleteMessage({ caller, params }) {
      const answer = await gateway.ask("conversation", params.id, "delete", {
        ...actingOf(caller),
        seq: params.seq,
      });
      return answered(200, taken(answer, "message"));
    },

    async markRead({ caller, params, body }) {
      const answer = await gateway.ask("conversation", params.id, "mark", {
        ...actingOf(caller),
        seq: body.seq,
        read: true,
      });
      return answered(200, answer as Result<ReadCursors>);
    },
  };
}

/** The part of an actor's answer that HTTP answers with. */
function taken<K extends string, T>(answer: Result<Record<K, T>>, key: K): Result<T> {
  return answer.ok ? ok(answer.value[key]) : answer;
}
