/**
 * Reads the beginning of a connection (the head of its first HTTP request, or its TLS hello)
 * in any number of pieces, bounded in bytes and time; then stops reading, so that the
 * socket can be handed over with the bytes read. Used by the front door. Each connection
 * settles once or closes.
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

/** How to recognise the beginning of a connection. */
export interface Framing {
  /** Whether the bytes so far can still become a valid beginning. */
  maybe(bytes: Buffer): boolean;
  /**
   * Where the beginning ends, or -1 when it is incomplete; bytes before `from` were examined
   * before.
   */
  endOf(bytes: Buffer, from: number): number;
  /** RFC 9112, 2.2: empty lines before a request are skipped. */
  skipBreaks: boolean;
}

const END = Buffer.from("\r\n\r\n");

export const HTTP_HEAD: Framing = {
  maybe: maybeRequest,
  endOf: (bytes, from) => bytes.indexOf(END, Math.max(0, from - END.length)),
  skipBreaks: true,
};

export type HeadOutcome =
  /** `bytes` is everything read; the beginning is `bytes.subarray(0, end)`. */
  | { outcome: "read"; bytes: Buffer; end: number }
  | { outcome: "garbage"; bytes: Buffer }
  | { outcome: "slow" | "large" | "silent" };

/** The buffer grows with the bytes received, since many slow clients send little. */
const ROOM_BYTES = 1024;

export function readHead(
  socket: Socket,
  framing: Framing,
  limits: HeadLimits,
  settled: (outcome: HeadOutcome) => void,
): void {
  /** The bytes of earlier reads, when one read was not enough. */
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
  /**
   * Returns all bytes so far, in `room` if they fit; bytes over the limit settle the connection.
   */
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

/** A separate buffer, so that no read pool is retained: `room`, or a larger copy of it. */
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
