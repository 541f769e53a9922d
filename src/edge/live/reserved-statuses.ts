/**
 * Statuses between two users of whom one hides presence or the time last seen from somebody. The
 * right of each session's user to see a status is read from storage for each status that is sent, so that
 * a new contact sees the next change. Statuses of users who hide nothing do not pass through here.
 *
 * [RSV1] A session whose user may not see the status any more receives `offline` once, and then
 *        nothing; one whose user never saw it receives nothing at all.
 * [RSV2] Statuses of one user are sent in the order in which they came.
 * [RSV3] While storage is away nothing is sent; what came last is sent when it is back.
 */
import type { Logger } from "pino";
import type { Clock } from "../../base/clock.ts";
import type { PrivacyQueries } from "../../ports/privacy.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Sight } from "../../protocol/privacy.ts";
import type { Status } from "../../protocol/schemas.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Session, Watch } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";

const RETRY_MS = 500;

export interface ReservedOptions {
  clock: Clock;
  log: Logger;
  queries: PrivacyQueries;
  isBlocked(user: UserId, other: UserId): boolean;
}

export interface Telling {
  status: Status;
  sessions: Iterable<Session>;
  /** The status is another than before; else only those receive it who did not see it. */
  isNews: boolean;
  /** Whether a session that was never judged has seen the status until now. */
  wasSeen: boolean;
}

export class ReservedStatuses {
  readonly #options: ReservedOptions;
  /** The last sending of each user that is under way. */
  readonly #underWay = new Map<UserId, Promise<void>>();
  #isClosed = false;

  constructor(options: ReservedOptions) {
    this.#options = options;
  }

  /** Sends the sessions what they may see of the user's status; never rejects. */
  tell(watch: Watch, telling: Telling): Promise<void> {
    const { user } = watch;
    const before = this.#underWay.get(user) ?? Promise.resolve();
    const sending: Promise<void> = before
      .then(() => this.#send(watch, telling))
      .finally(() => {
        if (this.#underWay.get(user) === sending) this.#underWay.delete(user);
      });
    this.#underWay.set(user, sending);
    return sending;
  }

  /** Whether something is still to be sent of that user, before which nothing newer may be. */
  isBusy(user: UserId): boolean {
    return this.#underWay.has(user);
  }

  /** Resolves when no status of these users is on its way any more. */
  async settled(users: readonly UserId[]): Promise<void> {
    for (;;) {
      const busy = users.flatMap((user) => this.#underWay.get(user) ?? []);
      if (busy.length === 0) return;
      await Promise.all(busy);
    }
  }

  /** What the reader sees of each user. Rejects when storage is away. */
  async sightsOf(reader: UserId, users: readonly UserId[]): Promise<Map<UserId, Sight>> {
    const sights = await this.#options.queries.sights(
      users.map((user) => ({ viewer: reader, user })),
    );
    return new Map(users.map((user, n) => [user, sights[n]!]));
  }

  close(): void {
    this.#isClosed = true;
  }

  async #send(watch: Watch, { status, sessions, isNews, wasSeen }: Telling): Promise<void> {
    const { queries, isBlocked, clock, log } = this.#options;
    for (;;) {
      if (this.#isClosed) return;
      const viewers = [...sessions].filter((one) => watch.sessions.has(one));
      const users = [...new Set(viewers.map(({ user }) => user))];
      try {
        const sights = await queries.sights(users.map((viewer) => ({ viewer, user: watch.user })));
        const sightOf = new Map(users.map((user, n) => [user, sights[n]!]));
        for (const session of viewers) {
          if (!watch.sessions.has(session) || isBlocked(session.user, watch.user)) continue;
          const sight = sightOf.get(session.user)!;
          const hasSeen = judge(watch, session, sight) ?? wasSeen;
          const isShown = isNews || (!hasSeen && status.status !== "offline");
          if (sight.presence ? isShown : hasSeen) {
            const body = JSON.stringify(shownStatus(status, sight));
            session.send(Packet.event("user_status", body), topicOf.status(watch.user));
          }
        }
        return;
      } catch (err) {
        log.warn({ event: "sights_unread", user: watch.user, err });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
  }
}

/** Keeps what the session's user sees; what they saw before, undefined where that is not known. */
export function judge(watch: Watch, session: Session, sight: Sight): boolean | undefined {
  watch.judged ??= new Map();
  const before = watch.judged.get(session);
  watch.judged.set(session, sight.presence);
  return before;
}

/** The status as somebody may see it. */
export function shownStatus(status: Status, sight: Sight): Status {
  if (!sight.presence) return { user_id: status.user_id, status: "offline", last_seen_at: null };
  return sight.last_seen ? status : { ...status, last_seen_at: null };
}
