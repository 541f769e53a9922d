/**
 * How many connections each address has open on this host, wherever they are: at the front door
 * or at a worker. Owned by the front door, which asks it once a connection.
 *
 * The primary does not see the end of a connection that it has handed over. A worker reports the
 * ends of its connections by address, and when a worker is gone all of its connections count as
 * ended.
 *
 * [OCN1] An address over its cap gets no further connection until one of its own has ended.
 * [OPC2] Each connection ends once: by its own close while the primary holds it, by its worker's
 *        report, or with its worker.
 */
import type { Socket } from "node:net";

/** A worker; this module only compares identities. */
type Owner = object;

interface Entry {
  address: string;
  owner: Owner | null;
}

export class OpenConnections {
  readonly #max: number;
  readonly #byAddress = new Map<string, number>();
  readonly #byOwner = new Map<Owner, Map<string, number>>();
  readonly #entries = new WeakMap<Socket, Entry>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Addresses that have connections open. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  countOf(address: string): number {
    return this.#byAddress.get(address) ?? 0;
  }

  /** False when the address has as many connections as it may have. */
  enter(socket: Socket, address: string): boolean {
    if (this.countOf(address) >= this.#max) return false;
    const entry: Entry = { address, owner: null };
    this.#entries.set(socket, entry);
    this.#add(address, 1);
    // A socket whose handle has been sent no longer emits this event.
    socket.once("close", () => this.#closed(entry));
    return true;
  }

  /** The connection was handed to that worker, which reports its end. */
  handedTo(socket: Socket, owner: Owner): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined) return;
    if (entry.owner !== null) this.#addOf(entry.owner, entry.address, -1);
    entry.owner = owner;
    this.#addOf(owner, entry.address, 1);
  }

  /** The worker could not take the connection: the primary holds it again. */
  takenBack(socket: Socket): void {
    const entry = this.#entries.get(socket);
    if (entry === undefined || entry.owner === null) return;
    // It was removed from the address's count together with its owner.
    if (!this.#byOwner.has(entry.owner)) this.#add(entry.address, 1);
    this.#addOf(entry.owner, entry.address, -1);
    entry.owner = null;
  }

  /** A worker's report: so many of its connections have ended, by address. */
  ended(owner: Owner, counts: Readonly<Record<string, number>>): void {
    if (!this.#byOwner.has(owner)) return;
    for (const [address, count] of Object.entries(counts)) {
      this.#add(address, -count);
      this.#addOf(owner, address, -count);
    }
  }

  /** The worker is gone: all of its connections have ended. */
  ownerGone(owner: Owner): void {
    for (const [address, count] of this.#byOwner.get(owner) ?? []) this.#add(address, -count);
    this.#byOwner.delete(owner);
  }

  #closed(entry: Entry): void {
    if (entry.owner !== null) {
      if (!this.#byOwner.has(entry.owner)) return;
      this.#addOf(entry.owner, entry.address, -1);
    }
    this.#add(entry.address, -1);
  }

  #add(address: string, count: number): void {
    const now = this.countOf(address) + count;
    if (now > 0) this.#byAddress.set(address, now);
    else this.#byAddress.delete(address);
  }

  #addOf(owner: Owner, address: string, count: number): void {
    let counts = this.#byOwner.get(owner);
    if (counts === undefined) {
      if (count < 0) return;
      counts = new Map();
      this.#byOwner.set(owner, counts);
    }
    const now = (counts.get(address) ?? 0) + count;
    if (now === 0) counts.delete(address);
    else counts.set(address, now);
  }
}
