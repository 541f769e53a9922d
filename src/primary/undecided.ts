/**
 * Connections that have not sent a whole beginning yet: silent, half a head, half a TLS
 * handshake. Their number is bounded for each address and in total. When there is no room the
 * oldest is closed, unless it is so young that it may still be waiting to be read: then the new one
 * is refused. So silent connections do not block others, and a crowd that arrives at once is not
 * closed.
 */
import { type Monotonic, msBetween } from "../protocol/time.ts";

export interface UndecidedConnection {
  readonly address: string;
  readonly sinceMs: Monotonic;
  /** Ends the connection; null when a worker holds it (and does the handshake). */
  cut: (() => void) | null;
}

export interface UndecidedLimits {
  perAddress: number;
  total: number;
  /** Younger than this an honest client may still need a round trip or two to send its head. */
  youngMs: number;
}

export class Undecided {
  readonly #limits: UndecidedLimits;
  /** The connections that can be closed here, oldest first. */
  readonly #ours = new Set<UndecidedConnection>();
  readonly #byAddress = new Map<string, Set<UndecidedConnection>>();
  #evicted = 0;

  constructor(limits: UndecidedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    let size = 0;
    for (const guests of this.#byAddress.values()) size += guests.size;
    return size;
  }

  /** How many were closed to make room since the start. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Null when there is no room. */
  enter(address: string, nowMs: Monotonic, cut: () => void): UndecidedConnection | null {
    const neighbours = this.#byAddress.get(address);
    if (neighbours !== undefined && neighbours.size >= this.#limits.perAddress) {
      if (!this.#makeRoom(neighbours, nowMs)) return null;
    } else if (this.#ours.size >= this.#limits.total && !this.#makeRoom(this.#ours, nowMs)) {
      return null;
    }
    const guest: UndecidedConnection = { address, sinceMs: nowMs, cut };
    this.#ours.add(guest);
    // Looked up again, because making room may have removed the address's last entry.
    const guests = this.#byAddress.get(address);
    if (guests === undefined) this.#byAddress.set(address, new Set([guest]));
    else guests.add(guest);
    return guest;
  }

  /** A worker holds it now; it still counts for its address. */
  handedOver(guest: UndecidedConnection): void {
    guest.cut = null;
    this.#ours.delete(guest);
  }

  /** It has sent its beginning, or it is closed. */
  leave(guest: UndecidedConnection): void {
    this.#ours.delete(guest);
    const guests = this.#byAddress.get(guest.address);
    if (guests === undefined || !guests.delete(guest)) return;
    if (guests.size === 0) this.#byAddress.delete(guest.address);
  }

  #makeRoom(among: Set<UndecidedConnection>, nowMs: Monotonic): boolean {
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
