/**
 * Reads the head of a connection's first request, in however many pieces it comes, bounded in
 * bytes and time; then stops reading, so that the socket can be handed over with what was
 * read. One caller: the front door. Each connection settles once, or closes by itself.
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

export type HeadOutcome =
  /** `bytes`: all that was read; `head`: its request line and headers as text. */
  | { outcome: "read"; bytes: Buffer; head: string }
  | { outcome: "garbage" | "slow" | "large" | "silent" };

const END = Buffer.from("\r\n\r\n");

export function readHead(
  socket: Socket,
  limits: HeadLimits,
  settled: (outcome: HeadOutcome) => void,
): void {
  /** What earlier reads brought; room for the largest head, made when one read is not enough. */
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
    const chunk = length === 0 ? withoutLeadingBreaks(read) : read;
    if (chunk.length === 0) return;
    let seen = chunk;
    if (room !== null) {
      chunk.copy(room, length);
      seen = room.subarray(0, Math.min(room.length, length + chunk.length));
    }
    if (!maybeRequest(seen)) {
      settle({ outcome: "garbage" });
      return;
    }
    const end = seen.indexOf(END, Math.max(0, length - END.length));
    if (end !== -1 && end <= limits.headBytes) {
      const head = seen.toString("latin1", 0, end);
      const bytes = room === null ? chunk : Buffer.concat([room.subarray(0, length), chunk]);
      settle({ outcome: "read", bytes, head });
      return;
    }
    if (length + chunk.length >= limits.headBytes) {
      settle({ outcome: "large" });
      return;
    }
    if (room === null) {
      clearTimeout(timer);
      timer = setTimeout(() => settle({ outcome: "slow" }), limits.headMs);
      room = Buffer.allocUnsafeSlow(limits.headBytes);
      chunk.copy(room);
    }
    length += chunk.length;
  };
  socket.on("data", onData);
  socket.once("close", release);
}

/** RFC 9112 2.2: empty lines ahead of the request line are passed over. */
function withoutLeadingBreaks(bytes: Buffer): Buffer {
  let at = 0;
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
  return at === 0 ? bytes : bytes.subarray(at);
}
