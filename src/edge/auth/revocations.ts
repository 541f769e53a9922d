/**
 * Revoked logins (until the last of their access tokens has expired) and suspended users, as this
 * edge knows them. Changes are published to every edge on one topic. The lists are read from
 * storage when a worker starts and after a gap between hosts, and new entries every few seconds.
 *
 * [RVK1] Every edge that can be reached applies a published change within a second.
 * [RVK2] An edge that cannot be reached finds the change in storage: Redis may be away for hours.
 */
import type { Clock } from "../../base/clock.ts";
import { Malformed } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { AccountStore } from "../../ports/edge.ts";
import type { FamilyId, UserId } from "../../protocol/ids.ts";
import { later, type Monotonic, msBetween, type WallTime } from "../../protocol/time.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Exchange } from "../../runtime/exchange.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Revocations } from "./auth.ts";

/** Each look is two index lookups that usually find nothing. */
const LOOK_MS = 5_000;
/** How far each look reaches back before the last one, to find rows that committed late. */
const LOOK_BACK_MS = 120_000;
/** A hundred years, longer ago than any account. */
const EVER_MS = 100 * 365 * 86_400_000;

/** The payloads on the topic, by event name. */
interface Orders {
  login_ended: { family: FamilyId; user: UserId };
  suspension: { user: UserId; suspended: boolean };
}

export interface RevocationsOptions {
  clock: Clock;
  log: Log;
  accounts: Pick<AccountStore, "revokedWithin" | "suspensionsWithin">;
  accessTokenTtlS: number;
  exchange: () => Pick<Exchange, "publish">;
  onRevoked(family: FamilyId, user: UserId): void;
  /** Storage held revoked logins that this edge had not received. */
  onRevokedFound(): void;
  onSuspended(user: UserId): void;
}

export class KnownRevocations implements Revocations {
  readonly #options: RevocationsOptions;
  /**
   * When the last access token of each login has expired; oldest first. Both clocks count, because
   * setting the wall clock back makes its tokens valid for longer.
   */
  readonly #until = new Map<FamilyId, { wallMs: WallTime; monotonicMs: Monotonic }>();
  /** All suspended users, about 70 bytes each: an outside issuer still issues tokens for them. */
  readonly #suspended = new Set<UserId>();
  /** When the last look that succeeded began. */
  #lookedMs: Monotonic;
  /** One set for each read under way: users whose change arrived meanwhile, which is newer. */
  readonly #heard = new Set<Set<UserId>>();
  #cancelLook: () => void = () => undefined;
  #isStopped = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
  }

  isRevoked(family: FamilyId): boolean {
    return this.#until.has(family);
  }

  isSuspended(user: UserId): boolean {
    return this.#suspended.has(user);
  }

  revoke(family: FamilyId, user: UserId): void {
    this.#publish("login_ended", { family, user });
  }

  suspend(user: UserId, suspended: boolean): void {
    this.#publish("suspension", { user, suspended });
  }

  /** Throws Malformed or a SyntaxError, and has changed nothing. */
  onEvent(event: Frame): void {
    switch (event.name as keyof Orders) {
      case "login_ended": {
        const { family, user } = readOrder(event, isLoginEnded);
        this.#remember(family);
        this.#options.onRevoked(family, user);
        return;
      }
      case "suspension": {
        const { user, suspended } = readOrder(event, isSuspension);
        this.#hear(user, suspended);
        return;
      }
    }
  }

  /** Call after the topic is subscribed. Rejects when storage is out of reach. */
  async start(): Promise<void> {
    await this.load();
    this.#lookLater();
  }

  /** Reads all that access tokens alive now may be refused for. */
  async load(): Promise<void> {
    await this.#read(EVER_MS, this.#options.accessTokenTtlS * 1000);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelLook();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#cancelLook = this.#options.clock.after(LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { clock, log } = this.#options;
    const sinceMs = msBetween(this.#lookedMs, clock.monotonicMs()) + LOOK_BACK_MS;
    try {
      await this.#read(sinceMs, sinceMs);
    } catch (err) {
      // Storage is unreachable; the next look covers this one's time.
      log.warn({ event: "revocations_unread", err });
    }
    this.#lookLater();
  }

  /** Reads the changes of the last milliseconds, by storage's own clock. */
  async #read(suspendedMs: number, revokedMs: number): Promise<void> {
    const { clock, accounts, onRevokedFound } = this.#options;
    const startedMs = clock.monotonicMs();
    const heard = new Set<UserId>();
    this.#heard.add(heard);
    const [families, suspensions] = await Promise.all([
      accounts.revokedWithin(revokedMs),
      accounts.suspensionsWithin(suspendedMs),
    ]).finally(() => this.#heard.delete(heard));
    this.#lookedMs = startedMs;
    const found = families.filter((family) => !this.#until.has(family));
    for (const family of found) this.#remember(family);
    if (found.length > 0) onRevokedFound();
    for (const { user, suspended } of suspensions) {
      if (!heard.has(user)) this.#changed(user, suspended);
    }
  }

  #hear(user: UserId, suspended: boolean): void {
    for (const heard of this.#heard) heard.add(user);
    this.#changed(user, suspended);
  }

  #changed(user: UserId, suspended: boolean): void {
    if (!suspended) {
      this.#suspended.delete(user);
      return;
    }
    this.#suspended.add(user);
    this.#options.onSuspended(user);
  }

  #publish<O extends keyof Orders>(name: O, body: Orders[O]): void {
    const event = { name, rev: 0, body: JSON.stringify(body) };
    this.#options.exchange().publish(topicOf.revocations(), event);
  }

  #remember(family: FamilyId): void {
    const { clock, accessTokenTtlS } = this.#options;
    const [wallMs, monotonicMs] = [clock.wallMs(), clock.monotonicMs()];
    for (const [old, until] of this.#until) {
      if (until.wallMs > wallMs || until.monotonicMs > monotonicMs) break;
      this.#until.delete(old);
    }
    const ttlMs = accessTokenTtlS * 1000;
    this.#until.delete(family);
    this.#until.set(family, {
      wallMs: later(wallMs, ttlMs),
      monotonicMs: later(monotonicMs, ttlMs),
    });
  }
}

function readOrder<O>(event: Frame, is: (value: unknown) => value is O): O {
  const value: unknown = JSON.parse(event.body);
  if (!is(value)) throw new Malformed(`revocations: ${event.name}`);
  return value;
}

function isLoginEnded(value: unknown): value is Orders["login_ended"] {
  const { family, user } = fieldsOf(value);
  return typeof family === "string" && typeof user === "string";
}

function isSuspension(value: unknown): value is Orders["suspension"] {
  const { user, suspended } = fieldsOf(value);
  return typeof user === "string" && typeof suspended === "boolean";
}

function fieldsOf(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
