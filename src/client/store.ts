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

/** Listeners that are called with some arguments. */
export interface Listeners<A extends unknown[]> {
  /** Returns the way to take it away again. */
  add(listener: (...told: A) => void): () => void;
  tell(...told: A): void;
}

/** `onBug` receives what a listener throws, so that the other listeners are still called. */
export function createListeners<A extends unknown[]>(
  onBug: (error: unknown) => void,
): Listeners<A> {
  /** Each counts for itself, also of the same function. */
  const listeners = new Set<{ call(...told: A): void }>();
  return {
    add(call) {
      const own = { call };
      listeners.add(own);
      return () => listeners.delete(own);
    },
    tell(...told) {
      for (const { call } of [...listeners]) {
        try {
          call(...told);
        } catch (error) {
          // The listener's, see above.
          onBug(error);
        }
      }
    },
  };
}

/** Calls its listeners once in a turn of the event loop, however many changes it had. */
export function createStore<S>(initial: S, onBug: (error: unknown) => void): Store<S> {
  let state = initial;
  let isTold = true;
  const { add, tell } = createListeners<[]>(onBug);
  return {
    get: () => state,
    set(next) {
      if (next === state) return;
      state = next;
      if (isTold) {
        queueMicrotask(() => {
          isTold = true;
          tell();
        });
      }
      isTold = false;
    },
    subscribe: add,
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
