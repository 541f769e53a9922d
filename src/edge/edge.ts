/**
 * The edge of one worker, put together: topics in, sockets out, and the services that HTTP
 * shares with them. Built by src/worker.ts around an Exchange.
 */
import type { Clock } from "../clock.ts";
import type { WorkerConfig } from "../config.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { AccountStore, Queries } from "../ports.ts";
import type { UserOrders } from "../protocol/actor-ops.ts";
import type { FamilyId, UserId } from "../protocol/ids.ts";
import type { Conversation } from "../protocol/schemas.ts";
import { type Topic, topicOf } from "../protocol/topics.ts";
import type { Exchange } from "../runtime/exchange.ts";
import type { Frame } from "../runtime/frames.ts";
import type { Placement } from "../runtime/view.ts";
import { type Auth, createAuth } from "./auth.ts";
import type { PresenceReader } from "./http/presence.ts";
import { Interests } from "./interests.ts";
import { createHttpLimits } from "./limits.ts";
import { readStatuses } from "./presence-reader.ts";
import { RevokedLogins } from "./revocations.ts";
import { createCommands } from "./socket/commands.ts";
import { createDispatch } from "./socket/dispatch.ts";
import { WriteTurn } from "./socket/outlet.ts";
import { Packet } from "./socket/packet.ts";
import { PostWatches } from "./socket/post-watches.ts";
import { createSocketServer, type SocketServer } from "./socket/server.ts";
import { Sessions } from "./socket/sessions.ts";
import { Streams } from "./socket/streams.ts";
import { hidden, WATCH_REASON, Watches, type WatchReason } from "./socket/watches.ts";

/** Sessions are told to come back within this, each at its own moment. */
const RECONNECT_SPREAD_MS = 2_500;
/** A long-polling client that is between two requests comes with the next within this. */
const TOLD_WITHIN_MS = 1_000;
/** After its moment a session that has not gone by itself is closed. */
const RECONNECT_PATIENCE_MS = 500;

export interface EdgeDeps {
  config: WorkerConfig;
  life: string;
  exchange: Exchange;
  accounts: AccountStore;
  queries: Queries;
  metrics: Metrics;
  clock: Clock;
  /** 0 to 1, for the jitter of reconnects. */
  random(): number;
  log: Log;
}

export class Edge {
  readonly auth: Auth;
  readonly revocations: RevokedLogins;
  /** Presence as HTTP asks for it. */
  readonly presence: PresenceReader;
  readonly sockets: SocketServer;
  readonly turn: WriteTurn;
  readonly #deps: EdgeDeps;
  readonly #interests: Interests;
  readonly #streams: Streams;
  readonly #watches: Watches;
  readonly #postWatches: PostWatches;
  readonly #sessions: Sessions;

  static async create(deps: EdgeDeps): Promise<Edge> {
    const { clock, config, exchange, accounts, log } = deps;
    let edge: Edge | null = null;
    const revocations = new RevokedLogins({
      clock,
      accessTokenTtlS: config.accessTokenTtlS,
      exchange: () => exchange,
      onRevoked: (family, user) => edge?.endLogin(family, user),
    });
    const limits = createHttpLimits(config.rateLimits, clock);
    const auth = await createAuth({ config, accounts, revocations, limits, clock, log });
    edge = new Edge(deps, auth, revocations);
    return edge;
  }

  private constructor(deps: EdgeDeps, auth: Auth, revocations: RevokedLogins) {
    const { config, life, exchange, queries, metrics, clock, log } = deps;
    this.#deps = deps;
    this.auth = auth;
    this.revocations = revocations;
    this.turn = new WriteTurn();
    const { gateway } = exchange;
    const statuses = (users: readonly UserId[]) => readStatuses(gateway, queries, users);
    this.presence = {
      async statuses(viewer, users) {
        const [found, apart] = await Promise.all([
          statuses(users),
          queries.blockedAmong(viewer, users),
        ]);
        const isApart = new Set<string>(apart);
        return found.map((status) => (isApart.has(status.user_id) ? hidden(status) : status));
      },
    };
    const interests = new Interests({
      clock,
      subscribe: (topics) => exchange.subscribe(topics),
      unsubscribe: (topics) => exchange.unsubscribe(topics),
      onDropped: (topic) => this.#dropped(topic),
    });
    this.#interests = interests;
    const sessionsOf = (user: UserId) => this.#sessions.ofUser(user);
    const streams = new Streams({ clock, log, queries, interests, sessionsOf });
    const watches = new Watches({
      gateway,
      interests,
      statuses,
      isApart: (user, other) => this.#sessions.isApart(user, other),
    });
    const postWatches = new PostWatches(interests);
    this.#postWatches = postWatches;
    this.#streams = streams;
    this.#watches = watches;
    this.#sessions = new Sessions({
      life,
      clock,
      log,
      gateway,
      interests,
      streams,
      watches,
      postWatches,
      queries,
    });
    const commands = createCommands({
      life,
      gateway,
      streams,
      watches,
      postWatches,
      queries,
      auth,
      onTokenRefreshed: (session) => this.#sessions.recheck(session),
    });
    this.sockets = createSocketServer({
      config,
      auth,
      sessions: this.#sessions,
      dispatch: createDispatch({ commands, metrics, clock, log }),
      turn: this.turn,
      clock,
      log,
    });
    metrics.gauges.sessions = () => this.#sessions.size;
  }

  /** Hears of ended logins from now on, and reads which there have been. */
  async start(): Promise<void> {
    await this.#interests.want(topicOf.revocations());
    await this.revocations.load(this.#deps.accounts);
  }

  endLogin(family: FamilyId, user: UserId): void {
    this.#sessions.endFamily(family, user);
  }

  onEvent(event: Frame): void {
    const { placement } = this.#deps.exchange;
    const { key } = event;
    if (key.startsWith("conversations:")) this.#streams.onEvent(event, placement);
    else if (key.startsWith("user_status:")) this.#watches.onEvent(event, placement);
    else if (key.startsWith("notifications:")) this.#onUserEvent(event);
    else if (key.startsWith("like_updates:")) this.#postWatches.onEvent(event);
    else if (key.startsWith("comment_updates:")) this.#postWatches.onEvent(event);
    else if (key === topicOf.revocations()) this.revocations.onEvent(event);
  }

  onView(now: Placement, before: Placement): void {
    this.#sessions.onView(now, before);
    this.#watches.onView(now, before);
    this.#streams.onView(now, before);
  }

  /**
   * Tells every session that the server drains, each with its own moment to come back. `told`
   * resolves when they have heard it, `gone` when they have gone or been closed.
   */
  drain(): { told: Promise<void>; gone: Promise<void> } {
    const { clock, random } = this.#deps;
    this.sockets.refuseNew();
    const sessions = [...this.#sessions.all()];
    const closings = sessions.map((session) => {
      const reconnect_in_ms = Math.floor(random() * RECONNECT_SPREAD_MS);
      session.send(Packet.event("server_draining", JSON.stringify({ reconnect_in_ms })));
      return new Promise<void>((resolve) => {
        clock.after(reconnect_in_ms + RECONNECT_PATIENCE_MS, () => {
          session.end("server_draining", "The server is restarting.", true);
          resolve();
        });
      });
    });
    this.turn.flush();
    const taken = Promise.all(sessions.map((session) => session.whenTaken()));
    const late = new Promise<void>((resolve) => clock.after(TOLD_WITHIN_MS, resolve));
    return {
      told: Promise.race([taken.then(() => undefined), late]),
      gone: Promise.all(closings).then(() => undefined),
    };
  }

  close(): void {
    this.sockets.close();
    this.#sessions.stop();
    this.#streams.close();
    this.#interests.close();
  }

  /** What concerns one user's own sessions. */
  #onUserEvent(event: Frame): void {
    const user = event.key.slice("notifications:".length) as UserId;
    const sessions = this.#sessions.ofUser(user);
    switch (event.name as keyof UserOrders | UserEvent) {
      case "conversation_joined": {
        const { conversation_id, rev } = noteOf(event, "conversation_joined");
        this.#streams.joined(sessions, conversation_id, rev, event.body);
        this.#watchUsers(user, peersIn(event.body, user), WATCH_REASON.peer);
        return;
      }
      case "following_changed": {
        const { user_id, following } = noteOf(event, "following_changed");
        const reason = WATCH_REASON.follow;
        if (following) this.#watchUsers(user, [user_id], reason);
        else for (const session of sessions) this.#watches.withdraw(session, [user_id], reason);
        return;
      }
      case "apart_changed": {
        const { user_id, is_apart } = noteOf(event, "apart_changed");
        this.#sessions.apartChanged(user, user_id, is_apart);
        return;
      }
      case "notification": {
        const packet = Packet.event(event.name, event.body);
        for (const session of sessions) session.send(packet);
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

  /** Direct peers and followers watch from when they become so. */
  #watchUsers(user: UserId, watched: readonly UserId[], reason: WatchReason): void {
    if (watched.length === 0) return;
    const { log } = this.#deps;
    for (const session of this.#sessions.ofUser(user)) {
      this.#watches
        .add(session, watched, reason)
        .then(() => this.#watches.prime(watched))
        .catch((err: unknown) => log.warn({ event: "watch_failed", err }));
    }
  }

  #dropped(topic: Topic): void {
    if (topic.startsWith("conversations:")) this.#streams.dropped(topic);
    else if (topic.startsWith("user_status:")) this.#watches.dropped(topic);
  }
}

/** Events that reach the user's sessions as they are. */
type UserEvent = "notification" | "like_update" | "comment_update";

function noteOf<O extends keyof UserOrders>(event: Frame, _order: O): UserOrders[O] {
  return JSON.parse(event.note) as UserOrders[O];
}

/** The other of a direct conversation; nobody for a group. */
function peersIn(conversation: string, user: UserId): UserId[] {
  const { kind, members } = JSON.parse(conversation) as Conversation;
  if (kind !== "direct") return [];
  return members.map(({ user_id }) => user_id as UserId).filter((id) => id !== user);
}
