/**
 * Streamed messages of one conversation: text that its sender appends to a message while others read.
 * The text so far is here; storage has it as of the last checkpoint.
 *
 * States of a stream: it is sent, or found open in storage → text comes, is published as deltas and
 * stored by checkpoints → an end is wanted (by the writer, by silence, by a removal …) → it is
 * stored with its end, published and forgotten. A message that is deleted meanwhile ends it, too.
 *
 * [STR1] Deltas of one message are at least DELTA_EVERY_MS apart. They take no rev.
 * [STR2] Checkpoints begin CHECKPOINT_EVERY_MS apart while text comes: each is one change.
 * [STR3] An append continues the text exactly, or is `conflict` with the length that there is.
 * [STR4] A stream that another activation held goes on at its last checkpoint, which everybody
 *        receives as `message_updated`; its writer has STREAM_SILENCE_MS to come back.
 * [STR5] A user who joins is answered with all published text, and then receives the deltas after it.
 * [STR6] The end of a stream that is wanted by the server is tried until storage has it.
 * [STR7] Rules for words judge the whole text at each checkpoint and at the end.
 */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { ANSWER_BYTES_MAX } from "../src/protocol/answer-bytes.ts";
import { utf8Bytes } from "../src/protocol/app-data.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { UserId } from "../src/protocol/ids.ts";
import { RULES } from "../src/protocol/policy.ts";
import type { Message } from "../src/protocol/schemas.ts";
import { STREAM_BYTES_MAX, type StreamEnd } from "../src/protocol/streams.ts";
import { codePoints } from "../src/protocol/text.ts";
import type { Context, Reply } from "./behaviour.ts";
import type { ConversationState } from "./conversation-state.ts";
import {
  answerWaiting,
  endBy,
  noStreams,
  shownStreams,
  streamOf,
  whenPublished,
} from "./stream-state.ts";
import { closed, proceed, type StreamsRules } from "./stream-writes.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

const TOO_LONG = refused(
  "payload_too_large",
  `A streamed message has at most ${STREAM_BYTES_MAX} bytes.`,
);

/** A message that was just sent is streamed. */
export function streamOpened(
  state: ConversationState,
  message: Message,
  rules: StreamsRules,
  ctx: Context,
): void {
  state.streams ??= noStreams();
  const stream = streamOf(message, false);
  stream.aliveAt = ctx.monotonicMs;
  stream.writtenAt = ctx.monotonicMs;
  state.streams.open.set(message.seq, stream);
  proceed(state, rules, ctx);
}

/** [STR3] */
export function appendText(
  state: ConversationState,
  { user, session, seq, offset, text }: Body<"append">,
  reply: Reply,
  rules: StreamsRules,
  ctx: Context,
): void {
  const stream = state.streams?.open.get(seq);
  if (stream === undefined || stream.end !== null) {
    refuseClosed(state, user, seq, reply, rules, ctx);
    return;
  }
  if (stream.by !== user) {
    reply.refuse(RULES.sender.error);
    return;
  }
  stream.aliveAt = ctx.monotonicMs;
  if (offset !== stream.length) {
    reply.refuse({ ...WRONG_OFFSET, details: { length: stream.length } });
    return;
  }
  const bytes = stream.bytes + utf8Bytes(text);
  if (bytes > STREAM_BYTES_MAX) {
    reply.refuse(TOO_LONG.error);
    return;
  }
  if (text !== "") {
    stream.pendingFrom = stream.pending === "" || stream.pendingFrom === session ? session : null;
    stream.text += text;
    stream.pending += text;
    stream.length += codePoints(text);
    stream.bytes = bytes;
  }
  reply.okText(`{"length":${stream.length}}`);
  proceed(state, rules, ctx);
}

const WRONG_OFFSET: ErrorObject = {
  code: "conflict",
  message: "The text has another length: go on from there.",
};

export function endStream(
  state: ConversationState,
  { user, session, seq, state: wanted, data }: Body<"end">,
  reply: Reply,
  rules: StreamsRules,
  ctx: Context,
): void {
  const stream = state.streams?.open.get(seq);
  if (stream === undefined || stream.end !== null) {
    refuseClosed(state, user, seq, reply, rules, ctx, wanted);
    return;
  }
  if (stream.by !== user) {
    reply.refuse(RULES.sender.error);
    return;
  }
  stream.end = { state: wanted, data, by: { session, reply } };
  proceed(state, rules, ctx);
}

/** Answers once the stream has ended; a writer over HTTP waits for its end in this way. */
export function awaitEnd(
  state: ConversationState,
  { user, seq }: Body<"ended">,
  reply: Reply,
  rules: StreamsRules,
  ctx: Context,
): void {
  const stream = state.streams?.open.get(seq);
  if (stream === undefined) {
    ctx.run(
      rules.store.find(state.id, seq),
      (message) => {
        if (message?.sender_id !== user) reply.refuse(REFUSALS.messageNotFound.error);
        else reply.ok({ message }, message.rev);
      },
      () => reply.refuse(REFUSALS.unavailable.error),
    );
    return;
  }
  if (stream.by !== user) {
    reply.refuse(RULES.sender.error);
    return;
  }
  stream.waiting.push({ reply, sinceMs: ctx.monotonicMs });
  if (stream.isStopAsked) stream.end ??= endBy("cancelled");
  proceed(state, rules, ctx);
}

/** A writer over HTTP cannot receive the signal: its stream ends. */
export function stopAsked(
  state: ConversationState,
  seq: number,
  rules: StreamsRules,
  ctx: Context,
): void {
  const stream = state.streams?.open.get(seq);
  if (stream === undefined) return;
  stream.isStopAsked = true;
  if (stream.waiting.length > 0) {
    stream.end ??= endBy("cancelled");
    proceed(state, rules, ctx);
  }
}

/** Answers those that the user may see, once all their text is published. */
export function showStreams(
  state: ConversationState,
  { user }: Body<"streams">,
  reply: Reply,
): void {
  const from = state.members.get(user)?.visible_from_seq ?? 1;
  whenPublished(state.streams, () =>
    reply.ok({ streams: shownStreams(state, from, ANSWER_BYTES_MAX) ?? [] }),
  );
}

/** Ends the streams of writers who may not write any more. */
export function cancelStreams(
  state: ConversationState,
  mayWrite: (user: UserId) => boolean,
  rules: StreamsRules,
  ctx: Context,
): void {
  if (state.streams === null) return;
  for (const stream of state.streams.open.values()) {
    if (stream.end === null && !mayWrite(stream.by)) {
      stream.end = endBy("cancelled");
    }
  }
  proceed(state, rules, ctx);
}

/** Stores the text since the last checkpoint at once, because this activation ends. */
export function retireStreams(state: ConversationState, rules: StreamsRules, ctx: Context): void {
  if (state.streams === null) return;
  state.streams.isRetiring = true;
  for (const stream of state.streams.open.values()) answerWaiting(stream, null);
  proceed(state, rules, ctx);
}

/** Why nothing is appended to a message that is not open here, or the answer to a repeated end. */
function refuseClosed(
  state: ConversationState,
  user: UserId,
  seq: number,
  reply: Reply,
  rules: StreamsRules,
  ctx: Context,
  wanted?: StreamEnd,
): void {
  ctx.run(
    rules.store.find(state.id, seq),
    (message) => {
      if (message === null) reply.refuse(REFUSALS.messageNotFound.error);
      else if (message.sender_id !== user) reply.refuse(RULES.sender.error);
      else if (wanted !== undefined && message.stream?.state === wanted) {
        reply.ok({ message }, message.rev);
      } else if (message.stream?.state === "open" && !state.streams?.open.has(seq)) {
        // Another activation has opened it: the next one here finds it.
        reply.refuse(REFUSALS.unavailable.error);
        ctx.passivate();
      } else reply.refuse(closed(message));
    },
    () => reply.refuse(REFUSALS.unavailable.error),
  );
}
