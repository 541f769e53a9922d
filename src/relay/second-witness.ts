/**
 * What a host does with the second witness (ports/witness.ts): it signs while Redis is away, and
 * asks about hosts whose lease has ended when the lease's script gives it that task. Used by the
 * relay, which knows when.
 *
 * [SWT1] Nothing is written while Redis can be reached, but the end of what was written before. A host
 *        signs from the moment at which Redis is away until it is joined again.
 * [SWT2] A look ends within LOOK_DEADLINE_MS; when it fails, its verdicts are `unknown` and this host
 *        asks for no more looks for a while, so that others get them.
 * [SWT3] A host that stops while it signs says so, and is gone for the others at once.
 * [SWT4] A witness that fails changes nothing else: the hosts are then as without one.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Witness, WitnessRow } from "../ports/witness.ts";
import { later, type Monotonic } from "../protocol/time.ts";
import { LEASE_MS, type Verdict, WITNESS_MS } from "./lease.ts";

/** Four times within a lease, as the lease itself is renewed. */
const SIGN_MS = 750;
/** The claim holds a little longer. */
const LOOK_DEADLINE_MS = WITNESS_MS - 100;
const LOOK_AGAIN_MS = 2_000;
const LAST_WORDS_MS = 500;

export interface SecondWitnessOptions {
  witness: Witness;
  host: string;
  clock: Clock;
  log: Pick<Log, "warn">;
}

export class SecondWitness {
  readonly #options: SecondWitnessOptions;
  #isSigning = false;
  /** Counts the spells of signing; what is left of an earlier one does nothing. */
  #spell = 0;
  #cancelSigning: () => void = () => undefined;
  #mayLookAtMs: Monotonic;
  /** Each spell without the witness is logged once. */
  #isFailing = false;

  constructor(options: SecondWitnessOptions) {
    this.#options = options;
    this.#mayLookAtMs = options.clock.monotonicMs();
  }

  /** [SWT2] */
  get mayLook(): boolean {
    return this.#options.clock.monotonicMs() >= this.#mayLookAtMs;
  }

  /** Redis is away. */
  signs(): void {
    if (this.#isSigning) return;
    this.#isSigning = true;
    void this.#sign(++this.#spell);
  }

  /** Redis can be reached, and this host is a member. */
  rests(): void {
    if (!this.#isSigning) return;
    this.#isSigning = false;
    this.#cancelSigning();
    const { witness, host } = this.#options;
    // A row that stays is stale after a lease.
    void this.#tried("forget", witness.forget(host));
  }

  /** Never rejects. A host without a row, or with an old one, is silent. */
  async look(hosts: readonly string[]): Promise<Verdict[]> {
    const { witness, clock } = this.#options;
    let cancel: () => void = () => undefined;
    const late = new Promise<null>((resolve) => {
      cancel = clock.after(LOOK_DEADLINE_MS, () => resolve(null));
    });
    const rows = await Promise.race([this.#tried("look", witness.look(hosts)), late]);
    cancel();
    if (rows === null) this.#mayLookAtMs = later(clock.monotonicMs(), LOOK_AGAIN_MS);
    return hosts.map((host) => ({ host, is: rows === null ? "unknown" : wordOf(rows.get(host)) }));
  }

  /** [SWT3] */
  async close(): Promise<void> {
    const { witness, host, clock } = this.#options;
    if (this.#isSigning) {
      this.#isSigning = false;
      this.#cancelSigning();
      let cancel: () => void = () => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(LAST_WORDS_MS, resolve);
      });
      await Promise.race([this.#tried("leave", witness.leave(host)), late]);
      cancel();
    }
    await witness.close();
  }

  async #sign(spell: number): Promise<void> {
    const { witness, host, clock } = this.#options;
    const isOver = () => !this.#isSigning || spell !== this.#spell;
    if (isOver()) return;
    await this.#tried("sign", witness.sign(host));
    if (isOver()) return;
    this.#cancelSigning = clock.after(SIGN_MS, () => void this.#sign(spell));
  }

  /** [SWT4] */
  async #tried<T>(what: string, work: Promise<T>): Promise<T | null> {
    try {
      const done = await work;
      this.#isFailing = false;
      return done;
    } catch (err) {
      if (!this.#isFailing) this.#options.log.warn({ event: "witness_failed", what, err });
      this.#isFailing = true;
      return null;
    }
  }
}

function wordOf(row: WitnessRow | undefined): "signs" | "silent" | "gone" {
  if (row === undefined) return "silent";
  if (row.is === "left") return "gone";
  return row.ageMs <= LEASE_MS ? "signs" : "silent";
}
