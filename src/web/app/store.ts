/**
 * A state of the signed-in page that tells its listeners of changes, at most once a turn of the event
 * loop. Not by animation frames: a hidden tab must still count its unread.
 */
import { useSyncExternalStore } from "react";

export interface Store<S> {
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

/** The state, and again whenever it has changed. */
export const useStore = <S>({ subscribe, get }: Store<S>): S =>
  useSyncExternalStore(subscribe, get, get);
