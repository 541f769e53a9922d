/**
 * Schedules the next check of each session in coarse slots: one timer for all, and a tick touches
 * only the sessions that are due. A timer for each socket, or a walk over all of them at each tick,
 * would cost more.
 */
import type { Clock } from "../../base/clock.ts";
import { type Monotonic, msBetween } from "../../protocol/time.ts";
import type { Session } from "./session.ts";

const SLOT_MS = 500;

export class Expiries {
  readonly #clock: Clock;
  /** Slots are counted from here. */
  readonly #zero: Monotonic;
  readonly #look: (session: Session) => void;
  readonly #slots = new Map<number, Set<Session>>();
  #cancelTick: () => void;

  /** `look` is called once for each session that is due; it may put it in again. */
  constructor(clock: Clock, look: (session: Session) => void) {
    this.#clock = clock;
    this.#zero = clock.monotonicMs();
    this.#look = look;
    this.#cancelTick = clock.after(SLOT_MS, () => this.#tick());
  }

  /** Schedules the check for the first tick after `atMs`, in place of an earlier schedule. */
  put(session: Session, atMs: Monotonic): void {
    this.forget(session);
    const slot = Math.max(Math.ceil(msBetween(this.#zero, atMs) / SLOT_MS), this.#nowSlot() + 1);
    const sessions = this.#slots.get(slot);
    if (sessions === undefined) this.#slots.set(slot, new Set([session]));
    else sessions.add(session);
    session.expirySlot = slot;
  }

  forget(session: Session): void {
    const sessions = this.#slots.get(session.expirySlot);
    if (sessions?.delete(session) === true && sessions.size === 0) {
      this.#slots.delete(session.expirySlot);
    }
  }

  stop(): void {
    this.#cancelTick();
  }

  #nowSlot(): number {
    return Math.floor(msBetween(this.#zero, this.#clock.monotonicMs()) / SLOT_MS);
  }

  #tick(): void {
    const now = this.#nowSlot();
    for (const [slot, sessions] of this.#slots) {
      if (slot > now) continue;
      this.#slots.delete(slot);
      for (const session of sessions) this.#look(session);
    }
    this.#cancelTick = this.#clock.after(SLOT_MS, () => this.#tick());
  }
}
