/**
 * The relay's port to Redis: channels that deliver messages to subscribers, and one lease that all
 * hosts share. Implemented over one Redis, over a Redis Cluster, and in memory for tests.
 *
 * [BUS1] `opened` means that nothing is subscribed yet; after it, until `broken`, no message of a
 *        subscribed channel is missed. Every possible loss is reported as `broken`.
 * [BUS2] Messages of one publisher on one channel arrive in order. A publish that rejects may
 *        have arrived.
 * [BUS3] Every call settles within about a second.
 */
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";

export interface BusEvents {
  /** A new connection is ready: subscribe to everything. */
  opened(): void;
  /** Unreachable, or a message may have been missed; `opened` follows when it works again. */
  broken(why: string, error?: unknown): void;
  message(channel: string, message: Buffer): void;
}

export interface Bus {
  /** Starts; calls `opened` or `broken` soon, and again at every change. */
  start(events: BusEvents): void;
  /** Resolves with how many hosts received it. */
  publish(channel: string, message: Buffer): Promise<number>;
  subscribe(channels: readonly string[]): Promise<void>;
  unsubscribe(channels: readonly string[]): Promise<void>;
  renew(request: LeaseRequest): Promise<LeaseAnswer>;
  /** Rejects when the subscriptions do not work: a connection can die without closing. */
  probe(): Promise<void>;
  /** Reconnects: messages on their way are given up, `opened` follows when it works. */
  reset(): void;
  close(): void;
}
