/** The second witness in memory, shared by the hosts of a test. */
import type { Clock } from "../../base/clock.ts";
import type { Witness, WitnessRow } from "../../ports/witness.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";

interface Row {
  signedAtMs: Monotonic;
  hasLeft: boolean;
}

export class MemoryWitness implements Witness {
  readonly #clock: Clock;
  readonly #rows: Map<string, Row>;
  /** Nothing is answered: as when PostgreSQL is out of this host's reach. */
  isOutOfReach = false;

  constructor(clock: Clock, rows = new Map<string, Row>()) {
    this.#clock = clock;
    this.#rows = rows;
  }

  /** Another host's connection to the same rows. */
  another(): MemoryWitness {
    return new MemoryWitness(this.#clock, this.#rows);
  }

  async sign(host: string): Promise<void> {
    this.#write(host, false);
  }

  async leave(host: string): Promise<void> {
    this.#write(host, true);
  }

  async forget(host: string): Promise<void> {
    this.#reach();
    this.#rows.delete(host);
  }

  async look(hosts: readonly string[]): Promise<Map<string, WitnessRow>> {
    this.#reach();
    const nowMs = this.#clock.monotonicMs();
    const found = new Map<string, WitnessRow>();
    for (const host of hosts) {
      const row = this.#rows.get(host);
      if (row === undefined) continue;
      const ageMs = msBetween(row.signedAtMs, nowMs);
      found.set(host, row.hasLeft ? { is: "left" } : { is: "signed", ageMs });
    }
    return found;
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  #write(host: string, hasLeft: boolean): void {
    this.#reach();
    this.#rows.set(host, { signedAtMs: this.#clock.monotonicMs(), hasLeft });
  }

  #reach(): void {
    if (this.isOutOfReach) throw new Error("PostgreSQL is out of reach");
  }
}
