/**
 * Counts the watchers of each id: watches ids when somebody begins to watch, unwatches those that
 * nobody watches any more, and watches all of them again in each session. Used for presence and
 * for posts.
 */
import { backOffMs } from "./back-off.ts";
import type { ClientPorts } from "./ports.ts";
import type { Readable } from "./store.ts";

/** Ids that are watched for less than this are never asked for. */
const GATHER_MS = 50;
/** The contract's cap on the ids of one request, the lower of the two. */
const BATCH_MAX = 200;

interface Counts {
  has(id: string): boolean;
  ids(): string[];
  /** Returns the way to take it back, once. */
  add(ids: readonly string[]): () => void;
}

/** How many hold each id; `onChange` is called when that may have changed what is held. */
function createCounts(onChange: () => void): Counts {
  const holders = new Map<symbol, readonly string[]>();
  const ids = (): string[] => [...new Set([...holders.values()].flat())];
  return {
    has: (id) => ids().includes(id),
    ids,
    add(held) {
      const holder = Symbol();
      holders.set(holder, held);
      onChange();
      return () => {
        if (holders.delete(holder)) onChange();
      };
    },
  };
}

export interface Watches extends Counts {
  /** A session began: it watches nothing yet. */
  restart(): void;
}

export interface WatchesOptions {
  ports: Pick<ClientPorts, "clock" | "random">;
  isOnline(): boolean;
  /** Both: whether it was done. */
  watch(ids: string[]): Promise<boolean>;
  unwatch(ids: string[]): Promise<boolean>;
}

export function createWatches({ ports, isOnline, watch, unwatch }: WatchesOptions): Watches {
  const counts = createCounts(() => schedule(GATHER_MS));
  let watched = new Set<string>();
  let isBusy = false;
  let failures = 0;
  let isDue = false;

  function schedule(delayMs: number): void {
    if (isDue) return;
    isDue = true;
    ports.clock.after(delayMs, () => void flush());
  }

  async function flush(): Promise<void> {
    isDue = false;
    if (isBusy || !isOnline()) return;
    const mine = watched;
    const wanted = counts.ids();
    const more = wanted.filter((id) => !mine.has(id)).slice(0, BATCH_MAX);
    const less = [...mine].filter((id) => !wanted.includes(id)).slice(0, BATCH_MAX);
    if (more.length + less.length === 0) return;
    isBusy = true;
    const gone = less.length === 0 || (await unwatch(less));
    if (gone) for (const id of less) mine.delete(id);
    const come = more.length === 0 || (await watch(more));
    if (come) for (const id of more) mine.add(id);
    isBusy = false;
    failures = gone && come ? 0 : failures + 1;
    schedule(GATHER_MS + (failures > 0 ? backOffMs(failures, ports.random()) : 0));
  }

  return {
    ...counts,
    restart() {
      watched = new Set();
      schedule(0);
    },
  };
}

/** `source`, watched at the server for as long as anybody listens to it. */
export function watching<T>(source: Readable<T>, watches: Watches, id: string): Readable<T> {
  return {
    get: source.get,
    subscribe(listener) {
      const release = watches.add([id]);
      const unsubscribe = source.subscribe(listener);
      return () => {
        unsubscribe();
        release();
      };
    },
  };
}
