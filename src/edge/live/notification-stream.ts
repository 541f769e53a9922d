/**
 * Delivers notifications to local sessions by rising `seq`.
 *
 * [NTD1] Every session of the user receives each change once, in order, none skipped. If a `seq`
 *        does not follow the last one, and after a gap between hosts, the missing changes are read
 *        from storage first.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { SocialQueries } from "../../ports/social.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { NumberAudit } from "./number-audit.ts";

const PAGE = 100;
const RETRY_MS = 500;

export interface NotificationStreamOptions {
  clock: Clock;
  log: Log;
  queries: Pick<SocialQueries, "notificationsAfter" | "notificationSeqs">;
  sessionsOf(user: UserId): Iterable<Session>;
}

interface Progress {
  /** The last `seq` that was sent to the sessions. */
  seq: number;
  isReading: boolean;
  /** A change arrived, or was found missing, during the read: read once more after it. */
  isBehind: boolean;
}

export class NotificationStream {
  readonly #options: NotificationStreamOptions;
  readonly #progress = new Map<UserId, Progress>();
  readonly #audit: NumberAudit<UserId>;

  constructor(options: NotificationStreamOptions) {
    this.#options = options;
    this.#audit = new NumberAudit({
      clock: options.clock,
      read: (users: UserId[]) => options.queries.notificationSeqs(users),
      found: (user, newest) => this.#found(user, newest),
    });
  }

  /** The user's first session here begins; `seq` is their newest. */
  begin(user: UserId, seq: number): void {
    if (!this.#progress.has(user))
      this.#progress.set(user, { seq, isReading: false, isBehind: false });
  }

  /** The user's last session here is over. */
  end(user: UserId): void {
    this.#progress.delete(user);
  }

  onEvent(user: UserId, seq: number, body: string): void {
    const progress = this.#progress.get(user);
    if (progress === undefined || seq <= progress.seq) return;
    if (progress.isReading) progress.isBehind = true;
    else if (seq === progress.seq + 1) {
      progress.seq = seq;
      this.#tell(user, body);
    } else void this.#read(user, progress);
  }

  /** Notifications of these users may not have arrived here. */
  onDoubt(doubt: Doubt): void {
    this.look(doubtedOf("user", doubt) ?? this.#progress.keys());
  }

  /** Compares what the sessions were sent with the newest that storage has of each user. */
  look(users: Iterable<UserId>): void {
    this.#audit.look([...users].filter((user) => this.#progress.has(user)));
  }

  close(): void {
    this.#audit.close();
  }

  #found(user: UserId, newest: number): void {
    const progress = this.#progress.get(user);
    if (progress === undefined || newest <= progress.seq) return;
    if (progress.isReading) progress.isBehind = true;
    else void this.#read(user, progress);
  }

  /** What comes meanwhile is in what is read, or in a page after it. */
  async #read(user: UserId, progress: Progress): Promise<void> {
    const { clock, log, queries } = this.#options;
    progress.isReading = true;
    let isMore = true;
    while (isMore && this.#progress.get(user) === progress) {
      progress.isBehind = false;
      try {
        const missed = await queries.notificationsAfter(user, progress.seq, PAGE);
        for (const notification of missed) {
          progress.seq = notification.seq;
          this.#tell(user, JSON.stringify(notification));
        }
        isMore = missed.length > 0 || progress.isBehind;
      } catch (error) {
        log.warn({ event: "notifications_wait", user, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    progress.isReading = false;
  }

  #tell(user: UserId, body: string): void {
    const packet = Packet.event("notification", body);
    for (const session of this.#options.sessionsOf(user)) session.send(packet);
  }
}
