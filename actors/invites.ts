/** Invitations, as the conversation's actor makes and ends them; gathered-changes.ts accepts them. */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId } from "../src/protocol/ids.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationStore } from "./ports.ts";

export function createInvite(
  id: ConversationId,
  body: ConversationOps["create_invite"]["body"],
  reply: Reply,
  store: Pick<ConversationStore, "createInvite">,
  ctx: Context,
): void {
  const { user, session: _session, ...wish } = body;
  ctx.run(
    store.createInvite(id, user, wish),
    (made) => {
      if (made.ok) reply.ok(made.value);
      else reply.refuse(made.error);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}

export function endInvite(
  id: ConversationId,
  { user, invite_id }: ConversationOps["end_invite"]["body"],
  reply: Reply,
  store: Pick<ConversationStore, "endInvite">,
  ctx: Context,
): void {
  ctx.run(
    store.endInvite(id, user, invite_id),
    (ended) => {
      if (ended.ok) reply.ok({});
      else reply.refuse(ended.error);
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}
