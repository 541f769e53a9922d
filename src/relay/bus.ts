/**
 * What the relay needs of the thing between the hosts: channels that wake up whoever listens,
 * and one lease that all share. Implemented over one Redis, over a Redis Cluster, and in
 * memory for tests.
 *
 * [BUS1] `opened` means that nothing is heard yet; after it, until `broken`, nothing that is
 *        subscribed is missed. Whatever could be a hole is `broken`.
 * [BUS2] Messages of one publisher on one channel arrive in order. A publish that rejects may
 *        have arrived.
 * [BUS3] Every call settles within about a second.
 */
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";

export interface BusEvents {
  /** Connected anew: subscribe to everything. */
  opened(): void;
  /** Out of reach, or a message may have been missed; `opened` follows when it works again. */
  broken(why: string, error?: unknown): void;
  message(channel: string, message: Buffer): void;
}

export interface Bus {
  /** Begins; tells `opened` or `broken` soon, and again at every change. */
  start(events: BusEvents): void;
  /** Resolves with how many hosts took it. */
  publish(channel: string, message: Buffer): Promise<number>;
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
  renew(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Rejects when what is subscribed cannot be heard: a connection can die without a word. */
  probe(): Promise<void>;
  /** Begins anew: what is on its way is given up, `opened` follows when it works. */
  reset(): void;
  close(): void;
}
