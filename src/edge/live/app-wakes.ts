/**
 * Finds the application's actors that have a due timer or effect, and wakes them. Every worker looks
 * twice a second and claims the found ones in PostgreSQL for `LEASE_MS`. An active actor rings most
 * of its timers itself; this look finds those of actors that are not active, also after a crash.
 */
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { AppQueries } from "../../ports/app-actors.ts";
import { appActorId } from "../../protocol/app-actors.ts";
import { later, type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Gateway } from "../../runtime/gateway.ts";

const LOOK_EVERY_MS = 500;
const LEASE_MS = 5_000;
const FOUND_MAX = 500;
const FORGET_EVERY_MS = 10 * 60_000;

export interface AppWakesOptions {
  clock: Clock;
  log: Log;
  apps: Pick<AppQueries, "claimWakes" | "forgetCalls">;
  gateway: Pick<Gateway, "tell">;
}

export class AppWakes {
  readonly #options: AppWakesOptions;
  #cancelNext: (() => void) | null = null;
  #isClosed = false;
  #forgetAtMs: Monotonic;

  constructor(options: AppWakesOptions) {
    this.#options = options;
    this.#forgetAtMs = later(options.clock.monotonicMs(), FORGET_EVERY_MS);
  }

  start(): void {
    this.#lookIn(LOOK_EVERY_MS);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext?.();
  }

  #lookIn(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancelNext = this.#options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { apps, gateway, clock, log } = this.#options;
    let found = 0;
    try {
      const due = await apps.claimWakes(FOUND_MAX, LEASE_MS);
      found = due.length;
      for (const { kind, key } of due) gateway.tell("app", appActorId(kind, key), "wake", {});
      if (msBetween(this.#forgetAtMs, clock.monotonicMs()) >= 0) {
        this.#forgetAtMs = later(clock.monotonicMs(), FORGET_EVERY_MS);
        await apps.forgetCalls();
      }
    } catch (err) {
      log.warn({ event: "actor_timers_wait", err });
    }
    this.#lookIn(found === FOUND_MAX ? 0 : LOOK_EVERY_MS);
  }
}
