/**
 * `slow_mode_s`: how soon a member may send again. Kept by the conversation's actor, which reads
 * the last sends from storage when it needs them first, so that slow mode survives its moving.
 *
 * [SLW1] A member's next send earlier is `rate_limited` with `retry_after_ms`; moderators and
 *        above are exempt, and so is a service that acts for a user.
 * [SLW2] A message that was sent already is answered, however early it is asked for again.
 * [SLW3] A send that is refused, or was made before, does not count.
 */
import type { ErrorObject } from "../src/protocol/errors.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import { isAtLeast, type Role } from "../src/protocol/permissions.ts";
import type { Conversation } from "../src/protocol/schemas.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationStore } from "./ports.ts";

/** When each member sent last; null: not known, or not asked for. */
export interface SendPace {
  lastAt: Map<UserId, Monotonic> | null;
}

interface Paced {
  id: ConversationId;
  conversation: Conversation;
  pace: SendPace;
}

interface Send {
  user: UserId;
  client_id: string;
  isService?: true;
}

/** Calls `send` with the reply to use, at once or after reading; or refuses. */
export function sendInPace(
  host: Paced,
  role: Role,
  asked: Send,
  reply: Reply,
  store: Pick<ConversationStore, "lastSends" | "sent">,
  ctx: Context,
  send: (reply: Reply) => void,
): void {
  const slowMs = (host.conversation.settings?.slow_mode_s ?? 0) * 1000;
  if (slowMs === 0) {
    // Messages without slow mode are not counted. They are read when it is turned on again.
    host.pace.lastAt = null;
    send(reply);
    return;
  }
  const unavailable = () => reply.refuse(REFUSALS.unavailable.error);
  const { lastAt } = host.pace;
  if (lastAt === null) {
    ctx.run(
      store.lastSends(host.id, slowMs),
      (agesMs) => {
        host.pace.lastAt ??= new Map(
          [...agesMs].map(([user, ageMs]) => [user, later(ctx.monotonicMs, -ageMs)]),
        );
        sendInPace(host, role, asked, reply, store, ctx, send);
      },
      unavailable,
    );
    return;
  }
  const { user } = asked;
  const before = lastAt.get(user);
  const leftMs = before === undefined ? 0 : slowMs - msBetween(before, ctx.monotonicMs);
  if (leftMs > 0 && !isAtLeast(role, "moderator") && asked.isService !== true) {
    ctx.run(
      store.sent(host.id, user, asked.client_id),
      (message) => {
        if (message === null) reply.refuse(tooSoon(leftMs));
        else reply.ok({ message, duplicate: true }, message.rev);
      },
      unavailable,
    );
    return;
  }
  lastAt.set(user, ctx.monotonicMs);
  send(counting(reply, () => restore(lastAt, user, before)));
}

/** [SLW3] */
function counting(reply: Reply, undo: () => void): Reply {
  return {
    ok: (value, rev) => reply.ok(value, rev),
    okText(body, rev) {
      if (body.endsWith('"duplicate":true}')) undo();
      reply.okText(body, rev);
    },
    refuse(error) {
      undo();
      reply.refuse(error);
    },
  };
}

function restore(
  lastAt: Map<UserId, Monotonic>,
  user: UserId,
  before: Monotonic | undefined,
): void {
  if (before === undefined) lastAt.delete(user);
  else lastAt.set(user, before);
}

function tooSoon(leftMs: number): ErrorObject {
  return {
    code: "rate_limited",
    message: "This conversation is in slow mode.",
    retry_after_ms: Math.ceil(leftMs),
  };
}
