/**
 * Sends, edits and appends that the application is asked about before they are committed. Each is
 * asked about at once; the calls that its sender makes later in this conversation go on after it,
 * and nobody else waits. Called by messages.ts when nothing else speaks against the call.
 *
 * States of a call: asked about → its verdict is there, and those before it are done → it goes on.
 *
 * [HLD1] A held call holds only later ones of the same sender in this conversation.
 * [HLD2] A `client_id` that is asked for again waits with the first one; nobody is asked about one
 *        that was committed before.
 * [HLD3] Calls that a service makes are not asked about and wait for nothing, so a hook may call back.
 */
import type { AskedAbout, ConversationOps } from "../src/protocol/actor-ops.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { AskedType, HookCaller, Hooks, HookVerdict } from "../src/protocol/hooks.ts";
import type { UserId } from "../src/protocol/ids.ts";
import type { Role } from "../src/protocol/permissions.ts";
import type { Context } from "./behaviour.ts";

interface HeldCall {
  verdict: HookVerdict | null;
  goOn: (verdict: HookVerdict) => void;
}

/** By sender, in the order in which they came. */
export type HeldCalls = Map<UserId, HeldCall[]>;

const UNDECIDED: HookVerdict = { is: "refuse", error: REFUSALS.unavailable.error };

/**
 * `isDone` looks whether the call was committed before, and so need not be asked about; null: it
 * cannot have been. `goOn` is called once, when it is this call's turn.
 */
export function hold(
  held: HeldCalls,
  hooks: Hooks,
  asked: {
    type: AskedType;
    caller: HookCaller & { user: UserId };
    data: object;
    isDone: (() => Promise<boolean>) | null;
  },
  goOn: (verdict: HookVerdict) => void,
  ctx: Context,
): void {
  const { type, caller, data, isDone } = asked;
  const { user } = caller;
  const call: HeldCall = { verdict: null, goOn };
  const calls = held.get(user);
  if (calls === undefined) held.set(user, [call]);
  else calls.push(call);
  const decide = (verdict: HookVerdict) => {
    call.verdict = verdict;
    release(held, user);
  };
  const failed = () => decide(UNDECIDED);
  const ask = () => ctx.run(hooks.ask(type, caller, data), decide, failed);
  if (isDone === null) {
    ask();
    return;
  }
  ctx.run(
    isDone(),
    (is) => {
      if (is) decide({ is: "allow" });
      else ask();
    },
    failed,
  );
}

/** A call that nobody is asked about goes on after those of its sender that are held. */
export function afterHeld(held: HeldCalls, user: UserId, goOn: () => void): void {
  const calls = held.get(user);
  if (calls === undefined) goOn();
  else calls.push({ verdict: { is: "allow" }, goOn });
}

/** The caller as hooks see one. */
export function askedBy(
  { user, session, claims }: AskedAbout,
  role: Role,
): HookCaller & { user: UserId } {
  const caller = { user, session: session === "" ? null : session, service: null, role };
  return claims === undefined ? caller : { ...caller, claims };
}

/** Those whose turn it is go on. */
function release(held: HeldCalls, user: UserId): void {
  const calls = held.get(user) ?? [];
  for (let call = calls[0]; call?.verdict != null; call = calls[0]) {
    calls.shift();
    call.goOn(call.verdict);
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
