/**
 * The bus over one Redis: one connection publishes and renews the lease, one subscribes. It is
 * `opened` when both are ready and `broken` as soon as one of them fails; then both reconnect.
 */
import { Redis } from "ioredis";
import type { Bus, BusEvents } from "./bus.ts";
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";
import { renewOver } from "./lease-script.ts";
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
      // Kept for the `close` event that follows; ioredis reports it at every attempt.
      let lastError: unknown;
      connection.on("error", (error) => {
        lastError = error;
      });
      connection.on("ready", () => this.#onReady());
      connection.on("close", () => this.#onClose(lastError));
      // Its rejection is also reported as an event.
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

  renew(request: LeaseRequest): Promise<LeaseAnswer> {
    return renewOver(this.#publisher, request);
  }

  async probe(): Promise<void> {
    await this.#subscriber.ping();
  }

  /**
   * Whether this Redis is a node of a cluster. HELLO needs no right that managed services keep
   * back, as they do with INFO; where a proxy does not know it, INFO is asked.
   */
  async isCluster(): Promise<boolean> {
    try {
      const facts = (await this.#publisher.call("HELLO")) as unknown[];
      const mode = facts[facts.indexOf("mode") + 1];
      if (mode === "cluster" || mode === "standalone") return mode === "cluster";
    } catch {
      // Refused or unknown: INFO decides, whose error is the one to report.
    }
    return /^cluster_enabled:1/m.test(await this.#publisher.info("cluster"));
  }

  reset(): void {
    this.#isOpen = false;
    for (const connection of [this.#publisher, this.#subscriber]) {
      // A connection that is still being made has nothing to give up.
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
    // Reported at every attempt, because a start waits for the first one.
    this.#events?.broken(wasOpen ? "connection lost" : "unreachable", error);
  }
}
