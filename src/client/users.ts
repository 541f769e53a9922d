/**
 * `usersOf`: the names behind ids, each asked for when somebody first shows it, a few at a time,
 * and kept for as long as the client lives. One for a client.
 */
import type { User } from "../protocol/schemas.ts";
import { isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { TroupeError } from "./error.ts";
import { createStore, type Readable, select } from "./store.ts";

const PARALLEL_MAX = 4;

export interface Users {
  /** Asked for when it is first subscribed to. Undefined: not known yet; null: there is none. */
  of(userId: string): Readable<User | null | undefined>;
}

export function createUsers(client: Client): Users {
  const store = createStore<ReadonlyMap<string, User | null>>(new Map(), console.error);
  const put = (id: string, user: User | null): void =>
    store.set(new Map([...store.get(), [id, user]]));
  const known = (id: string): User | null | undefined => {
    const me = client.me.get();
    return me?.id === id ? me : store.get().get(id);
  };
  const wanted = new Set<string>();
  const asking = new Set<string>();

  async function ask(id: string): Promise<void> {
    try {
      put(id, await client.api("GET /api/users/:id", { id }));
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error;
      if (error.code === "not_found") put(id, null);
      // Out of reach: again with the next session.
      else wanted.add(id);
    } finally {
      asking.delete(id);
    }
  }

  function fill(): void {
    for (const id of wanted) {
      if (asking.size >= PARALLEL_MAX || !isOnline(client)) return;
      wanted.delete(id);
      asking.add(id);
      void ask(id).then(() => {
        // What was out of reach waits for the next session.
        if (store.get().has(id)) fill();
      });
    }
  }

  onOnline(client, fill);

  return {
    of(userId) {
      const user = select(store, () => known(userId));
      return {
        get: user.get,
        subscribe(listener) {
          if (known(userId) === undefined && !asking.has(userId)) {
            wanted.add(userId);
            fill();
          }
          return user.subscribe(listener);
        },
      };
    },
  };
}

export const usersOf = once(createUsers);
