/**
 * Connections that have not yet said what they want: silent, half a head, half a TLS
 * handshake. Bounded for one address and altogether. Where there is no room the oldest goes,
 * unless it is so young that it may just not have had its turn: then the new one is refused.
 * So whoever sits silent is in nobody's way, and a crowd that comes at once is not cut down.
 */
import { type Monotonic, msBetween } from "../protocol/time.ts";

export interface Guest {
  readonly address: string;
  readonly sinceMs: Monotonic;
  /** Ends the connection; null when it is not ours to end (a worker does the handshake). */
  cut: (() => void) | null;
}

export interface UndecidedLimits {
  perAddress: number;
  total: number;
  /** An honest client's head is there in a round trip or two. */
  youngMs: number;
}

export class Undecided {
  readonly #limits: UndecidedLimits;
  /** Those that can be cut, oldest first. */
  readonly #ours = new Set<Guest>();
  readonly #byAddress = new Map<string, Set<Guest>>();
  #evicted = 0;

  constructor(limits: UndecidedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    let size = 0;
    for (const guests of this.#byAddress.values()) size += guests.size;
    return size;
  }

  /** Cut to make room, ever. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Null when there is no room. */
  enter(address: string, nowMs: Monotonic, cut: () => void): Guest | null {
    const neighbours = this.#byAddress.get(address);
    if (neighbours !== undefined && neighbours.size >= this.#limits.perAddress) {
      if (!this.#makeRoom(neighbours, nowMs)) return null;
    } else if (this.#ours.size >= this.#limits.total && !this.#makeRoom(this.#ours, nowMs)) {
      return null;
    }
    const guest: Guest = { address, sinceMs: nowMs, cut };
    this.#ours.add(guest);
    // Looked up anew: making room may have taken the address's last.
    const guests = this.#byAddress.get(address);
    if (guests === undefined) this.#byAddress.set(address, new Set([guest]));
    else guests.add(guest);
    return guest;
  }

  /** A worker has it now: it still counts for its address. */
  handedOver(guest: Guest): void {
    guest.cut = null;
    this.#ours.delete(guest);
  }

  /** It has said what it wants, or is gone. */
  leave(guest: Guest): void {
    this.#ours.delete(guest);
    const guests = this.#byAddress.get(guest.address);
    if (guests === undefined || !guests.delete(guest)) return;
    if (guests.size === 0) this.#byAddress.delete(guest.address);
  }

  #makeRoom(among: Set<Guest>, nowMs: Monotonic): boolean {
    for (const guest of among) {
      if (guest.cut === null) continue;
      if (msBetween(guest.sinceMs, nowMs) < this.#limits.youngMs) return false;
      this.#evicted++;
      this.leave(guest);
      guest.cut();
      return true;
    }
    return false;
  }
}
