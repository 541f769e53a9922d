/**
 * The membership view: which workers are alive, as the primary last announced it, and the
 * placement that follows from it: rendezvous hashing of "kind:id" over slots (which outlive a
 * restart of their worker). Thaler and Ravishankar, "A Name-Based Mapping Scheme for
 * Rendezvous" (1996).
 *
 * [PLC1] Equal views place every actor on the same worker.
 * [PLC2] A worker that comes or goes moves only the actors that must move.
 * [PLC3] Workers own about equally many actors.
 * [PLC4] A draining worker owns no actors and is not gone: its sessions live, its answers count.
 * [PLC5] An actor of the application is placed on workers of hosts that have its kind in the highest
 *        version.
 */
import type { HostKinds } from "../protocol/app-kinds.ts";

export interface WorkerRef {
  /**
   * The id of one incarnation of a worker; a restart gets a new one. At most 64 latin1 characters.
   */
  incarnation: string;
  /** The worker's slot, the same after a restart: "<host>/<n>". */
  slot: string;
}

/**
 * The host of an incarnation. Incarnation ids and slots begin with it: "<host>.…", "<host>/<n>".
 */
export function hostOfIncarnation(incarnation: string): string {
  const end = incarnation.indexOf(".");
  return end < 0 ? incarnation : incarnation.slice(0, end);
}

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
}

export const NO_VIEW: View = { number: 0, workers: [], draining: [], away: [] };

export class Placement {
  readonly view: View;
  /** All workers, with the hashes of their slots. */
  readonly #all: Places;
  /** By kind; null where no host has kinds. */
  readonly #byKind: ReadonlyMap<string, Places> | null;
  readonly #incarnations: Set<string>;
  readonly #away: Set<string>;

  constructor(view: View) {
    this.view = view;
    this.#all = placesOf(view.workers);
    this.#byKind = view.kinds === undefined ? null : placesByKind(view.workers, view.kinds);
    this.#incarnations = new Set([
      ...view.workers.map((worker) => worker.incarnation),
      ...view.draining,
    ]);
    this.#away = new Set(view.away);
  }

  /** Incarnation id of the worker that owns "kind:id"; null while no worker is known. */
  ownerOf(key: string): string | null {
    const { workers, seeds } = this.#placesOf(key);
    if (workers.length === 1) return workers[0]!.incarnation;
    let best: string | null = null;
    let bestScore = -1;
    for (let i = 0; i < workers.length; i++) {
      const score = mix(fnv1a(key, seeds[i]!));
      if (score > bestScore) {
        bestScore = score;
        best = workers[i]!.incarnation;
      }
    }
    return best;
  }

  /** [PLC5] */
  #placesOf(key: string): Places {
    if (this.#byKind === null || !key.startsWith(APP)) return this.#all;
    return this.#byKind.get(key.slice(APP.length, key.indexOf(":", APP.length))) ?? this.#all;
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

  /** Whether other hosts are unreachable, so that what is known of their sessions may be old. */
  get isCutOff(): boolean {
    return this.#away.size > 0;
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

interface Places {
  workers: readonly WorkerRef[];
  seeds: readonly number[];
}

/** Begins the keys of the application's actors: "app:poll:lunch". */
const APP = "app:";

function placesOf(workers: readonly WorkerRef[]): Places {
  return { workers, seeds: workers.map((worker) => fnv1a(worker.slot, 0x811c9dc5)) };
}

/** [PLC5] Hosts without a worker for actors do not count. */
function placesByKind(
  workers: readonly WorkerRef[],
  byHost: Readonly<Record<string, HostKinds>>,
): ReadonlyMap<string, Places> {
  const workersOf = (host: string) => workers.filter(({ slot }) => slot.startsWith(`${host}/`));
  const hosts = Object.entries(byHost).filter(([host]) => workersOf(host).length > 0);
  const names = new Set(hosts.flatMap(([, kinds]) => Object.keys(kinds)));
  return new Map(
    [...names].map((name) => {
      const highest = Math.max(...hosts.map(([, kinds]) => kinds[name]?.version ?? 0));
      const having = hosts.filter(([, kinds]) => kinds[name]?.version === highest);
      return [name, placesOf(having.flatMap(([host]) => workersOf(host)))];
    }),
  );
}

function fnv1a(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** murmur3's finalizer: FNV alone leaves the high bits of short keys alike. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
