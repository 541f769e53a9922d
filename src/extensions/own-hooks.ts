/**
 * The application's hooks as they are now: a reload replaces the thread that runs them. Questions that
 * an older thread has taken are answered by it.
 */
import type { Clock } from "../base/clock.ts";
import type { HookFailures } from "../base/hook-failures.ts";
import type { Log } from "../base/log.ts";
import type { WorkerConfig } from "../config/config.ts";
import type { Extensions } from "../config/extensions.ts";
import {
  type AskedType,
  type HookCaller,
  type Hooks,
  type HookVerdict,
  verdictOnFailure,
} from "../protocol/hooks.ts";
import { HookHost } from "./hook-host.ts";

export class OwnHooks implements Hooks {
  readonly #config: WorkerConfig;
  readonly #types: readonly AskedType[];
  readonly #failures: HookFailures;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #retired = new Set<HookHost>();
  #now: HookHost | null;
  #next: HookHost | null = null;
  #isPrepared = false;

  constructor(
    config: WorkerConfig,
    extensions: Extensions,
    types: readonly AskedType[],
    failures: HookFailures,
    clock: Clock,
    log: Log,
  ) {
    this.#config = config;
    this.#types = types;
    this.#failures = failures;
    this.#clock = clock;
    this.#log = log;
    this.#now = this.#hostOf(extensions);
  }

  /** Resolves when the files have loaded. */
  async ready(): Promise<void> {
    await this.#now?.ready;
  }

  wants(type: AskedType): boolean {
    return this.#now?.wants(type) === true;
  }

  ask(type: AskedType, caller: HookCaller, data: object): Promise<HookVerdict> {
    if (this.#now === null) return Promise.resolve({ is: "allow" });
    return this.#now.ask(type, caller, data);
  }

  /** Loads other files beside those that run; false where they do not load. */
  async prepare(extensions: Extensions): Promise<boolean> {
    this.abandon();
    this.#next = this.#hostOf(extensions);
    this.#isPrepared = true;
    return this.#next === null || this.#next.ready;
  }

  adopt(): void {
    if (!this.#isPrepared) return;
    const old = this.#now;
    if (old !== null) {
      this.#retired.add(old);
      old.retire(() => this.#retired.delete(old));
    }
    this.#now = this.#next;
    this.#next = null;
    this.#isPrepared = false;
  }

  abandon(): void {
    void this.#next?.close();
    this.#next = null;
    this.#isPrepared = false;
  }

  async close(): Promise<void> {
    this.abandon();
    await Promise.all([this.#now, ...this.#retired].map((host) => host?.close()));
  }

  /** Null where no file has hooks of these types. */
  #hostOf(extensions: Extensions): HookHost | null {
    if (!this.#types.some((type) => extensions.hooks.includes(type))) return null;
    return new HookHost({
      extensions,
      types: this.#types,
      memoryMb: this.#config.actorsMemoryMb,
      failed: verdictOnFailure(this.#config),
      failures: this.#failures,
      clock: this.#clock,
      log: this.#log,
    });
  }
}
