/**
 * The bus behind REDIS_URL: one Redis or a Redis Cluster, which is detected when it is reached for
 * the first time. Until then nothing can be sent or received.
 */
import type { Clock } from "../base/clock.ts";
import type { Bus, BusEvents } from "./bus.ts";
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";
import { RedisBus } from "./redis-bus.ts";
import { RedisClusterBus } from "./redis-cluster-bus.ts";

export class RedisUrlBus implements Bus {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #single: RedisBus;
  #bus: Bus;
  #isKnown = false;
  #isClosed = false;

  constructor(url: string, clock: Clock) {
    this.#url = url;
    this.#clock = clock;
    this.#single = new RedisBus(url);
    this.#bus = this.#single;
  }

  start(events: BusEvents): void {
    this.#single.start({
      ...events,
      opened: () => {
        if (this.#isKnown) events.opened();
        else void this.#ask(events);
      },
    });
  }

  publish(channel: string, message: Buffer): Promise<number> {
    return this.#bus.publish(channel, message);
  }

  subscribe(channels: readonly string[]): Promise<void> {
    return this.#bus.subscribe(channels);
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    return this.#bus.unsubscribe(channels);
  }

  renew(request: LeaseRequest): Promise<LeaseAnswer> {
    return this.#bus.renew(request);
  }

  probe(): Promise<void> {
    return this.#bus.probe();
  }

  reset(): void {
    this.#bus.reset();
  }

  close(): void {
    this.#isClosed = true;
    this.#bus.close();
  }

  async #ask(events: BusEvents): Promise<void> {
    let isCluster: boolean;
    try {
      isCluster = await this.#single.isCluster();
    } catch (error) {
      events.broken("unreachable", error);
      this.#single.reset();
      return;
    }
    if (this.#isClosed || this.#isKnown) return;
    this.#isKnown = true;
    if (!isCluster) {
      events.opened();
      return;
    }
    this.#single.close();
    this.#bus = new RedisClusterBus(this.#url, this.#clock);
    this.#bus.start(events);
  }
}
