/**
 * The packets to one client, with bounds for a client that reads too slowly.
 *
 * [OUT1] Packets arrive in the order in which they were sent.
 * [OUT2] While more than `LATEST_ONLY_BYTES` are unread, packets with a `latestKey` are kept back,
 *        and a newer one replaces an older one of the same key.
 * [OUT4] The kept packets leave in the order of the newest values, and before any packet that was
 *        sent later with the same `order`.
 * [OUT5] An offered packet is not taken while more than `AHEAD_BYTES` are unread.
 * [OUT3] When more than `QUEUE_BYTES_MAX` are unread, the client is given up, once.
 */
import type { Connection } from "../transport/connection.ts";
import type { Packet } from "../transport/packet.ts";
import type { WriteBatcher } from "../transport/write-batcher.ts";

const LATEST_ONLY_BYTES = 128 * 1024;
const QUEUE_BYTES_MAX = 1024 * 1024;
const LATEST_KEPT_MAX = 2_000;
/** Past it a client is moved ahead in channels, where it can be: long before it is given up. */
const AHEAD_BYTES = 256 * 1024;

export class SendQueue {
  readonly #connection: Connection;
  readonly #turn: WriteBatcher;
  readonly #onSlow: () => void;
  #latest: Map<string, Packet> | null = null;
  #isGivenUp = false;

  constructor(connection: Connection, turn: WriteBatcher, onSlow: () => void) {
    this.#connection = connection;
    this.#turn = turn;
    this.#onSlow = onSlow;
  }

  /**
   * Sends `packet`. With a `latestKey` it may be dropped for a newer one of the same key while
   * the reader is behind. [OUT4] `order` begins the keys of what must not be overtaken by it.
   */
  send(packet: Packet, latestKey: string | null = null, order: string | null = null): void {
    if (this.#isGivenUp) return;
    const queued = this.#connection.queuedBytes;
    if (queued > QUEUE_BYTES_MAX) {
      this.#isGivenUp = true;
      this.#latest = null;
      this.#onSlow();
      return;
    }
    if (latestKey !== null && queued > LATEST_ONLY_BYTES) {
      this.#keepLatest(latestKey, packet);
      return;
    }
    if (this.#latest !== null) {
      if (queued <= LATEST_ONLY_BYTES) this.#releaseLatest();
      else if (order !== null) this.#releaseBefore(order);
    }
    this.#write(packet);
  }

  /** [OUT5] Whether an offered packet would be taken. */
  get keepsUp(): boolean {
    return this.#connection.queuedBytes <= AHEAD_BYTES;
  }

  offer(packet: Packet): boolean {
    if (!this.keepsUp) return false;
    this.send(packet);
    return true;
  }

  /** Calls back once, when few bytes are unread; never if the connection closes before. */
  onceRead(tell: () => void): void {
    this.#connection.onceDrained(() => {
      if (this.#isGivenUp) return;
      if (this.#connection.queuedBytes > LATEST_ONLY_BYTES) this.onceRead(tell);
      else tell();
    });
  }

  /** The last word to a client that is about to be closed; no bound is looked at. */
  sendLast(packet: Packet): void {
    this.#isGivenUp = true;
    this.#latest = null;
    this.#write(packet);
    this.#turn.flush();
  }

  #write(packet: Packet): void {
    if (!this.#connection.isOpen) return;
    this.#turn.deliveries++;
    this.#connection.write(packet);
  }

  #keepLatest(key: string, packet: Packet): void {
    if (this.#latest === null) {
      this.#latest = new Map();
      this.#awaitDrain();
    }
    // Inserted again, so that it takes its place behind what came before.
    if (!this.#latest.delete(key) && this.#latest.size >= LATEST_KEPT_MAX) return;
    this.#latest.set(key, packet);
  }

  #awaitDrain(): void {
    this.#connection.onceDrained(() => {
      if (this.#latest === null || this.#isGivenUp) return;
      if (this.#connection.queuedBytes > LATEST_ONLY_BYTES) this.#awaitDrain();
      else this.#releaseLatest();
    });
  }

  #releaseBefore(order: string): void {
    for (const [key, packet] of this.#latest ?? []) {
      if (!key.startsWith(order)) continue;
      this.#latest?.delete(key);
      this.#write(packet);
    }
  }

  #releaseLatest(): void {
    const latest = this.#latest;
    this.#latest = null;
    for (const packet of latest?.values() ?? []) this.#write(packet);
  }
}
