import { utf8Bytes } from "../src/protocol/app-data.ts";
import { withTranslation } from "../src/protocol/contract.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { SessionId, UserId } from "../src/protocol/ids.ts";
import type { Message } from "../src/protocol/schemas.ts";
import { codePoints } from "../src/protocol/text.ts";
import { type Monotonic, msBetween } from "../src/protocol/time.ts";
import type { Context } from "./behaviour.ts";
import { type ConversationState, follow } from "./conversation-state.ts";
import {
  CHECKPOINT_EVERY_MS,
  DELTA_EVERY_MS,
  STREAM_SILENCE_MS,
  STREAM_WAIT_MS,
} from "./limits.ts";
import type { Revised } from "./ports.ts";
import { remember } from "./ring.ts";
import type { StreamStore, StreamWrite, TextJudge } from "./stream-ports.ts";
import { answerWaiting, endBy, type OpenStream, release, type WantedEnd } from "./stream-state.ts";

/** What streams need of their conversation's actor. */
export interface StreamsRules {
  store: StreamStore;
  /** Null: nothing is judged. */
  judge: TextJudge | null;
  /** The names that the text mentions. */
  mentions(
    state: ConversationState,
    by: UserId,
    text: string,
  ): { names: string[]; isAll: boolean } | null;
  /** Publishes the message as changed, and notifies those whom it mentions; answers its JSON text. */
  publish(
    state: ConversationState,
    revised: Revised,
    session: SessionId | "",
    ctx: Context,
  ): string;
}

export const STREAMS_TIMER = "streams";

export const NO_STREAM = refused(
  "conflict",
  "The message is not streamed, or its stream has ended.",
);

/**
 * A change of a message is about to be published. One that is streamed shows all of its text, which
 * counts as published; one whose stream has ended with the change is forgotten.
 */
export function asStreamed(state: ConversationState, message: Message, ctx: Context): Message {
  const stream = state.streams?.open.get(message.seq);
  if (stream === undefined) return message;
  if (message.stream?.state === "open") {
    stream.pending = "";
    stream.sentAt = ctx.monotonicMs;
    return { ...message, body: stream.text };
  }
  forget(state, stream, message, ctx);
  return message;
}

/** Does what is due, and sets the timer for the rest. */
export function proceed(state: ConversationState, rules: StreamsRules, ctx: Context): void {
  const { streams } = state;
  if (streams === null) return;
  streams.isNew = false;
  const now = ctx.monotonicMs;
  let nextMs = Number.POSITIVE_INFINITY;
  /** Milliseconds until so long after that moment; 0: it is over. */
  const left = (since: Monotonic, ms: number): number => {
    const leftMs = streams.isRetiring ? 0 : Math.max(0, ms - msBetween(since, now));
    if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
    return leftMs;
  };
  for (const stream of streams.open.values()) {
    stream.aliveAt ??= now;
    const isSilent = !streams.isRetiring && left(stream.aliveAt, STREAM_SILENCE_MS) === 0;
    if (isSilent) stream.end ??= endBy("failed");
    if (stream.end !== null) {
      // [STR6] One that storage did not take is tried again.
      if (!stream.isWriting && left(stream.triedAt, CHECKPOINT_EVERY_MS) === 0) {
        write(state, stream, rules, ctx);
      }
      continue;
    }
    if (stream.pending !== "" && left(stream.sentAt, DELTA_EVERY_MS) === 0) {
      publishDelta(state, stream, ctx);
    }
    const isDue = stream.length > stream.storedLength || (stream.isFound && !streams.isRetiring);
    if (isDue && !stream.isWriting && left(stream.writtenAt, CHECKPOINT_EVERY_MS) === 0) {
      write(state, stream, rules, ctx);
    }
    const [first] = stream.waiting;
    if (first !== undefined && left(first.sinceMs, STREAM_WAIT_MS) === 0) {
      answerWaiting(stream, null);
    }
  }
  release(streams);
  if (nextMs !== Number.POSITIVE_INFINITY) ctx.after(Math.ceil(nextMs), STREAMS_TIMER);
}

/** [STR1] */
export function publishDelta(state: ConversationState, stream: OpenStream, ctx: Context): void {
  const { seq, length, pending, pendingFrom } = stream;
  const offset = length - codePoints(pending);
  ctx.publish(state.topic, {
    name: "message_delta",
    rev: 0,
    body: JSON.stringify({ conversation_id: state.id, seq, offset, text: pending }),
    except: pendingFrom ?? "",
  });
  stream.pending = "";
  stream.sentAt = ctx.monotonicMs;
}

/** [STR2] [STR7] */
export function write(
  state: ConversationState,
  stream: OpenStream,
  rules: StreamsRules,
  ctx: Context,
): void {
  stream.isWriting = true;
  stream.writtenAt = ctx.monotonicMs;
  const { text, end } = stream;
  const { judge } = rules;
  if (judge === null) {
    store(state, stream, { text, end, isMasked: false, reports: [] }, rules, ctx);
    return;
  }
  ctx.run(
    judge.judge(text),
    (verdict) => {
      if (verdict.is === "refused") {
        const { stored } = stream;
        setText(stream, stored);
        stream.end = { ...(stream.end ?? endBy("failed")), state: "failed" };
        const failing = { text: stored, end: stream.end, isMasked: false, reports: [] };
        store(state, stream, failing, rules, ctx);
        return;
      }
      const isMasked = verdict.text !== text;
      // The masked text is published with the change.
      if (isMasked) setText(stream, verdict.text + stream.text.slice(text.length));
      store(state, stream, { ...verdict, end, isMasked }, rules, ctx);
    },
    () => notStored(state, stream, end, rules, ctx),
  );
}

export function setText(stream: OpenStream, text: string): void {
  stream.text = text;
  stream.length = codePoints(text);
  stream.bytes = utf8Bytes(text);
  stream.pending = "";
}

export interface JudgedText {
  text: string;
  end: WantedEnd | null;
  isMasked: boolean;
  reports: readonly string[];
}

export function store(
  state: ConversationState,
  stream: OpenStream,
  { text, end, isMasked, reports }: JudgedText,
  rules: StreamsRules,
  ctx: Context,
): void {
  const mentioned = end === null ? null : rules.mentions(state, stream.by, text);
  const ending: StreamWrite["end"] = end && {
    state: end.state,
    ...(end.data !== undefined && { data: end.data }),
    names: mentioned?.names ?? [],
    all: mentioned?.isAll === true,
  };
  const { seq, storedLength: from } = stream;
  ctx.run(
    rules.store.write(state.id, seq, { from, text, end: ending }),
    (written) => {
      stream.isWriting = false;
      switch (written.is) {
        case "moved":
          end?.by?.reply.refuse(REFUSALS.unavailable.error);
          lose(state, ctx);
          return;
        case "ended":
          answerEnded(end, written.message);
          forget(state, stream, written.message, ctx);
          break;
        case "written": {
          stream.stored = text;
          stream.storedLength = codePoints(text);
          const { revised } = written;
          if (end !== null) {
            const body = rules.publish(state, revised, end.by?.session ?? "", ctx);
            end.by?.reply.okText(`{"message":${body}}`, revised.message.rev);
            if (reports.length > 0) rules.judge?.reportMessage(reports, revised.message);
          } else if (stream.isFound || isMasked) {
            stream.isFound = false;
            rules.publish(state, revised, "", ctx);
          } else publishCheckpoint(state, stream, revised.message, ctx);
        }
      }
      proceed(state, rules, ctx);
    },
    () => notStored(state, stream, end, rules, ctx),
  );
}

export function publishCheckpoint(
  state: ConversationState,
  { seq, storedLength: length }: OpenStream,
  message: Message,
  ctx: Context,
): void {
  const { rev } = message;
  follow(state, rev, ctx);
  if (state.ring !== null) remember(state.ring, message);
  const checkpoint = JSON.stringify({ conversation_id: state.id, seq, rev, length });
  const former = { name: "message_updated" as const, body: JSON.stringify(message) };
  ctx.publish(state.topic, {
    name: "message_checkpoint",
    rev,
    body: withTranslation(checkpoint, former),
  });
}

/** Storage is away. An end that the writer wanted is refused, and the stream stays open. */
export function notStored(
  state: ConversationState,
  stream: OpenStream,
  end: WantedEnd | null,
  rules: StreamsRules,
  ctx: Context,
): void {
  stream.isWriting = false;
  stream.triedAt = ctx.monotonicMs;
  if (end?.by != null && stream.end === end) stream.end = null;
  end?.by?.reply.refuse(REFUSALS.unavailable.error);
  // Nobody would try it again: the next activation goes on from what is stored.
  if (state.streams?.isRetiring) return;
  proceed(state, rules, ctx);
}

export function answerEnded(end: WantedEnd | null, message: Message | null): void {
  if (end?.by == null) return;
  const { reply } = end.by;
  if (message === null) reply.refuse(REFUSALS.messageNotFound.error);
  else if (message.stream?.state === end.state) reply.ok({ message }, message.rev);
  else reply.refuse(closed(message));
}

export const closed = ({ stream }: Message): ErrorObject =>
  stream === undefined ? NO_STREAM.error : { ...NO_STREAM.error, details: { state: stream.state } };

export function forget(
  state: ConversationState,
  stream: OpenStream,
  message: Message | null,
  _ctx: Context,
): void {
  const { streams } = state;
  if (streams?.open.get(stream.seq) !== stream) return;
  streams.open.delete(stream.seq);
  answerWaiting(stream, message);
  release(streams);
}

/** Another activation goes on with the streams of this conversation. */
export function lose(state: ConversationState, ctx: Context): void {
  const { streams } = state;
  if (streams === null) return;
  state.streams = null;
  for (const stream of streams.open.values()) answerWaiting(stream, null);
  for (const then of streams.afterDelta.splice(0)) then();
  ctx.passivate();
}
