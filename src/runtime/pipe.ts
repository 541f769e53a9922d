/**
 * Frames over a byte stream: the pipe between a worker and its primary (file descriptor 4 of
 * each worker, made by the supervisor).
 *
 * [PIP1] Frames arrive whole and in order.
 * [PIP2] The frames of one turn of the event loop leave as one write.
 * [PIP3] Bytes that are not a frame, or a neighbour that no longer reads (pressure.ts), end the
 *        pipe, once: it is unknown where the next frame begins.
 * [PIP4] While too much waits for the neighbour, the owner is asked to take no new work that ends
 *        there.
 */
import type { Duplex } from "node:stream";
import { type Frame, FrameBatch, lengthAt, wholeLengthAt } from "./frames.ts";
import { Pressure, type PressureMarks } from "./pressure.ts";

export const PIPE_FD = 4;
export const PIPE_MARKS: PressureMarks = {
  highBytes: 16 * 1024 * 1024,
  lowBytes: 4 * 1024 * 1024,
  deadAfterMs: 30_000,
  maxBytes: 512 * 1024 * 1024,
};

export interface PipeEvents {
  /** Whole frames, back to back; valid during the call only. */
  frames(bytes: Buffer): void;
  /** The pipe became full, or has room again. */
  pressure?(isFull: boolean): void;
  /** The other side is gone, or broke the rules. Called once. */
  closed(reason: string): void;
}

export class Pipe {
  readonly #stream: Duplex;
  readonly #events: PipeEvents;
  readonly #batch = new FrameBatch();
  #rest: Buffer | null = null;
  readonly #pressure: Pressure;
  #writesTaken = 0;
  #flushScheduled = false;
  #closed = false;

  constructor(stream: Duplex, events: PipeEvents, marks: PressureMarks = PIPE_MARKS) {
    this.#stream = stream;
    this.#events = events;
    this.#pressure = new Pressure(marks, {
      queuedBytes: () => this.queuedBytes,
      progress: () => this.#writesTaken,
      changed: (isFull) => events.pressure?.(isFull),
      dead: (why) => this.close(why.message),
    });
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

  get isFull(): boolean {
    return this.#pressure.isFull;
  }

  /** Stops reading, so that the other side's end of the pipe fills. */
  pauseReading(): void {
    this.#stream.pause();
  }

  resumeReading(): void {
    if (!this.#closed) this.#stream.resume();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pressure.close();
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
    this.#stream.write(this.#batch.take(), this.#written);
    this.#pressure.look();
  }

  readonly #written = (): void => {
    this.#writesTaken++;
    if (this.#pressure.isFull) this.#pressure.look();
  };

  #onData(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    let end = 0;
    try {
      while (bytes.length - end >= 4) {
        if (bytes.length - end < lengthAt(bytes, end)) break;
        end += wholeLengthAt(bytes, end);
      }
    } catch (error) {
      this.close(error instanceof Error ? error.message : "bad frame");
      return;
    }
    this.#rest = end === bytes.length ? null : bytes.subarray(end);
    if (end > 0) this.#events.frames(end === bytes.length ? bytes : bytes.subarray(0, end));
  }
}
