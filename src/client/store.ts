/**
 * A value that can be read and watched. `get` answers the same object until something has
 * changed, so a Readable is what React's useSyncExternalStore, and every other store, expects.
 */
export interface Readable<T> {
  get(): T;
  /** Calls `listener` after each change; returns the way to stop that. */
  subscribe(listener: () => void): () => void;
}

export interface Store<S> extends Readable<S> {
  set(next: S): void;
}

/** Tells its listeners once a turn of the event loop, however many changes came in it. */
export function createStore<S>(initial: S, onBug: (error: unknown) => void): Store<S> {
  let state = initial;
  let isTold = true;
  const listeners = new Set<() => void>();

  const tell = (): void => {
    isTold = true;
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        // The application's: it must not keep the others from being told.
        onBug(error);
      }
    }
  };

  return {
    get: () => state,
    set(next) {
      if (next === state) return;
      state = next;
      if (isTold) queueMicrotask(tell);
      isTold = false;
    },
    subscribe(listener) {
      // Each subscription counts for itself, also of the same function.
      const own = (): void => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
  };
}

/** A part of `source`; its listeners are called when that part has changed. */
export function select<S, T>(source: Readable<S>, pick: (state: S) => T): Readable<T> {
  let from: S | undefined;
  let value: T;
  const get = (): T => {
    const state = source.get();
    if (state !== from) {
      from = state;
      value = pick(state);
    }
    return value;
  };
  return {
    get,
    subscribe(listener) {
      let last = get();
      return source.subscribe(() => {
        const next = get();
        if (next === last) return;
        last = next;
        listener();
      });
    },
  };
}
