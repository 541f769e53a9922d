/**
 * What is watched, counted by its watchers: asks for what somebody begins to watch, gives up
 * what nobody does any more, and asks for all of it again in each session. Presence and posts
 * are two of these.
 */
import { backOffMs } from "./back-off.ts";
import type { ClientPorts } from "./ports.ts";
import type { Readable } from "./store.ts";

/** What only flies by is not asked for. */
const GATHER_MS = 50;
/** The contract's cap on the ids of one request, the lower of the two. */
const BATCH_MAX = 200;

export interface Watches {
  /** Returns the way to end it. */
  add(ids: readonly string[]): () => void;
  ids(): ReadonlySet<string>;
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
  const counts = new Map<string, number>();
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
    const more = [...counts.keys()].filter((id) => !mine.has(id)).slice(0, BATCH_MAX);
    const less = [...mine].filter((id) => !counts.has(id)).slice(0, BATCH_MAX);
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
    add(ids) {
      const own = new Set(ids);
      for (const id of own) counts.set(id, (counts.get(id) ?? 0) + 1);
      schedule(GATHER_MS);
      return () => {
        for (const id of own) {
          const count = (counts.get(id) ?? 0) - 1;
          if (count > 0) counts.set(id, count);
          else counts.delete(id);
        }
        own.clear();
        schedule(GATHER_MS);
      };
    },
    ids: () => new Set(counts.keys()),
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
