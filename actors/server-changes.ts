/** Changes of messages that the server makes by itself, or a moderator of the server asks for. */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import { erasureOf } from "../src/protocol/members.ts";
import type { Context, Reply } from "./behaviour.ts";
import { type ConversationState, follow } from "./conversation-state.ts";
import type { ConversationStore, Revised } from "./ports.ts";
import { repliesChanged } from "./thread-followers.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

/**
 * `publishRevised`: publishes a change of a message that was committed. The function that it returns
 * answers false where the operation is another one.
 */
export function serverChanges(
  store: Pick<ConversationStore, "expire" | "eraseMessages" | "refreshFiles">,
  publishRevised: (state: ConversationState, revised: Revised, session: "", ctx: Context) => void,
) {
  const unavailable = (reply: Reply) => () => reply.refuse(REFUSALS.unavailable.error);

  /** The server deletes expired messages. One whose deletion fails is found again later. */
  function expire(state: ConversationState, { seqs }: Body<"expire">, ctx: Context): void {
    for (const seq of seqs) {
      ctx.run(
        store.expire(state.id, seq),
        (revised) => {
          if (revised?.changed) publishRevised(state, revised, "", ctx);
        },
        () => undefined,
      );
    }
  }

  /** A moderator of the server deletes a message of any sender. Answered once it is deleted. */
  function moderatorDelete(
    state: ConversationState,
    { seq }: Body<"moderator_delete">,
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.expire(state.id, seq),
      (revised) => {
        if (revised?.changed === true) publishRevised(state, revised, "", ctx);
        reply.ok(null);
      },
      unavailable(reply),
    );
  }

  /**
   * [ERA3] Sessions of version 1 receive the conversation, and the emptied messages with their next
   * `sync`.
   */
  function eraseMessages(
    state: ConversationState,
    { user, most }: Body<"erase_messages">,
    reply: Reply,
    ctx: Context,
  ): void {
    ctx.run(
      store.eraseMessages(state.id, user, most),
      ({ seqs, rev }) => {
        if (seqs.length > 0) {
          follow(state, rev, ctx);
          state.ring = null;
          ctx.publish(state.topic, erasureOf(state.conversation, rev, seqs));
          repliesChanged(state, ctx);
        }
        reply.ok({ erased: seqs.length });
      },
      unavailable(reply),
    );
  }

  /** A refusal means that some are not written: the caller asks again. */
  function refreshFiles(
    state: ConversationState,
    { seqs }: Body<"refresh_files">,
    reply: Reply,
    ctx: Context,
  ): void {
    let left = seqs.length;
    let isFailed = false;
    const ended = () => {
      left--;
      if (left > 0) return;
      if (isFailed) reply.refuse(REFUSALS.unavailable.error);
      else reply.ok(null);
    };
    if (left === 0) reply.ok(null);
    for (const seq of seqs) {
      ctx.run(
        store.refreshFiles(state.id, seq),
        (revised) => {
          if (revised?.changed) publishRevised(state, revised, "", ctx);
          ended();
        },
        () => {
          isFailed = true;
          ended();
        },
      );
    }
  }

  return function serverChange(
    state: ConversationState,
    op: string,
    body: unknown,
    reply: Reply,
    ctx: Context,
  ): boolean {
    switch (op) {
      case "expire":
        expire(state, body as Body<"expire">, ctx);
        reply.ok(null);
        return true;
      case "refresh_files":
        refreshFiles(state, body as Body<"refresh_files">, reply, ctx);
        return true;
      case "erase_messages":
        eraseMessages(state, body as Body<"erase_messages">, reply, ctx);
        return true;
      case "moderator_delete":
        moderatorDelete(state, body as Body<"moderator_delete">, reply, ctx);
        return true;
      default:
        return false;
    }
  };
}
