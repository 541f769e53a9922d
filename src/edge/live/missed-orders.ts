/**
 * Reads from storage what orders to this edge would have announced, when they may be lost: after a
 * gap between hosts, or when a worker died before it published them. It finds ended logins,
 * suspended users, and conversations to which local users were added. Streams and watches repair
 * themselves.
 *
 * [MSO1] It tries until storage answers. Gaps during a round share one more round.
 * [MSO3] A user who was added to a conversation receives the change that added them, under that
 *        change's `rev`, and then everything after it.
 * [MSO2] It goes through the users in steps, because a gap reaches every edge at once.
 * [MSO4] Where the recipients of lost orders are unknown, one statement finds the local users whose
 *        conversations, follows or blocks changed since; only these users are read.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Queries, SessionOpening } from "../../ports/edge.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Conversation } from "../../protocol/schemas.ts";
import { earlierOf, later, type Monotonic, msBetween } from "../../protocol/time.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Session } from "../session/session.ts";

const USERS_AT_ONCE = 200;
const RETRY_MS = 500;
/** A change is dated before it is committed, and its statement may take as long as this. */
const COMMIT_MS_MAX = 15_000;
/** Storage knows of the changes of this time; of a longer one every local user is read. */
const KNOWN_MS = 50 * 60_000;

export interface MissedOrdersOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "openSession" | "joiningChange" | "changedUsers" | "conversation">;
  /** Local users with sessions. */
  users(): Iterable<UserId>;
  sessionsOf(user: UserId): Iterable<Session>;
  /** Reads which logins have ended, and ends their sessions. */
  endLogins(): Promise<void>;
  /** The user is suspended. */
  endUser(user: UserId): void;
  /** The user became a member; `body` is the conversation as it was then. */
  joined(user: UserId, body: string): void;
  /** The user follows a thread, which is as they see it. */
  followed(user: UserId, thread: Conversation): void;
  /** The user's follows and blocks as they are now. */
  tied(user: UserId, opening: SessionOpening): void;
}

export class MissedOrders {
  readonly #options: MissedOrdersOptions;
  #isLooking = false;
  #looksAgain = false;
  /** Orders to any user that were made since then are looked for; null: none. */
  #anySince: Monotonic | null = null;
  readonly #doubted = new Set<UserId>();
  #isClosed = false;

  constructor(options: MissedOrdersOptions) {
    this.#options = options;
  }

  /** Orders to these users may not have arrived here. */
  onDoubt(doubt: Doubt): void {
    const named = doubtedOf("user", doubt);
    // An order on `memberships` may have named any user.
    if (named === null || doubt.topics?.includes(topicOf.memberships())) {
      this.look(doubt.ageMs);
      return;
    }
    const users = named.filter((user) => this.#hasSessions(user));
    if (users.length > 0 || doubt.topics?.includes(topicOf.revocations())) this.#begin(users);
  }

  /** [MSO4] Orders to any user may not have arrived here, since `ageMs` ago. */
  look(ageMs: number): void {
    const sinceMs = later(this.#options.clock.monotonicMs(), -ageMs - COMMIT_MS_MAX);
    this.#anySince = this.#anySince === null ? sinceMs : earlierOf(this.#anySince, sinceMs);
    this.#begin([]);
  }

  close(): void {
    this.#isClosed = true;
  }

  async #lookUntilDone(): Promise<void> {
    const { clock, log, endLogins } = this.#options;
    this.#isLooking = true;
    while (this.#looksAgain && !this.#isClosed) {
      this.#looksAgain = false;
      try {
        await endLogins();
        await this.#gather();
        while (this.#doubted.size > 0 && !this.#isClosed) {
          const some = [...take(this.#doubted, USERS_AT_ONCE)];
          await Promise.all(some.map((user) => this.#lookAt(user)));
        }
      } catch (error) {
        log.warn({ event: "missed_orders_wait", err: error });
        this.#looksAgain = true;
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    this.#isLooking = false;
  }

  #begin(users: readonly UserId[]): void {
    for (const user of users) this.#doubted.add(user);
    this.#looksAgain = true;
    if (!this.#isLooking) void this.#lookUntilDone();
  }

  /** Which users there are is asked when the look begins: who comes later reads for itself. */
  async #gather(): Promise<void> {
    const { clock, queries } = this.#options;
    const since = this.#anySince;
    if (since === null) return;
    const ageMs = msBetween(since, clock.monotonicMs());
    const users = [...this.#options.users()];
    const changed = ageMs < KNOWN_MS ? await queries.changedUsers(users, ageMs) : users;
    for (const user of changed) this.#doubted.add(user);
    // Asked for once more meanwhile, it looks once more.
    if (this.#anySince === since) this.#anySince = null;
  }

  async #lookAt(user: UserId): Promise<void> {
    // Before the reading begins: a doubt that comes meanwhile wants another one.
    this.#doubted.delete(user);
    if (!this.#hasSessions(user)) return;
    try {
      const opening = await this.#options.queries.openSession(user);
      if (opening === null) return;
      if (opening.suspended) {
        this.#options.endUser(user);
        return;
      }
      this.#options.tied(user, opening);
      await this.#join(user, opening);
    } catch (error) {
      this.#doubted.add(user);
      throw error;
    }
  }

  #hasSessions(user: UserId): boolean {
    for (const _session of this.#options.sessionsOf(user)) return true;
    return false;
  }

  async #join(user: UserId, opening: SessionOpening): Promise<void> {
    const { queries, sessionsOf, joined } = this.#options;
    for (const { id } of opening.conversations) {
      // An opening session reads this list itself; Activity announces it to a partial one.
      const isMissing = [...sessionsOf(user)].some(
        (it) => it.isLive && !it.isPartial && it.wantsStream(id),
      );
      if (!isMissing) continue;
      const change = await queries.joiningChange(user, id);
      if (change !== null) joined(user, change.body);
    }
    for (const { id } of opening.threads) {
      const isMissing = [...sessionsOf(user)].some(
        (it) => it.isLive && !it.isPartial && it.contract !== "1" && it.wantsStream(id),
      );
      const thread = isMissing ? await queries.conversation(user, id) : null;
      if (thread !== null) this.#options.followed(user, thread);
    }
  }
}

function* take<T>(from: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of from) {
    if (left-- === 0) return;
    yield item;
  }
}
