/**
 * All sessions of one edge, by id and by user. It opens them, announces them to their users' actors,
 * and ends them when their time, their login or this worker is over.
 *
 * [SES1] An edge owns the truth about its sockets: it announces each session's begin and end to the
 *        user's actor, and all living sessions to the new place when that actor moves.
 * [SES2] A session that is over leaves nothing behind, whatever it was doing.
 * [SES3] A token's expiry is announced, and ends the session unless it was refreshed.
 * [SES5] The user's actor, which knows the sessions of all edges, has the oldest ended when
 *        there are too many.
 * [SES4] A login that has ended takes its sessions with it, and no others; a suspended user all.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Queries, SessionOpening } from "../../ports/edge.ts";
import type { SessionNote } from "../../protocol/actor-ops.ts";
import type { ConversationId, FamilyId, SessionId, UserId } from "../../protocol/ids.ts";
import { AUTOMATIC_WATCHES_MAX } from "../../protocol/session-bounds.ts";
import { isoOf, later, msBetween } from "../../protocol/time.ts";
import { type Topic, topicOf } from "../../protocol/topics.ts";
import type { Gateway } from "../../runtime/gateway.ts";
import { ShardIndex } from "../../runtime/shard-index.ts";
import { Slices } from "../../runtime/slices.ts";
import type { Placement } from "../../runtime/view.ts";
import { isCut } from "../auth/identity.ts";
import { Expiries } from "../session/expiries.ts";
import { LazySet } from "../session/lazy.ts";
import type { Session } from "../session/session.ts";
import { Packet } from "../transport/packet.ts";
import type { Activity } from "./activity.ts";
import type { ActorWatches } from "./actor-watches.ts";
import type { Channels } from "./channels.ts";
import type { Streams } from "./conversation-streams.ts";
import type { PostWatches } from "./post-watches.ts";
import { WATCH_REASON, type Watches } from "./presence-watches.ts";
import type { TopicSubscriptions } from "./subscriptions.ts";
import type { UserStream } from "./user-stream.ts";

const EXPIRY_NOTICE_MS = 60_000;

export interface SessionsOptions {
  incarnation: string;
  clock: Clock;
  log: Log;
  gateway: Gateway;
  interests: TopicSubscriptions;
  streams: Streams;
  activity: Activity;
  /** Conversations that may be live in one session, and threads beside them. */
  liveMax: number;
  liveThreadsMax: number;
  watches: Watches;
  postWatches: PostWatches;
  actorWatches: ActorWatches;
  notified: UserStream;
  prefs: UserStream;
  drafts: { ended(session: Session): void };
  threads: { entered(session: Session, ids: readonly ConversationId[]): void };
  channels: Pick<Channels, "opened" | "closed">;
  queries: Pick<Queries, "openSession">;
}

interface LocalUser {
  sessions: Set<Session>;
  /** Everyone behind a block with this user, either way round. */
  apart: LazySet<UserId>;
  /** Whether the user hides presence or the time last seen from anybody. */
  isReserved: boolean;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #users = new Map<UserId, LocalUser>();
  readonly #byShard = new ShardIndex<UserId>((user) => `user:${user}`);
  readonly #slices: Slices;
  readonly #expiries: Expiries;
  size = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#slices = new Slices(options.clock);
    this.#expiries = new Expiries(options.clock, (session) => this.recheck(session));
  }

  ofUser(user: UserId): Iterable<Session> {
    return this.#users.get(user)?.sessions ?? [];
  }

  has(user: UserId): boolean {
    return this.#users.has(user);
  }

  users(): Iterable<UserId> {
    return this.#users.keys();
  }

  /** The users whose actors are of these shards, and some others; null: all. */
  usersOf(shards: Uint16Array | null): UserId[] {
    return this.#byShard.of(shards);
  }

  *all(): Generator<Session> {
    for (const { sessions } of this.#users.values()) yield* sessions;
  }

  isBlocked(user: UserId, other: UserId): boolean {
    return this.#users.get(user)?.apart.has(other) === true;
  }

  /** Whether the user hides presence or the time last seen from anybody. */
  isReserved(user: UserId): boolean {
    return this.#users.get(user)?.isReserved === true;
  }

  setReserved(user: UserId, isReserved: boolean): void {
    const local = this.#users.get(user);
    if (local !== undefined) local.isReserved = isReserved;
  }

  /** A block between the two came or went. */
  apartChanged(user: UserId, other: UserId, isBlocked: boolean): void {
    const local = this.#users.get(user);
    if (local === undefined || local.apart.has(other) === isBlocked) return;
    if (isBlocked) local.apart.add(other);
    else local.apart.delete(other);
    const { watches, postWatches, log } = this.#options;
    for (const session of local.sessions) {
      if (isBlocked) postWatches.removeAuthor(session, other);
      watches
        .apartChanged(session, other, isBlocked)
        .catch((err: unknown) => log.warn({ event: "status_unread", err }));
    }
  }

  apartFrom(user: UserId): UserId[] {
    return [...(this.#users.get(user)?.apart ?? [])];
  }

  /**
   * Subscribes to all that concerns the session, and reads what `ready` says. Null: there is
   * no such user. Rejects when storage or the primary is out of reach.
   */
  async open(session: Session): Promise<SessionOpening | null> {
    const { interests, queries, streams, watches, channels } = this.#options;
    this.#add(session);
    await Promise.all(topicsOf(session.user).map((topic) => interests.want(topic)));
    const opening = await queries.openSession(session.user);
    if (opening === null || session.isEnded) return opening;
    const local = this.#users.get(session.user);
    if (local !== undefined) {
      local.apart = new LazySet(opening.blocked);
      local.isReserved = opening.isReserved;
    }
    this.#options.notified.begin(session.user, opening.lastNotificationSeq);
    // Version 1 of the contract has no preferences.
    if (session.contract !== "1") {
      this.#options.prefs.begin(session.user, opening.lastPrefsRev);
    }
    const { conversations, hasMoreConversations, readAtMs } = opening;
    const live = conversations.slice(0, this.#options.liveMax);
    session.readAtMs = readAtMs;
    const { threads } = opening;
    // Version 1 of the contract has no threads.
    const knowsThreads = session.contract !== "1";
    const liveThreads = knowsThreads ? threads.slice(0, this.#options.liveThreadsMax) : [];
    const hasMoreThreads = opening.hasMoreThreads || threads.length > liveThreads.length;
    if (
      hasMoreConversations ||
      conversations.length > live.length ||
      (knowsThreads && hasMoreThreads)
    ) {
      session.isPartial = true;
      this.#options.activity.follow(session);
    }
    await Promise.all([
      streams.attach(session, new Map(live.map(({ id, rev }) => [id, rev])), liveThreads),
      // Version 1 of the contract has no channels.
      session.contract === "1" ? null : channels.opened(session, opening.channels),
      watches.addAutomatic(session, peersOf(opening), WATCH_REASON.peer),
      watches.addAutomatic(session, followeesOf(opening), WATCH_REASON.follow),
    ]);
    // A user may have left a parent after the reading, before its threads were live here.
    this.#options.threads.entered(
      session,
      liveThreads.map(({ id }) => id),
    );
    return opening;
  }

  /** The session is live: announces it to its user's actor. */
  begun(session: Session, opening: SessionOpening): void {
    const { gateway, incarnation, watches, log } = this.#options;
    const note = this.#noteOf(session);
    gateway.tell("user", session.user, "session_opened", { ...note, worker: incarnation });
    this.recheck(session);
    watches
      .prime([...peersOf(opening), ...opening.followees])
      .catch((err: unknown) => log.warn({ event: "prime_failed", err }));
  }

  /** The session is over, for any reason. Idempotent. */
  close(session: Session): void {
    const local = this.#users.get(session.user);
    if (local === undefined || !local.sessions.delete(session)) return;
    const { gateway, interests, watches, postWatches, actorWatches } = this.#options;
    this.size--;
    this.#expiries.forget(session);
    session.closed();
    this.#options.drafts.ended(session);
    if (local.sessions.size === 0) {
      this.#users.delete(session.user);
      this.#byShard.delete(session.user);
      this.#options.notified.end(session.user);
      this.#options.prefs.end(session.user);
      this.#options.channels.closed(session.user);
    }
    for (const topic of topicsOf(session.user)) interests.release(topic);
    this.#options.activity.forget(session);
    for (const stream of [...session.streams]) stream.detach(session);
    for (const watch of [...session.watches.keys()]) watches.remove(session, watch);
    for (const watch of [...session.postWatches]) postWatches.remove(session, watch);
    for (const watch of [...session.actorWatches]) actorWatches.remove(session, watch);
    for (const id of session.typingIn) {
      gateway.tell("conversation", id, "session_closed", { session: session.id });
    }
    gateway.tell("user", session.user, "session_closed", { session: session.id });
  }

  endFamily(family: FamilyId, user: UserId): void {
    for (const session of [...this.ofUser(user)]) {
      if (session.family === family) session.end("logged_out", "This login has ended.", false);
    }
  }

  /** Every token of the user that was issued until then is refused. */
  endBefore(user: UserId, cutMs: number): void {
    for (const session of [...this.ofUser(user)]) {
      if (!isCut(session.issuedAtMs, cutMs)) continue;
      session.end("logged_out", "This login has ended.", false);
    }
  }

  endUser(user: UserId): void {
    for (const session of [...this.ofUser(user)]) {
      session.end("suspended", "This account is suspended.", false);
    }
  }

  /** [SES5] */
  endSurplus(user: UserId, surplus: SessionId): void {
    for (const session of [...this.ofUser(user)]) {
      if (session.id !== surplus) continue;
      session.end("too_many_sessions", "A newer session of this user took its place.", false);
    }
  }

  endLogins(isEnded: (family: FamilyId) => boolean): void {
    for (const { family, user } of [...this.all()]) {
      if (family !== null && isEnded(family)) this.endFamily(family, user);
    }
  }

  onView(now: Placement, before: Placement): void {
    this.#slices.walk(this.usersOf(now.movedSince(before)), (user) => {
      const key = `user:${user}`;
      const sessions = this.#users.get(user)?.sessions;
      if (sessions === undefined || now.ownerOf(key) === before.ownerOf(key)) return;
      this.#announce(user, sessions);
    });
  }

  /** Actors across a gap count only what is announced to them again. */
  onGap(across: ReadonlySet<string>): void {
    const { placement } = this.#options.gateway;
    for (const [user, { sessions }] of this.#users) {
      if (across.has(placement.ownerOf(`user:${user}`) ?? "")) this.#announce(user, sessions);
    }
  }

  /** Looks at a session's expiry: a refreshed token may be about to expire too. */
  recheck(session: Session): void {
    if (!session.isLive) return;
    const { endsAtMs } = session;
    const leftMs = msBetween(this.#options.clock.monotonicMs(), endsAtMs);
    if (leftMs <= 0) {
      session.end("token_expired", "The access token has expired.", true);
      return;
    }
    if (leftMs <= EXPIRY_NOTICE_MS && !session.isExpiryAnnounced) {
      session.isExpiryAnnounced = true;
      const expires_at = isoOf(session.expiresAtMs);
      session.send(Packet.event("token_expiring", JSON.stringify({ expires_at })));
    }
    const noticeMs = session.isExpiryAnnounced ? 0 : EXPIRY_NOTICE_MS;
    this.#expiries.put(session, later(endsAtMs, -noticeMs));
  }

  #announce(user: UserId, sessions: ReadonlySet<Session>): void {
    const { gateway, incarnation } = this.#options;
    const notes = [...sessions]
      .filter((session) => session.isLive)
      .map((session) => this.#noteOf(session));
    if (notes.length > 0) {
      gateway.tell("user", user, "sessions_announced", { worker: incarnation, sessions: notes });
    }
  }

  #noteOf({ id, status, liveAtMs }: Session): SessionNote {
    const age_ms = Math.round(msBetween(liveAtMs, this.#options.clock.monotonicMs()));
    return { session: id, status, age_ms };
  }

  stop(): void {
    this.#slices.close();
    this.#expiries.stop();
  }

  #add(session: Session): void {
    let local = this.#users.get(session.user);
    if (local === undefined) {
      local = { sessions: new Set(), apart: new LazySet(), isReserved: false };
      this.#users.set(session.user, local);
      this.#byShard.add(session.user);
    }
    local.sessions.add(session);
    this.size++;
  }
}

/** The topics that every session of a user needs beside its conversations. */
function topicsOf(user: UserId): Topic[] {
  return [topicOf.user(user), topicOf.memberships()];
}

/**
 * Those followed last of whom a session has room beside the peers; who was followed first leads.
 */
function followeesOf(opening: SessionOpening): UserId[] {
  const peers = new Set(peersOf(opening));
  let room = AUTOMATIC_WATCHES_MAX - peers.size;
  return opening.followees.filter((user) => peers.has(user) || room-- > 0).reverse();
}

function peersOf(opening: SessionOpening): UserId[] {
  return opening.conversations.flatMap(({ peer }) => peer ?? []);
}
