/**
 * Admission at the front door, decided before a byte is read and before a worker is involved:
 * rates of new connections and the number of undecided ones, by the peer's address. Not
 * limited are the proxies that TRUST_PROXY names (edges limit the clients behind them), this
 * machine itself, and anybody with RATE_LIMITS=off. The number of open connections of an
 * address (open-connections.ts) is bounded for everybody but those proxies. Owned by the front
 * door.
 */
import type { Socket } from "node:net";
import { Counter, Gauge, type Registry } from "prom-client";
import { subscriberOf } from "../base/address.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Allowance } from "../base/token-bucket.ts";
import { createProxyReader, type ProxyTrust } from "../config/proxy-trust.ts";
import { BEFORE_ALL, msBetween } from "../protocol/time.ts";
import { ConnectionRates } from "./connection-rates.ts";
import { OpenConnections } from "./open-connections.ts";
import { Undecided, type UndecidedConnection } from "./undecided.ts";

export interface DoorLimits {
  rate: Allowance;
  /** Undecided connections of one address. */
  pendingMax: number;
}

export interface GuardOptions {
  /** Null when connection rates are not limited. */
  limits: DoorLimits | null;
  /** The most open connections of one address on this host; it applies also where rates are off. */
  connectionsMax: number;
  trust: ProxyTrust;
  log: Log;
  registry: Registry;
}

/**
 * The caller passes `guest` to `handedOver` when a worker takes the connection, and to `leave` when
 * it no longer counts as undecided.
 */
export interface Welcome {
  guest: UndecidedConnection | null;
  /** The address is over its rate: refuse the connection once its head has been read. */
  isLimited: boolean;
}

/** The most undecided connections of all addresses; about 10 KB each. */
const UNDECIDED_MAX = 10_000;
const YOUNG_MS = 1000;
const LOG_EVERY_MS = 10_000;

export class DoorGuard {
  readonly open: OpenConnections;
  readonly #rates: ConnectionRates | null;
  readonly #undecided: Undecided;
  readonly #isProxy: (peer: string) => boolean;
  readonly #log: Log;
  readonly #refused: Counter<"how">;
  #refusals = 0;
  #loggedMs = BEFORE_ALL;

  constructor({ limits, connectionsMax, trust, log, registry }: GuardOptions) {
    this.open = new OpenConnections(connectionsMax);
    const undecided = new Undecided({
      perAddress: limits?.pendingMax ?? 0,
      total: UNDECIDED_MAX,
      youngMs: YOUNG_MS,
    });
    const rates = limits === null ? null : new ConnectionRates(limits.rate);
    this.#rates = rates;
    this.#undecided = undecided;
    this.#isProxy = createProxyReader(trust).isProxy;
    this.#log = log;
    const registers = [registry];
    this.#refused = new Counter({
      name: "troupe_front_door_limited_total",
      help: "Connections refused for their address's limits: over the rate and answered, over it and cut, too many undecided, or too many open.",
      labelNames: ["how"],
      registers,
    });
    new Counter({
      name: "troupe_front_door_evicted_total",
      help: "Undecided connections cut to make room for newer ones.",
      registers,
      collect() {
        this.reset();
        this.inc(undecided.evicted);
      },
    });
    new Gauge({
      name: "troupe_front_door_undecided",
      help: "Connections that have not said what they want, those in a TLS handshake included.",
      registers,
      collect() {
        this.set(undecided.size);
      },
    });
    new Gauge({
      name: "troupe_front_door_addresses",
      help: "Addresses whose connections are being counted.",
      registers,
      collect() {
        this.set(rates?.size ?? 0);
      },
    });
  }

  /** Null when the connection was refused; it is closed already. */
  admit(socket: Socket): Welcome | null {
    const welcome = this.#admitByRate(socket);
    const { remoteAddress } = socket;
    if (welcome === null || remoteAddress === undefined || this.#isProxy(remoteAddress)) {
      return welcome;
    }
    const address = subscriberOf(remoteAddress);
    if (this.open.enter(socket, address)) return welcome;
    this.#count(address, "open");
    return { ...welcome, isLimited: true };
  }

  #admitByRate(socket: Socket): Welcome | null {
    if (this.#rates === null) return { guest: null, isLimited: false };
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) {
      socket.destroy();
      return null;
    }
    if (remoteAddress === socket.localAddress || this.#isProxy(remoteAddress)) {
      return { guest: null, isLimited: false };
    }
    const address = subscriberOf(remoteAddress);
    const nowMs = systemClock.monotonicMs();
    const admission = this.#rates.admit(address, nowMs);
    if (admission === "cut") return this.#refuse(socket, address, "cut");
    const guest = this.#undecided.enter(address, nowMs, () => socket.resetAndDestroy());
    if (guest === null) return this.#refuse(socket, address, "crowded");
    if (admission === "answered") this.#count(address, "answered");
    return { guest, isLimited: admission === "answered" };
  }

  handedOver(guest: UndecidedConnection): void {
    this.#undecided.handedOver(guest);
  }

  leave(guest: UndecidedConnection): void {
    this.#undecided.leave(guest);
  }

  /** Resets the connection, so that nothing waits here and no port stays in TIME_WAIT. */
  #refuse(socket: Socket, address: string, how: string): null {
    this.#count(address, how);
    socket.resetAndDestroy();
    return null;
  }

  #count(address: string, how: string): void {
    this.#refused.inc({ how });
    this.#refusals++;
    const nowMs = systemClock.monotonicMs();
    if (msBetween(this.#loggedMs, nowMs) < LOG_EVERY_MS) return;
    // One line for many refusals, so that a flood does not flood the log.
    this.#log.warn({ event: "connections_limited", address, how, refused: this.#refusals });
    this.#loggedMs = nowMs;
    this.#refusals = 0;
  }
}
