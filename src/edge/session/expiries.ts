/**
 * When which session is to be looked at next, in coarse slots: one timer for all, and a tick
 * touches only those that are due. A timer a socket would cost more, and so would a walk over
 * all of them at each tick.
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

  /** To be looked at in the first tick after `atMs`, and not when it was to be before. */
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
