/**
 * `troupe/presence`: who is online, away or offline, and since when. Watched at the server for
 * as long as somebody looks, again in each session; one for a client.
 */
import type { Status } from "../protocol/schemas.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { ClientPorts } from "./ports.ts";
import { createStore, type Readable, select } from "./store.ts";
import { createWatches, watching } from "./watches.ts";

export interface Presence {
  /** Watched while it is subscribed to. Null: not known. */
  of(userId: string): Readable<Status | null>;
  /** Watches many at once; returns the end. */
  watch(userIds: readonly string[]): () => void;
}

export function createPresence(
  client: Client,
  ports: Pick<ClientPorts, "clock" | "random">,
): Presence {
  const store = createStore<ReadonlyMap<string, Status>>(new Map(), (error) =>
    console.error(error),
  );
  const put = (statuses: readonly Status[]): void =>
    store.set(
      new Map([...store.get(), ...statuses.map((one) => [one.user_id, one] as [string, Status])]),
    );
  const keep = (isKept: (userId: string) => boolean): void =>
    store.set(new Map([...store.get()].filter(([id]) => isKept(id))));

  const watches = createWatches({
    ports,
    isOnline: () => isOnline(client),
    watch: (user_ids) =>
      attempt(client.ask("watch_presence", { user_ids }, ({ statuses }) => put(statuses))),
    unwatch(user_ids) {
      keep((id) => !user_ids.includes(id));
      return attempt(client.ask("unwatch_presence", { user_ids }));
    },
  });
  client.on("user_status", (status) => put([status]));
  // Of those who are not watched, nobody tells what has changed since the session before.
  client.on("ready", () => keep(watches.has));
  onOnline(client, watches.restart);

  return {
    of: (userId) =>
      watching(
        select(store, (statuses) => statuses.get(userId) ?? null),
        watches,
        userId,
      ),
    watch: watches.add,
  };
}

export const presenceOf = once((client) =>
  createPresence(client, { clock: systemClock, random: Math.random }),
);
