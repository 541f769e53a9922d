/**
 * The line between an edge and its actor thread: frames in batches, each one message of a
 * MessageChannel that comlink has handed over. A batch is not a comlink call, because its answer
 * would wake the sender for nothing, a sixth of the cost of a lone message (figures in
 * bench/RESULTS.md). The batches taken are counted in shared memory; only a waiting sender is
 * woken.
 *
 * [LNK1] A lone frame leaves at the end of its turn.
 * [LNK2] While `BATCHES_IN_FLIGHT` batches are being processed, the next one gathers; it leaves as
 *        soon as one of them is done.
 * [LNK3] A side that fails to process a batch, or whose other side no longer reads (pressure.ts),
 *        ends the line and reports that once. (The worker notices the end of its thread itself.)
 * [LNK4] A side that is asked to `hold` takes no further batch until `release`; what the other
 *        side sends meanwhile waits there, and fills its line.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Malformed } from "../base/errors.ts";
import { type Frame, FrameBatch } from "./frames.ts";
import { Pressure, type PressureMarks } from "./pressure.ts";

const BATCHES_IN_FLIGHT = 2;
/**
 * The high mark is about 30 ms of work for the other side. The deadline is longer than any pause
 * of a busy machine or a garbage collection.
 */
export const LINK_MARKS: PressureMarks = {
  highBytes: 8 * 1024 * 1024,
  lowBytes: 2 * 1024 * 1024,
  deadAfterMs: 30_000,
  maxBytes: 512 * 1024 * 1024,
};

/** Index in a ledger: how many batches the receiver has processed, modulo 2^32. */
const TAKEN = 0;
/** Index in a ledger: 1 while the sender waits for a batch to be processed. */
const AWAITED = 1;
const LEDGER_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT;

/** The message that the receiver posts to a waiting sender. */
const GO_ON = null;

/** One end of a line. To give it to another thread, transfer its port. */
export interface LineEnd {
  port: MessagePort;
  outgoing: Int32Array;
  incoming: Int32Array;
}

export function createLine(): [LineEnd, LineEnd] {
  const { port1, port2 } = new MessageChannel();
  const there = new Int32Array(new SharedArrayBuffer(LEDGER_BYTES));
  const back = new Int32Array(new SharedArrayBuffer(LEDGER_BYTES));
  return [
    { port: port1, outgoing: there, incoming: back },
    { port: port2, outgoing: back, incoming: there },
  ];
}

export interface BatchLinkEvents {
  /** Whole frames, back to back. */
  frames(bytes: Buffer): void;
  /** The line became full and the owner should take no new work, or it has room again. */
  pressure?(isFull: boolean): void;
  /** The line has ended. Called once. */
  stuck(why: Error): void;
}

export class BatchLink {
  readonly #end: LineEnd;
  readonly #events: BatchLinkEvents;
  readonly #batch = new FrameBatch();
  readonly #pressure: Pressure;
  readonly #marks: PressureMarks;
  /** Sizes of the posted batches that had not been processed when the ledger was last read. */
  readonly #posted: number[] = [];
  /** Batches that arrived while this side holds; null while it does not hold. */
  #held: Uint8Array[] | null = null;
  #sent = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor(end: LineEnd, events: BatchLinkEvents, marks: PressureMarks = LINK_MARKS) {
    this.#end = end;
    this.#events = events;
    this.#marks = marks;
    this.#pressure = new Pressure(marks, {
      queuedBytes: () => this.queuedBytes,
      progress: () => Atomics.load(end.outgoing, TAKEN),
      changed: (isFull) => {
        // From now on the other side reports each processed batch.
        if (isFull) Atomics.store(end.outgoing, AWAITED, 1);
        events.pressure?.(isFull);
      },
      dead: (why) => this.#fail(why),
    });
    end.port.on("message", (message: unknown) => {
      if (message === GO_ON) this.#goOn();
      else if (!(message instanceof Uint8Array))
        this.#fail(new Malformed("a message that is no batch"));
      else if (this.#held !== null) this.#held.push(message);
      else this.#receive(message);
    });
  }

  /** Whether too much waits for the other side. */
  get isFull(): boolean {
    return this.#pressure.isFull;
  }

  /** Bytes that the other side has not processed yet. */
  get queuedBytes(): number {
    const inFlight = this.#inFlight;
    while (this.#posted.length > inFlight) this.#posted.shift();
    let bytes = this.#batch.byteLength;
    for (const size of this.#posted) bytes += size;
    return bytes;
  }

  send(f: Frame): void {
    if (this.#isClosed) return;
    this.#batch.push(f);
    this.#added();
  }

  /** Sends a frame that is encoded already. */
  sendBytes(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#batch.pushBytes(bytes);
    this.#added();
  }

  /** [LNK4] Takes no further batch from the other side. */
  hold(): void {
    this.#held ??= [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const batch of held) {
      // Processing a batch may cause another hold.
      const again = this.#held as Uint8Array[] | null;
      if (again !== null) again.push(batch);
      else this.#receive(batch);
    }
  }

  /** Sends the gathered frames now if it may; called at the end of a turn. */
  flush(): void {
    if (this.#isClosed || this.#batch.frames === 0) return;
    if (!this.#mayPost()) return;
    this.#sent = (this.#sent + 1) | 0;
    const batch = this.#batch.take();
    this.#posted.push(batch.byteLength);
    if (this.#posted.length > BATCHES_IN_FLIGHT) this.#posted.shift();
    this.#end.port.postMessage(batch, [batch.buffer as ArrayBuffer]);
  }

  /** The other side has processed a batch. */
  #goOn(): void {
    if (this.#isClosed) return;
    this.flush();
    if (!this.#pressure.isFull) return;
    Atomics.store(this.#end.outgoing, AWAITED, 1);
    this.#pressure.look();
  }

  /**
   * Added frames leave at the end of the turn; the pressure is checked before only for many bytes.
   */
  #added(): void {
    this.#schedule();
    const gathered = this.#batch.byteLength;
    if (gathered <= this.#marks.lowBytes) return;
    if (!this.#pressure.isFull || gathered > this.#marks.maxBytes) this.#pressure.look();
  }

  /**
   * It announces that it waits before it checks for the last time, so that no `GO_ON` is missed.
   */
  #mayPost(): boolean {
    if (this.#inFlight < BATCHES_IN_FLIGHT) return true;
    Atomics.store(this.#end.outgoing, AWAITED, 1);
    return this.#inFlight < BATCHES_IN_FLIGHT;
  }

  get #inFlight(): number {
    return (this.#sent - Atomics.load(this.#end.outgoing, TAKEN)) | 0;
  }

  #receive(batch: Uint8Array): void {
    if (this.#isClosed) return;
    const { port, incoming } = this.#end;
    try {
      this.#events.frames(Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength));
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    Atomics.add(incoming, TAKEN, 1);
    if (Atomics.exchange(incoming, AWAITED, 0) === 1) port.postMessage(GO_ON);
  }

  #fail(why: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pressure.close();
    this.#batch.take();
    this.#end.port.close();
    this.#events.stuck(why);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}
