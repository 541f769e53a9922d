/**
 * The lease as this host knows it: the entries of all hosts under one number, kept from answer to
 * answer, so that Redis sends what has changed and a seal is verified once. Used by the relay.
 *
 * [KNL1] What is known under a number has that number's digest: an answer that does not lead there,
 *        whoever wrote what Redis holds, makes this host ask for all entries with its next renewal.
 */
import type { Cluster, HostMembers } from "../ports/relay.ts";
import { digestOf, type ForeignReason, type LeaseAnswer, openedMembers } from "./lease.ts";
import type { ClusterIdentity } from "./seal.ts";

export interface TakenLease {
  cluster: Cluster;
  /** Entries that belong to no host of this cluster. [LSE2] */
  foreign: Map<string, ForeignReason>;
}

interface Entry {
  sealed: string;
  opened: HostMembers | ForeignReason;
}

const NOTHING = { number: 0, digest: "" };

export class KnownLease {
  readonly #identity: ClusterIdentity;
  #members = new Map<string, Entry>();
  #away = new Map<string, Entry>();
  /** Entries from before Redis was away, until this host is joined again. */
  #former = new Map<string, Entry>();
  #has = NOTHING;
  #taken: TakenLease = {
    cluster: { number: 0, hosts: new Map(), away: new Map() },
    foreign: new Map(),
  };

  constructor(identity: ClusterIdentity) {
    this.#identity = identity;
  }

  /** What the next renewal asks for changes since; 0 for everything. */
  get has(): { number: number; digest: string } {
    return this.#has;
  }

  /** Redis is away, and may come back without its data. */
  left(): void {
    this.#former = new Map([...this.#former, ...this.#members, ...this.#away]);
    this.#has = NOTHING;
  }

  joined(): void {
    this.#former.clear();
  }

  /** The entry of a host as it was last. */
  sealedOf(host: string): string | undefined {
    const entry = this.#members.get(host) ?? this.#away.get(host) ?? this.#former.get(host);
    return entry?.sealed;
  }

  /** Null: the answer does not fit what is known here. [KNL1] */
  take({ number, digest, change }: Pick<LeaseAnswer, "number" | "digest" | "change">) {
    if (change.is === "none") {
      if (number === this.#has.number && digest === this.#has.digest) return this.#taken;
      this.#has = NOTHING;
      return null;
    }
    if (change.is === "all") {
      const entries = (sealed: ReadonlyMap<string, string>) =>
        new Map([...sealed].map(([host, text]) => [host, this.#entryOf(host, text)]));
      [this.#members, this.#away] = [entries(change.members), entries(change.away)];
    } else {
      for (const { host, is, sealed } of change.hosts) {
        const entry = this.#entryOf(host, sealed);
        this.#members.delete(host);
        this.#away.delete(host);
        if (is === "member") this.#members.set(host, entry);
        else if (is === "away") this.#away.set(host, entry);
      }
      if (digestOf(sealedIn(this.#members), sealedIn(this.#away)) !== digest) {
        this.#has = NOTHING;
        return null;
      }
    }
    this.#has = { number, digest };
    this.#taken = this.#split(number);
    return this.#taken;
  }

  #entryOf(host: string, sealed: string): Entry {
    const known = this.#members.get(host) ?? this.#away.get(host);
    if (known?.sealed === sealed) return known;
    return { sealed, opened: openedMembers(this.#identity, host, sealed) };
  }

  #split(number: number): TakenLease {
    const foreign = new Map<string, ForeignReason>();
    const membersOf = (entries: ReadonlyMap<string, Entry>) => {
      const hosts = new Map<string, HostMembers>();
      for (const [host, { opened }] of entries) {
        if (typeof opened === "string") foreign.set(host, opened);
        else hosts.set(host, opened);
      }
      return hosts;
    };
    const cluster = { number, hosts: membersOf(this.#members), away: membersOf(this.#away) };
    return { cluster, foreign };
  }
}

function sealedIn(entries: ReadonlyMap<string, Entry>): Map<string, string> {
  return new Map([...entries].map(([host, { sealed }]) => [host, sealed]));
}
