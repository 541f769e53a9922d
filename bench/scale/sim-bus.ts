/** A bus of the memory network that counts what Redis would have to do. */
import type { Bus, BusEvents } from "../../src/relay/bus.ts";
import type { LeaseAnswer, LeaseRequest } from "../../src/relay/lease.ts";
import type { MemoryBus } from "../../src/relay/memory.ts";
import type { Counts } from "./counts.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export class CountingBus implements Bus {
  readonly #bus: MemoryBus;
  readonly #counts: Counts;
  readonly #clock: VirtualClock;

  constructor(bus: MemoryBus, counts: Counts, clock: VirtualClock) {
    this.#bus = bus;
    this.#counts = counts;
    this.#clock = clock;
  }

  start(events: BusEvents): void {
    this.#bus.start({
      ...events,
      opened: () => events.opened(),
      broken: (why, error) => events.broken(why, error),
      message: (channel, message) => {
        this.#clock.activity++;
        this.#counts.add("deliveries");
        this.#counts.add("bytes", message.length);
        events.message(channel, message);
      },
    });
  }

  publish(channel: string, message: Buffer): Promise<number> {
    this.#clock.activity++;
    this.#counts.add("publishes");
    return this.#bus.publish(channel, message);
  }

  subscribe(channels: readonly string[]): Promise<void> {
    this.#clock.activity++;
    this.#counts.add("subscriptions", channels.length);
    return this.#bus.subscribe(channels);
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    this.#clock.activity++;
    this.#counts.add("subscriptions", channels.length);
    return this.#bus.unsubscribe(channels);
  }

  async renew(request: LeaseRequest): Promise<LeaseAnswer> {
    this.#clock.activity++;
    const answer = await this.#bus.renew(request);
    this.#counts.add("renewals");
    if (answer.change.is === "all") {
      for (const [host, members] of answer.change.members) {
        this.#counts.add("leaseBytes", host.length + members.length);
      }
    }
    return answer;
  }

  probe(): Promise<void> {
    return this.#bus.probe();
  }

  reset(): void {
    this.#bus.reset();
  }

  close(): void {
    this.#bus.close();
  }
}
