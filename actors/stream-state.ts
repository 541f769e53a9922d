/** What a conversation's actor holds of its open streams; see streams.ts. */
import type { ConversationOps } from "../src/protocol/actor-ops.ts";
import { utf8Bytes } from "../src/protocol/app-data.ts";
import { type ErrorObject, REFUSALS, refused } from "../src/protocol/errors.ts";
import type { ConversationId, SessionId, UserId } from "../src/protocol/ids.ts";
import type { Message } from "../src/protocol/schemas.ts";
import {
  OPEN_STREAMS_MAX,
  OPEN_STREAMS_OF_SERVICE_MAX,
  OPEN_STREAMS_OF_USER_MAX,
  type ShownStream,
  type StreamEnd,
} from "../src/protocol/streams.ts";
import { codePoints } from "../src/protocol/text.ts";
import { BEFORE_ALL, type Monotonic } from "../src/protocol/time.ts";
import type { Reply } from "./behaviour.ts";

type Body<O extends keyof ConversationOps> = ConversationOps[O]["body"];

export interface WantedEnd {
  state: StreamEnd;
  data: Body<"end">["data"];
  /** Null: the server wants it. */
  by: { session: SessionId | ""; reply: Reply } | null;
}

export interface OpenStream {
  seq: number;
  by: UserId;
  replyTo: number | null;
  /** All that was appended, with its size. */
  text: string;
  length: number;
  bytes: number;
  /** The end of `text` that was not published yet, and the session it came from; null: several. */
  pending: string;
  pendingFrom: SessionId | "" | null;
  /** As storage has it. */
  stored: string;
  storedLength: number;
  /** Null: this activation has received nothing of the writer. */
  aliveAt: Monotonic | null;
  sentAt: Monotonic;
  writtenAt: Monotonic;
  isWriting: boolean;
  /** When storage was away for an end that was wanted. */
  triedAt: Monotonic;
  /** [STR4] */
  isFound: boolean;
  end: WantedEnd | null;
  isStopAsked: boolean;
  /** Writers that wait for the end. */
  waiting: { reply: Reply; sinceMs: Monotonic }[];
}

export interface Streams {
  open: Map<number, OpenStream>;
  /** What waits for the next delta. */
  afterDelta: (() => void)[];
  /** Writers whose streams are being sent. */
  opening: UserId[];
  /** Nothing was done since they were found. */
  isNew: boolean;
  isRetiring: boolean;
}

export const TOO_MANY_HERE = refused(
  "conflict",
  `At most ${OPEN_STREAMS_MAX} streams are open in a conversation.`,
);

export const tooMany = (most: number) =>
  refused("conflict", `At most ${most} of your streams are open in a conversation.`);

export const noStreams = (isNew = false): Streams => ({
  open: new Map(),
  afterDelta: [],
  opening: [],
  isNew,
  isRetiring: false,
});

/** The server ends it. */
export const endBy = (state: StreamEnd): WantedEnd => ({ state, data: undefined, by: null });

export function streamOf(message: Message, isFound: boolean): OpenStream {
  const { seq, sender_id, reply_to_seq, body } = message;
  const length = codePoints(body);
  return {
    seq,
    by: sender_id as UserId,
    replyTo: reply_to_seq,
    text: body,
    length,
    bytes: utf8Bytes(body),
    pending: "",
    pendingFrom: "",
    stored: body,
    storedLength: length,
    aliveAt: null,
    sentAt: BEFORE_ALL,
    writtenAt: BEFORE_ALL,
    isWriting: false,
    triedAt: BEFORE_ALL,
    isFound,
    end: null,
    isStopAsked: false,
    waiting: [],
  };
}

/** [STR4] Those that storage has open, for an activation that begins. Null: none. */
export function foundStreams(messages: readonly Message[]): Streams | null {
  if (messages.length === 0) return null;
  const streams = noStreams(true);
  for (const message of messages) streams.open.set(message.seq, streamOf(message, true));
  return streams;
}

/**
 * Takes a place for a stream that is about to be sent; what it answers gives the place back.
 * An error object: there is none.
 */
export function takePlace(
  state: { streams: Streams | null },
  { user, isService }: Pick<Body<"send">, "user" | "isService">,
): ErrorObject | (() => void) {
  state.streams ??= noStreams();
  const { open, opening } = state.streams;
  if (open.size + opening.length >= OPEN_STREAMS_MAX) return TOO_MANY_HERE.error;
  const most = isService === true ? OPEN_STREAMS_OF_SERVICE_MAX : OPEN_STREAMS_OF_USER_MAX;
  const own = [...open.values()].filter(({ by }) => by === user).length;
  if (own + opening.filter((by) => by === user).length >= most) return tooMany(most).error;
  opening.push(user);
  return () => void opening.splice(opening.indexOf(user), 1);
}

/** The writer of an open stream, and the `seq` of the message that it answers; null: none is open. */
export function writerOf(
  { streams }: { streams: Streams | null },
  seq: number,
): { by: UserId; replyTo: number | null } | null {
  return streams?.open.get(seq) ?? null;
}

/** The messages as they are read now, with the text that was published. */
export function withStreamed(
  { streams }: { streams: Streams | null },
  messages: readonly Message[],
): Message[] {
  if (streams === null) return [...messages];
  return messages.map((message) => {
    const stream = streams.open.get(message.seq);
    return stream === undefined ? message : { ...message, body: published(stream) };
  });
}

/** [STR5] At most `bytesMax` of text; undefined: none are open from that seq on. */
export function shownStreams(
  { id, streams }: { id: ConversationId; streams: Streams | null },
  fromSeq: number,
  bytesMax: number,
): ShownStream[] | undefined {
  if (streams === null || streams.open.size === 0) return undefined;
  let left = bytesMax;
  const shown = [...streams.open.values()].filter(({ seq }) => seq >= fromSeq);
  if (shown.length === 0) return undefined;
  return shown.map((stream) => {
    const { seq, length, pending, bytes } = stream;
    left -= bytes;
    return {
      conversation_id: id,
      seq,
      length: length - codePoints(pending),
      ...(left >= 0 && { text: published(stream) }),
    };
  });
}

/** [STR5] Calls `then` once all text is published: at once, or after at most DELTA_EVERY_MS. */
export function whenPublished(streams: Streams | null, then: () => void): void {
  const waits =
    streams !== null && [...streams.open.values()].some(({ pending }) => pending !== "");
  if (waits) streams.afterDelta.push(then);
  else then();
}

export const published = ({ text, pending }: OpenStream): string =>
  text.slice(0, text.length - pending.length);

export const hasOpenStreams = ({ streams }: { streams: Streams | null }): boolean =>
  streams !== null && streams.open.size > 0;

/** [STR5] */
export function release(streams: Streams): void {
  if (streams.afterDelta.length === 0) return;
  if ([...streams.open.values()].some(({ pending, end }) => pending !== "" && end === null)) return;
  for (const then of streams.afterDelta.splice(0)) then();
}

export function answerWaiting(stream: OpenStream, message: Message | null): void {
  for (const { reply } of stream.waiting.splice(0)) reply.ok({ message }, message?.rev ?? 0);
}

/** The conversation is deleted: nothing of them is published any more. */
export function dropStreams(streams: Streams): void {
  for (const stream of streams.open.values()) {
    stream.end?.by?.reply.refuse(REFUSALS.conversationNotFound.error);
    for (const { reply } of stream.waiting.splice(0)) {
      reply.refuse(REFUSALS.conversationNotFound.error);
    }
  }
  streams.open.clear();
  release(streams);
}
