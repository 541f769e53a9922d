/**
 * The edge of one worker, put together: the hub (receives topics, sends to sessions), Socket.IO, and
 * the services that HTTP shares with them. Built by src/worker.ts around an Exchange.
 */
import type { Clock } from "../base/clock.ts";
import type { FileLinks } from "../base/file-links.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { WorkerConfig } from "../config/config.ts";
import { ageMsOf, createEdgeVitals, stampNow } from "../ops/vitals.ts";
import type { AppQueries } from "../ports/app-actors.ts";
import type { AccountStore, Queries } from "../ports/edge.ts";
import type { ModerationStore } from "../ports/moderation.ts";
import type { ScheduledStore } from "../ports/scheduled.ts";
import type { ServiceStore } from "../ports/services.ts";
import type { AppKinds } from "../protocol/app-kinds.ts";
import type { Doubt } from "../protocol/doubt.ts";
import type { FamilyId, UserId } from "../protocol/ids.ts";
import { topicOf } from "../protocol/topics.ts";
import type { Exchange } from "../runtime/exchange.ts";
import type { Frame } from "../runtime/frames.ts";
import type { Placement } from "../runtime/view.ts";
import { type Auth, createAuth } from "./auth/auth.ts";
import type { AskIssuerKeys } from "./auth/jwks.ts";
import { KnownRevocations } from "./auth/revocations.ts";
import { createDispatch } from "./commands/dispatch.ts";
import { moderated } from "./commands/moderated.ts";
import type { PresenceReader } from "./http/routes/presence.ts";
import { Hub } from "./hub.ts";
import { EdgeLimits } from "./limits/limits.ts";
import { UsageSharing } from "./limits/usage-sharing.ts";
import { AppWakes } from "./live/app-wakes.ts";
import { DueLooks } from "./live/due-work.ts";
import { dueExpiries } from "./live/expiries-due.ts";
import { dueScheduled } from "./live/scheduled-due.ts";
import { dueStreams } from "./live/streams-due.ts";
import { dueSummaries } from "./live/summaries-due.ts";
import { WordRules } from "./moderation/word-rules.ts";

import { Namespaces } from "./namespaces/namespaces.ts";
import type { AdmissionDeps } from "./session/admission.ts";
import type { Session } from "./session/session.ts";
import { type AdapterFactory, createSocketServer, type SocketServer } from "./socket-server.ts";
import { Packet } from "./transport/packet.ts";
import { WriteBatcher } from "./transport/write-batcher.ts";

/** A draining worker asks each session to reconnect at a random moment within this. */
const RECONNECT_SPREAD_MS = 2_500;
/** A draining worker ends a long-polling session after this: its earlier requests are answered then. */
const POLLING_END_MS = 500;
/** How long a long-polling client may take to send its next request. */
const NEXT_POLL_WITHIN_MS = 2_000;
/** A session that has not reconnected this long after its moment is closed. */
const RECONNECT_PATIENCE_MS = 500;

export interface EdgeDeps {
  config: WorkerConfig;
  incarnation: string;
  exchange: Exchange;
  accounts: AccountStore;
  services: ServiceStore;
  scheduled: ScheduledStore;
  moderation: ModerationStore;
  apps: AppQueries;
  appKinds?: AppKinds;
  queries: Queries;
  links: Pick<FileLinks, "in">;
  metrics: Metrics;
  clock: Clock;
  /** 0 to 1, for the jitter of reconnects. */
  random(): number;
  askIssuerKeys: AskIssuerKeys;
  /** Makes the adapters of the application's namespaces where several hosts are joined. */
  namespaceAdapter?: AdapterFactory;
  log: Log;
}

interface EdgeParts {
  auth: Auth;
  limits: EdgeLimits;
  spending: UsageSharing;
  revocations: KnownRevocations;
  wordRules: WordRules;
  hub: Hub;
}

export class Edge {
  readonly auth: Auth;
  readonly revocations: KnownRevocations;
  /** Presence as HTTP asks for it. */
  readonly presence: PresenceReader;
  readonly limits: EdgeLimits;
  readonly wordRules: WordRules;
  readonly sockets: SocketServer;
  readonly turn = new WriteBatcher();
  readonly vitals = createEdgeVitals();
  /** The application's own; null where it has none. */
  readonly namespaces: Namespaces | null = null;
  /** The prefix of this host's incarnation ids: other hosts' clocks cannot be compared with its own. */
  readonly #ownHost: string;
  readonly #hub: Hub;
  readonly #spending: UsageSharing;
  readonly #dueWork: DueLooks;
  /** Null where the application has no actors of its own. */
  readonly #appWakes: AppWakes | null = null;
  readonly #deps: EdgeDeps;

  static async create(deps: EdgeDeps): Promise<Edge> {
    const { clock, config, exchange, accounts, askIssuerKeys, log } = deps;
    let hub: Hub | null = null;
    let namespaces: Namespaces | null = null;
    const wordRules = new WordRules(deps.moderation, log);
    const revocations = new KnownRevocations({
      clock,
      log,
      accounts,
      accessTokenTtlS: config.accessTokenTtlS,
      exchange: () => exchange,
      onRevoked(family, user) {
        hub?.sessions.endFamily(family, user);
        namespaces?.endFamily(family, user);
      },
      onRevokedFound() {
        const isRevoked = (family: FamilyId) => revocations.isRevoked(family);
        hub?.sessions.endLogins(isRevoked);
        namespaces?.recheck(isRevoked);
      },
      onRulesRev: (rev) => void wordRules.follow(rev),
      onSuspended(user) {
        hub?.sessions.endUser(user);
        namespaces?.endUser(user);
      },
      onCut(user, atMs) {
        hub?.sessions.endBefore(user, atMs);
        namespaces?.endBefore(user, atMs);
      },
    });
    const spending = new UsageSharing({
      clock,
      self: deps.incarnation,
      edges: () => exchange.placement.view.workers.length,
      // Hosts of earlier versions take no reports; a view with them names no placement. [HMB3]
      takeReports: () => exchange.placement.view.placement !== undefined,
      ownerOf: (key) => exchange.placement.ownerOf(key),
      publish: (body) => exchange.publish(topicOf.limits(), { name: "spent", rev: 0, body }),
      report: (to, body) =>
        exchange.publish(topicOf.limitsOf(to), { name: "reported", rev: 0, body }),
    });
    const limits = new EdgeLimits({
      limits: config.rateLimits ? config.limits : null,
      clock,
      tally: deps.metrics.limits,
      sharing: spending,
    });
    const auth = await createAuth({
      config,
      accounts,
      services: deps.services,
      revocations,
      limits,
      askIssuerKeys,
      wordRules,
      clock,
      log,
    });
    const logins = {
      onRevoked: (event: Frame) => revocations.onEvent(event),
      readRevoked: () => revocations.readEnded(),
    };
    hub = new Hub({ ...deps, auth, pages: limits.pages, ...logins });
    const edge = new Edge(deps, { auth, limits, spending, revocations, wordRules, hub });
    namespaces = edge.namespaces;
    return edge;
  }

  private constructor(deps: EdgeDeps, parts: EdgeParts) {
    const { auth, limits, spending, revocations, wordRules, hub } = parts;
    const { config, metrics, clock, log } = deps;
    this.#deps = deps;
    this.#hub = hub;
    this.#ownHost = deps.incarnation.slice(0, deps.incarnation.indexOf(".") + 1);
    this.#spending = spending;
    const { queries } = deps;
    const due = { log, queries, gateway: deps.exchange.gateway };
    const sending = dueScheduled({
      ...due,
      clock,
      scheduled: deps.scheduled,
      chargeSend: (user) => limits.charge(user, { send: 1 }, null),
      isSuspended: (user) => revocations.isSuspended(user),
    });
    const works = [dueExpiries(due), dueSummaries(due), dueStreams(due), sending];
    this.#dueWork = new DueLooks({ clock, log, queries, works });
    if (config.extensions !== undefined) {
      const { apps, exchange } = deps;
      this.#appWakes = new AppWakes({ clock, log, apps, gateway: exchange.gateway });
    }
    this.auth = auth;
    this.limits = limits;
    this.revocations = revocations;
    this.wordRules = wordRules;
    this.presence = hub;
    const admission: AdmissionDeps = {
      config,
      auth,
      sessions: hub.sessions,
      limits,
      metrics,
      dispatch: createDispatch({
        commands: moderated(hub.commands, wordRules),
        metrics,
        clock,
        log,
        links: (text) => deps.links.in(text),
        onSent: (ms) => this.vitals.sendCommit.observe(ms),
      }),
      turn: this.turn,
      isCongested: () => deps.exchange.isCongested,
      clock,
      log,
    };
    this.sockets = createSocketServer(admission, deps.namespaceAdapter);
    if (config.extensions !== undefined) {
      const { accounts } = deps;
      this.namespaces = new Namespaces({
        config,
        auth,
        accounts,
        limits,
        turn: this.turn,
        clock,
        log,
      });
    }
    metrics.gauges.sessions = () => hub.sessions.size;
  }

  /** Subscribes to ended logins and suspensions, and reads those from before. */
  async start(): Promise<void> {
    const { config } = this.#deps;
    if (config.rateLimits) {
      await this.#hub.interests.want(topicOf.limits());
      await this.#hub.interests.want(topicOf.limitsOf(this.#deps.incarnation));
    }
    await this.#hub.interests.want(topicOf.revocations());
    await this.revocations.start();
    this.#dueWork.start();
    this.#appWakes?.start();
  }

  onEvent(event: Frame): void {
    const { incarnation } = this.#deps;
    if (event.key === topicOf.limits()) {
      if (event.from !== incarnation) this.#spending.heard(event.body);
      return;
    }
    if (event.key === topicOf.limitsOf(incarnation)) {
      this.#spending.reported(event.from, event.body);
      return;
    }
    const before = this.turn.deliveries;
    this.#hub.onEvent(event);
    // The actor thread put the moment of the commit into `corr` of a message's event.
    if (event.corr === 0 || this.turn.deliveries === before) return;
    if (!event.from.startsWith(this.#ownHost)) return;
    const ageMs = ageMsOf(event.corr, stampNow());
    if (ageMs !== null) this.vitals.commitDelivery.observe(ageMs);
  }

  sessionsOf(user: UserId): Iterable<Session> {
    return this.#hub.sessions.ofUser(user);
  }

  onView(now: Placement, before: Placement): void {
    this.#hub.onView(now, before);
  }

  /** Letters from this edge to actors on that host ("": every other host) may be lost. */
  onGap(host: string): void {
    this.#hub.onGap(host);
  }

  /** Events of these topics may not have arrived here. */
  onDoubt(doubt: Doubt): void {
    this.#hub.onDoubt(doubt);
  }

  /**
   * Sends every session `server_draining`, each with its own moment to come back, and ends it
   * after that moment. A long-polling session is ended earlier, because it can be sent nothing
   * once the port is closed. `told` resolves when the port may close: every session has taken
   * what it was sent, a long-polling one `session_ended` too. `gone` resolves when all have ended.
   */
  drain(): { told: Promise<void>; gone: Promise<void> } {
    const { clock, random } = this.#deps;
    this.sockets.refuseNew();
    const told: Promise<void>[] = [];
    const gone: Promise<void>[] = [];
    for (const session of this.#hub.sessions.all()) {
      const { connection } = session;
      const reconnect_in_ms = Math.floor(random() * RECONNECT_SPREAD_MS);
      session.send(Packet.event("server_draining", JSON.stringify({ reconnect_in_ms })));
      // Once the port is closed, a client that polls on a new connection receives nothing more.
      const isPolling = connection.transport === "polling";
      const endsInMs = isPolling ? POLLING_END_MS : reconnect_in_ms + RECONNECT_PATIENCE_MS;
      const ended = new Promise<void>((resolve) => {
        clock.after(endsInMs, () => {
          session.end("server_draining", "The server is restarting.", true);
          resolve();
        });
      });
      gone.push(ended);
      told.push(isPolling ? ended.then(() => connection.whenTaken()) : connection.whenTaken());
    }
    if (this.namespaces !== null) {
      const inMs = () => Math.floor(random() * RECONNECT_SPREAD_MS);
      gone.push(this.namespaces.drain(inMs, RECONNECT_PATIENCE_MS));
    }
    this.turn.flush();
    const late = new Promise<void>((resolve) =>
      clock.after(POLLING_END_MS + NEXT_POLL_WITHIN_MS, resolve),
    );
    return {
      told: Promise.race([Promise.all(told).then(() => undefined), late]),
      gone: Promise.all(gone).then(() => undefined),
    };
  }

  close(): void {
    this.revocations.stop();
    this.namespaces?.close();
    this.sockets.close();
    this.#spending.close();
    this.#dueWork.close();
    this.#appWakes?.close();
    this.#hub.close();
  }
}
