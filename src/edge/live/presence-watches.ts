/**
 * The presence that one edge delivers. It has one watch for each user whom a local session watches,
 * with the last status, so that a change is sent once and later watchers need not ask the actor.
 *
 * [WCH1] A watch's status is the one that its sessions have; they receive each change of it once.
 * [WCH2] When the user's actor moves, the edge sends the known status to the new place, so that a
 *        user whose worker died does not stay online. So it does with a status that it had asked for
 *        before and learns after that: the former place may have answered.
 * [WCH3] A status that a moved actor publishes again is not sent to sessions that never had another.
 * [WCH4] A session becomes a watcher when it can miss no further change.
 * [WCH6] The answer to a session has the last status that was sent before the answer.
 * [WCH8] A session watches at most WATCHED_USERS_MAX users. At most AUTOMATIC_WATCHES_MAX of them
 *        are automatic: direct peers first, then the users followed last.
 *        A user that does not exist is not watched, and the answer says `offline`.
 * [WCH7] A status from before a gap between hosts is compared with the actor or forgotten, also
 *        where nobody watches at that moment.
 * [WCH5] After a gap the watching sessions are sent the statuses that differ.
 * [WCH11] If one of two users hides a status from the other, it is not sent: reserved-statuses.ts.
 * [WCH10] A gap concerns only the users whose statuses may have been lost in it.
 */
import type { Clock } from "../../base/clock.ts";
import { type Doubt, doubtedOf } from "../../protocol/doubt.ts";
import type { UserId } from "../../protocol/ids.ts";
import { FULL_SIGHT } from "../../protocol/privacy.ts";
import type { PresenceStatus, Status } from "../../protocol/schemas.ts";
import { AUTOMATIC_WATCHES_MAX, WATCHED_USERS_MAX } from "../../protocol/session-bounds.ts";
import { statusNoteOf } from "../../protocol/status-notes.ts";
import { topicOf } from "../../protocol/topics.ts";
import type { Frame } from "../../runtime/frames.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { ShardIndex } from "../../runtime/shard-index.ts";
import { Slices } from "../../runtime/slices.ts";
import type { Placement } from "../../runtime/view.ts";
import type { Session, Watch } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import { FormerOwners } from "./former-owners.ts";
import { isOutdated } from "./outdated.ts";
import { judge, type ReservedStatuses, shownStatus } from "./reserved-statuses.ts";
import { type SentStatus, StatusComparison } from "./status-comparison.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";

/** Why a session watches a user; it receives their presence while it has one reason. */
export const WATCH_REASON = { peer: 1, follow: 2, asked: 4 } as const;
export type WatchReason = (typeof WATCH_REASON)[keyof typeof WATCH_REASON];
const AUTOMATIC = WATCH_REASON.peer | WATCH_REASON.follow;

/** Longer than an actor that moved takes to settle. */
const SETTLED_MS = 1_500;

export interface WatchesOptions {
  clock: Clock;
  gateway: Gateway;
  interests: TopicSubscriptions;
  /** Asks for statuses: of users that exist, in any order. Rejects when storage is away. */
  statuses(users: readonly UserId[]): Promise<Status[]>;
  /** Those of the users that exist. Rejects when storage is away. */
  existing(users: readonly UserId[]): Promise<ReadonlySet<UserId>>;
  /** Whether a block stands between the two, who are then offline for one another. */
  isBlocked(user: UserId, other: UserId): boolean;
  /** Whether the user of a local session hides anything from anybody. */
  isReserved(user: UserId): boolean;
  reserved: ReservedStatuses;
}

export class Watches {
  readonly #options: WatchesOptions;
  readonly #watches = new Map<UserId, Watch>();
  readonly #byShard = new ShardIndex<Watch>(({ user }) => `user:${user}`);
  readonly #slices: Slices;
  readonly #comparison: StatusComparison;
  readonly #formerOwners: FormerOwners;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#formerOwners = new FormerOwners(options.clock);
    this.#slices = new Slices(options.clock);
    this.#comparison = new StatusComparison({
      clock: options.clock,
      gateway: options.gateway,
      sent: (user) => this.#sent(user),
      former: (user) => this.#formerOwners.unreachable(`user:${user}`, options.gateway.placement),
      differs: (status, sent) => this.#correct(status, sent),
    });
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

  /**
   * The client asks to watch these users. [WCH8] False: it would watch too many, and nothing has
   * changed.
   */
  async ask(session: Session, users: readonly UserId[]): Promise<boolean> {
    const unwatched = users.filter((user) => !this.#watches.has(user));
    const existing = unwatched.length === 0 ? null : await this.#options.existing(unwatched);
    if (session.isEnded) return true;
    const missing = new Set(unwatched.filter((user) => existing?.has(user) !== true));
    const found = users.filter((user) => !missing.has(user));
    const more = found.filter((user) => this.#reasonsOf(session, user) === 0).length;
    if (session.watches.size + more > WATCHED_USERS_MAX) return false;
    await this.add(session, found, WATCH_REASON.asked);
    return true;
  }

  /** Adds watches that nobody asked for, as far as [WCH8] leaves room; resolves as `add` does. */
  async addAutomatic(
    session: Session,
    users: readonly UserId[],
    reason: WatchReason,
  ): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const user of users) {
      if (this.#makesRoom(session, user)) waits.push(this.add(session, [user], reason));
    }
    await Promise.all(waits);
  }

  remove(session: Session, watch: Watch): void {
    if (!watch.sessions.delete(session)) return;
    watch.judged?.delete(session);
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

  /**
   * Asks for statuses, which are then known here, and passes them to `say` as the session's user
   * may see them. [WCH6] `say` must send them synchronously, so that every later event is newer.
   */
  async read(
    session: Session,
    users: readonly UserId[],
    say: (statuses: Status[]) => void,
  ): Promise<void> {
    const reader = session.user;
    const sights = await this.#options.reserved.sightsOf(reader, users);
    const read = new Map(
      (await this.#learn(users)).map((status) => [status.user_id, status] as const),
    );
    // A status that is on its way as an event would come after the answer that has it.
    await this.#options.reserved.settled(users);
    say(
      users
        .map((user) => read.get(user) ?? nobody(user))
        .map((status) => this.#asTold(status))
        .map((status) => {
          const user = status.user_id as UserId;
          const sight = sights.get(user) ?? FULL_SIGHT;
          const watch = this.#watches.get(user);
          if (watch?.sessions.has(session) && this.#mayHide(watch, session)) {
            judge(watch, session, sight);
          }
          if (this.#options.isBlocked(reader, user)) return hidden(status);
          return shownStatus(status, sight);
        }),
    );
  }

  /** Asks in the background for the statuses that are not known yet. */
  async prime(users: readonly UserId[]): Promise<void> {
    const unknown = users.filter((user) => this.#watches.get(user)?.status === null);
    if (unknown.length > 0) await this.#learn(unknown);
  }

  /** A block came or went: the other user becomes offline at once, or has their status again. */
  async apartChanged(session: Session, other: UserId, isBlocked: boolean): Promise<void> {
    const watch = this.#watches.get(other);
    if (watch === undefined || !watch.sessions.has(session)) return;
    if (isBlocked) {
      const status: Status = { user_id: other, status: "offline", last_seen_at: null };
      if (watch.status !== "offline") {
        session.send(Packet.event("user_status", JSON.stringify(status)));
      }
      // A block ends follows.
      this.withdraw(session, [other], WATCH_REASON.follow);
      return;
    }
    const { toldCount } = watch;
    const [read] = await this.#learn([other]);
    // A change that came meanwhile has been sent to this session too.
    if (read === undefined || watch.toldCount !== toldCount) return;
    const status = this.#asTold(read);
    if (status.status === "offline") return;
    this.#send(watch, status, [session]);
  }

  /** The session's user changed what they hide, which also changes what others hide from them. */
  async viewerChanged(session: Session, wasReserved: boolean): Promise<void> {
    const watches = [...session.watches.keys()];
    const statuses = await this.#learn(watches.map(({ user }) => user));
    const known = new Map(statuses.map((status) => [status.user_id, status]));
    for (const watch of watches) {
      const status = this.#asTold(known.get(watch.user) ?? nobody(watch.user));
      const wasSeen = !wasReserved && watch.isReserved !== true;
      const telling = { status, sessions: [session], isNews: false, wasSeen };
      void this.#options.reserved.tell(watch, telling);
    }
  }

  /** The session's user may see more or less of that user than before. */
  async sightChanged(session: Session, user: UserId): Promise<void> {
    const watch = this.#watches.get(user);
    if (watch === undefined || !watch.sessions.has(session)) return;
    const [read] = await this.#learn([user]);
    if (read === undefined) return;
    const telling = { sessions: [session], isNews: false, wasSeen: false };
    void this.#options.reserved.tell(watch, { ...telling, status: this.#asTold(read) });
  }

  onEvent(user: UserId, event: Frame, placement: Placement): void {
    const watch = this.#watches.get(user);
    if (event.name === "user_updated") {
      if (watch !== undefined) this.#sendProfile(watch, event.body);
      return;
    }
    if (watch === undefined || isOutdated(event, `user:${user}`, placement)) return;
    const { isRestated, isReserved, wasReserved } = statusNoteOf(event.note);
    watch.isReserved = isReserved;
    const told = JSON.parse(event.body) as Status;
    const { status } = told;
    if (event.name === "privacy_changed") {
      const { sessions } = watch;
      const telling = { status: told, sessions, isNews: false, wasSeen: !wasReserved };
      void this.#options.reserved.tell(watch, telling);
      return;
    }
    watch.heardCount++;
    const isFirst = watch.status === null;
    if (watch.status === status) return;
    watch.status = status;
    // A moved actor publishes its status again; only sessions that had another status need it.
    if (isFirst && isRestated) return;
    this.#tell(watch, told);
  }

  /** [WCH2] */
  onView(now: Placement, before: Placement): void {
    this.#formerOwners.ended(before);
    // A host that is cut off cannot know of the sessions over there: their users stay as they were.
    // Where a few hosts are unreachable, actors learn here what their users were last. [PRS13]
    if (now.isCutOff) return;
    const moved: UserId[] = [];
    const wasCutOff = before.isCutOff;
    const look = ({ user, status }: Watch) => {
      // A user sent as offline counts too: a host that was cut off comes back with its actors, whose
      // statuses have not changed and which therefore publish nothing.
      if (status === null) return;
      const key = `user:${user}`;
      if (wasCutOff || now.ownerOf(key) !== before.ownerOf(key)) moved.push(user);
    };
    const watches = this.#byShard.of(wasCutOff ? null : now.movedSince(before));
    this.#slices.walk(watches, look, () => this.#comparison.compare(moved));
  }

  lastHeard(user: UserId): PresenceStatus | null {
    return this.#watches.get(user)?.status ?? null;
  }

  /** [WCH5] After a gap between hosts actors settle first; then what differs is sent. */
  onDoubt(doubt: Doubt): void {
    // [WCH10]
    const users = doubtedOf("status", doubt);
    if (users?.length === 0) return;
    this.#options.clock.after(SETTLED_MS, () => this.#look(users ?? [...this.#watches.keys()]));
  }

  close(): void {
    this.#slices.close();
    this.#comparison.close();
    this.#options.reserved.close();
  }

  dropped(user: UserId): void {
    const watch = this.#watches.get(user);
    if (watch === undefined) return;
    this.#watches.delete(user);
    this.#byShard.delete(watch);
  }

  /** Statuses as they are now, which are then known here where nothing was. */
  async #learn(users: readonly UserId[]): Promise<Status[]> {
    const { gateway } = this.#options;
    const before = gateway.placement;
    const statuses = await this.#options.statuses(users);
    const learned: UserId[] = [];
    for (const read of statuses) {
      const user = read.user_id as UserId;
      const watch = this.#watches.get(user);
      if (watch === undefined || watch.status !== null) continue;
      watch.status = read.status;
      learned.push(user);
    }
    // [WCH2]
    if (gateway.placement !== before) this.#comparison.compare(learned);
    return statuses;
  }

  /** The status that the sessions have wins: an answer can be older than an event that overtook it. */
  #asTold(read: Status): Status {
    return { ...read, status: this.lastHeard(read.user_id as UserId) ?? read.status };
  }

  /** Compares the known statuses of these users with those of their actors. */
  #look(users: Iterable<UserId>): void {
    const inDoubt: UserId[] = [];
    for (const user of users) {
      const watch = this.#watches.get(user);
      if (watch === undefined) continue;
      if (watch.sessions.size > 0 && watch.status !== null) inDoubt.push(user);
      // [WCH7] No session is left that was sent it, and a later one must not be.
      else watch.status = null;
    }
    this.#comparison.compare(inDoubt);
  }

  /** The actor of `status` says something else than what the sessions were sent. */
  #correct(status: Status, sent: SentStatus): void {
    const watch = this.#watches.get(status.user_id as UserId);
    // An event that came meanwhile is newer than this answer, also one that brought the sent status
    // back: the answer of one ask for many actors waits for the slowest of them.
    if (watch === undefined || watch.status !== sent.status) return;
    if (watch !== sent.watch || watch.heardCount !== sent.heardCount) return;
    watch.status = status.status;
    this.#tell(watch, status);
  }

  #sent(user: UserId): SentStatus | null {
    const watch = this.#watches.get(user);
    if (watch === undefined || watch.status === null) return null;
    return { status: watch.status, watch, heardCount: watch.heardCount };
  }

  #tell(watch: Watch, status: Status): void {
    watch.toldCount++;
    this.#send(watch, status, watch.sessions);
  }

  /** To those from whom nothing is hidden at once, to the others once that is known. */
  #send(watch: Watch, status: Status, sessions: Iterable<Session>): void {
    const { user } = watch;
    const packet = Packet.event("user_status", JSON.stringify(status));
    const others: Session[] = [];
    const isBusy = this.#options.reserved.isBusy(user);
    for (const session of sessions) {
      if (this.#options.isBlocked(session.user, user)) continue;
      if (isBusy || this.#mayHide(watch, session)) others.push(session);
      else session.send(packet, topicOf.status(user));
    }
    if (others.length === 0) return;
    const telling = { status, sessions: others, isNews: true, wasSeen: false };
    void this.#options.reserved.tell(watch, telling);
  }

  /** Whether one of the two may hide something from the other. */
  #mayHide(watch: Watch, session: Session): boolean {
    if (session.user === watch.user) return false;
    return watch.isReserved !== false || this.#options.isReserved(session.user);
  }

  /** The user's own sessions receive it on the user's own topic. */
  #sendProfile({ user, sessions }: Watch, body: string): void {
    const packet = Packet.event("user_updated", body);
    for (const session of sessions) {
      if (session.user === user || this.#options.isBlocked(session.user, user)) continue;
      session.send(packet, `user_updated:${user}`);
    }
  }

  #reasonsOf(session: Session, user: UserId): number {
    const watch = this.#watches.get(user);
    return (watch && session.watches.get(watch)) ?? 0;
  }

  /** [WCH8] The user who was followed longest ago makes room for a later one; peers stay. */
  #makesRoom(session: Session, user: UserId): boolean {
    const reasons = this.#reasonsOf(session, user);
    if ((reasons & AUTOMATIC) !== 0 || session.watches.size < AUTOMATIC_WATCHES_MAX) return true;
    if (reasons === 0 && session.watches.size >= WATCHED_USERS_MAX) return false;
    let automatic = 0;
    let first: Watch | null = null;
    for (const [watch, why] of session.watches) {
      if ((why & AUTOMATIC) === 0) continue;
      automatic++;
      if ((why & WATCH_REASON.peer) === 0) first ??= watch;
    }
    if (automatic < AUTOMATIC_WATCHES_MAX) return true;
    if (first === null) return false;
    this.withdraw(session, [first.user], WATCH_REASON.follow);
    return true;
  }

  #watchOf(user: UserId): Watch {
    let watch = this.#watches.get(user);
    if (watch === undefined) {
      watch = {
        user,
        sessions: new Set(),
        status: null,
        heardCount: 0,
        toldCount: 0,
        isReserved: null,
        judged: null,
      };
      this.#watches.set(user, watch);
      this.#byShard.add(watch);
    }
    return watch;
  }
}

/** How somebody behind a block looks. */
export function hidden({ user_id }: Status): Status {
  return nobody(user_id);
}

/** How a user looks who does not exist. */
function nobody(user_id: string): Status {
  return { user_id, status: "offline", last_seen_at: null };
}
