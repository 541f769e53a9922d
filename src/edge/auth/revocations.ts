/**
 * Revoked logins (until the last of their access tokens has expired), suspended users, the cuts of
 * users' tokens and revoked service tokens, as this edge knows them. Changes are published to every
 * edge on one topic. The lists are read from storage when a worker starts, and new entries twice a
 * second, and at once where a change may not have been published.
 *
 * [RVK1] Every edge that can be reached applies a published change within a second.
 * [RVK2] An edge that cannot be reached finds the change in storage: Redis may be away for hours,
 *        and the command line speaks to storage alone.
 * [RVK6] Where a change may not have been published, storage is asked at once, and only for what is
 *        newer than the last look.
 * [RVK4] A token of a user that was issued until the user's cut is refused.
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

/** Each look is one statement of a few index lookups that usually find nothing. */
const LOOK_MS = 500;
/** How far each look reaches back before the last one, to find rows that committed late. */
const LOOK_BACK_MS = 2_000;
/** Every tenth look reaches back this far, for transactions that took long. */
const FAR_LOOK_EVERY = 10;
const FAR_LOOK_BACK_MS = 120_000;
/** The longest-lived token that this server mints for a user (`POST /api/users/:id/tokens`). */
export const MINTED_TTL_MAX_S = 86_400;
/** About 100 bytes each. Past it the oldest, whose tokens have most likely expired, go. */
const CUTS_MAX = 200_000;
/** A hundred years, longer ago than any account. */
const EVER_MS = 100 * 365 * 86_400_000;

/** The payloads on the topic, by event name. */
interface Orders {
  login_ended: { family: FamilyId; user: UserId };
  suspension: { user: UserId; suspended: boolean };
  tokens_cut: { user: UserId; at_ms: number };
  service_token_ended: { jti: string };
}

export interface RevocationsOptions {
  clock: Clock;
  log: Log;
  accounts: Pick<AccountStore, "shutOutWithin">;
  accessTokenTtlS: number;
  exchange: () => Pick<Exchange, "publish">;
  onRevoked(family: FamilyId, user: UserId): void;
  /** Storage held revoked logins that this edge had not received. */
  onRevokedFound(): void;
  onSuspended(user: UserId): void;
  /** The number of the newest rules for texts, at every look. */
  onRulesRev(rev: number): void;
  /** The user's sessions end whose tokens were issued until then. */
  onCut(user: UserId, atMs: number): void;
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
  /** Milliseconds since the epoch, by the database's clock. */
  readonly #cuts = new Map<UserId, number>();
  /** The `jti` of revoked service tokens. */
  readonly #endedTokens = new Set<string>();
  /** When the last look, and the last far look, that succeeded began. */
  #lookedMs: Monotonic;
  #farLookedMs: Monotonic;
  #looks = 0;
  /** One set for each read under way: users whose change arrived meanwhile, which is newer. */
  readonly #heard = new Set<Set<UserId>>();
  #cancelLook: () => void = () => undefined;
  #isStopped = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
    this.#farLookedMs = this.#lookedMs;
  }

  isRevoked(family: FamilyId): boolean {
    return this.#until.has(family);
  }

  isSuspended(user: UserId): boolean {
    return this.#suspended.has(user);
  }

  cutOf(user: UserId): number | null {
    return this.#cuts.get(user) ?? null;
  }

  isTokenEnded(jti: string): boolean {
    return this.#endedTokens.has(jti);
  }

  cut(user: UserId, atMs: number): void {
    this.#publish("tokens_cut", { user, at_ms: atMs });
    this.#cutKnown(user, atMs);
  }

  endToken(jti: string): void {
    this.#publish("service_token_ended", { jti });
    this.#endedTokens.add(jti);
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
      case "tokens_cut": {
        const { user, at_ms } = readOrder(event, isTokensCut);
        this.#cutKnown(user, at_ms);
        return;
      }
      case "service_token_ended":
        this.#endedTokens.add(readOrder(event, isTokenEnded).jti);
        return;
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

  /**
   * Reads the changes since the last look; resolves with the verdict on each login. All older ones
   * are known: a look that fails is made up for by the next.
   */
  async readEnded(): Promise<(family: FamilyId) => boolean> {
    const sinceMs = msBetween(this.#lookedMs, this.#options.clock.monotonicMs()) + LOOK_BACK_MS;
    await this.#read(sinceMs, sinceMs);
    return (family) => this.isRevoked(family);
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
    const isFar = this.#looks++ % FAR_LOOK_EVERY === 0;
    const [lastMs, backMs] = isFar
      ? [this.#farLookedMs, FAR_LOOK_BACK_MS]
      : [this.#lookedMs, LOOK_BACK_MS];
    const startedMs = clock.monotonicMs();
    const sinceMs = msBetween(lastMs, startedMs) + backMs;
    try {
      await this.#read(sinceMs, sinceMs);
      if (isFar) this.#farLookedMs = startedMs;
    } catch (err) {
      // Storage is unreachable; the next look covers this one's time.
      log.warn({ event: "revocations_unread", err });
    }
    this.#lookLater();
  }

  /** Reads the changes of the last milliseconds, by storage's own clock. */
  async #read(othersMs: number, familiesMs: number): Promise<void> {
    const { clock, accounts, onRevokedFound } = this.#options;
    const startedMs = clock.monotonicMs();
    const heard = new Set<UserId>();
    this.#heard.add(heard);
    const { families, suspensions, cuts, tokens, rulesRev } = await accounts
      .shutOutWithin(familiesMs, othersMs)
      .finally(() => this.#heard.delete(heard));
    this.#lookedMs = startedMs;
    this.#options.onRulesRev(rulesRev);
    for (const { user, atMs } of cuts) this.#cutKnown(user, atMs);
    for (const jti of tokens) this.#endedTokens.add(jti);
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

  #cutKnown(user: UserId, atMs: number): void {
    const before = this.#cuts.get(user);
    if (before !== undefined && before >= atMs) return;
    this.#cuts.delete(user);
    this.#cuts.set(user, atMs);
    if (this.#cuts.size > CUTS_MAX) {
      const oldest = this.#cuts.keys().next();
      if (!oldest.done) this.#cuts.delete(oldest.value);
    }
    this.#options.onCut(user, atMs);
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

function isTokensCut(value: unknown): value is Orders["tokens_cut"] {
  const { user, at_ms } = fieldsOf(value);
  return typeof user === "string" && typeof at_ms === "number";
}

function isTokenEnded(value: unknown): value is Orders["service_token_ended"] {
  return typeof fieldsOf(value)["jti"] === "string";
}

function fieldsOf(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
