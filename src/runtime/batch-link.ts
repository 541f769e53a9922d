/**
 * The line between an edge and its actor thread: frames in batches, each one message of a
 * MessageChannel that comlink has handed over. Not a comlink call a batch: its answer would wake
 * the sender for nothing, a sixth of what a lone message costs (figures in bench/RESULTS.md).
 * What has been taken is counted in memory that both share; only a sender that waits is woken.
 *
 * [LNK1] A lone frame leaves at the end of its turn.
 * [LNK2] While `BATCHES_IN_FLIGHT` batches are not worked through the next one gathers, and
 *        leaves as soon as one of them is.
 * [LNK3] Whoever cannot work a batch through, or finds that the other side leaves more than
 *        `QUEUE_BYTES_MAX` unread, ends the line and says so once. (A thread's own end is seen by
 *        its worker.)
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { type Frame, FrameBatch } from "./frames.ts";

const BATCHES_IN_FLIGHT = 2;
const QUEUE_BYTES_MAX = 128 * 1024 * 1024;

/** Of a ledger: how many batches the receiver has worked through, modulo 2^32. */
const TAKEN = 0;
/** Of a ledger: 1 while the sender waits for one to be. */
const AWAITED = 1;
const LEDGER_BYTES = 2 * Int32Array.BYTES_PER_ELEMENT;

/** What the receiver posts to a sender that waits. */
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
  /** Nothing more comes or goes. Called once. */
  stuck(why: Error): void;
}

export class BatchLink {
  readonly #end: LineEnd;
  readonly #events: BatchLinkEvents;
  readonly #batch = new FrameBatch();
  #sent = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor(end: LineEnd, events: BatchLinkEvents) {
    this.#end = end;
    this.#events = events;
    end.port.on("message", (message: Uint8Array | typeof GO_ON) => {
      if (message === GO_ON) this.flush();
      else this.#receive(message);
    });
  }

  send(f: Frame): void {
    this.#batch.push(f);
    this.#schedule();
  }

  /** Sends a frame that is encoded already. */
  sendBytes(bytes: Uint8Array): void {
    this.#batch.pushBytes(bytes);
    this.#schedule();
  }

  /** Leaves now what has gathered, if it may: at the end of a turn that knows its end. */
  flush(): void {
    if (this.#isClosed || this.#batch.frames === 0) return;
    if (!this.#mayPost()) {
      if (this.#batch.byteLength > QUEUE_BYTES_MAX)
        this.#fail(new Error("the other side does not read"));
      return;
    }
    this.#sent = (this.#sent + 1) | 0;
    const batch = this.#batch.take();
    this.#end.port.postMessage(batch, [batch.buffer as ArrayBuffer]);
  }

  /** Says that it waits before it looks for the last time, so no `GO_ON` is missed. */
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
