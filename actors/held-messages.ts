/**
 * Sends and edits that the application is asked about before they are committed (HOOK_URL). Each is
 * asked about at once; what a sender asked for later in this conversation goes on after it, and
 * nobody else waits.
 *
 * States of a call: asked about → its verdict is there, and those before it are done → it goes on,
 * changed or not, or is refused.
 *
 * [HLD1] A held call holds only later ones of the same sender in this conversation.
 * [HLD2] A `client_id` that is asked for again waits for the same verdict; one that was committed
 *        before is answered, and nobody is asked.
 * [HLD3] Calls that a service makes are not asked about and wait for nothing, so a hook may call back.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { Hooks, HookType, HookVerdict } from "../src/protocol/hooks.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Message } from "../src/protocol/schemas.ts";
import type { Context, Reply } from "./behaviour.ts";
import { SENDS_IN_FLIGHT_MAX } from "./limits.ts";

interface HeldCall {
  /** The send's client_id; null: an edit. */
  clientId: string | null;
  replies: Reply[];
  verdict: HookVerdict | { is: "sent"; message: Message } | null;
  goOn: (verdict: HookVerdict, reply: Reply) => void;
}

/** By sender, in the order in which they came. */
export type HeldCalls = Map<UserId, HeldCall[]>;

export interface Hold {
  type: HookType;
  user: UserId;
  clientId: string | null;
  data: object;
  /** The message of that client_id, where it was committed before. */
  sent: (() => Promise<Message | null>) | null;
  /** Called once for each caller, when it is this call's turn. */
  goOn: (verdict: HookVerdict, reply: Reply) => void;
}

export function hold(held: HeldCalls, hooks: Hooks, asked: Hold, reply: Reply, ctx: Context): void {
  const { type, user, clientId, data, sent, goOn } = asked;
  const calls = held.get(user) ?? [];
  const same = clientId === null ? undefined : calls.find((call) => call.clientId === clientId);
  if (same !== undefined) {
    same.replies.push(reply);
    return;
  }
  if (calls.length >= SENDS_IN_FLIGHT_MAX) {
    reply.refuse(REFUSALS.unavailable.error);
    return;
  }
  const call: HeldCall = { clientId, replies: [reply], verdict: null, goOn };
  calls.push(call);
  held.set(user, calls);
  const decide = (verdict: HeldCall["verdict"]) => {
    call.verdict = verdict;
    release(held, user);
  };
  const failed = () => decide({ is: "refuse", error: REFUSALS.unavailable.error });
  const ask = () => ctx.run(hooks.ask(type, user, data), decide, failed);
  if (sent === null) {
    ask();
    return;
  }
  ctx.run(
    sent(),
    (message) => {
      if (message === null) ask();
      else decide({ is: "sent", message });
    },
    failed,
  );
}

/** Those whose turn it is go on. */
function release(held: HeldCalls, user: UserId): void {
  const calls = held.get(user) ?? [];
  for (let call = calls[0]; call?.verdict != null; call = calls[0]) {
    calls.shift();
    const { verdict, replies, goOn } = call;
    for (const reply of replies) {
      if (verdict.is === "refuse") reply.refuse(verdict.error);
      else if (verdict.is === "sent") {
        const { message } = verdict;
        reply.ok({ message, duplicate: true }, message.rev);
      } else goOn(verdict, reply);
    }
  }
  if (calls.length === 0) held.delete(user);
}

type Send = ConversationOps["send"]["body"];
type Edit = ConversationOps["edit"]["body"];

/** The question about a send, as the contract documents it: the payload of `send_message`. */
export function sendQuestion(conversation_id: string, asked: Send): object {
  const { client_id, body, reply_to_seq, content } = asked;
  return { conversation_id, client_id, body, reply_to_seq, ...content };
}

export function editQuestion(conversation_id: string, { seq, body, data }: Edit): object {
  return {
    conversation_id,
    seq,
    ...(body !== undefined && { body }),
    ...(data !== undefined && { data }),
  };
}

/** The send with what the hook has replaced. */
export function replacedSend(asked: Send, verdict: HookVerdict): Send {
  if (verdict.is !== "replace") return asked;
  const { data: _data, ...others } = asked.content ?? {};
  const data = verdict.data === undefined ? asked.content?.data : verdict.data;
  const content = { ...others, ...(data && { data }) };
  return { ...asked, body: verdict.body ?? asked.body, content };
}

export function replacedEdit(asked: Edit, verdict: HookVerdict): Edit {
  if (verdict.is !== "replace") return asked;
  return {
    ...asked,
    ...(verdict.body !== undefined && { body: verdict.body }),
    ...(verdict.data !== undefined && { data: verdict.data }),
  };
}
