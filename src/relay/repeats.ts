/**
 * Finds envelopes that have arrived before. Numbers of one host come in order on one channel, and
 * nearly so across the nodes of a Redis Cluster, so a window behind the highest number is enough.
 *
 * [RPT1] A number is new once. Numbers older than the window count as repeats.
 * [RPT2] Memory is bounded: the least recently seen hosts are forgotten first.
 */

/** At 20,000 envelopes a second from one host, more than three seconds. */
const WINDOW = 65_536;
/** Each start of a host is another host; a window takes 8 KB. */
const HOSTS_MAX = 1_000;

interface Seen {
  highest: number;
  bits: Uint32Array;
}

export class Repeats {
  readonly #seen = new Map<string, Seen>();

  /** False when this number of that host was taken before. */
  isNew(host: string, number: number): boolean {
    const seen = this.#seenOf(host);
    if (number <= seen.highest - WINDOW) return false;
    if (number > seen.highest) {
      if (number - seen.highest >= WINDOW) seen.bits.fill(0);
      else for (let n = seen.highest + 1; n < number; n++) clearBit(seen.bits, n % WINDOW);
      seen.highest = number;
    } else if (hasBit(seen.bits, number % WINDOW)) return false;
    setBit(seen.bits, number % WINDOW);
    return true;
  }

  #seenOf(host: string): Seen {
    const known = this.#seen.get(host);
    this.#seen.delete(host);
    const seen = known ?? { highest: -1, bits: new Uint32Array(WINDOW / 32) };
    this.#seen.set(host, seen);
    if (this.#seen.size > HOSTS_MAX) {
      const [oldest] = this.#seen.keys();
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    return seen;
  }
}

function hasBit(bits: Uint32Array, at: number): boolean {
  return (((bits[at >>> 5] ?? 0) >>> (at & 31)) & 1) === 1;
}

function setBit(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) | (1 << (at & 31));
}

function clearBit(bits: Uint32Array, at: number): void {
  bits[at >>> 5] = (bits[at >>> 5] ?? 0) & ~(1 << (at & 31));
}
