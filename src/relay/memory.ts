/**
 * The bus in memory: hosts of one process on one network, on a test's clock, with switches for the
 * ways a real network treats messages. One contract suite tests this bus and those over Redis.
 */
import type { Clock } from "../base/clock.ts";
import type { Bus, BusEvents } from "./bus.ts";
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";
import { MemoryLeases } from "./memory-leases.ts";

const TIMEOUT_MS = 1_000;
const REOPEN_MS = 50;

interface Faults {
  /** The delay of every message. */
  delayMs: number;
  /** Selects messages that are published and lost. */
  drops: (channel: string) => boolean;
  /** Selects messages whose publishing fails. */
  rejects: (channel: string) => boolean;
  /** Reorders messages of different channels that travel at the same time. */
  shuffle: <T>(items: T[]) => T[];
}

const NO_FAULTS: Faults = {
  delayMs: 0,
  drops: () => false,
  rejects: () => false,
  shuffle: (items) => items,
};

interface Travelling {
  channel: string;
  message: Buffer;
  to: MemoryBus;
  connection: number;
}

export class MemoryNetwork {
  readonly clock: Clock;
  readonly buses = new Set<MemoryBus>();
  faults: Faults = NO_FAULTS;
  #isDown = false;
  #frozen: (() => void)[] | null = null;
  readonly #cut = new Set<MemoryBus>();
  /** The leases, by cluster id. */
  readonly #clusters = new Map<string, MemoryLeases>();
  #travelling: Travelling[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  bus(): MemoryBus {
    const bus = new MemoryBus(this);
    this.buses.add(bus);
    return bus;
  }

  heal(): void {
    this.faults = NO_FAULTS;
  }

  /** Channels with subscribers. */
  get channels(): Set<string> {
    return new Set([...this.buses].flatMap((bus) => [...bus.heard]));
  }

  isReachable(bus: MemoryBus): boolean {
    return !this.#isDown && !this.#cut.has(bus);
  }

  /** Cuts one host off, or reconnects it. */
  partition(bus: MemoryBus, isCut = true): void {
    if (isCut) this.#cut.add(bus);
    else this.#cut.delete(bus);
    if (isCut) bus.lose("cut off");
  }

  /** All hosts lose Redis; it comes back empty. */
  kill(): void {
    this.#isDown = true;
    this.#clusters.clear();
    for (const bus of this.buses) bus.lose("killed");
  }

  revive(): void {
    this.#isDown = false;
  }

  /** Connections stay open without answers; commands sent meanwhile run afterwards. */
  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const held = this.#frozen ?? [];
    this.#frozen = null;
    for (const go of held) go();
  }

  /** Runs one command: now, after the thaw, or never if its sender has gone. */
  run<T>(bus: MemoryBus, command: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!bus.isOpen) {
        reject(new Error("not connected"));
        return;
      }
      const cancel = this.clock.after(TIMEOUT_MS, () => reject(new Error("timed out")));
      const go = () => {
        cancel();
        resolve(command());
      };
      if (this.#frozen !== null) this.#frozen.push(go);
      else queueMicrotask(go);
    });
  }

  publish(channel: string, message: Buffer): number {
    const hearers = [...this.buses].filter((bus) => bus.heard.has(channel));
    if (!this.faults.drops(channel)) {
      for (const to of hearers) {
        const { connection } = to;
        this.#travelling.push({ channel, message: Buffer.from(message), to, connection });
      }
      if (this.faults.delayMs > 0) this.clock.after(this.faults.delayMs, () => this.#arrive());
      else setImmediate(() => this.#arrive());
    }
    return hearers.length;
  }

  renew(request: LeaseRequest): LeaseAnswer {
    const { cluster } = request;
    const leases = this.#clusters.get(cluster) ?? new MemoryLeases();
    this.#clusters.set(cluster, leases);
    return leases.renew(request, this.clock.monotonicMs());
  }

  #arrive(): void {
    const arriving = this.faults.shuffle(this.#travelling.splice(0));
    for (const { channel, message, to, connection } of arriving) {
      if (to.connection === connection && to.heard.has(channel)) to.hear(channel, message);
    }
  }
}

export class MemoryBus implements Bus {
  readonly heard = new Set<string>();
  /** Counts this bus's connections. */
  connection = 0;
  isOpen = false;
  readonly #network: MemoryNetwork;
  #events: BusEvents | null = null;
  #cancelReopen: () => void = () => undefined;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  start(events: BusEvents): void {
    this.#events = events;
    this.#open();
  }

  publish(channel: string, message: Buffer): Promise<number> {
    const copy = Buffer.from(message);
    if (this.#network.faults.rejects(channel)) return Promise.reject(new Error("rejected"));
    return this.#network.run(this, () => this.#network.publish(channel, copy));
  }

  subscribe(channels: readonly string[]): Promise<void> {
    return this.#network.run(this, () => {
      for (const channel of channels) this.heard.add(channel);
    });
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    return this.#network.run(this, () => {
      for (const channel of channels) this.heard.delete(channel);
    });
  }

  renew(request: LeaseRequest): Promise<LeaseAnswer> {
    return this.#network.run(this, () => this.#network.renew(request));
  }

  probe(): Promise<void> {
    return this.#network.run(this, () => undefined);
  }

  reset(): void {
    this.#disconnect();
    this.#reopen();
  }

  close(): void {
    this.#events = null;
    this.#cancelReopen();
    this.#disconnect();
    this.#network.buses.delete(this);
  }

  hear(channel: string, message: Buffer): void {
    this.#events?.message(channel, message);
  }

  lose(why: string): void {
    this.#disconnect();
    this.#events?.broken(why);
    this.#reopen();
  }

  #disconnect(): void {
    this.isOpen = false;
    this.connection++;
    this.heard.clear();
  }

  #reopen(): void {
    this.#cancelReopen();
    if (this.#events === null) return;
    this.#cancelReopen = this.#network.clock.after(REOPEN_MS, () => this.#open());
  }

  #open(): void {
    if (this.isOpen) return;
    if (!this.#network.isReachable(this)) {
      this.#events?.broken("unreachable");
      this.#reopen();
      return;
    }
    this.isOpen = true;
    this.#events?.opened();
  }
}
