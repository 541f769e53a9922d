/**
 * The membership view: which workers are alive, as the primary last announced it, and the
 * placement that follows from it: the hash of "kind:id" says the shard, the shard the host, and
 * rendezvous hashing over the slots of that host (which outlive a restart of their worker) the
 * worker; see shards.ts. Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous" (1996).
 *
 * [PLC1] Equal views place every actor on the same worker.
 * [PLC2] A worker that comes or goes moves only the actors that must move.
 * [PLC3] Workers own about equally many actors.
 * [PLC4] A draining worker owns no actors and is not gone: its sessions live, its answers count.
 * [PLC5] An actor of the application is placed on workers of hosts that have its kind in the highest
 *        version.
 * [PLC6] Hosts own actors by the number of their slots: the fullest at most 1.25 times its share.
 * [PLC7] A view without PLACEMENT is of a cluster with older hosts, and places as they do.
 * [PLC9] A host that starts again has the shards that it had before.
 * [PLC8] Only actors of the shards that `movedSince` names have another owner.
 */
import type { HostKinds } from "../protocol/app-kinds.ts";
import { type Places, ShardPlaces, WorkerPlaces } from "./places.ts";
import type { ShardMap } from "./shards.ts";
import { hostOfIncarnation, hostOfSlot, type WorkerRef } from "./worker-ref.ts";

export { hostOfIncarnation, type WorkerRef } from "./worker-ref.ts";

/** The version of placement: a host says it to the others, and a view which one all its hosts know. */
export const PLACEMENT = 2;

export interface View {
  /** Rises with every change. */
  number: number;
  /** The workers that actors are placed on, sorted by slot. */
  workers: WorkerRef[];
  /**
   * Incarnations that own no actors any more but still hold sessions and answer asks. An
   * incarnation that is in no list is gone, and its sessions are over.
   */
  draining: string[];
  /**
   * Incarnations on other hosts that are unreachable now and may be alive: what is known of their
   * sessions is kept, but no actor is placed on them and no answer is awaited.
   */
  away: string[];
  /** The application's kinds of actors, by the host that has them; left out where none has any. */
  kinds?: Readonly<Record<string, HostKinds>>;
  /** PLACEMENT, where every host knows it; left out otherwise. [PLC7] */
  placement?: number;
  /**
   * The slots of the hosts of which not every worker is among `workers`: a worker that is away for
   * a moment moves actors of its host only.
   */
  slots?: Readonly<Record<string, number>>;
}

export const NO_VIEW: View = { number: 0, workers: [], draining: [], away: [] };

export class Placement {
  readonly view: View;
  readonly #all: Places;
  /** By kind, where not every host has the same ones; else null. */
  readonly #byKind: ReadonlyMap<string, Places> | null;
  readonly #incarnations: Set<string>;
  readonly #away: Set<string>;
  /**
   * Whether more hosts are unreachable than not, so that this host is the one that is cut off, and
   * what actors here know of the others' users is little.
   */
  readonly isCutOff: boolean;
  #moved: { before: Placement; shards: Uint16Array | null } | null = null;

  /** `before`: another placement, whose maps are used again where they fit. */
  constructor(view: View, before?: Placement) {
    this.view = view;
    const known = before === undefined ? [] : before.#maps();
    this.#all = placesOf(view, view.workers, known);
    this.#byKind = placesByKind(view, known);
    this.#incarnations = new Set([
      ...view.workers.map((worker) => worker.incarnation),
      ...view.draining,
    ]);
    this.#away = new Set(view.away);
    const hostsOf = (some: Iterable<string>) => new Set([...some].map(hostOfIncarnation)).size;
    this.isCutOff = this.#away.size > 0 && hostsOf(this.#away) > hostsOf(this.#incarnations);
  }

  /**
   * Incarnation id of the worker that owns "kind:id"; null while no worker is known. `hash`:
   * `hashOf` of the key, where it is at hand.
   */
  ownerOf(key: string, hash?: number): string | null {
    return this.#placesOf(key).ownerOf(key, hash);
  }

  /** [PLC5] */
  #placesOf(key: string): Places {
    if (this.#byKind === null || !key.startsWith(APP)) return this.#all;
    return this.#byKind.get(key.slice(APP.length, key.indexOf(":", APP.length))) ?? this.#all;
  }

  #maps(): ShardMap[] {
    const places = [this.#all, ...(this.#byKind?.values() ?? [])];
    return places.flatMap((it) => (it instanceof ShardPlaces ? [it.map] : []));
  }

  /** [PLC8] By rising number; null: any shard may be one. */
  movedSince(before: Placement): Uint16Array | null {
    if (this.#moved?.before !== before) {
      const isKnown =
        this.#all instanceof ShardPlaces &&
        before.#all instanceof ShardPlaces &&
        this.#byKind === null &&
        before.#byKind === null;
      this.#moved = { before, shards: isKnown ? this.#all.movedSince(before.#all) : null };
      // Else each placement would keep all earlier ones in memory.
      before.#moved = null;
    }
    return this.#moved.shards;
  }

  /** Shards of which these workers may own actors; null: any may be one. */
  shardsOf(incarnations: ReadonlySet<string>): Uint16Array | null {
    if (!(this.#all instanceof ShardPlaces) || this.#byKind !== null) return null;
    return this.#all.shardsOf(incarnations);
  }

  /** Whether a living host has the kind, and its action where one is named. */
  announces(kind: string, action?: string): boolean {
    return Object.values(this.view.kinds ?? {}).some((kinds) => {
      const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
      return known !== undefined && (action === undefined || known.actions.includes(action));
    });
  }

  /** Whether there is only one worker, so that no frame leaves it. */
  get isSolo(): boolean {
    return this.#incarnations.size === 1 && this.#away.size === 0;
  }

  /** Whether that worker is unreachable now, and may be alive. */
  isAway(incarnation: string): boolean {
    return this.#away.has(incarnation);
  }

  /** Whether that worker is alive; draining and unreachable ones count. */
  has(incarnation: string): boolean {
    return this.#incarnations.has(incarnation) || this.#away.has(incarnation);
  }

  /** Incarnations in `before` that this view does not have: their sessions are over. */
  goneSince(before: Placement): Set<string> {
    return new Set(
      [...before.#incarnations, ...before.#away].filter(
        (incarnation) => !this.#incarnations.has(incarnation) && !this.#away.has(incarnation),
      ),
    );
  }

  /** Those of them that were not draining, so that they died. */
  diedSince(before: Placement): Set<string> {
    const died = this.goneSince(before);
    for (const incarnation of before.view.draining) died.delete(incarnation);
    return died;
  }

  /**
   * Incarnations that a worker could not reach during a gap between its host and `host` ("": every
   * other host).
   */
  incarnationsAcross(self: string, host: string): Set<string> {
    const own = hostOfIncarnation(self);
    const isAcross = (incarnation: string) => {
      const its = hostOfIncarnation(incarnation);
      return host === "" ? its !== own : its === host;
    };
    return new Set([...this.#incarnations, ...this.#away].filter(isAcross));
  }

  /** Incarnations that `before` could ask and this view cannot: gone or unreachable. */
  lostSince(before: Placement): Set<string> {
    return new Set(
      [...before.#incarnations].filter((incarnation) => !this.#incarnations.has(incarnation)),
    );
  }
}

/** Begins the keys of the application's actors: "app:poll:lunch". */
const APP = "app:";

/** [PLC7] */
function placesOf(view: View, workers: readonly WorkerRef[], known: readonly ShardMap[]) {
  if (view.placement !== PLACEMENT) return new WorkerPlaces(workers);
  return new ShardPlaces(workers, view.slots ?? {}, known);
}

/** [PLC5] Hosts without a worker for actors do not count. */
function placesByKind(view: View, known: readonly ShardMap[]): ReadonlyMap<string, Places> | null {
  if (view.kinds === undefined) return null;
  const placed = new Set(view.workers.map(({ slot }) => hostOfSlot(slot)));
  const hosts = Object.entries(view.kinds).filter(([host]) => placed.has(host));
  const names = new Set(hosts.flatMap(([, kinds]) => Object.keys(kinds)));
  const found = new Map<string, Places>();
  // Most kinds are on the same hosts, and most often on all of them.
  const bySet = new Map<string, Places>();
  for (const name of names) {
    const highest = Math.max(...hosts.map(([, kinds]) => kinds[name]?.version ?? 0));
    const having = new Set(
      hosts.filter(([, kinds]) => kinds[name]?.version === highest).map(([host]) => host),
    );
    if (having.size === placed.size) continue;
    const set = [...having].sort().join("\n");
    let places = bySet.get(set);
    if (places === undefined) {
      const workers = view.workers.filter(({ slot }) => having.has(hostOfSlot(slot)));
      places = placesOf(view, workers, known);
      bySet.set(set, places);
    }
    found.set(name, places);
  }
  return found.size === 0 ? null : found;
}
