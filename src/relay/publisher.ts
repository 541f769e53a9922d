/**
 * Publishes the events of this host's topics; the events of one turn and topic are one message.
 * Called by the relay while it is connected.
 *
 * [PUB1] A message whose publishing fails is retried a few times under its number, so that hosts
 *        that have received it drop the repeat.
 * [PUB2] The order within a topic is kept: later messages wait until the retried one has been
 *        taken. If a later one was sent already, the topic is in doubt instead, because a newer
 *        status must not be replaced by an older one.
 * [PUB3] The topic of a message that is given up is reported as doubtful (`onDoubted`).
 */
import type { Clock } from "../base/clock.ts";

const ATTEMPTS_MAX = 3;
const RETRY_MS = 100;
/** The most bytes that may wait behind retried messages; beyond it they are given up. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;

export interface PublisherOptions {
  clock: Clock;
  nextNumber(): number;
  /** Rejects when it is unknown whether the message was received. */
  deliver(topic: string, number: number, frames: readonly Uint8Array[]): Promise<unknown>;
  /** Called when events of this topic may not have arrived at other hosts. */
  onDoubted(topic: string): void;
}

/** One message on its way. */
interface Message {
  number: number;
  frames: readonly Uint8Array[];
  attempts: number;
}

interface Held {
  message: Message;
  frames: Uint8Array[];
  cancel(): void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #gathering = new Map<string, Uint8Array[]>();
  #isScheduled = false;
  /** The newest message on its way, by topic. */
  readonly #underWay = new Map<string, Message>();
  /** Topics whose newest message is being retried, and the messages that wait behind it. */
  readonly #held = new Map<string, Held>();
  #heldBytes = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Copies `bytes`, so the caller may reuse them. */
  push(topic: string, bytes: Uint8Array): void {
    const copy = Uint8Array.prototype.slice.call(bytes);
    const held = this.#held.get(topic);
    if (held !== undefined) {
      this.#hold(topic, held.frames, copy);
      return;
    }
    const gathering = this.#gathering.get(topic);
    if (gathering !== undefined) gathering.push(copy);
    else this.#gathering.set(topic, [copy]);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#isScheduled = false;
    const gathered = this.#gathering;
    this.#gathering = new Map();
    for (const [topic, frames] of gathered) this.#publish(topic, frames);
  }

  /** Gives up everything that has not been sent. */
  clear(): void {
    for (const topic of [...this.#gathering.keys(), ...this.#held.keys()]) {
      this.#options.onDoubted(topic);
    }
    for (const { cancel } of this.#held.values()) cancel();
    this.#gathering.clear();
    this.#held.clear();
    this.#heldBytes = 0;
    // Messages on their way that fail later are not retried.
    this.#underWay.clear();
  }

  #publish(topic: string, frames: Uint8Array[]): void {
    const held = this.#held.get(topic);
    if (held === undefined) {
      void this.#send(topic, { number: this.#options.nextNumber(), frames, attempts: 0 });
    } else for (const frame of frames) this.#hold(topic, held.frames, frame);
  }

  async #send(topic: string, message: Message): Promise<void> {
    const { deliver, onDoubted } = this.#options;
    this.#underWay.set(topic, message);
    message.attempts++;
    let isTaken = true;
    try {
      await deliver(topic, message.number, message.frames);
    } catch {
      isTaken = false;
    }
    // [PUB2]
    const isNewest = this.#underWay.get(topic) === message;
    if (isNewest) this.#underWay.delete(topic);
    if (isTaken) this.#release(topic, message);
    else if (isNewest && message.attempts < ATTEMPTS_MAX) this.#again(topic, message);
    else {
      onDoubted(topic);
      this.#release(topic, message);
    }
  }

  #again(topic: string, message: Message): void {
    const frames = this.#held.get(topic)?.frames ?? [];
    const cancel = this.#options.clock.after(RETRY_MS * 2 ** (message.attempts - 1), () => {
      void this.#send(topic, message);
    });
    this.#held.set(topic, { message, frames, cancel });
  }

  /** The message is settled: sends the messages that waited behind it. */
  #release(topic: string, message: Message): void {
    const held = this.#held.get(topic);
    if (held?.message !== message) return;
    this.#held.delete(topic);
    for (const { length } of held.frames) this.#heldBytes -= length;
    if (held.frames.length > 0) this.#publish(topic, held.frames);
  }

  #hold(topic: string, behind: Uint8Array[], frame: Uint8Array): void {
    if (this.#heldBytes + frame.length > WAITING_BYTES_MAX) {
      this.#options.onDoubted(topic);
      return;
    }
    this.#heldBytes += frame.length;
    behind.push(frame);
  }
}
