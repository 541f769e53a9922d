/**
 * Reads the beginning of a connection (the head of its first HTTP request, or its TLS hello)
 * in however many pieces it comes, bounded in bytes and time; then stops reading, so that the
 * socket can be handed over with what was read. One caller: the front door. Each connection
 * settles once, or closes by itself.
 */
import type { Socket } from "node:net";
import { maybeRequest } from "./request-head.ts";
import { stopReading } from "./socket-handle.ts";

export interface HeadLimits {
  /** Milliseconds without a first byte after which a connection is closed. */
  silentMs: number;
  /** Milliseconds from the first byte to the end of the headers. */
  headMs: number;
  headBytes: number;
}

export const HEAD_LIMITS: HeadLimits = { silentMs: 10_000, headMs: 5_000, headBytes: 16 * 1024 };

/** What a beginning looks like. */
export interface Framing {
  /** Whether what has come can still become one. */
  maybe(bytes: Buffer): boolean;
  /** Where it ends, -1 when that has not come yet; up to `from` it was looked at before. */
  endOf(bytes: Buffer, from: number): number;
  /** RFC 9112 2.2: empty lines ahead of a request are passed over. */
  skipBreaks: boolean;
}

const END = Buffer.from("\r\n\r\n");

export const HTTP_HEAD: Framing = {
  maybe: maybeRequest,
  endOf: (bytes, from) => bytes.indexOf(END, Math.max(0, from - END.length)),
  skipBreaks: true,
};

export type HeadOutcome =
  /** `bytes`: all that was read; the beginning is `bytes.subarray(0, end)`. */
  | { outcome: "read"; bytes: Buffer; end: number }
  | { outcome: "garbage"; bytes: Buffer }
  | { outcome: "slow" | "large" | "silent" };

/** Many slow clients say little: room grows with what each has said. */
const ROOM_BYTES = 1024;

export function readHead(
  socket: Socket,
  framing: Framing,
  limits: HeadLimits,
  settled: (outcome: HeadOutcome) => void,
): void {
  /** What earlier reads brought, when one was not enough. */
  let room: Buffer | null = null;
  let length = 0;
  let timer = setTimeout(() => settle({ outcome: "silent" }), limits.silentMs);

  const release = () => {
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("close", release);
  };
  const settle = (outcome: HeadOutcome) => {
    stopReading(socket);
    release();
    settled(outcome);
  };
  const onData = (read: Buffer) => {
    const chunk = length === 0 && framing.skipBreaks ? withoutLeadingBreaks(read) : read;
    if (chunk.length === 0) return;
    const seen = room === null ? chunk : appended(chunk);
    if (!framing.maybe(seen)) {
      settle({ outcome: "garbage", bytes: seen });
      return;
    }
    const end = framing.endOf(seen, length);
    if (end !== -1 && end <= limits.headBytes) {
      settle({ outcome: "read", bytes: seen, end });
      return;
    }
    if (seen.length >= limits.headBytes) {
      settle({ outcome: "large" });
      return;
    }
    if (room === null) {
      clearTimeout(timer);
      timer = setTimeout(() => settle({ outcome: "slow" }), limits.headMs);
      room = withRoom(null, seen.length, limits.headBytes);
      seen.copy(room);
    }
    length = seen.length;
  };
  /** All so far, in `room` where that may hold it; what does not fit settles the connection. */
  const appended = (chunk: Buffer): Buffer => {
    const bytes = length + chunk.length;
    if (bytes > limits.headBytes) return Buffer.concat([room!.subarray(0, length), chunk]);
    room = withRoom(room, bytes, limits.headBytes);
    chunk.copy(room, length);
    return room.subarray(0, bytes);
  };
  socket.on("data", onData);
  socket.once("close", release);
}

/** A buffer of its own, so that no read's pool is held: `room` or a larger one, its bytes kept. */
function withRoom(room: Buffer | null, bytes: number, bytesMax: number): Buffer {
  if (room !== null && room.length >= bytes) return room;
  let size = ROOM_BYTES;
  while (size < bytes) size *= 2;
  const larger = Buffer.allocUnsafeSlow(Math.min(size, bytesMax));
  room?.copy(larger);
  return larger;
}

function withoutLeadingBreaks(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
  return at === 0 ? bytes : bytes.subarray(at);
}
