/**
 * The clock of a measurement: samples a server's processes while it runs, and says at the end
 * what the work cost. Started when the server is quiet, stopped when its queues are empty.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Outcome, Sample } from "./outcome.ts";
import type { Percentiles } from "./support/histogram.ts";
import {
  canReadProcesses,
  cpuByKind,
  type PartFigures,
  type Root,
  readParts,
  readPssKb,
} from "./support/process-figures.ts";

const SAMPLE_MS = 250;
const QUIET_LOOK_MS = 200;
const QUIET_WITHIN_MS = 10_000;
/** The share of one core that timers and heartbeats take. */
const QUIET_SHARE = 0.08;

export interface Findings {
  units: number;
  /** How long the work took; default: the time the meter ran. */
  seconds?: number;
  latencies?: Percentiles | null;
  latencyOf?: string;
  extra?: Record<string, number>;
  failures?: number;
  reasons?: string[];
}

/**
 * A measurement that came to nothing, in a sentence. The others of the run go on; the bench
 * tells it at the end and exits with 1.
 */
export class Unmeasured extends Error {
  override readonly name = "Unmeasured";
}

export interface Subject {
  /** Who is measured: "troupe", "plain", an address. */
  name: string;
  roots(): readonly Root[];
}

export class Meter {
  /** One measurement at a time: two would be in each other's way. */
  static #running: Meter | null = null;
  readonly #subject: Subject;
  readonly #units: () => number;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #beganMs = performance.now();
  readonly #before: PartFigures[];

  private constructor(subject: Subject, units: () => number) {
    this.#subject = subject;
    this.#units = units;
    this.#before = readParts(subject.roots());
    this.#sample();
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
  }

  /** `units`: how many are done so far, for the chart over time. */
  static start(subject: Subject, units: () => number): Meter {
    Meter.cancel();
    const meter = new Meter(subject, units);
    Meter.#running = meter;
    return meter;
  }

  /** Stops sampling after a measurement that broke off. */
  static cancel(): void {
    if (Meter.#running !== null) clearInterval(Meter.#running.#timer);
    Meter.#running = null;
  }

  /** Throws Unmeasured where there is nothing to divide by. */
  stop(scenario: string, unit: string, findings: Findings): Outcome {
    Meter.cancel();
    const after = readParts(this.#subject.roots());
    this.#sample();
    const { units, latencies = null, latencyOf = "", extra = {} } = findings;
    const seconds = findings.seconds ?? (performance.now() - this.#beganMs) / 1000;
    if (!(units > 0) || !(seconds > 0)) {
      const why = findings.reasons?.[0];
      throw new Unmeasured(
        `${scenario}: not one ${unit} was counted in ${seconds.toFixed(1)} s` +
          `${why === undefined ? "" : ` (${why})`}.`,
      );
    }
    const cpuMs = canReadProcesses && after.length > 0 ? spent(this.#before, after) : null;
    const all = cpuMs === null ? null : Object.values(cpuMs).reduce((sum, one) => sum + one, 0);
    const rssKb = after.reduce((sum, one) => sum + one.rssKb, 0);
    return {
      scenario,
      title: "",
      subject: this.#subject.name,
      unit,
      units,
      seconds,
      perSecond: units / seconds,
      latencies,
      latencyOf,
      cpuMs,
      cpuUsPerUnit: all === null ? null : (all * 1000) / units,
      rssMb: after.length === 0 ? null : rssKb / 1024,
      pssMb: after.length === 0 ? null : readPssKb(this.#subject.roots()) / 1024,
      extra,
      failures: findings.failures ?? 0,
      reasons: findings.reasons ?? [],
      samples: this.#samples,
    };
  }

  #sample(): void {
    const cpuMs: Record<string, number> = {};
    const rssKb: Record<string, number> = {};
    for (const one of readParts(this.#subject.roots())) {
      cpuMs[one.part] = one.cpuMs;
      rssKb[one.part] = one.rssKb;
    }
    const atMs = performance.now() - this.#beganMs;
    this.#samples.push({ atMs, units: this.#units(), cpuMs, rssKb });
  }
}

/** Resolves when the server does next to nothing; at the latest after 10 s. */
export async function whenQuiet(subject: Subject): Promise<void> {
  if (!canReadProcesses || subject.roots().length === 0) {
    await delay(QUIET_LOOK_MS);
    return;
  }
  const deadlineMs = performance.now() + QUIET_WITHIN_MS;
  const cpu = () => readParts(subject.roots()).reduce((sum, one) => sum + one.cpuMs, 0);
  let before = cpu();
  while (performance.now() < deadlineMs) {
    await delay(QUIET_LOOK_MS);
    const now = cpu();
    if (now - before <= QUIET_SHARE * QUIET_LOOK_MS) return;
    before = now;
  }
}

/**
 * The CPU that idle sessions cost in that time (heartbeats and timers); null where it cannot be
 * read.
 */
export async function cpuOfSilence(subject: Subject, seconds: number): Promise<number | null> {
  const cpu = () => readParts(subject.roots()).reduce((sum, one) => sum + one.cpuMs, 0);
  if (!canReadProcesses || subject.roots().length === 0) return null;
  const before = cpu();
  await delay(seconds * 1000);
  return cpu() - before;
}

function spent(before: PartFigures[], after: PartFigures[]): Record<string, number> {
  const from = cpuByKind(before);
  return Object.fromEntries(
    Object.entries(cpuByKind(after)).map(([kind, ms]) => [kind, ms - (from[kind] ?? 0)]),
  );
}
