/**
 * The port that connects hosts, as a primary uses it. Implemented in src/relay (over Redis, and in
 * memory for tests); constructed by src/main.ts.
 *
 * A relay is a wake-up, not a log: losses are announced as a gap, and edges read the missing
 * changes from PostgreSQL.
 */
import type { HostKinds } from "../protocol/app-kinds.ts";
import type { Doubt } from "../protocol/doubt.ts";
import type { WorkerRef } from "../runtime/view.ts";

/** The workers of one host, as they are in a view. */
export interface HostMembers {
  workers: WorkerRef[];
  draining: string[];
  /** Its application's kinds of actors; left out where it has none. */
  kinds?: HostKinds;
  /** The version of placement that it knows; left out by hosts that know none but the first. */
  placement?: number;
  /** Its workers when all are up; left out where that is how many there are. */
  slots?: number;
}

/** All hosts that live. The same `number` means the same hosts everywhere, of both kinds. */
export interface Cluster {
  number: number;
  /** Those with a live lease. */
  hosts: Map<string, HostMembers>;
  /** Those that cannot hear Redis and sign elsewhere that they live, as they were last. */
  away: Map<string, HostMembers>;
}

export interface RelayEvents {
  /** Frames of another host, back to back. */
  frames(bytes: Buffer): void;
  /** Hosts or their workers have changed, or this host is back among them. */
  cluster(cluster: Cluster): void;
  /** Redis is out of reach: other hosts keep running, but nothing arrives from them. */
  away(): void;
  /**
   * Frames to actors and answers between that host (or "", every other host) and this one may
   * be lost, up to now. Later frames arrive again.
   */
  gap(host: string): void;
  /** Events of these topics may not have arrived here, up to now. */
  doubt(doubt: Doubt): void;
}

export interface RelayCounts {
  /** Messages of other hosts, and those sent to them or published. */
  in: number;
  out: number;
  gaps: number;
}

export interface Relay {
  readonly state: "connected" | "away";
  /** Why Redis is away, in words; null while it is not, or before the first attempt has ended. */
  readonly why: string | null;
  readonly counts: Readonly<RelayCounts>;
  /** How long Redis took to renew the lease last, milliseconds; null while it is away. */
  readonly pingMs: number | null;
  /** Begins; resolves when joined, or when Redis is found to be away. */
  start(events: RelayEvents): Promise<void>;
  /**
   * This host's workers from now on. The answer comes as `cluster`, under a number above
   * `floor` (a number that this host used without Redis; else 0), or as `away`.
   */
  announce(members: HostMembers, floor: number): void;
  /** An event of this host. `bytes` are valid during the call only. */
  publish(topic: string, bytes: Buffer): void;
  /** To a worker of another host; false when Redis is away. */
  send(incarnation: string, bytes: Buffer): boolean;
  /** See switchboard.ts: null, or resolves when the subscription has begun or ended; never rejects. */
  interest(topic: string, wanted: boolean): Promise<void> | null;
  /** Gives up the lease and leaves. */
  close(): Promise<void>;
}
