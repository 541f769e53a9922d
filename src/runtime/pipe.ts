/**
 * Frames over a byte stream: the pipe between a worker and its primary (file descriptor 4 of
 * each worker, made by the supervisor).
 *
 * [PIP1] Frames arrive whole and in order.
 * [PIP2] What one turn of the event loop says leaves as one write.
 * [PIP3] A neighbour that breaks the rules, or is so far behind that it is as good as dead, ends
 *        the pipe, once.
 */
import type { Duplex } from "node:stream";
import { type Frame, FrameBatch, lengthAt } from "./frames.ts";

export const PIPE_FD = 4;
const QUEUE_BYTES_MAX = 256 * 1024 * 1024;

export interface PipeEvents {
  /** Whole frames, back to back; valid during the call only. */
  frames(bytes: Buffer): void;
  /** The other side is gone, or broke the rules. Called once. */
  closed(reason: string): void;
}

export class Pipe {
  readonly #stream: Duplex;
  readonly #events: PipeEvents;
  readonly #batch = new FrameBatch();
  #rest: Buffer | null = null;
  #flushScheduled = false;
  #closed = false;

  constructor(stream: Duplex, events: PipeEvents) {
    this.#stream = stream;
    this.#events = events;
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("error", (error) => this.close(error.message));
    stream.on("close", () => this.close("closed"));
    stream.on("end", () => this.close("ended"));
  }

  send(frame: Frame): void {
    if (this.#closed) return;
    this.#batch.push(frame);
    this.#schedule();
  }

  /** Sends frames that are encoded already. */
  sendBytes(bytes: Uint8Array, frames = 1): void {
    if (this.#closed) return;
    this.#batch.pushBytes(bytes, frames);
    this.#schedule();
  }

  /** Bytes that the other side has not taken yet. */
  get queuedBytes(): number {
    return this.#batch.byteLength + this.#stream.writableLength;
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.destroy();
    this.#events.closed(reason);
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#closed || this.#batch.frames === 0) return;
    this.#stream.write(this.#batch.take());
    if (this.#stream.writableLength > QUEUE_BYTES_MAX) this.close("overflow");
  }

  #onData(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let end = 0;
    try {
      while (bytes.length - end >= 4) {
        const length = lengthAt(bytes, end);
        if (bytes.length - end < length) break;
        end += length;
      }
    } catch (error) {
      this.close(error instanceof Error ? error.message : "bad frame");
      return;
    }
    this.#rest = end === bytes.length ? null : bytes.subarray(end);
    if (end > 0) this.#events.frames(end === bytes.length ? bytes : bytes.subarray(0, end));
  }
}
