/**
 * The live half of an edge, without sockets and HTTP: what comes in as topics' events and
 * views, and whom of the local sessions it concerns. Put together here once, for the worker
 * and for the simulated cluster of the tests.
 */
import type { Clock } from "../base/clock.ts";
import type { FileLinks } from "../base/file-links.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Queries, SessionOpening } from "../ports/edge.ts";
import type { JoinedOrder, ThreadsLeftOrder, UserOrders } from "../protocol/actor-ops.ts";
import { AppKinds } from "../protocol/app-kinds.ts";
import type { Doubt } from "../protocol/doubt.ts";
import type { FamilyId, UserId } from "../protocol/ids.ts";
import { peersIn, withNewcomer } from "../protocol/members.ts";
import { FULL_SIGHT, type Sight } from "../protocol/privacy.ts";
import { asConversationId, type Conversation, type Status } from "../protocol/schemas.ts";
import { LIVE_CONVERSATIONS_MAX, LIVE_THREADS_MAX } from "../protocol/session-bounds.ts";
import { idIn, type Topic, topicOf } from "../protocol/topics.ts";
import type { Exchange } from "../runtime/exchange.ts";
import type { Frame } from "../runtime/frames.ts";
import type { Placement } from "../runtime/view.ts";
import type { Auth } from "./auth/auth.ts";
import { createCommands } from "./commands/commands.ts";
import { Drafts } from "./commands/drafts.ts";
import type { Commands } from "./commands/handler.ts";
import type { PageTurns } from "./limits/turns.ts";
import { Activity } from "./live/activity.ts";
import { ActorWatches } from "./live/actor-watches.ts";
import { Channels } from "./live/channels.ts";
import { SECOND_LOOK_MS, Streams } from "./live/conversation-streams.ts";
import { FormerOwners } from "./live/former-owners.ts";
import { LostReceipts } from "./live/lost-receipts.ts";
import { MissedOrders } from "./live/missed-orders.ts";
import { orphanUsers } from "./live/orphan-users.ts";
import { PostWatches } from "./live/post-watches.ts";
import { readStatuses, type StatusSources } from "./live/presence-reader.ts";
import { hidden, WATCH_REASON, Watches, type WatchReason } from "./live/presence-watches.ts";
import { ReservedStatuses, shownStatus } from "./live/reserved-statuses.ts";
import { Sessions } from "./live/sessions.ts";
import { TopicSubscriptions } from "./live/subscriptions.ts";
import { ThreadStreams } from "./live/thread-streams.ts";
import { UserStream } from "./live/user-stream.ts";
import { Packet } from "./transport/packet.ts";

export interface HubDeps {
  incarnation: string;
  exchange: Exchange;
  queries: Queries;
  links: Pick<FileLinks, "in">;
  auth: Pick<Auth, "verify">;
  pages: PageTurns;
  /** Kinds of the application's own actors. */
  appKinds?: AppKinds;
  /** Logins ended, or users suspended, somewhere. */
  onRevoked(event: Frame): void;
  /** Reads which logins have ended lately, and resolves with what tells them. */
  readRevoked(): Promise<(family: FamilyId) => boolean>;
  /** Conversations that may be live in one session; LIVE_CONVERSATIONS_MAX but in tests. */
  liveMax?: number;
  /** The same of threads. */
  liveThreadsMax?: number;
  metrics?: Pick<Metrics, "leftOut">;
  clock: Clock;
  log: Log;
}

export class Hub {
  readonly commands: Commands;
  readonly interests: TopicSubscriptions;
  readonly sessions: Sessions;
  readonly streams: Streams;
  readonly watches: Watches;
  readonly #activity: Activity;
  readonly #receipts: LostReceipts;
  readonly #postWatches: PostWatches;
  readonly #actorWatches: ActorWatches;
  readonly #notified: UserStream;
  readonly #prefs: UserStream;
  readonly #drafts: Drafts;
  readonly #threads: ThreadStreams;
  readonly #channels: Channels;
  readonly #missed: MissedOrders;
  readonly #deps: HubDeps;
  readonly #formerOwners: FormerOwners;
  readonly #statusSources: StatusSources;

  constructor(deps: HubDeps) {
    const { incarnation, exchange, queries, links, auth, clock, log } = deps;
    const { gateway } = exchange;
    const liveMax = deps.liveMax ?? LIVE_CONVERSATIONS_MAX;
    const liveThreadsMax = deps.liveThreadsMax ?? LIVE_THREADS_MAX;
    this.#deps = deps;
    this.#formerOwners = new FormerOwners(deps.clock);
    const interests = new TopicSubscriptions({
      clock,
      subscribe: (topics) => exchange.subscribe(topics),
      unsubscribe: (topics) => exchange.unsubscribe(topics),
      onDropped: (topic) => this.#dropped(topic),
    });
    const streams = new Streams({
      clock,
      log,
      queries,
      interests,
      ...(deps.metrics && { leftOut: deps.metrics.leftOut }),
      sessionsOf: (user) => this.sessions.ofUser(user),
      links: (text) => links.in(text),
      liveMax,
      liveThreadsMax,
      onLeft: (user) => this.#threads.recheck(user),
      onLostReceipts: (ids, ageMs) => this.#receipts.look(ids, ageMs),
      onWatched: (stream) => this.#channels.watched(stream),
      onNotLive(session, id, rev) {
        activity.follow(session);
        activity.knows(session, id, rev);
      },
    });
    this.#receipts = new LostReceipts({
      clock,
      queries,
      deliver: (id, user, receipt) => streams.get(id)?.cursorsMoved(user, receipt),
    });
    const activity = new Activity({ clock, log, queries, streams });
    this.#activity = activity;
    const watches = new Watches({
      clock,
      gateway,
      interests,
      statuses: (users) => readStatuses(this.#statusSources, users),
      existing: async (users) => new Set((await queries.lastSeen([...users])).keys()),
      isBlocked: (user, other) => this.sessions.isBlocked(user, other),
      isReserved: (user) => this.sessions.isReserved(user),
      reserved: new ReservedStatuses({
        clock,
        log,
        queries,
        isBlocked: (user, other) => this.sessions.isBlocked(user, other),
      }),
    });
    const postWatches = new PostWatches(interests);
    const actorWatches = new ActorWatches({ incarnation, clock, gateway, interests });
    this.#actorWatches = actorWatches;
    const sessionsOf = (user: UserId) => this.sessions.ofUser(user);
    const own = { clock, log, sessionsOf };
    const notified = new UserStream({
      ...own,
      event: "notification",
      newest: (users) => queries.notificationSeqs(users),
      after: async (user, seq, limit) =>
        (await queries.notificationsAfter(user, seq, limit)).map((notification) => ({
          number: notification.seq,
          body: JSON.stringify(notification),
          setBy: "",
        })),
    });
    this.#notified = notified;
    const prefs = new UserStream({
      ...own,
      event: "prefs_updated",
      newest: (users) => queries.prefsRevs(users),
      after: async (user, rev, limit) =>
        (await queries.prefsAfter(user, rev, limit)).map(({ prefs, setBy }) => ({
          number: prefs.prefs_rev,
          body: JSON.stringify(prefs),
          setBy,
        })),
    });
    this.#prefs = prefs;
    const drafts = new Drafts({ clock, log, gateway });
    this.#drafts = drafts;
    this.#statusSources = { gateway, queries, lastHeard: (user) => watches.lastHeard(user) };
    const threads = new ThreadStreams({ clock, log, queries, streams, sessionsOf });
    this.#threads = threads;
    const channels = new Channels({
      incarnation,
      clock,
      log,
      gateway,
      queries,
      streams,
      interests,
      sessionsOf,
      links: (text) => links.in(text),
    });
    this.#channels = channels;
    const live = {
      incarnation,
      gateway,
      streams,
      activity,
      watches,
      postWatches,
      actorWatches,
      queries,
    };
    this.interests = interests;
    this.streams = streams;
    this.watches = watches;
    this.#postWatches = postWatches;
    this.sessions = new Sessions({
      ...live,
      liveMax,
      liveThreadsMax,
      clock,
      log,
      interests,
      notified,
      prefs,
      drafts,
      threads,
      channels,
    });
    this.#missed = new MissedOrders({
      clock,
      log,
      queries,
      users: () => this.sessions.users(),
      sessionsOf,
      endLogins: async () => this.sessions.endLogins(await deps.readRevoked()),
      endUser: (user) => this.sessions.endUser(user),
      joined: (user, body) => this.#joined(user, JSON.parse(body) as Conversation),
      followed: (user, thread) => threads.followed(user, thread),
      tied: (user, opening) => this.#tied(user, opening),
    });
    this.commands = createCommands({
      ...live,
      clock,
      prefs,
      drafts,
      threads,
      channels,
      auth,
      pages: deps.pages,
      appKinds: deps.appKinds ?? new AppKinds([]),
      onTokenRefreshed: (session) => this.sessions.recheck(session),
    });
  }

  /** Statuses of others as `viewer`, who need not be connected, may see them. */
  async statuses(viewer: UserId, users: readonly UserId[]): Promise<Status[]> {
    const { queries } = this.#deps;
    const [found, apart, sights] = await Promise.all([
      readStatuses(this.#statusSources, users),
      queries.blockedAmong(viewer, users),
      queries.sights(users.map((user) => ({ viewer, user }))),
    ]);
    const isBlocked = new Set<string>(apart);
    const sightOf = new Map<string, Sight>(users.map((user, n) => [user, sights[n]!]));
    return found.map((status) =>
      isBlocked.has(status.user_id)
        ? hidden(status)
        : shownStatus(status, sightOf.get(status.user_id) ?? FULL_SIGHT),
    );
  }

  onEvent(event: Frame): void {
    const { placement } = this.#deps.exchange;
    const { key } = event;
    const conversation = idIn("conversation", key);
    if (conversation !== null) {
      this.streams.onEvent(conversation, event, placement);
      return;
    }
    const channel = idIn("channel", key);
    if (channel !== null) {
      this.#channels.onActivity(channel, event);
      return;
    }
    const watched = idIn("status", key);
    const user = idIn("user", key);
    const post = idIn("likes", key) ?? idIn("comments", key);
    const app = idIn("app", key);
    if (watched !== null) this.watches.onEvent(watched, event, placement);
    else if (user !== null) this.#onUserEvent(user, event);
    else if (post !== null) this.#postWatches.onEvent(post, event);
    else if (app !== null) this.#actorWatches.onEvent(app, event);
    else if (key === topicOf.memberships()) this.#onMembers(event);
    else if (key === topicOf.revocations()) this.#deps.onRevoked(event);
  }

  onView(now: Placement, before: Placement): void {
    this.sessions.onView(now, before);
    this.watches.onView(now, before);
    this.streams.onView(now, before);
    this.#channels.onView(now, before);
    this.#actorWatches.onView(now, before);
    this.#formerOwners.ended(before);
    const died = now.diedSince(before);
    if (died.size === 0) return;
    // Actors of the dead worker may have committed without publishing: orders to any user, also to
    // those who lost a membership with its preferences, and see orphan-users.ts.
    const orphans = this.#formerOwners.orphansOf(died, before);
    const { owned, all } = orphanUsers(this.sessions, this.streams, this.#channels, orphans);
    const look = () => {
      this.#missed.look(0);
      this.#notified.look(owned);
      this.#prefs.look(all);
    };
    look();
    this.#deps.clock.after(SECOND_LOOK_MS, look);
  }

  /** Letters from this edge to actors on that host ("": every other host) may be lost. */
  onGap(host: string): void {
    const { exchange, incarnation } = this.#deps;
    const incarnations = exchange.placement.incarnationsAcross(incarnation, host);
    this.sessions.onGap(incarnations);
    this.#actorWatches.onGap(incarnations);
    this.#channels.onGap();
  }

  /** Events of these topics may not have arrived here. */
  onDoubt(doubt: Doubt): void {
    const { queries, log } = this.#deps;
    this.streams.onDoubt(doubt);
    this.#channels.onDoubt(doubt);
    this.watches.onDoubt(doubt);
    this.#notified.onDoubt(doubt);
    this.#prefs.onDoubt(doubt);
    this.#actorWatches.onDoubt(doubt);
    this.#postWatches.onDoubt(doubt, queries).catch((err: unknown) => {
      // The next update of each post carries its newest counts.
      log.warn({ event: "counts_unread", err });
    });
    this.#missed.onDoubt(doubt);
  }

  close(): void {
    this.#missed.close();
    this.#notified.close();
    this.#prefs.close();
    this.#drafts.close();
    this.#threads.close();
    this.#channels.close();
    this.sessions.stop();
    this.watches.close();
    this.#actorWatches.close();
    this.streams.close();
    this.#receipts.close();
    this.#activity.close();
    this.interests.close();
  }

  /** Orders and events for one user's own sessions. */
  #onUserEvent(user: UserId, event: Frame): void {
    const sessions = this.sessions.ofUser(user);
    switch (event.name as keyof UserOrders | MembersOrder | UserEvent) {
      case "session_surplus":
        this.sessions.endSurplus(user, noteOf(event, "session_surplus").session);
        return;
      case "following_changed": {
        const { user_id, following } = noteOf(event, "following_changed");
        const reason = WATCH_REASON.follow;
        if (following) this.#watchUsers(user, [user_id], reason);
        else for (const session of sessions) this.watches.withdraw(session, [user_id], reason);
        if (this.sessions.isReserved(user)) this.#seesOtherwise(user, user_id);
        return;
      }
      case "privacy_changed": {
        const { was_reserved, is_reserved } = noteOf(event, "privacy_changed");
        this.sessions.setReserved(user, is_reserved);
        for (const session of sessions) {
          this.watches
            .viewerChanged(session, was_reserved)
            .catch((err: unknown) => this.#deps.log.warn({ event: "status_unread", err }));
        }
        return;
      }
      case "following_thread": {
        const { conversation, following } = noteOf(event, "following_thread");
        if (following) this.#threads.followed(user, conversation);
        else this.#threads.unfollowed(user, conversation);
        return;
      }
      case "apart_changed": {
        const { user_id, is_apart } = noteOf(event, "apart_changed");
        this.sessions.apartChanged(user, user_id, is_apart);
        return;
      }
      case "conversation_joined":
      case "threads_left":
        this.#onMembers(event);
        return;
      case "channel_membership":
        this.#channels.onMembership(user, noteOf(event, "channel_membership"));
        return;
      case "channel_read":
        this.#channels.onRead(user, noteOf(event, "channel_read"));
        return;
      case "receipt": {
        this.#channels.onRead(user, JSON.parse(event.note) as UserOrders["channel_read"]);
        const packet = Packet.event("receipt", event.body);
        for (const session of sessions) {
          if (session.contract !== "1" && session.id !== event.except) session.send(packet);
        }
        return;
      }
      case "notification":
        this.#notified.onEvent(user, event.rev, event.body, "");
        return;
      case "prefs_updated":
        this.#prefs.onEvent(user, event.rev, event.body, event.except);
        this.#channels.onPrefs(user, event.body);
        return;
      case "prefs_doubted":
        this.#prefs.look([user]);
        return;
      case "user_updated": {
        const packet = Packet.event("user_updated", event.body);
        for (const session of sessions) session.send(packet, `user_updated:${user}`);
        return;
      }
      case "like_update":
      case "comment_update": {
        const packet = Packet.event(event.name, event.body);
        const { post_id } = JSON.parse(event.body) as { post_id: string };
        for (const session of sessions) session.send(packet, `${event.name}:${post_id}`);
        return;
      }
    }
  }

  #onMembers({ name, body }: Frame): void {
    if (name === "threads_left") {
      const { user_ids, conversation_id } = JSON.parse(body) as ThreadsLeftOrder;
      this.#threads.leftParent(conversation_id, user_ids);
      return;
    }
    const { user_ids, conversation } = JSON.parse(body) as JoinedOrder;
    for (const user of user_ids) if (this.sessions.has(user)) this.#joined(user, conversation);
  }

  #joined(user: UserId, conversation: Conversation): void {
    const id = asConversationId(conversation.id);
    const body = JSON.stringify(withNewcomer(conversation, user));
    this.streams.joined(this.sessions.ofUser(user), id, conversation.rev, body);
    this.#watchUsers(user, peersIn(conversation, user), WATCH_REASON.peer);
  }

  /** Follows and blocks as storage has them. */
  #tied(user: UserId, { blocked, followees, channels }: SessionOpening): void {
    this.#channels
      .compare(user, channels)
      .catch((err: unknown) => this.#deps.log.warn({ event: "channel_unread", err }));
    const apart = new Set(blocked);
    for (const other of this.sessions.apartFrom(user)) {
      if (!apart.has(other)) this.sessions.apartChanged(user, other, false);
    }
    for (const other of apart) this.sessions.apartChanged(user, other, true);
    this.#watchUsers(user, followees, WATCH_REASON.follow);
    this.#threads.recheck(user);
    // A membership that ended took its preferences with it.
    this.#prefs.look([user]);
  }

  /** The user follows the other, or does not any more: contacts may see what others do not. */
  #seesOtherwise(user: UserId, other: UserId): void {
    for (const session of this.sessions.ofUser(user)) {
      this.watches
        .sightChanged(session, other)
        .catch((err: unknown) => this.#deps.log.warn({ event: "status_unread", err }));
    }
  }

  /** Direct peers and followers watch from when they become so. */
  #watchUsers(user: UserId, watched: readonly UserId[], reason: WatchReason): void {
    if (watched.length === 0) return;
    for (const session of this.sessions.ofUser(user)) {
      this.watches
        .addAutomatic(session, watched, reason)
        .then(() => this.watches.prime(watched))
        .catch((err: unknown) => this.#deps.log.warn({ event: "watch_failed", err }));
    }
  }

  #dropped(topic: Topic): void {
    const conversation = idIn("conversation", topic);
    const user = idIn("status", topic);
    if (conversation !== null) this.streams.dropped(conversation);
    else if (user !== null) this.watches.dropped(user);
  }
}

/** Orders that name users: to every edge where they are many. */
type MembersOrder = "conversation_joined" | "threads_left";

/** Events that reach the user's sessions as they are. */
type UserEvent =
  | "notification"
  | "prefs_updated"
  | "receipt"
  | "user_updated"
  | "like_update"
  | "comment_update";

function noteOf<O extends keyof UserOrders>(event: Frame, _order: O): UserOrders[O] {
  return JSON.parse(event.note) as UserOrders[O];
}
