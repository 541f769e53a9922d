/**
 * The membership view: which workers own actors and which still hold sessions. It is sent to all
 * workers at each change, before any frame that is routed under it (same pipe, in order). A
 * draining worker gives up its place at once, so that its actors move while it still answers. When
 * the only host stops, actors have nowhere to move, and places stay.
 *
 * [HMB1] With a relay, a view number means the same workers on every host: the relay assigns it. Hosts
 *        that the relay knows as away are `away` in it: they own nothing, and are not gone.
 * [HMB3] A view names PLACEMENT where every host of the cluster knows it; else all place as before.
 * [HMB2] While the relay is away this host makes views under its own numbers, in which the other
 *        hosts' workers are `away`, not gone.
 */
import type { Cluster, HostMembers, Relay } from "../ports/relay.ts";
import type { HostKinds } from "../protocol/app-kinds.ts";
import { NO_VIEW, PLACEMENT, type View, type WorkerRef } from "../runtime/view.ts";

export interface Member {
  ref: WorkerRef;
  phase: "online" | "draining";
}

export class Membership {
  readonly #host: string;
  readonly #relay: Pick<Relay, "announce" | "state"> | null;
  readonly #announce: (view: View) => void;
  readonly #slots: number;
  #local: HostMembers = { workers: [], draining: [] };
  #kinds: HostKinds | null = null;
  #cluster: Cluster = { number: 0, hosts: new Map(), away: new Map() };
  #view = NO_VIEW;
  /** The last number that this host assigned; 0 when the relay has a higher one. */
  #ownNumber = 0;

  constructor(
    announce: (view: View) => void,
    host: string,
    relay: Pick<Relay, "announce" | "state"> | null = null,
    /** This host's workers when all are up. */
    slots = 0,
  ) {
    this.#slots = slots;
    this.#announce = announce;
    this.#host = host;
    this.#relay = relay;
  }

  get view(): View {
    return this.#view;
  }

  /** This host's workers have changed. */
  update(members: readonly Member[], hostStopping: boolean): void {
    const hasOthers = this.#relay?.state === "connected" && this.#cluster.hosts.size > 1;
    this.#become(membersOf(members, hostStopping && !hasOthers));
  }

  /** All workers of this host have these kinds of the application's actors from now on. */
  updateKinds(kinds: HostKinds | null): void {
    this.#kinds = kinds;
    const { workers, draining } = this.#local;
    this.#become({ workers, draining });
  }

  #become(members: HostMembers): void {
    const { workers, draining } = members;
    const next = {
      workers,
      draining,
      ...(this.#kinds && { kinds: this.#kinds }),
      placement: PLACEMENT,
      // In a roll a slot has two workers.
      ...(this.#slots > new Set(workers.map(({ slot }) => slot)).size && { slots: this.#slots }),
    };
    if (JSON.stringify(next) === JSON.stringify(this.#local)) return;
    this.#local = next;
    if (this.#relay === null || this.#relay.state === "away") this.#standAlone();
    // Announced after it, so that the number just used here never means anything else.
    this.#relay?.announce(next, this.#ownNumber);
  }

  /** [HMB1] */
  onCluster(cluster: Cluster): void {
    if (cluster.number <= this.#view.number) return;
    this.#cluster = cluster;
    this.#ownNumber = 0;
    const hosts = [...cluster.hosts.values()];
    this.#take({
      number: cluster.number,
      workers: sorted(hosts.flatMap(({ workers }) => workers)),
      draining: hosts.flatMap(({ draining }) => draining).sort(compare),
      away: incarnationsOf(cluster.away.values()),
      ...factsOf([...cluster.hosts, ...cluster.away]),
    });
  }

  /** [HMB2] */
  onAway(): void {
    this.#standAlone();
    this.#relay?.announce(this.#local, this.#ownNumber);
  }

  #standAlone(): void {
    const { hosts, away } = this.#cluster;
    const others = [...hosts, ...away].filter(([host]) => host !== this.#host);
    this.#ownNumber = this.#view.number + 1;
    this.#take({
      number: this.#ownNumber,
      workers: this.#local.workers,
      draining: this.#local.draining,
      away: incarnationsOf(others.map(([, members]) => members)),
      ...factsOf([...others, [this.#host, this.#local]]),
    });
  }

  #take(view: View): void {
    this.#view = view;
    this.#announce(view);
  }
}

function incarnationsOf(hosts: Iterable<HostMembers>): string[] {
  return [...hosts]
    .flatMap(({ workers, draining }) => [
      ...workers.map(({ incarnation }) => incarnation),
      ...draining,
    ])
    .sort(compare);
}

type Hosts = readonly (readonly [string, HostMembers])[];

/** Of hosts that are away, too, so that nothing moves for want of them. */
function factsOf(hosts: Hosts): Pick<View, "kinds" | "placement" | "slots"> {
  return { ...kindsOf(hosts), ...placementOf(hosts) };
}

function kindsOf(hosts: Hosts): Pick<View, "kinds"> {
  const having = hosts.flatMap(([host, { kinds }]) => (kinds ? [[host, kinds] as const] : []));
  return having.length === 0 ? {} : { kinds: Object.fromEntries(having) };
}

/** [HMB3] A draining host of an older version still asks and hears by the placement that it knows. */
function placementOf(all: Hosts): Pick<View, "placement" | "slots"> {
  if (!all.every(([, { placement }]) => placement !== undefined && placement >= PLACEMENT))
    return {};
  const missing = all.flatMap(([host, { slots }]) =>
    slots === undefined ? [] : [[host, slots] as const],
  );
  const slots = missing.length === 0 ? {} : { slots: Object.fromEntries(missing) };
  return { placement: PLACEMENT, ...slots };
}

export function membersOf(members: readonly Member[], keepsPlaces: boolean): HostMembers {
  const isPlaced = (member: Member) => keepsPlaces || member.phase === "online";
  return {
    workers: sorted(members.filter(isPlaced).map(({ ref }) => ref)),
    draining: members
      .filter((member) => !isPlaced(member))
      .map(({ ref }) => ref.incarnation)
      .sort(compare),
  };
}

function sorted(workers: readonly WorkerRef[]): WorkerRef[] {
  return workers
    .map(({ incarnation, slot }) => ({ incarnation, slot }))
    .sort((a, b) => compare(a.slot, b.slot) || compare(a.incarnation, b.incarnation));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
