/**
 * The relay over Redis: topics are channels of the same name, actor frames go on the target
 * host's channel, membership is a lease (lease.ts). Two connections: one publishes and renews,
 * one subscribes.
 *
 * Redis holds the only copy of nothing. States: `away` (not joined: other hosts cannot be
 * heard) ⇄ `connected` (lease renewed, everything wanted is heard). Coming back is a gap, and
 * so is every event that could not be published; a gap is told to all hosts.
 */
import { Redis, type RedisOptions } from "ioredis";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Cluster, HostMembers, Relay, RelayEvents } from "../relay-port.ts";
import { opened, sealed } from "./envelope.ts";
import { CLUSTER_KEY, LEASE_MS, RENEW_MS, RENEW_SCRIPT, type Renewal, renewalOf } from "./lease.ts";
import { Inbox, Outbox } from "./outbox.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Hosts tell one another here that there is something to look at: "view" or "gap". */
const NEWS_CHANNEL = "{troupe}:news";
const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
const RECONNECT_MS_MAX = 500;
/**
 * Redis comes back empty when it was killed: hosts known before are waited for this long
 * before they count as gone.
 */
const REJOIN_MS = 1_500;

export interface RedisRelayOptions {
  url: string;
  host: string;
  clock: Clock;
  log: Log;
}

type State =
  | { is: "away" }
  /** Back since, but hosts that were known are still missing. */
  | { is: "rejoining"; untilMs: number }
  | { is: "connected" };

export class RedisRelay implements Relay {
  readonly #options: RedisRelayOptions;
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #subscriptions: Subscriptions;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #inbox = new Inbox();
  #events: RelayEvents | null = null;
  #state: State = { is: "away" };
  #members: HostMembers = { workers: [], draining: [] };
  #floor = 0;
  #known: Cluster = { number: 0, hosts: new Map() };
  #toPublish = new Map<string, Uint8Array[]>();
  #isPublishScheduled = false;
  /** One count for all hosts, so that it rises for each of them whatever comes between. */
  #lastNumber = 0;
  #hasLostEvents = false;
  #isHearing = false;
  #renewing: Promise<void> | null = null;
  #renewAgain = false;
  #cancelTick: () => void = () => undefined;
  #isClosed = false;

  constructor(options: RedisRelayOptions) {
    this.#options = options;
    const shared: RedisOptions = {
      lazyConnect: true,
      enableOfflineQueue: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      retryStrategy: (tries) => Math.min(50 * tries, RECONNECT_MS_MAX),
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // A frozen Redis keeps its connections: only a deadline shows it.
      commandTimeout: COMMAND_TIMEOUT_MS,
    };
    this.#publisher = new Redis(options.url, { ...shared, enableAutoPipelining: true });
    this.#subscriber = new Redis(options.url, { ...shared, autoResubscribe: false });
    this.#subscriptions = new Subscriptions({
      subscribe: async (channels) => void (await this.#subscriber.subscribe(...channels)),
      unsubscribe: async (channels) => void (await this.#subscriber.unsubscribe(...channels)),
    });
    void this.#subscriptions.want(NEWS_CHANNEL, true);
    void this.#subscriptions.want(hostChannel(options.host), true);
  }

  get state(): "connected" | "away" {
    return this.#state.is === "away" ? "away" : "connected";
  }

  async start(events: RelayEvents): Promise<void> {
    this.#events = events;
    for (const client of [this.#publisher, this.#subscriber]) {
      // Said once by `#goAway`; ioredis repeats it at every attempt.
      client.on("error", () => undefined);
    }
    this.#subscriber.on("ready", () => void this.#onSubscriberReady());
    this.#subscriber.on("close", () => {
      this.#isHearing = false;
      this.#subscriptions.disconnected();
      this.#goAway("subscriber");
    });
    this.#subscriber.on("messageBuffer", (channel: Buffer, message: Buffer) =>
      this.#onMessage(channel.toString("latin1"), message),
    );
    this.#publisher.on("ready", () => void this.#renew());
    this.#publisher.on("close", () => this.#goAway("publisher"));
    await Promise.allSettled([this.#publisher.connect(), this.#subscriber.connect()]);
    await this.#renew();
    this.#tick();
  }

  announce(members: HostMembers, floor: number): void {
    this.#members = members;
    this.#floor = floor;
    void this.#renew();
  }

  publish(topic: string, bytes: Buffer): void {
    if (this.#publisher.status !== "ready") {
      this.#hasLostEvents = true;
      return;
    }
    const waiting = this.#toPublish.get(topic);
    const copy = Uint8Array.prototype.slice.call(bytes);
    if (waiting !== undefined) waiting.push(copy);
    else this.#toPublish.set(topic, [copy]);
    if (this.#isPublishScheduled) return;
    this.#isPublishScheduled = true;
    setImmediate(() => this.#flush());
  }

  send(life: string, bytes: Buffer): boolean {
    if (this.#state.is === "away") return false;
    const host = life.slice(0, life.indexOf("."));
    let outbox = this.#outboxes.get(host);
    if (outbox === undefined) {
      outbox = new Outbox({
        clock: this.#options.clock,
        nextNumber: () => ++this.#lastNumber,
        deliver: (number, frames) =>
          this.#publisher.publish(hostChannel(host), sealed(this.#options.host, number, frames)),
        onLost: () => this.#options.log.warn({ event: "frames_lost", host }),
      });
      this.#outboxes.set(host, outbox);
    }
    outbox.push(bytes);
    return true;
  }

  interest(topic: string, wanted: boolean): Promise<void> | null {
    const effect = this.#subscriptions.want(topic, wanted);
    return wanted ? effect : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTick();
    for (const outbox of this.#outboxes.values()) outbox.close();
    await this.#renewing;
    try {
      await this.#callRenew("");
      await this.#publisher.publish(NEWS_CHANNEL, "view");
    } catch {
      // Away: the lease runs out by itself.
    }
    this.#publisher.disconnect();
    this.#subscriber.disconnect();
  }

  #tick(): void {
    if (this.#isClosed) return;
    this.#cancelTick = this.#options.clock.after(RENEW_MS, () => {
      void this.#renew();
      this.#tick();
    });
  }

  /** One renewal at a time; a call meanwhile makes one more. */
  #renew(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    if (this.#renewing !== null) {
      this.#renewAgain = true;
      return this.#renewing;
    }
    this.#renewing = this.#renewOnce().finally(() => {
      this.#renewing = null;
      if (!this.#renewAgain) return;
      this.#renewAgain = false;
      void this.#renew();
    });
    return this.#renewing;
  }

  async #renewOnce(): Promise<void> {
    let answer: Renewal;
    try {
      answer = await this.#callRenew(JSON.stringify(this.#members));
      if (answer.isNew) await this.#publisher.publish(NEWS_CHANNEL, "view");
    } catch (error) {
      this.#goAway("lease", error);
      return;
    }
    if (!this.#isHearing || this.#isClosed) return;
    const { clock, log } = this.#options;
    const { cluster, wasOut } = answer;
    if (this.#state.is === "away") {
      log.info({ event: "relay_joined", hosts: cluster.hosts.size });
      this.#state = { is: "rejoining", untilMs: clock.nowMs() + REJOIN_MS };
      this.#events?.gap();
    } else if (wasOut) {
      // The others counted us dead: they have to hear of all that lives here again.
      this.#events?.gap();
    }
    if (this.#state.is === "rejoining") {
      const isMissing = [...this.#known.hosts.keys()].some((host) => !cluster.hosts.has(host));
      if (isMissing && clock.nowMs() < this.#state.untilMs) {
        clock.after(RENEW_MS / 3, () => void this.#renew());
        return;
      }
      this.#state = { is: "connected" };
    }
    if (cluster.number !== this.#known.number) {
      this.#known = cluster;
      this.#floor = 0;
      for (const [host, outbox] of this.#outboxes) {
        if (cluster.hosts.has(host)) continue;
        outbox.close();
        this.#outboxes.delete(host);
      }
      this.#events?.cluster(cluster);
    }
    if (this.#hasLostEvents) {
      this.#hasLostEvents = false;
      this.#publisher.publish(NEWS_CHANNEL, "gap").catch(() => {
        this.#hasLostEvents = true;
      });
    }
  }

  async #callRenew(members: string): Promise<Renewal> {
    const { host } = this.#options;
    const answer = await this.#publisher.eval(
      RENEW_SCRIPT,
      1,
      CLUSTER_KEY,
      host,
      members,
      LEASE_MS,
      this.#floor,
    );
    return renewalOf(answer as (string | number)[]);
  }

  #goAway(why: string, error?: unknown): void {
    if (this.#state.is === "away" || this.#isClosed) return;
    this.#state = { is: "away" };
    this.#options.log.warn({ event: "relay_away", why, err: error });
    this.#hasLostEvents = true;
    for (const outbox of this.#outboxes.values()) outbox.close();
    this.#outboxes.clear();
    this.#events?.away();
  }

  async #onSubscriberReady(): Promise<void> {
    try {
      await this.#subscriptions.connected();
    } catch (error) {
      this.#options.log.warn({ event: "subscribe_failed", err: error });
      this.#subscriber.disconnect(true);
      return;
    }
    this.#isHearing = true;
    await this.#renew();
  }

  #onMessage(channel: string, message: Buffer): void {
    if (channel === NEWS_CHANNEL) {
      if (message.toString("latin1") === "view") void this.#renew();
      else if (this.#state.is !== "away") this.#events?.gap();
      return;
    }
    const { host, number, frames } = opened(message);
    if (host === this.#options.host) return;
    if (number > 0 && !this.#inbox.isNew(host, number)) return;
    this.#events?.frames(frames);
  }

  #flush(): void {
    this.#isPublishScheduled = false;
    const batches = this.#toPublish;
    this.#toPublish = new Map();
    for (const [topic, frames] of batches) {
      this.#publisher.publish(topic, sealed(this.#options.host, 0, frames)).catch(() => {
        this.#hasLostEvents = true;
      });
    }
  }
}

function hostChannel(host: string): string {
  return `host:${host}`;
}
