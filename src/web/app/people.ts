/**
 * Fetches the names behind user ids as views come to need them, a few at a time, each once.
 */
import type { Api } from "./http.ts";
import { withUsers } from "./state.ts";
import type { Store } from "./store.ts";

const PARALLEL_MAX = 4;
const RETRY_MS = 3_000;

export interface People {
  /** Makes sure that these users' names will be in the state. */
  need(userIds: Iterable<string>): void;
  stop(): void;
}

export function createPeople(api: Api, store: Store): People {
  const asked = new Set<string>();
  const queue: string[] = [];
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let running = 0;
  let isStopped = false;

  const later = (userId: string, delayMs: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      queue.push(userId);
      fill();
    }, delayMs);
    timers.add(timer);
  };

  const fetchOne = async (userId: string): Promise<void> => {
    const answer = await api("GET /api/users/:id", { id: userId });
    running--;
    if (isStopped) return;
    if (answer.ok) store.update((state) => withUsers(state, [answer.value]));
    else if (answer.error.code === "not_found") {
      const gone = { id: userId, username: "", display_name: "Someone", created_at: "" };
      store.update((state) => withUsers(state, [gone]));
    } else later(userId, answer.error.retry_after_ms ?? RETRY_MS);
    fill();
  };

  function fill(): void {
    while (running < PARALLEL_MAX) {
      const userId = queue.shift();
      if (userId === undefined) return;
      running++;
      void fetchOne(userId);
    }
  }

  return {
    need(userIds) {
      const known = store.get().users;
      for (const userId of userIds) {
        if (known.has(userId) || asked.has(userId)) continue;
        asked.add(userId);
        queue.push(userId);
      }
      fill();
    },
    stop() {
      isStopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
