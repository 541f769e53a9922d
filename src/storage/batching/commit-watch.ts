/**
 * Knows whether the writer can commit, and why not. The outcome of every batch says so; while
 * nothing is sent, or nothing can be committed, a statement of its own finds out.
 *
 * [CMT1] It says `possible` or the reason of the last failure, once at each change, and again
 *        every second while commits fail, so that a reader that has just started learns of it.
 * [CMT2] An idle writer is tried every two seconds; one whose commits fail, every second.
 */
import type { Clock } from "../../base/clock.ts";
import { later, type Monotonic } from "../../protocol/time.ts";
import type { StorageFault, StorageReason } from "../postgres/fault.ts";

const LOOK_MS = 1_000;
const IDLE_MS = 2_000;

export interface CommitWatchOptions {
  clock: Clock;
  /**
   * Tries the writer, which calls `committed` or `failed`. `thorough`: with a real commit that
   * takes new space; else by asking whether writes are allowed. Never rejects.
   */
  probe(thorough: boolean): Promise<void>;
  /** Null: a commit is possible. */
  onChange(trouble: StorageReason | null): void;
}

export class CommitWatch {
  readonly #options: CommitWatchOptions;
  #trouble: StorageReason | null = null;
  #knownAtMs: Monotonic;
  #cancel: () => void = () => undefined;
  #isClosed = false;

  constructor(options: CommitWatchOptions) {
    this.#options = options;
    this.#knownAtMs = options.clock.monotonicMs();
    this.#lookLater();
  }

  get trouble(): StorageReason | null {
    return this.#trouble;
  }

  committed(): void {
    this.#knownAtMs = this.#options.clock.monotonicMs();
    this.#set(null);
  }

  failed({ reason }: StorageFault): void {
    // The writer's own bound says nothing about PostgreSQL.
    if (reason === "queue_full") return;
    this.#knownAtMs = this.#options.clock.monotonicMs();
    this.#set(reason);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  #set(trouble: StorageReason | null): void {
    if (this.#isClosed || this.#trouble === trouble) return;
    this.#trouble = trouble;
    this.#options.onChange(trouble);
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const isInTrouble = this.#trouble !== null;
    const { clock, probe, onChange } = this.#options;
    const isIdle = later(this.#knownAtMs, IDLE_MS) <= clock.monotonicMs();
    if (isInTrouble || isIdle) await probe(isInTrouble);
    if (isInTrouble && this.#trouble !== null && !this.#isClosed) onChange(this.#trouble);
    this.#lookLater();
  }
}
