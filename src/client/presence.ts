/**
 * `troupe-client/presence`: who is online, away or offline, and since when; and what this user shows of
 * themselves: their status, and that they type. Others are watched at the server for as long as
 * somebody looks, again in each session; one for a client.
 */
import type { Status } from "../protocol/schemas.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { ClientPorts } from "./ports.ts";
import { createStore, type Readable, select } from "./store.ts";
import { createWatches, watching } from "./watches.ts";

export { type Typing, typingOf } from "./typing.ts";

export interface Presence {
  /** Watched while it is subscribed to. Null: not known. */
  of(userId: string): Readable<Status | null>;
  /** Watches many at once; returns the end. */
  watch(userIds: readonly string[]): () => void;
  /** One's own; `away` and `invisible` hold over reconnects. */
  show(status: ShownStatus): void;
}

/** `invisible`: this client counts for nothing, and goes on seeing others. */
export type ShownStatus = "online" | "away" | "invisible";

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
  // Statuses of users that are not watched may have changed since the session before.
  client.on("ready", () => keep(watches.has));

  let shown: ShownStatus = "online";
  const say = (status: ShownStatus): void =>
    // If it is refused or lost, the next session sends it again.
    void attempt(client.ask("set_status", { status }));
  // Not at `ready`, because a status set between `ready` and `online` would not be sent.
  onOnline(client, () => {
    if (shown !== "online") say(shown);
  });
  onOnline(client, watches.restart);

  return {
    of: (userId) =>
      watching(
        select(store, (statuses) => statuses.get(userId) ?? null),
        watches,
        userId,
      ),
    watch: watches.add,
    show(status) {
      shown = status;
      if (isOnline(client)) say(status);
    },
  };
}

export const presenceOf = once((client) =>
  createPresence(client, { clock: systemClock, random: Math.random }),
);
