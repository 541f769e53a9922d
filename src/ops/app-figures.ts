/** The figures of the application's actors in one worker, for operators. */

import type { AppKind } from "../protocol/app-actors.ts";
import { type AppKindVitals, LATENCY_BOUNDS_MS } from "../protocol/ops.ts";
import { Histogram } from "./vitals.ts";

interface Figures {
  turns: number;
  failures: number;
  turnMs: Histogram;
}

export class AppFigures {
  /** One for each kind that was ever loaded here. */
  readonly #byKind = new Map<string, Figures>();

  /** So many turns of a kind took `ms` together. */
  ran(kind: string, turns: number, ms: number): void {
    const figures = this.#of(kind);
    figures.turns += turns;
    for (let n = 0; n < turns; n++) figures.turnMs.observe(ms / turns);
  }

  failed(kind: string): void {
    this.#of(kind).failures++;
  }

  /** `active`: the ids of actors, "poll:lunch"; `unavailable`: names like "poll.vote". */
  read(
    kinds: readonly AppKind[],
    active: Iterable<string>,
    unavailable: readonly string[],
  ): AppKindVitals[] {
    const counts = new Map<string, number>();
    for (const id of active) {
      const kind = id.slice(0, id.indexOf(":"));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    return kinds.map(({ kind, version }) => {
      const { turns, failures, turnMs } = this.#of(kind);
      return {
        kind,
        version,
        actors: counts.get(kind) ?? 0,
        turns,
        failures,
        turn_ms: turnMs.read(),
        unavailable: unavailable.filter((name) => name.startsWith(`${kind}.`)),
      };
    });
  }

  #of(kind: string): Figures {
    const known = this.#byKind.get(kind);
    if (known !== undefined) return known;
    const made = { turns: 0, failures: 0, turnMs: new Histogram(LATENCY_BOUNDS_MS) };
    this.#byKind.set(kind, made);
    return made;
  }
}
