/**
 * Signals: what members, or a service, tell the others at this moment. Nothing is kept here.
 *
 * [SGL1] The other members' sessions receive it, or those of `to` who are members; never the
 *        sender's own sessions.
 * [SGL2] A user without the permission, or who is silenced, reaches nobody: see rights.ts.
 * [SGL3] Signals of one session are published in the order in which they came.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { Member } from "../src/protocol/schemas.ts";
import type { Signal, SignalBody, SignalNote } from "../src/protocol/signals.ts";
import { isoOf } from "../src/protocol/time.ts";
import type { Topic } from "../src/protocol/topics.ts";
import type { Context, Reply } from "./behaviour.ts";

export interface Signalled {
  id: ConversationId;
  topic: Topic;
  members: Pick<ReadonlyMap<UserId, Member>, "has" | "size">;
  /** In a thread others than its followers may listen, too, and in a channel those who watch. */
  thread: object | null;
}

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

export function signal(state: Signalled, body: Body<"signal">, reply: Reply, ctx: Context): void {
  answer(publish(state, body.user, body, ctx), reply);
}

export function signalAudience({ members }: Pick<Signalled, "members">, reply: Reply): void {
  answer(Math.max(0, members.size - 1), reply);
}

/** Blocks, roles and silence bind no service. */
export function serviceSignal(
  state: Signalled,
  body: Body<"service_signal">,
  reply: Reply,
  ctx: Context,
): void {
  answer(publish(state, null, body, ctx), reply);
}

function answer(receivers: number, reply: Reply): void {
  reply.okText(`{"receivers":${receivers}}`);
}

/** How many members it is for. */
function publish(
  { id, topic, members, thread }: Signalled,
  user: UserId | null,
  { type, data, to, key }: SignalBody,
  ctx: Context,
): number {
  const named = to === undefined ? null : [...new Set(to)].filter((one) => one !== user);
  const mayReceive = (one: string) => thread !== null || members.has(one as UserId);
  const receivers = named?.filter(mayReceive) ?? null;
  const others = members.size - (user !== null && members.has(user) ? 1 : 0);
  if (receivers?.length === 0 || (others === 0 && thread === null)) return 0;
  const body: Signal = {
    conversation_id: id,
    user_id: user,
    type,
    ...(data !== undefined && { data }),
    ...(key !== undefined && { key }),
    sent_at: isoOf(ctx.wallMs),
  };
  const note: SignalNote = {
    ...(receivers !== null && { to: receivers }),
    ...(key !== undefined && { latest: `${type}:${key}` }),
  };
  ctx.publish(topic, {
    name: "signal",
    rev: 0,
    body: JSON.stringify(body),
    except: user ?? "",
    // Most signals are for everybody and have no key: of those the edges parse nothing.
    note: receivers === null && key === undefined ? "" : JSON.stringify(note),
  });
  return receivers?.length ?? others;
}
