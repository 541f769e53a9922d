/**
 * Notifications as one edge hears them: for each local user the newest `seq` that the sessions
 * were told, so that what was missed (a gap between hosts, an actor that died) shows.
 *
 * [NTF1] Sessions hear notifications by rising `seq`. What does not follow the last one, or a
 *        reading that more has happened, is read from storage first.
 * [NTF2] A `seq` whose notification has grown since is not read again: the newer one stands.
 */
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import type { Queries } from "../../ports.ts";
import type { UserId } from "../../protocol/ids.ts";
import type { Frame } from "../../runtime/frames.ts";
import { Packet } from "./packet.ts";
import type { Session } from "./session.ts";

const PAGE = 200;
const RETRY_MS = 500;
/** More than this during a reading is left to the next one. */
const WAITING_MAX = 1_000;

export interface NotificationFeedsOptions {
  clock: Clock;
  log: Log;
  queries: Pick<Queries, "notificationsAfter">;
  sessionsOf(user: UserId): Iterable<Session>;
}

interface Feed {
  /** Null until the first session has been read. */
  seq: number | null;
  /** What came while it is being read. */
  waiting: Frame[] | null;
}

export class NotificationFeeds {
  readonly #options: NotificationFeedsOptions;
  readonly #feeds = new Map<UserId, Feed>();

  constructor(options: NotificationFeedsOptions) {
    this.#options = options;
  }

  /** The user's first session listens from now on. */
  begin(user: UserId): void {
    if (!this.#feeds.has(user)) this.#feeds.set(user, { seq: null, waiting: null });
  }

  end(user: UserId): void {
    this.#feeds.delete(user);
  }

  /** Storage has come to `seq`: a session that opens knows it, to the others it may be news. */
  stands(user: UserId, seq: number): void {
    const feed = this.#feeds.get(user);
    if (feed === undefined) return;
    if (feed.seq === null) feed.seq = seq;
    else if (seq > feed.seq && feed.waiting === null) void this.#read(user, feed, []);
  }

  onEvent(user: UserId, event: Frame): void {
    const feed = this.#feeds.get(user);
    if (feed === undefined) return;
    if (feed.waiting !== null) {
      if (feed.waiting.length < WAITING_MAX) feed.waiting.push(event);
    } else if (feed.seq === null || event.rev === feed.seq + 1) {
      this.#deliver(user, feed, event.rev, event.body);
    } else if (event.rev > feed.seq) {
      void this.#read(user, feed, [event]);
    }
  }

  /** [NTF1] */
  async #read(user: UserId, feed: Feed, waiting: Frame[]): Promise<void> {
    const { clock, log, queries } = this.#options;
    feed.waiting = waiting;
    while (this.#feeds.get(user) === feed) {
      try {
        const missed = await queries.notificationsAfter(user, feed.seq ?? 0, PAGE);
        for (const notification of missed) {
          this.#deliver(user, feed, notification.seq, JSON.stringify(notification));
        }
        if (missed.length < PAGE) break;
      } catch (error) {
        log.warn({ event: "notifications_wait", user_id: user, err: error });
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
      }
    }
    feed.waiting = null;
    for (const { rev, body } of waiting.sort((a, b) => a.rev - b.rev)) {
      this.#deliver(user, feed, rev, body);
    }
  }

  #deliver(user: UserId, feed: Feed, seq: number, body: string): void {
    if (feed.seq !== null && seq <= feed.seq) return;
    feed.seq = seq;
    const packet = Packet.event("notification", body);
    for (const session of this.#options.sessionsOf(user)) session.send(packet);
  }
}
