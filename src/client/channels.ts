/**
 * Channels: conversations for audiences. A channel is shown and written to as any conversation, and
 * is live only while it is watched: `client.open(id)` begins that, and `watch` ends it, too.
 */
import type { ServerPayload } from "../protocol/events.ts";
import type { Conversation } from "../protocol/schemas.ts";
import { once } from "./attached.ts";
import type { Client } from "./client.ts";
import { createStore, type Readable, select } from "./store.ts";

export type Occupancy = ServerPayload<"occupancy">;

/** What a new channel has. */
export interface NewChannel {
  title: string;
  /** Its readers; `members` unless said. */
  audience?: "members" | "anyone";
  settings?: Conversation["settings"];
  permissions?: Conversation["permissions"];
}

export interface Channels {
  /** Rejects with TroupeError. */
  create(channel: NewChannel): Promise<Conversation>;
  /** Becomes a member of a channel that is open to join, or ceases to be one. */
  join(channelId: string): Promise<Conversation>;
  leave(channelId: string): Promise<void>;
  /** Receives the channel live until the function that it returns is called. */
  watch(channelId: string): () => void;
  /** How many watch it and how many members it has; null until the server has said so. */
  occupancy(channelId: string): Readable<Occupancy | null>;
}

function createChannels(client: Client): Channels {
  const known = createStore<ReadonlyMap<string, Occupancy>>(new Map(), (error) =>
    console.error(error),
  );
  const watched = new Map<string, number>();

  client.on("occupancy", (occupancy) =>
    known.set(new Map(known.get()).set(occupancy.conversation_id, occupancy)),
  );

  return {
    create: (channel) => client.api("POST /api/conversations", { kind: "channel", ...channel }),
    join: (id) => client.api("POST /api/conversations/:id/join", { id }),
    async leave(id) {
      const user_id = client.me.get()?.id ?? "";
      await client.api("DELETE /api/conversations/:id/members/:user_id", { id, user_id });
    },
    watch(id) {
      const close = client.open(id);
      watched.set(id, (watched.get(id) ?? 0) + 1);
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        close();
        const left = (watched.get(id) ?? 1) - 1;
        watched.set(id, left);
        if (left > 0) return;
        watched.delete(id);
        // Where the connection is lost meanwhile, nothing is watched any more.
        client.ask("leave_conversation", { conversation_id: id }).catch(() => undefined);
      };
    },
    occupancy: (id) => select(known, (all) => all.get(id) ?? null),
  };
}

export const channelsOf = once(createChannels);
