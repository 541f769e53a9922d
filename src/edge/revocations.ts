/**
 * Ended logins, as this edge knows them: their access tokens are refused until the last of
 * them has expired, and their sessions are ended. Told to every edge over one topic; read from
 * storage when a worker starts.
 */
import type { Clock } from "../clock.ts";
import type { AccountStore } from "../ports.ts";
import type { FamilyId, UserId } from "../protocol/ids.ts";
import { topicOf } from "../protocol/topics.ts";
import type { Exchange } from "../runtime/exchange.ts";
import type { Frame } from "../runtime/frames.ts";
import type { Revocations } from "./auth.ts";

interface Revoked {
  family: FamilyId;
  user: UserId;
}

export interface RevocationsOptions {
  clock: Clock;
  accessTokenTtlS: number;
  exchange: () => Pick<Exchange, "publish">;
  onRevoked(family: FamilyId, user: UserId): void;
}

export class RevokedLogins implements Revocations {
  readonly #options: RevocationsOptions;
  /** When the last access token of each is over; oldest first. */
  readonly #untilMs = new Map<FamilyId, number>();

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  isRevoked(family: FamilyId): boolean {
    return this.#untilMs.has(family);
  }

  revoke(family: FamilyId, user: UserId): void {
    const body: Revoked = { family, user };
    this.#options.exchange().publish(topicOf.revocations(), {
      name: "login_ended",
      rev: 0,
      body: JSON.stringify(body),
    });
  }

  onEvent(event: Frame): void {
    const { family, user } = JSON.parse(event.body) as Revoked;
    this.#remember(family);
    this.#options.onRevoked(family, user);
  }

  /** Call after the topic is subscribed. */
  async load(accounts: Pick<AccountStore, "revokedSince">): Promise<void> {
    const { clock, accessTokenTtlS } = this.#options;
    const since = new Date(clock.nowMs() - accessTokenTtlS * 1000);
    for (const family of await accounts.revokedSince(since)) this.#remember(family);
  }

  #remember(family: FamilyId): void {
    const { clock, accessTokenTtlS } = this.#options;
    const nowMs = clock.nowMs();
    for (const [old, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break;
      this.#untilMs.delete(old);
    }
    this.#untilMs.delete(family);
    this.#untilMs.set(family, nowMs + accessTokenTtlS * 1000);
  }
}
