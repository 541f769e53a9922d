/**
 * The reload of one worker. Every part of it first loads the application's new files beside those
 * that run; only when all parts of all workers have, the primary lets them take over.
 *
 * [RNW1] A part that fails to take over is answered as a text, and never left without an answer.
 *
 * States: runs → prepared (new files are loaded, older ones run) → runs, by adopting or dropping them.
 */
import type { Extensions, RenewalOrder } from "../config/extensions.ts";

export interface RenewedPart {
  /** Null, or why the files cannot be loaded. Leaves what runs alone. */
  prepare(extensions: Extensions): Promise<string | null>;
  adopt(extensions: Extensions): void | Promise<void>;
  /** What was prepared is dropped. */
  abandon(): void;
}

export class Renewal {
  readonly #parts: readonly RenewedPart[];
  #prepared: number | null = null;

  constructor(parts: readonly RenewedPart[]) {
    this.#parts = parts;
  }

  /** Null: done. A text: why not. */
  async order({ step, extensions }: RenewalOrder): Promise<string | null> {
    if (step === "abandon") {
      this.#abandon();
      return null;
    }
    if (step === "prepare" || this.#prepared !== extensions.generation) {
      const problem = await this.#prepare(extensions);
      if (problem !== null || step === "prepare") return problem;
    }
    this.#prepared = null;
    const adopted = await Promise.allSettled(
      this.#parts.map(async (part) => part.adopt(extensions)),
    );
    const failed = adopted.find((one) => one.status === "rejected");
    return failed === undefined ? null : messageOf(failed.reason);
  }

  async #prepare(extensions: Extensions): Promise<string | null> {
    this.#prepared = null;
    const problems = await Promise.all(
      this.#parts.map((part) => part.prepare(extensions).catch(messageOf)),
    );
    const problem = problems.find((one) => one !== null) ?? null;
    if (problem === null) this.#prepared = extensions.generation;
    else this.#abandon();
    return problem;
  }

  #abandon(): void {
    this.#prepared = null;
    for (const part of this.#parts) part.abandon();
  }
}

const messageOf = (fault: unknown): string =>
  fault instanceof Error ? fault.message : String(fault);

const UNLOADED = "A thread could not load the files; the log says why.";

export const loadedOr = (isLoaded: boolean): string | null => (isLoaded ? null : UNLOADED);
