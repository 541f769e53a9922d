/**
 * The fleet as the bench sees it: clients numbered from 0, spread over forked processes and
 * over several loopback addresses (an address has some 28,000 ports to call from). Orders go
 * to all processes at once, their reports come back as one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type HistogramDump, mergedPercentilesMs, type Percentiles } from "../support/histogram.ts";
import { OTHER_FILES, openFilesMax } from "../support/open-files.ts";
import type { ClientSpec } from "./lean-client.ts";
import type { AskJob, Counts, EmitJob, Message, Order, Report } from "./orders.ts";

const PROGRAM = fileURLToPath(new URL("./process.js", import.meta.url));
/** Longer than any order's own deadline, the seconds of an `emit` apart. */
const ORDER_MS = 660_000;
const CLIENTS_AN_ADDRESS = 5_000;
/** Also where files would allow more: a process has one core. */
const CLIENTS_A_PROCESS_MAX = 15_000;
const QUIET_POLL_MS = 25;

export interface FleetReport {
  done: number;
  failed: number;
  reasons: string[];
  /** From the first process' start to the last one's end. */
  seconds: number;
  startedUs: number;
  latencies: Percentiles | null;
  receipts: Percentiles | null;
}

interface Crew {
  child: ChildProcess;
  counts: Counts;
  settle: ((message: Message) => void) | null;
  fail: (why: Error) => void;
}

const NO_COUNTS: Counts = {
  ready: 0,
  lost: 0,
  acked: 0,
  heard: 0,
  heardByLetter: {},
  lastHeardUs: 0,
};

/** The part of an order for one process, whose clients are those given to it in turn. */
type OrderOf = (crew: number) => Order;

export class Fleet {
  static readonly #running = new Set<Fleet>();
  readonly #crews: Crew[];

  private constructor(crews: Crew[]) {
    this.#crews = crews;
  }

  /** `clients`: how many it is to hold at most. */
  static start(clients: number, processesMin: number): Fleet {
    const each = Math.min(CLIENTS_A_PROCESS_MAX, Math.max(1, openFilesMax() - OTHER_FILES));
    const size = Math.max(processesMin, Math.ceil(clients / each));
    const fleet = new Fleet(Array.from({ length: size }, startCrew));
    Fleet.#running.add(fleet);
    return fleet;
  }

  /** Stops the fleet of a measurement that was abandoned. */
  static async stopAll(): Promise<void> {
    await Promise.all([...Fleet.#running].map((fleet) => fleet.stop()));
  }

  get processes(): number {
    return this.#crews.length;
  }

  /** The counts of the latest ticks, summed over all processes. */
  get counts(): Counts {
    return addedUp(this.#crews.map((crew) => crew.counts));
  }

  /** Resolves when all are ready, or have failed. `inFlightMax` in all. */
  open(specs: readonly ClientSpec[], inFlightMax: number): Promise<FleetReport> {
    const size = this.#crews.length;
    return this.#all((crew) => ({
      order: "open",
      clients: specs.filter((_, index) => index % size === crew),
      inFlightMax: Math.max(1, Math.round(inFlightMax / size)),
    }));
  }

  /** Each job once. */
  ask(jobs: readonly AskJob[], inFlightMax: number): Promise<FleetReport> {
    const size = this.#crews.length;
    return this.#all((crew) => ({
      order: "ask",
      jobs: this.#own(jobs, crew),
      inFlightMax: Math.max(1, Math.round(inFlightMax / size)),
    }));
  }

  /** Resolves when the last answer is there. `perSecond`: of all. */
  emit(
    jobs: readonly EmitJob[],
    plan: { window: number; perSecond: number | null; seconds: number; timesReceipt?: boolean },
  ): Promise<FleetReport> {
    return this.#all((crew) => {
      const own = this.#own(jobs, crew);
      const share = own.length / Math.max(1, jobs.length);
      return {
        order: "emit",
        jobs: own,
        window: plan.window,
        perSecond: plan.perSecond === null ? null : plan.perSecond * share,
        seconds: plan.seconds,
        timesReceipt: plan.timesReceipt ?? false,
      };
    });
  }

  storm(syncs: readonly string[]): Promise<FleetReport> {
    const size = this.#crews.length;
    return this.#all((crew) => ({
      order: "storm",
      syncs: syncs.filter((_, index) => index % size === crew),
    }));
  }

  async count(): Promise<Counts> {
    const messages = await this.#tell(() => ({ order: "counts" }));
    return addedUp(
      messages.map((message) => (message.type === "counts" ? message.counts : NO_COUNTS)),
    );
  }

  /** Resolves when `heard` events of that letter are there, or none came for `stillMs`. */
  async heard(letter: string, heard: number, stillMs: number): Promise<Counts> {
    let last = -1;
    let sinceMs = performance.now();
    for (;;) {
      const counts = await this.count();
      const now = counts.heardByLetter[letter] ?? 0;
      if (now >= heard || performance.now() - sinceMs > stillMs) return counts;
      if (now !== last) sinceMs = performance.now();
      last = now;
      await new Promise((resolve) => setTimeout(resolve, QUIET_POLL_MS));
    }
  }

  async close(): Promise<void> {
    await this.#tell(() => ({ order: "close" }));
  }

  /** Ends the processes, whatever they are doing. */
  async stop(): Promise<void> {
    Fleet.#running.delete(this);
    await Promise.all(
      this.#crews.map(({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return undefined;
        const gone = new Promise((done) => child.once("exit", done));
        child.kill("SIGKILL");
        return gone;
      }),
    );
  }

  #own<Job extends { client: number }>(jobs: readonly Job[], crew: number): Job[] {
    const size = this.#crews.length;
    return jobs
      .filter(({ client }) => client % size === crew)
      .map((job) => ({ ...job, client: Math.floor(job.client / size) }));
  }

  async #all(order: OrderOf): Promise<FleetReport> {
    const messages = await this.#tell(order);
    return joined(messages.flatMap((one) => (one.type === "report" ? [one.report] : [])));
  }

  #tell(order: OrderOf): Promise<Message[]> {
    return Promise.all(
      this.#crews.map((crew, index) => {
        return new Promise<Message>((resolve, reject) => {
          const own = order(index);
          const end = () => {
            clearTimeout(late);
            crew.settle = null;
          };
          const deadlineMs = ORDER_MS + (own.order === "emit" ? own.seconds * 1000 : 0);
          const late = setTimeout(() => {
            end();
            reject(new Error(`the fleet did not finish "${own.order}" within ${deadlineMs} ms`));
          }, deadlineMs);
          crew.settle = (message) => {
            end();
            resolve(message);
          };
          crew.fail = (why) => {
            end();
            reject(why);
          };
          crew.child.send(own);
        });
      }),
    );
  }
}

/** For `count` clients on the loopback; null elsewhere, and where only 127.0.0.1 is there. */
export function sourceAddresses(count: number, isLocal: boolean): (string | null)[] {
  const addresses = Math.ceil(count / CLIENTS_AN_ADDRESS) + 1;
  // macOS has 127.0.0.1 only, unless others were added.
  const isMany = isLocal && process.platform === "linux";
  return Array.from({ length: count }, (_, i) =>
    isMany ? `127.0.0.${2 + (i % addresses)}` : null,
  );
}

function startCrew(): Crew {
  const child = fork(PROGRAM, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const crew: Crew = { child, counts: NO_COUNTS, settle: null, fail: () => undefined };
  child.on("message", (message: Message) => {
    if (message.type === "tick") crew.counts = message.counts;
    else crew.settle?.(message);
  });
  child.on("error", (error) => crew.fail(error));
  child.on("exit", (code, signal) => {
    crew.fail(new Error(`a process of the fleet ended (${signal ?? `exit code ${code}`})`));
  });
  return crew;
}

function joined(reports: readonly Report[]): FleetReport {
  const startedUs = Math.min(...reports.map((one) => one.startedUs));
  const endedUs = Math.max(...reports.map((one) => one.endedUs));
  const dumps = (pick: (one: Report) => HistogramDump) => mergedPercentilesMs(reports.map(pick));
  return {
    done: reports.reduce((sum, one) => sum + one.done, 0),
    failed: reports.reduce((sum, one) => sum + one.failed, 0),
    reasons: reports.flatMap((one) => one.reasons),
    seconds: Math.max(1, endedUs - startedUs) / 1e6,
    startedUs,
    latencies: dumps((one) => one.latencies),
    receipts: dumps((one) => one.receipts),
  };
}

function addedUp(all: readonly Counts[]): Counts {
  const heardByLetter: Record<string, number> = {};
  for (const { heardByLetter: one } of all) {
    for (const [letter, count] of Object.entries(one)) {
      heardByLetter[letter] = (heardByLetter[letter] ?? 0) + count;
    }
  }
  const sum = (pick: (one: Counts) => number) => all.reduce((total, one) => total + pick(one), 0);
  return {
    ready: sum((one) => one.ready),
    lost: sum((one) => one.lost),
    acked: sum((one) => one.acked),
    heard: sum((one) => one.heard),
    heardByLetter,
    lastHeardUs: Math.max(0, ...all.map((one) => one.lastHeardUs)),
  };
}
