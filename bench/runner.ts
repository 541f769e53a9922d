/**
 * Runs scenarios: a fresh server and database for each measurement, and everything ended again,
 * whatever happened. Several servers take turns within each scenario (A B A B), so that what
 * the machine does meanwhile hits all alike.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Fleet } from "./fleet/fleet.ts";
import { Meter, Unmeasured } from "./meter.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan, Scenario, Stage } from "./scenarios/scenario.ts";
import type { Stack } from "./stack.ts";
import { type Progress, startProgress } from "./support/progress.ts";

export interface Contender {
  name: string;
  start(): Promise<Stack>;
  /** Instead of the plan's. */
  clients?: number;
  /** Instead of the run's: what is compared may be called otherwise elsewhere. */
  scenario?: Scenario;
}

export interface Run {
  scenario: Scenario;
  contenders: readonly Contender[];
}

/** The pause between two measurements, in which disk and clocks settle. */
const PAUSE_MS = 300;

export class Runner {
  readonly outcomes: Outcome[] = [];
  /** One sentence for each thing that could not be measured. */
  readonly unmeasured: string[] = [];
  readonly #plan: Plan;
  readonly #abort: AbortSignal;
  readonly #progress: Progress;
  #live: () => string = () => "";
  #share = 0;

  constructor(plan: Plan, abort: AbortSignal) {
    this.#plan = plan;
    this.#abort = abort;
    this.#progress = startProgress(process.stderr, () => this.#live());
  }

  /**
   * Each scenario `rounds` times over its contenders. One that comes to nothing is put down in
   * `unmeasured`; rejects when a server does not start, or breaks.
   */
  async all(runs: readonly Run[], rounds: number): Promise<void> {
    const total = runs.reduce((sum, { contenders }) => sum + contenders.length * rounds, 0);
    let done = 0;
    try {
      for (const { scenario, contenders } of runs) {
        for (let round = 0; round < rounds; round++) {
          for (const contender of contenders) {
            if (this.#abort.aborted) return;
            const own = contender.scenario ?? scenario;
            const title = `${own.name} ${contender.name}${rounds > 1 ? ` ${round + 1}/${rounds}` : ""}`;
            this.#share = done++ / total;
            try {
              this.outcomes.push(await this.#one(own, contender, title));
            } catch (error) {
              if (!(error instanceof Unmeasured)) throw error;
              this.unmeasured.push(`${title}: ${error.message}`);
            }
          }
        }
      }
    } finally {
      this.#progress.end();
    }
  }

  async #one(scenario: Scenario, contender: Contender, title: string): Promise<Outcome> {
    const say: Stage["say"] = (text, units) => {
      this.#live = units === undefined ? () => "" : () => units().toLocaleString("en-GB");
      this.#progress.step(this.#share, 1, `${title}: ${text}`);
    };
    const plan = { ...this.#plan, clients: contender.clients ?? this.#plan.clients };
    say("starting");
    const stack = await contender.start();
    let stop: () => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(new Error("stopped"));
      if (this.#abort.aborted) stop();
      this.#abort.addEventListener("abort", stop, { once: true });
    });
    try {
      const work = scenario.run({ stack, plan, say, signal: this.#abort });
      const outcome = await Promise.race([work, stopped]);
      return { ...outcome, title: scenario.title, subject: contender.name };
    } finally {
      this.#live = () => "";
      this.#abort.removeEventListener("abort", stop);
      Meter.cancel();
      await Fleet.stopAll();
      await stack.stop();
      await delay(PAUSE_MS);
    }
  }
}
