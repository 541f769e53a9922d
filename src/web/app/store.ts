/**
 * Holds the one state of a signed-in page and tells its listeners of changes, at most once a
 * turn of the event loop. Not by animation frames: a hidden tab must still count its unread.
 */
import type { State } from "./state.ts";

export interface Store {
  get(): State;
  update(change: (state: State) => State): void;
  /** Returns the way to stop listening. */
  subscribe(listener: (state: State) => void): () => void;
}

export function createStore(initial: State): Store {
  let state = initial;
  let isScheduled = false;
  const listeners = new Set<(state: State) => void>();

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
