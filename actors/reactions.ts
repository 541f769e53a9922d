/**
 * Reactions of one conversation: calls are gathered by message and written as one change, so that
 * a storm on a message is a few events with exact counts.
 *
 * States of a message: nobody asks → a call comes → it is written at once, or at the next moment
 * that the pace allows → the transaction is under way, while further calls wait → committed and
 * published, back to the start. Messages without calls, whose pace is over, are forgotten.
 *
 * [REA1] A flush takes one rev and is one event; nothing changed means no rev and no event.
 * [REA2] Flushes of one message are at least REACTIONS_EVERY_MS apart, times the number of
 *        messages that are busy, at most REACTIONS_EVERY_MOST_MS, which bounds the events that a
 *        conversation's members receive. The last state is always written.
 * [REA3] Every caller is answered with the flush that holds their call, or with their refusal.
 * [REA4] Calls that wait are bounded; past it: `unavailable`.
 * [REA5] An activation that ends writes at once the calls that wait.
 * [REA6] The event names the sockets whose acknowledgements stand for it, and has version 1's body.
 * [REA7] A join has one's own reactions beside the messages that have any.
 * [REA8] The sender of a message is notified of others' reactions, aggregated as likes are.
 */
import type { ConversationOps, ReactionNote } from "../src/protocol/actor-ops.ts";
import { withTranslation } from "../src/protocol/contract.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { ConversationId, SessionId, UserId } from "../src/protocol/ids.ts";
import type { Message } from "../src/protocol/schemas.ts";
import { later, type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Topic } from "../src/protocol/topics.ts";
import type { Context, Reply } from "./behaviour.ts";
import {
  REACTIONS_AT_ONCE_MAX,
  REACTIONS_EVERY_MOST_MS,
  REACTIONS_EVERY_MS,
  REACTIONS_WAITING_MAX,
} from "./limits.ts";
import type { ReactionCall, ReactionFlush, ReactionStore } from "./ports.ts";

export const REACTIONS_TIMER = "reactions";

interface WaitingReaction {
  call: ReactionCall;
  /** The socket that asked, and how its edge names the call; "" over HTTP. */
  session: SessionId | "";
  ask: string;
  reply: Reply;
  /** The rev of the last flush that did a part of it; 0: none yet. */
  rev: number;
}

interface BusyMessage {
  waiting: WaitingReaction[];
  isWriting: boolean;
  /** Nothing is written before this moment. */
  notBeforeMs: Monotonic;
}

export interface Reactions {
  messages: Map<number, BusyMessage>;
  /** Calls that wait or are being written, of all messages. */
  calls: number;
  isRetiring: boolean;
}

export const nobodyReacts = (): Reactions => ({
  messages: new Map(),
  calls: 0,
  isRetiring: false,
});

export const hasReactionsWaiting = ({ calls }: Reactions): boolean => calls > 0;

/** What reactions need of their conversation. */
export interface ReactionsHost {
  id: ConversationId;
  topic: Topic;
  reactions: Reactions;
}

export interface ReactionsRules<Host extends ReactionsHost> {
  store: ReactionStore;
  /** A flush was committed: called before it is published. */
  committed(host: Host, message: Message, ctx: Context): void;
  /** These users reacted to the message of another user. */
  reacted(host: Host, message: Message, by: { user: UserId; key: string }[], ctx: Context): void;
}

/** Takes a call that the actor has judged; its reply is used exactly once. */
export function askReaction<Host extends ReactionsHost>(
  host: Host,
  body: ConversationOps["react"]["body"],
  isOnly: boolean,
  reply: Reply,
  rules: ReactionsRules<Host>,
  ctx: Context,
): void {
  const { reactions } = host;
  if (reactions.calls >= REACTIONS_WAITING_MAX) {
    reply.refuse(REFUSALS.unavailable.error);
    return;
  }
  const { user: by, key, on, session, ask } = body;
  const isForAll = body.all === true;
  const call: ReactionCall = { by, key, on, isOnly: on && isOnly, isForAll, isAllowed: true };
  let busy = reactions.messages.get(body.seq);
  if (busy === undefined) {
    busy = { waiting: [], isWriting: false, notBeforeMs: ctx.monotonicMs };
    reactions.messages.set(body.seq, busy);
  }
  busy.waiting.push({ call, session, ask, reply, rev: 0 });
  reactions.calls++;
  writeReactions(host, rules, ctx);
}

/** Writes what is due, and sets the timer for the rest. */
export function writeReactions<Host extends ReactionsHost>(
  host: Host,
  rules: ReactionsRules<Host>,
  ctx: Context,
): void {
  const { messages, isRetiring } = host.reactions;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const [seq, busy] of messages) {
    if (busy.isWriting) continue;
    const leftMs = isRetiring ? 0 : msBetween(ctx.monotonicMs, busy.notBeforeMs);
    if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
    else if (busy.waiting.length > 0) write(host, seq, busy, rules, ctx);
    else messages.delete(seq);
  }
  if (nextMs !== Number.POSITIVE_INFINITY) ctx.after(nextMs, REACTIONS_TIMER);
}

/** [REA5] */
export function retireReactions<Host extends ReactionsHost>(
  host: Host,
  rules: ReactionsRules<Host>,
  ctx: Context,
): void {
  host.reactions.isRetiring = true;
  writeReactions(host, rules, ctx);
}

function write<Host extends ReactionsHost>(
  host: Host,
  seq: number,
  busy: BusyMessage,
  rules: ReactionsRules<Host>,
  ctx: Context,
): void {
  const { reactions } = host;
  const batch = busy.waiting.splice(0, REACTIONS_AT_ONCE_MAX);
  busy.isWriting = true;
  const calls = batch.map(({ call }) => call);
  ctx.run(
    rules.store.react(host.id, seq, calls),
    (flush) => {
      busy.isWriting = false;
      if (flush.change !== null) {
        busy.notBeforeMs = later(ctx.monotonicMs, paceMs(reactions));
        publish(host, batch, flush, rules, ctx);
      }
      answer(host, batch, busy, flush);
      writeReactions(host, rules, ctx);
    },
    () => {
      busy.isWriting = false;
      reactions.calls -= batch.length;
      for (const { reply } of batch) reply.refuse(REFUSALS.unavailable.error);
      writeReactions(host, rules, ctx);
    },
  );
}

/** [REA2] */
function paceMs({ messages }: Reactions): number {
  return Math.min(REACTIONS_EVERY_MS * Math.max(1, messages.size), REACTIONS_EVERY_MOST_MS);
}

function publish<Host extends ReactionsHost>(
  host: Host,
  batch: readonly WaitingReaction[],
  { outcomes, more, change, message, own }: ReactionFlush,
  rules: ReactionsRules<Host>,
  ctx: Context,
): void {
  if (change === null || message === null) return;
  rules.committed(host, message, ctx);
  const done = batch.slice(0, more ? outcomes.length - 1 : outcomes.length);
  const makers: ReactionNote["makers"] = done.flatMap(({ call, session, ask }, n) => {
    const outcome = outcomes[n];
    if (session === "" || outcome?.ok !== true || !outcome.value.changed) return [];
    return [{ session, ask, own: own.get(call.by) ?? [] }];
  });
  const note: ReactionNote = { makers, reactions: message.reactions ?? [] };
  const former = { name: "message_updated" as const, body: JSON.stringify(message) };
  ctx.publish(host.topic, {
    name: "reaction",
    rev: change.rev,
    body: withTranslation(change.event, former),
    note: makers.length === 0 ? "" : JSON.stringify(note),
  });
  const news = done.flatMap(({ call: { by, key, on } }, n) => {
    const outcome = outcomes[n];
    const isNew = on && outcome?.ok === true && outcome.value.changed;
    return isNew && by !== message.sender_id ? [{ user: by, key }] : [];
  });
  if (news.length > 0) rules.reacted(host, message, news, ctx);
}

/** [REA3] Calls that the flush did not take, or not wholly, are the first of the next one. */
function answer(
  { reactions }: ReactionsHost,
  batch: readonly WaitingReaction[],
  busy: BusyMessage,
  { outcomes, more, change, message, own }: ReactionFlush,
): void {
  const rest = batch.slice(more ? outcomes.length - 1 : outcomes.length);
  const partly = more ? rest[0] : undefined;
  if (partly !== undefined && change !== null) partly.rev = change.rev;
  busy.waiting.unshift(...rest);
  reactions.calls -= batch.length - rest.length;
  const text = JSON.stringify(message?.reactions ?? []);
  for (const [n, { call, reply, rev: before }] of batch.entries()) {
    if (n >= batch.length - rest.length) break;
    const outcome = outcomes[n]!;
    if (!outcome.ok) {
      reply.refuse(outcome.error);
      continue;
    }
    const rev = outcome.value.changed && change !== null ? change.rev : before;
    const keys = JSON.stringify(own.get(call.by) ?? []);
    const first = rev === 0 ? "" : `"rev":${rev},`;
    reply.okText(`{${first}"reactions":${text},"own":${keys}}`, rev);
  }
}
