/**
 * Streamed messages: text that arrives in pieces, in one message that is there from the beginning.
 * Lengths and offsets are counted in Unicode code points.
 */
import type { Static } from "typebox";
import Type from "typebox";
import { AppData } from "./app-data.ts";
import { Cursor, Id, Ordinal, Request } from "./schemas.ts";

/** The whole text, in bytes of UTF-8. */
export const STREAM_BYTES_MAX = 64 * 1024;
/** Streams that one user has open in a conversation, and those of a user for whom a service acts. */
export const OPEN_STREAMS_OF_USER_MAX = 5;
export const OPEN_STREAMS_OF_SERVICE_MAX = 20;
/** Streams that are open in one conversation. */
export const OPEN_STREAMS_MAX = 20;

/** The signal that asks the writer to stop. */
export const STOP_SIGNAL = "stream.stop";

const DATA_BYTES_MAX = 4 * 1024;

export const StreamEnd = Type.Union([
  Type.Literal("done"),
  Type.Literal("cancelled"),
  Type.Literal("failed"),
]);
export type StreamEnd = Static<typeof StreamEnd>;

export const STREAMED = {
  streaming: Type.Optional(
    Type.Literal(true, {
      description: "The text arrives in pieces, with `append_message`; `body` may be empty.",
    }),
  ),
};

export const APPENDED = {
  offset: Cursor,
  text: Type.String({
    format: "piece",
    description:
      "At most 4 KiB of UTF-8; no control characters but tab, newline. Empty: a sign of life.",
  }),
};

export const ENDED = {
  state: StreamEnd,
  data: Type.Optional(AppData(DATA_BYTES_MAX)),
};

export const StreamLength = Type.Object({
  length: Type.Integer({ minimum: 0, description: "Code points of the text so far." }),
});

/** An open stream as a join or `sync` answers it. */
export const ShownStream = Type.Object({
  conversation_id: Id,
  seq: Ordinal,
  length: Cursor,
  text: Type.Optional(
    Type.String({ description: "Left out where the answer would pass its bound." }),
  ),
});
export type ShownStream = Static<typeof ShownStream>;

export const ShownStreams = Type.Optional(
  Type.Array(ShownStream, { description: "Streams that are open now; left out without any." }),
);

export const Checkpoint = Type.Object({
  conversation_id: Id,
  seq: Ordinal,
  rev: Ordinal,
  length: Cursor,
});
export const Delta = Type.Object({
  conversation_id: Id,
  seq: Ordinal,
  offset: Cursor,
  text: Type.String(),
});

export const AppendBody = Request(APPENDED);
export const EndBody = Request(ENDED);
