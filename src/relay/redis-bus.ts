/**
 * The bus over one Redis: two connections, one publishes and renews, one subscribes. It is
 * `opened` when both are ready, `broken` when one of them is not any more, and then both begin
 * anew: half of a bus is none.
 */
import { Redis } from "ioredis";
import type { Bus, BusEvents } from "./bus.ts";
import {
  type LeaseAnswer,
  type LeaseRequest,
  leaseAnswerOf,
  RENEW_SCRIPT,
  scriptArguments,
} from "./lease.ts";
import { CONNECTION, reconnectDelayMs } from "./redis-options.ts";

export class RedisBus implements Bus {
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  #events: BusEvents | null = null;
  #isOpen = false;

  constructor(url: string) {
    const options = { ...CONNECTION, retryStrategy: reconnectDelayMs };
    this.#publisher = new Redis<"legacy">(url, { ...options, enableAutoPipelining: true });
    this.#subscriber = new Redis<"legacy">(url, options);
  }

  start(events: BusEvents): void {
    this.#events = events;
    this.#subscriber.on("messageBuffer", (channel: Buffer, message: Buffer) =>
      events.message(channel.toString("latin1"), message),
    );
    for (const connection of [this.#publisher, this.#subscriber]) {
      // Kept for `close`, which follows; ioredis says it again at every attempt.
      let lastError: unknown;
      connection.on("error", (error) => {
        lastError = error;
      });
      connection.on("ready", () => this.#onReady());
      connection.on("close", () => this.#onClose(lastError));
      // What it rejects with is told as an event.
      connection.connect().catch(() => undefined);
    }
  }

  publish(channel: string, message: Buffer): Promise<number> {
    return this.#publisher.publish(channel, message);
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#subscriber.subscribe(...channels);
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#subscriber.unsubscribe(...channels);
  }

  async renew(request: LeaseRequest): Promise<LeaseAnswer> {
    return leaseAnswerOf(await this.#publisher.eval(RENEW_SCRIPT, 1, ...scriptArguments(request)));
  }

  async probe(): Promise<void> {
    await this.#subscriber.ping();
  }

  /** Whether this Redis is a node of a cluster. */
  async isCluster(): Promise<boolean> {
    return /^cluster_enabled:1/m.test(await this.#publisher.info("cluster"));
  }

  reset(): void {
    this.#isOpen = false;
    for (const connection of [this.#publisher, this.#subscriber]) {
      // One that is on its way already has nothing to give up.
      if (connection.status === "ready" || connection.status === "connect") {
        connection.disconnect(true);
      }
    }
  }

  close(): void {
    this.#isOpen = false;
    this.#events = null;
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }

  #onReady(): void {
    if (this.#isOpen) return;
    if (this.#publisher.status !== "ready" || this.#subscriber.status !== "ready") return;
    this.#isOpen = true;
    this.#events?.opened();
  }

  #onClose(error: unknown): void {
    const wasOpen = this.#isOpen;
    this.reset();
    // Said at every attempt: the first one of a start is waited for.
    this.#events?.broken(wasOpen ? "connection lost" : "unreachable", error);
  }
}
