/**
 * Asking the writer of a streamed message to stop: a signal that only the writer receives.
 *
 * [STP1] The sender of the message that it answers, moderators, and the other user of a direct
 *        conversation may ask; nobody else.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS, refused } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import { isAtLeast, type Role } from "../src/protocol/permissions.ts";
import { RULES } from "../src/protocol/policy.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState } from "./conversation-state.ts";
import { signal } from "./signals.ts";
import { writerOf } from "./stream-state.ts";
import type { StreamsRules } from "./stream-writes.ts";
import { stopAsked } from "./streams.ts";

const NO_SEQ = refused("invalid_payload", "payload: data.seq names the streamed message.", [
  { in: "payload", at: "data.seq", problem: "is missing" },
]);
const NOT_OPEN = refused("conflict", "The message is not streamed, or its stream has ended.");

/** `role`: of the user who asks. */
export function askToStop(
  state: ConversationState,
  body: ConversationOps["signal"]["body"],
  role: Role,
  reply: Reply,
  rules: StreamsRules,
  ctx: Context,
): void {
  const seq = body.data?.["seq"];
  if (typeof seq !== "number") {
    reply.refuse(NO_SEQ.error);
    return;
  }
  const writer = writerOf(state, seq);
  if (writer === null) {
    reply.refuse(NOT_OPEN.error);
    return;
  }
  const { by, replyTo } = writer;
  const pass = () => {
    signal(state, { ...body, to: [by] }, reply, ctx);
    stopAsked(state, seq, rules, ctx);
  };
  if (state.conversation.kind === "direct" || isAtLeast(role, "moderator")) {
    pass();
    return;
  }
  if (replyTo === null) {
    reply.refuse(RULES.role.error);
    return;
  }
  ctx.run(
    rules.store.find(state.id, replyTo),
    (answered) => {
      if (answered?.sender_id === (body.user as UserId)) pass();
      else reply.refuse(RULES.role.error);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}
