/**
 * Holds a state of the signed-in page and tells its listeners of changes, at most once a turn
 * of the event loop. Not by animation frames: a hidden tab must still count its unread.
 */
import type { State } from "./state.ts";

/** Unless said otherwise, the conversations' state. */
export interface Store<S = State> {
  get(): S;
  update(change: (state: S) => S): void;
  /** Returns the way to stop listening. */
  subscribe(listener: (state: S) => void): () => void;
}

export function createStore<S>(initial: S): Store<S> {
  let state = initial;
  let isScheduled = false;
  const listeners = new Set<(state: S) => void>();

  const tell = (): void => {
    isScheduled = false;
    for (const listener of listeners) listener(state);
  };

  return {
    get: () => state,
    update(change) {
      const next = change(state);
      if (next === state) return;
      state = next;
      if (isScheduled) return;
      isScheduled = true;
      queueMicrotask(tell);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
