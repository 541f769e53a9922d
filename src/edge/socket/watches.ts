/**
 * Presence as one edge hears it: one watch for each user whom a local session watches, with
 * the status last heard, so that a change is told once and later watchers need not ask.
 *
 * [WCH1] A watch's status is what its sessions were told; they hear each change of it once.
 * [WCH2] When the user's actor moves, the edge tells the new place what it knew, so that nobody
 *        stays online whose worker died.
 * [WCH3] A status said again by an actor that moved is no news to who never heard another.
 * [WCH4] A session is a watcher when no change can be missed any more.
 */
import type { UserId } from "../../protocol/ids.ts";
import type { Status } from "../../protocol/schemas.ts";
import { type Topic, topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import type { Placement } from "../../runtime/view.ts";
import type { Interests } from "../interests.ts";
import { isOutdated } from "./outdated.ts";
import { Packet } from "./packet.ts";
import type { Session, Watch } from "./session.ts";

/** Why a session watches somebody; it hears of them while one reason stands. */
export const WATCH_REASON = { peer: 1, follow: 2, asked: 4 } as const;
export type WatchReason = (typeof WATCH_REASON)[keyof typeof WATCH_REASON];

export interface WatchesOptions {
  gateway: Gateway;
  interests: Interests;
  /** Asks for statuses: of users that exist, in any order. Rejects when storage is away. */
  statuses(users: readonly UserId[]): Promise<Status[]>;
  /** Whether a block stands between the two, who are then offline for one another. */
  isApart(user: UserId, other: UserId): boolean;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches = new Map<UserId, Watch>();

  constructor(options: WatchesOptions) {
    this.#options = options;
  }

  /** Adds the session as a watcher; resolves when no change can be missed any more. */
  async add(session: Session, users: readonly UserId[], reason: WatchReason): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const user of users) {
      const watch = this.#watchOf(user);
      session.watches.set(watch, (session.watches.get(watch) ?? 0) | reason);
      if (watch.sessions.has(session)) continue;
      waits.push(this.#options.interests.want(topicOf.status(user)));
      watch.sessions.add(session);
    }
    await Promise.all(waits);
  }

  remove(session: Session, watch: Watch): void {
    if (!watch.sessions.delete(session)) return;
    session.watches.delete(watch);
    this.#options.interests.release(topicOf.status(watch.user));
  }

  /** One reason is gone; others may stand. */
  withdraw(session: Session, users: readonly UserId[], reason: WatchReason): void {
    for (const user of users) {
      const watch = this.#watches.get(user);
      const reasons = watch === undefined ? undefined : session.watches.get(watch);
      if (watch === undefined || reasons === undefined) continue;
      if ((reasons & ~reason) === 0) this.remove(session, watch);
      else session.watches.set(watch, reasons & ~reason);
    }
  }

  /** Whatever the reasons: the client does not want it. */
  removeUsers(session: Session, users: readonly UserId[]): void {
    for (const user of users) {
      const watch = this.#watches.get(user);
      if (watch !== undefined) this.remove(session, watch);
    }
  }

  /** Statuses as they are now, which are then known here, as `reader` may see them. */
  async read(reader: UserId, users: readonly UserId[]): Promise<Status[]> {
    const statuses = await this.#learn(users);
    return statuses.map((status) =>
      this.#options.isApart(reader, status.user_id as UserId) ? hidden(status) : status,
    );
  }

  /** Asks in the background for what has not been heard of yet. */
  async prime(users: readonly UserId[]): Promise<void> {
    const unknown = users.filter((user) => this.#watches.get(user)?.status === null);
    if (unknown.length > 0) await this.#learn(unknown);
  }

  /** A block came or went: to the other they are offline at once, or as they are again. */
  async apartChanged(session: Session, other: UserId, isApart: boolean): Promise<void> {
    const watch = this.#watches.get(other);
    if (watch === undefined || !watch.sessions.has(session)) return;
    if (isApart) {
      const status: Status = { user_id: other, status: "offline", last_seen_at: null };
      if (watch.status !== "offline") {
        session.send(Packet.event("user_status", JSON.stringify(status)));
      }
      // A block ends follows.
      this.withdraw(session, [other], WATCH_REASON.follow);
      return;
    }
    const [status] = await this.#learn([other]);
    if (status === undefined || status.status === "offline") return;
    session.send(Packet.event("user_status", JSON.stringify(status)));
  }

  onEvent(event: Frame, placement: Placement): void {
    const user = event.key.slice("user_status:".length) as UserId;
    const watch = this.#watches.get(user);
    if (watch === undefined || isOutdated(event, `user:${user}`, placement)) return;
    const { status } = JSON.parse(event.body) as Status;
    const isFirst = watch.status === null;
    if (watch.status === status) return;
    watch.status = status;
    // Said again by an actor that moved: news only to those who were told something else.
    if (isFirst && event.note === "restated") return;
    const packet = Packet.event("user_status", event.body);
    for (const session of watch.sessions) {
      if (!this.#options.isApart(session.user, user)) session.send(packet, event.key);
    }
  }

  onView(now: Placement, before: Placement): void {
    for (const { user, status } of this.#watches.values()) {
      const key = `user:${user}`;
      if (now.ownerOf(key) === before.ownerOf(key)) continue;
      if (status === null || status === "offline") continue;
      // The answer is of no interest: what differs comes as an event.
      void this.#options.gateway.ask("user", user, "status", { known: status });
    }
  }

  dropped(topic: Topic): void {
    this.#watches.delete(topic.slice("user_status:".length) as UserId);
  }

  /**
   * Statuses as they are now, which are then known here. Of those known already what the
   * sessions were told stands: an answer can be older than the event that overtook it.
   */
  async #learn(users: readonly UserId[]): Promise<Status[]> {
    const statuses = await this.#options.statuses(users);
    return statuses.map((read) => {
      const watch = this.#watches.get(read.user_id as UserId);
      if (watch === undefined) return read;
      watch.status ??= read.status;
      return { ...read, status: watch.status };
    });
  }

  #watchOf(user: UserId): Watch {
    let watch = this.#watches.get(user);
    if (watch === undefined) {
      watch = { user, sessions: new Set(), status: null };
      this.#watches.set(user, watch);
    }
    return watch;
  }
}

/** How somebody behind a block looks. */
export function hidden({ user_id }: Status): Status {
  return { user_id, status: "offline", last_seen_at: null };
}
