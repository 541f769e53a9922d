/**
 * One worker of a simulated host: the shipped edge without its sockets (hub, exchange, limits,
 * revocations, the looks for due work) and the shipped actor runtime, over the memory storage.
 */
import { behaviours } from "../../actors/index.ts";
import type { ActorPorts } from "../../actors/ports.ts";
import type { Log } from "../../src/base/log.ts";
import { Tally } from "../../src/base/metrics.ts";
import { loadConfig } from "../../src/config/config.ts";
import type { Limits } from "../../src/config/limit-keys.ts";
import { KnownRevocations } from "../../src/edge/auth/revocations.ts";
import { Hub } from "../../src/edge/hub.ts";
import { EdgeLimits } from "../../src/edge/limits/limits.ts";
import { PageTurns } from "../../src/edge/limits/turns.ts";
import { UsageSharing } from "../../src/edge/limits/usage-sharing.ts";
import { DueLooks } from "../../src/edge/live/due-work.ts";
import { dueExpiries } from "../../src/edge/live/expiries-due.ts";
import { dueStreams } from "../../src/edge/live/streams-due.ts";
import { dueSummaries } from "../../src/edge/live/summaries-due.ts";
import type { Queries } from "../../src/ports/edge.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import type { FamilyId } from "../../src/protocol/ids.ts";
import { topicOf } from "../../src/protocol/topics.ts";
import { ActorRuntime } from "../../src/runtime/actor-runtime.ts";
import { Exchange } from "../../src/runtime/exchange.ts";
import { decodeAt, eachFrame, FRAME, type Frame } from "../../src/runtime/frames.ts";
import type { View } from "../../src/runtime/view.ts";
import type { MemoryStorage } from "../../src/storage/memory/ports.ts";
import type { MemoryWitness } from "../../src/storage/memory/witness.ts";
import type { Counts } from "./counts.ts";
import { SimLine } from "./sim-line.ts";
import { counted } from "./sim-storage.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface SimWorld {
  clock: VirtualClock;
  counts: Counts;
  storage: MemoryStorage;
  witness: MemoryWitness;
  log: Log;
  /** Bugs and frames that could not be read. */
  bugs: string[];
}

const GRACE_MS = 5_000;
const TOKEN_TTL_S = 900;
const SESSIONS_MAX = 50;

export class SimWorker {
  readonly incarnation: string;
  /** Its place on its host, which the worker that replaces it takes over. */
  readonly slot: number;
  readonly exchange: Exchange;
  readonly hub: Hub;
  readonly limits: EdgeLimits;
  readonly revocations: KnownRevocations;
  readonly toEdge: SimLine;
  readonly #spending: UsageSharing;
  readonly #runtime: ActorRuntime;
  readonly #lines: SimLine[];
  readonly #dueWork: DueLooks;
  isDead = false;

  constructor(
    world: SimWorld,
    incarnation: string,
    slot: number,
    toPrimary: (bytes: Buffer) => void,
  ) {
    this.incarnation = incarnation;
    this.slot = slot;
    const { clock, counts, storage, log, bugs } = world;
    const pipe = new SimLine(clock, toPrimary);
    const toThread = new SimLine(clock, (bytes) => this.#inThread(bytes));
    const fromThread = new SimLine(clock, (bytes) => exchange.fromThread(bytes));
    this.toEdge = new SimLine(clock, (bytes) => exchange.fromPrimary(bytes));
    this.#lines = [pipe, toThread, fromThread, this.toEdge];
    const exchange: Exchange = new Exchange({
      incarnation,
      isCluster: true,
      clock,
      pipe,
      thread: toThread,
      drops: { note: (source, reason) => void bugs.push(`${source}: ${reason}`) },
      onEvent: (event) => this.#onEvent(event),
      onView: (now, before) => this.hub.onView(now, before),
      onControl: (order) => this.#onControl(order),
      onBatchEnd: () => undefined,
    });
    this.exchange = exchange;
    const queries = counted<Queries>(storage.queries, "statements", counts, clock);
    const accounts = counted(storage.accounts, "looks", counts, clock);
    const isEnded = (family: FamilyId) => this.revocations.isRevoked(family);
    this.revocations = new KnownRevocations({
      clock,
      log,
      accounts,
      accessTokenTtlS: TOKEN_TTL_S,
      exchange: () => exchange,
      onRevoked: (family, user) => this.hub.sessions.endFamily(family, user),
      onRevokedFound: () => this.hub.sessions.endLogins(isEnded),
      onSuspended: (user) => this.hub.sessions.endUser(user),
      onRulesRev: () => undefined,
      onCut: (user, atMs) => this.hub.sessions.endBefore(user, atMs),
    });
    this.hub = new Hub({
      incarnation,
      exchange,
      queries,
      clock,
      log,
      links: { in: (text) => text },
      pages: new PageTurns(),
      auth: { verify: async () => REFUSALS.unavailable },
      onRevoked: (event) => this.revocations.onEvent(event),
      readRevoked: () => this.revocations.readEnded(),
    });
    this.#spending = new UsageSharing({
      clock,
      self: incarnation,
      edges: () => exchange.placement.view.workers.length,
      takeReports: () => exchange.placement.view.placement !== undefined,
      ownerOf: (key) => exchange.placement.ownerOf(key),
      publish: (body) => exchange.publish(topicOf.limits(), { name: "spent", rev: 0, body }),
      report: (to, body) =>
        exchange.publish(topicOf.limitsOf(to), { name: "reported", rev: 0, body }),
    });
    this.limits = new EdgeLimits({
      limits: defaultLimits(),
      clock,
      tally: new Tally(),
      sharing: this.#spending,
    });
    const looks = counted<Queries>(storage.queries, "due", counts, clock);
    const due = { log, queries: looks, gateway: exchange.gateway };
    const works = [dueExpiries(due), dueSummaries(due), dueStreams(due)];
    this.#dueWork = new DueLooks({ clock, log, queries: looks, works });
    this.#runtime = new ActorRuntime({
      clock,
      self: incarnation,
      behaviours: behaviours(countedPorts(storage.ports, counts, clock), {
        graceMs: GRACE_MS,
        sessionsMax: SESSIONS_MAX,
        changes: null,
      }),
      send: (sent) => fromThread.send(sent),
      onBug: (key, bug) => void bugs.push(`${key}: ${bug}`),
      onMalformed: (key, bug) => void bugs.push(`${key}: ${bug}`),
    });
  }

  /** As Edge.start: the topics that every edge hears, then the looks into storage. */
  async start(): Promise<void> {
    await this.hub.interests.want(topicOf.limits());
    await this.hub.interests.want(topicOf.limitsOf(this.incarnation));
    await this.hub.interests.want(topicOf.revocations());
    await this.revocations.start();
    this.#dueWork.start();
  }

  /** Dead between two instructions. */
  die(): void {
    this.isDead = true;
    for (const line of this.#lines) line.isCut = true;
    this.#dueWork.close();
    this.revocations.stop();
    this.#spending.close();
    this.hub.close();
    this.#runtime.close();
  }

  #onEvent(event: Frame): void {
    if (event.key === topicOf.limits()) {
      if (event.from !== this.incarnation) this.#spending.heard(event.body);
      return;
    }
    if (event.key === topicOf.limitsOf(this.incarnation)) {
      this.#spending.reported(event.from, event.body);
      return;
    }
    this.hub.onEvent(event);
  }

  #onControl({ name, body }: Frame): void {
    if (name === "gap") this.hub.onGap((JSON.parse(body) as { host: string }).host);
    if (name === "doubt") this.hub.onDoubt(JSON.parse(body));
  }

  #inThread(bytes: Buffer): void {
    eachFrame(bytes, (at) => {
      const one = decodeAt(bytes, at);
      if (one.type === FRAME.view) this.#runtime.setView(JSON.parse(one.body) as View);
      else if (one.type !== FRAME.control) this.#runtime.deliver(one);
      else if (one.name === "gap") {
        this.#runtime.onGap((JSON.parse(one.body) as { host: string }).host);
      }
    });
  }
}

function countedPorts(ports: ActorPorts, counts: Counts, clock: VirtualClock): ActorPorts {
  const all = Object.entries(ports).map(([name, port]: [string, object]) => [
    name,
    counted(port, "writes", counts, clock),
  ]);
  return Object.fromEntries(all) as ActorPorts;
}

function defaultLimits(): Limits {
  const outcome = loadConfig({});
  if (!outcome.ok) throw new Error("the default configuration is not valid");
  return outcome.config.limits;
}
