/**
 * The presence of the people on screen: watches them through the SDK and puts their statuses into
 * the state. The chat calls it as talks come and go, and so does the card of a person.
 */
import type { Presence } from "../../client/presence.ts";
import type { Store } from "./store.ts";

/** More than a screen shows; the contract takes this many in one request. */
const WATCHED_MAX = 500;

export interface Statuses {
  /** Exactly these are watched, beside those that are looked at. */
  watch(userIds: readonly string[]): void;
  /** Returns the end. */
  lookAt(userId: string): () => void;
  stop(): void;
}

export function createStatuses(presence: Presence, store: Store): Statuses {
  const watched = new Map<string, () => void>();
  const looks = new Map<symbol, string>();
  let wanted: readonly string[] = [];

  const show = (userId: string): void =>
    store.update((state) => {
      const statuses = new Map(state.statuses);
      const status = presence.of(userId).get();
      if (status) statuses.set(userId, status);
      else statuses.delete(userId);
      return { ...state, statuses };
    });

  const follow = (): void => {
    const ids = new Set([...looks.values(), ...wanted].slice(0, WATCHED_MAX));
    for (const [userId, end] of watched) {
      if (ids.has(userId)) continue;
      watched.delete(userId);
      end();
    }
    for (const userId of ids) {
      if (watched.has(userId)) continue;
      watched.set(
        userId,
        presence.of(userId).subscribe(() => show(userId)),
      );
      if (presence.of(userId).get()) show(userId);
    }
  };

  return {
    watch(userIds) {
      if (userIds.length === wanted.length && userIds.every((id, at) => id === wanted[at])) return;
      wanted = userIds;
      follow();
    },
    lookAt(userId) {
      const look = Symbol();
      looks.set(look, userId);
      follow();
      return () => {
        looks.delete(look);
        follow();
      };
    },
    stop() {
      for (const end of watched.values()) end();
      watched.clear();
    },
  };
}
