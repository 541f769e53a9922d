/**
 * The bus over a Redis Cluster, with sharded pub/sub: a message goes to one shard instead of
 * every node. ioredis publishes and follows the slots. The subscribers are our own, one connection
 * for each master, because ioredis's group resubscribes by itself and does not report failures.
 *
 * A slot that moves, a master that changes or a subscriber that ends may have lost messages, so
 * each of them is `broken`, and all subscribers reconnect.
 */
import { Cluster, Redis } from "ioredis";
import type { Clock } from "../base/clock.ts";
import type { Bus, BusEvents } from "./bus.ts";
import { keySlot } from "./key-slot.ts";
import type { LeaseAnswer, LeaseRequest } from "./lease.ts";
import { renewOver } from "./lease-script.ts";
import { CONNECTION, reconnectDelayMs } from "./redis-options.ts";

const SLOTS_REFRESH_MS = 2_000;
const REOPEN_MS = 250;

export class RedisClusterBus implements Bus {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  /** The subscribers, by the address of their master. */
  #subscribers = new Map<string, Redis>();
  #events: BusEvents | null = null;
  #state: "closed" | "opening" | "open" = "closed";
  #cancelReopen: () => void = () => undefined;

  constructor(url: string, clock: Clock) {
    this.#clock = clock;
    const { lazyConnect, enableOfflineQueue, ...redisOptions } = CONNECTION;
    this.#cluster = new Cluster<"legacy">([url], {
      lazyConnect,
      enableOfflineQueue,
      enableAutoPipelining: true,
      clusterRetryStrategy: reconnectDelayMs,
      slotsRefreshInterval: SLOTS_REFRESH_MS,
      redisOptions: { ...redisOptions, ...credentialsOf(url) },
    });
  }

  start(events: BusEvents): void {
    this.#events = events;
    let lastError: unknown;
    this.#cluster.on("error", (error: unknown) => {
      lastError = error;
    });
    this.#cluster.on("ready", () => void this.#open());
    this.#cluster.on("close", () => this.#break("cluster lost", lastError));
    // ioredis emits the same error as an event, which is handled above.
    this.#cluster.connect().catch(() => undefined);
  }

  publish(channel: string, message: Buffer): Promise<number> {
    return this.#cluster.spublish(channel, message) as Promise<number>;
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await this.#eachSlot(channels, (subscriber, ofSlot) => subscriber.ssubscribe(...ofSlot));
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await this.#eachSlot(channels, (subscriber, ofSlot) => subscriber.sunsubscribe(...ofSlot));
  }

  renew(request: LeaseRequest): Promise<LeaseAnswer> {
    return renewOver(this.#cluster, request);
  }

  async probe(): Promise<void> {
    const masters = this.#masters();
    const isSame =
      masters.size === this.#subscribers.size &&
      [...masters].every((address) => this.#subscribers.has(address));
    if (!isSame) throw new Error("the cluster's masters have changed");
    await Promise.all([...this.#subscribers.values()].map((subscriber) => subscriber.ping()));
  }

  reset(): void {
    this.#drop();
    this.#reopenLater();
  }

  close(): void {
    this.#events = null;
    this.#cancelReopen();
    this.#drop();
    this.#cluster.disconnect();
  }

  /** Opens one connection to each master; all or none. */
  async #open(): Promise<void> {
    if (this.#state !== "closed" || this.#events === null || this.#cluster.status !== "ready") {
      return;
    }
    this.#state = "opening";
    const masters = this.#masters();
    const subscribers = new Map<string, Redis>();
    for (const node of this.#cluster.nodes("master")) {
      const address = `${node.options.host}:${node.options.port}`;
      if (masters.has(address)) subscribers.set(address, this.#subscriberOf(node));
    }
    this.#subscribers = subscribers;
    try {
      // ioredis drops a node that it cannot reach.
      if (masters.size === 0 || subscribers.size < masters.size) throw new Error("a node is gone");
      await Promise.all([...subscribers.values()].map((subscriber) => subscriber.connect()));
    } catch (error) {
      if (this.#subscribers === subscribers) this.#break("a node is unreachable", error);
      return;
    }
    if (this.#subscribers !== subscribers) return;
    this.#state = "open";
    this.#events.opened();
  }

  #subscriberOf(node: Redis): Redis {
    const { host, port, username, password, tls, db } = node.options;
    const subscriber = new Redis<"legacy">({
      ...CONNECTION,
      ...{ host, port, username, password, tls, db },
      // A lost node leads to new subscribers, because its slots may be on another node.
      retryStrategy: () => null,
    });
    let lastError: unknown;
    subscriber.on("error", (error) => {
      lastError = error;
    });
    const isCurrent = () => [...this.#subscribers.values()].includes(subscriber);
    subscriber.on("close", () => {
      if (isCurrent()) this.#break("a node was lost", lastError);
    });
    // ioredis emits this when a subscribed slot has moved to another node.
    subscriber.on("moved", () => {
      if (isCurrent()) this.#break("a slot has moved");
    });
    subscriber.on("smessageBuffer", (channel: Buffer, message: Buffer) => {
      if (isCurrent()) this.#events?.message(channel.toString("latin1"), message);
    });
    return subscriber;
  }

  #break(why: string, error?: unknown): void {
    this.#drop();
    this.#events?.broken(why, error);
    this.#reopenLater();
  }

  #drop(): void {
    this.#state = "closed";
    const dropped = this.#subscribers;
    this.#subscribers = new Map();
    for (const subscriber of dropped.values()) subscriber.disconnect();
  }

  #reopenLater(): void {
    this.#cancelReopen();
    if (this.#events === null) return;
    this.#cancelReopen = this.#clock.after(REOPEN_MS, () => {
      // If the cluster connection is lost too, it opens the subscribers once it is ready.
      if (this.#cluster.status !== "ready") return;
      this.#cluster.refreshSlotsCache(() => void this.#open());
    });
  }

  #masters(): Set<string> {
    const masters = new Set<string>();
    for (const nodes of this.#cluster.slots) if (nodes?.[0] !== undefined) masters.add(nodes[0]);
    return masters;
  }

  /** Sends one command for each slot, all at once. */
  async #eachSlot(
    channels: readonly string[],
    command: (subscriber: Redis, ofSlot: string[]) => Promise<unknown>,
  ): Promise<void> {
    const bySlot = new Map<number, string[]>();
    for (const channel of new Set(channels)) {
      const slot = keySlot(channel);
      const ofSlot = bySlot.get(slot);
      if (ofSlot !== undefined) ofSlot.push(channel);
      else bySlot.set(slot, [channel]);
    }
    await Promise.all(
      [...bySlot].map(([slot, ofSlot]) => {
        const subscriber = this.#subscribers.get(this.#cluster.slots[slot]?.[0] ?? "");
        if (subscriber === undefined) throw new Error(`no master for slot ${slot}`);
        return command(subscriber, ofSlot);
      }),
    );
  }
}

/** The credentials in the URL are used for every node. */
function credentialsOf(url: string) {
  const { username, password, protocol, hostname } = new URL(url);
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: { servername: hostname } }),
  };
}
