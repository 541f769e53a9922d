/**
 * Answers operators' questions about a host and about all hosts. Figures are collected from the
 * workers only when somebody asks, and at most about once a second however many ask.
 *
 * [OPS1] A host or worker that does not answer in time is shown as silent and delays nobody.
 * [OPS2] Nothing here grows with sessions or actors: workers answer counts, or by one user's key.
 */
import { hostname } from "node:os";
import { stopwatch, systemClock } from "../base/clock.ts";
import type { Metrics } from "../base/metrics.ts";
import { mergedFaults, type RecentFaults } from "../ops/recent-faults.ts";
import type {
  ClusterAnswers,
  HostPart,
  OpsQuestion,
  WorkerAnswer,
  WorkerAnswers,
  WorkerPart,
} from "../ports/ops.ts";
import type { Relay } from "../ports/relay.ts";
import type { HostVitals, OpsHost } from "../protocol/ops.ts";
import { isoOf, type Monotonic, msBetween } from "../protocol/time.ts";
import type { HostHealth } from "../runtime/control.ts";
import { FLAG } from "../runtime/frames.ts";
import { hostOfIncarnation, type View } from "../runtime/view.ts";
import type { HostTalk } from "./host-talk.ts";
import type { Supervisor } from "./supervisor.ts";
import type { WorkerProcess } from "./worker-process.ts";

const WORKER_DEADLINE_MS = 800;
/** More than a host's own deadline for its workers, plus the way there and back. */
const HOST_DEADLINE_MS = 1_500;
const VITALS_KEPT_MS = 900;
export const OPS_TALK = "ops";

export interface HostOpsOptions {
  host: string;
  version: string;
  supervisor: Supervisor;
  metrics: Pick<Metrics, "lagMs">;
  relay: Relay | null;
  talk: HostTalk;
  faults: RecentFaults;
  view: () => View;
  sockets: () => number;
  topics: () => number;
  health: () => HostHealth;
}

export class HostOps {
  readonly #options: HostOpsOptions;
  readonly #uptimeMs = stopwatch();
  readonly #own: () => Promise<OpsHost>;
  readonly #all: () => Promise<ClusterAnswers["vitals"]>;

  constructor(options: HostOpsOptions) {
    this.#options = options;
    this.#own = kept(VITALS_KEPT_MS, () => this.#hostVitals());
    this.#all = kept(VITALS_KEPT_MS, () => this.#clusterVitals());
  }

  /** Answers a question of a worker's HTTP API. */
  async cluster(question: OpsQuestion): Promise<ClusterAnswers[OpsQuestion["ask"]]> {
    if (question.ask === "vitals") return this.#all();
    const { host, talk } = this.#options;
    const parts = await Promise.all([
      this.own(question) as Promise<HostPart<WorkerAnswer>>,
      ...this.#others().map(async (other): Promise<HostPart<WorkerAnswer>> => {
        const body = JSON.stringify(question);
        const answer = await talk.ask(other, OPS_TALK, body, HOST_DEADLINE_MS);
        return readPart<HostPart<WorkerAnswer>>(other, answer) ?? { host: other, workers: null };
      }),
    ]);
    return parts.sort((a, b) => (a.host === host ? -1 : b.host === host ? 1 : 0)) as
      | ClusterAnswers["sessions"]
      | ClusterAnswers["end_sessions"];
  }

  /** Answers a question of another host. */
  async own(question: OpsQuestion): Promise<OpsHost | HostPart<WorkerAnswer>> {
    if (question.ask === "vitals") return this.#own();
    return { host: this.#options.host, workers: await this.#workers(question) };
  }

  async #clusterVitals(): Promise<ClusterAnswers["vitals"]> {
    const { host, talk, view } = this.#options;
    const body = JSON.stringify({ ask: "vitals" } satisfies OpsQuestion);
    const hosts = await Promise.all([
      this.#own(),
      ...this.#others().map(async (other): Promise<OpsHost> => {
        const answer = await talk.ask(other, OPS_TALK, body, HOST_DEADLINE_MS);
        return readPart<OpsHost>(other, answer) ?? this.#silent(other);
      }),
    ]);
    hosts.sort((a, b) => (a.host < b.host ? -1 : 1));
    return { at: isoOf(systemClock.wallMs()), answered_by: host, view: view().number, hosts };
  }

  async #hostVitals(): Promise<OpsHost> {
    const { host, supervisor, faults } = this.#options;
    const incarnations = supervisor.incarnations;
    const parts = await this.#workers({ ask: "vitals" });
    const answers = new Map(
      parts.map(({ incarnation, answer }) => [
        incarnation,
        answer as WorkerAnswers["vitals"] | null,
      ]),
    );
    const rings = [...answers.values()].map((answer) => answer?.faults ?? []);
    const nowMs = systemClock.monotonicMs();
    return {
      host,
      vitals: this.#vitals(mergedFaults([faults.list(), ...rings])),
      workers: incarnations.flatMap((incarnation) => {
        const { phase, sinceMs } = incarnation.state;
        if (phase === "gone") return [];
        return [
          {
            incarnation: incarnation.ref.incarnation,
            slot: incarnation.ref.slot,
            pid: incarnation.pid ?? null,
            phase,
            uptime_ms: Math.round(msBetween(sinceMs, nowMs)),
            vitals: answers.get(incarnation.ref.incarnation)?.vitals ?? null,
          },
        ];
      }),
    };
  }

  #vitals(faults: HostVitals["faults"]): HostVitals {
    const { supervisor, metrics, relay, version, sockets, topics } = this.#options;
    const { user, system } = process.cpuUsage();
    return {
      name: hostname(),
      version,
      pid: process.pid,
      uptime_ms: Math.round(this.#uptimeMs()),
      draining: supervisor.stopping,
      degraded: this.#options.health().degraded,
      lag_ms: metrics.lagMs(),
      rss_bytes: process.memoryUsage.rss(),
      cpu_ms: Math.round((user + system) / 1000),
      front_door_sockets: sockets(),
      topics: topics(),
      pipe_queue_bytes: supervisor.incarnations.reduce(
        (sum, incarnation) => sum + incarnation.pipe.queuedBytes,
        0,
      ),
      relay:
        relay === null
          ? null
          : {
              state: relay.state,
              ping_ms: relay.pingMs,
              messages_in: relay.counts.in,
              messages_out: relay.counts.out,
              gaps: relay.counts.gaps,
            },
      faults,
    };
  }

  /** [OPS1] */
  async #workers(question: OpsQuestion): Promise<WorkerPart<WorkerAnswer>[]> {
    const asked = this.#options.supervisor.incarnations.filter(
      ({ state }) => state.phase !== "starting",
    );
    return Promise.all(
      asked.map(async (incarnation) => ({
        incarnation: incarnation.ref.incarnation,
        answer: await answerOf(incarnation, question),
      })),
    );
  }

  /** The facts that the view holds about a host that does not answer. */
  #silent(host: string): OpsHost {
    const { workers } = this.#options.view();
    return {
      host,
      vitals: null,
      workers: workers
        .filter(({ incarnation }) => hostOfIncarnation(incarnation) === host)
        .map(({ incarnation, slot }) => ({
          incarnation,
          slot,
          pid: null,
          phase: "online" as const,
          uptime_ms: 0,
          vitals: null,
        })),
    };
  }

  /** Hosts that are away are included: they are shown as silent. */
  #others(): string[] {
    const { host, view } = this.#options;
    const { workers, draining, away } = view();
    const incarnations = [...workers.map(({ incarnation }) => incarnation), ...draining, ...away];
    return [...new Set(incarnations.map(hostOfIncarnation))].filter((other) => other !== host);
  }
}

async function answerOf(
  incarnation: WorkerProcess,
  question: OpsQuestion,
): Promise<WorkerAnswer | null> {
  const answer = await incarnation.ask("ops", question, WORKER_DEADLINE_MS);
  if (answer === null || (answer.flags & FLAG.ok) === 0) return null;
  return JSON.parse(answer.body) as WorkerAnswer;
}

/**
 * The answer of `host`. Null where it is silent or its answer cannot be read, which may be
 * another version of Troupe; both are shown as silent.
 */
function readPart<P extends { host: string; workers: unknown[] | null }>(
  host: string,
  answer: string | null,
): P | null {
  if (answer === null) return null;
  let part: unknown;
  try {
    part = JSON.parse(answer);
  } catch {
    // Not JSON.
    return null;
  }
  return isPartOf<P>(part, host) ? part : null;
}

function isPartOf<P>(value: unknown, host: string): value is P {
  if (typeof value !== "object" || value === null) return false;
  if (!("host" in value) || value.host !== host || !("workers" in value)) return false;
  return value.workers === null || Array.isArray(value.workers);
}

/** Shares one answer among all callers within `forMs` of its start; failures are not kept. */
function kept<T>(forMs: number, work: () => Promise<T>): () => Promise<T> {
  let last: { atMs: Monotonic; answer: Promise<T> } | null = null;
  return () => {
    const nowMs = systemClock.monotonicMs();
    if (last !== null && msBetween(last.atMs, nowMs) < forMs) return last.answer;
    const mine = { atMs: nowMs, answer: work() };
    last = mine;
    mine.answer.catch(() => {
      if (last === mine) last = null;
    });
    return mine.answer;
  };
}
