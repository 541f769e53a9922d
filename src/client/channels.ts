/**
 * Channels: conversations for audiences. A channel is shown and written to as any conversation, and
 * is live only while it is watched: `client.open(id)` begins that, and `watch` ends it, too.
 *
 * [SDK70] Joining and leaving a channel take no rev: the user's own entry follows each event that
 *         names the user, whatever its rev.
 */
import type { ServerPayload } from "../protocol/events.ts";
import type { Conversation } from "../protocol/schemas.ts";
import type { CallAnswer } from "./api.ts";
import { once } from "./attached.ts";
import type { Client } from "./client.ts";
import { withMembers } from "./held.ts";
import { type Step, takeConversation } from "./steps.ts";
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
  /** A page of its members, as its moderators may read them. Rejects with TroupeError. */
  members(
    channelId: string,
    asked?: { q?: string; cursor?: string | null },
  ): Promise<CallAnswer<"GET /api/conversations/:id/members">>;
  /** How many watch it and how many members it has; null until the server has said so. */
  occupancy(channelId: string): Readable<Occupancy | null>;
}

/** [SDK70] */
const takeMembership =
  (news: Conversation): Step =>
  (state) => {
    const { id, audience, members, removed_user_ids, rev, member_count = 0 } = news;
    const meId = state.me?.id ?? "";
    const isGone = removed_user_ids?.includes(meId) === true;
    const held = state.conversations.get(id);
    if (isGone && audience !== "anyone") {
      const conversations = new Map(state.conversations);
      conversations.delete(id);
      const outbox = state.outbox.filter(({ conversationId }) => conversationId !== id);
      return { ...state, conversations, outbox };
    }
    if (!isGone && !members.some(({ user_id }) => user_id === meId)) return state;
    // A user who left it at the same rev has come back.
    const left = new Map(state.left);
    left.delete(id);
    if (held === undefined) return takeConversation(news)({ ...state, left });
    const named = new Set([...members.map(({ user_id }) => user_id), ...(removed_user_ids ?? [])]);
    const others = held.conversation.members.filter(({ user_id }) => !named.has(user_id));
    const shown = rev < held.rev ? held.conversation : { ...held.conversation, member_count };
    const conversation = withMembers(shown, [...others, ...members]);
    return {
      ...state,
      left,
      conversations: new Map(state.conversations).set(id, { ...held, conversation }),
    };
  };

function createChannels(client: Client): Channels {
  const known = createStore<ReadonlyMap<string, Occupancy>>(new Map(), (error) =>
    console.error(error),
  );
  const watched = new Map<string, number>();

  client.on("conversation_updated", (conversation) => {
    if (conversation.kind === "channel") client.take(takeMembership(conversation));
  });
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
    members: (id, { q = "", cursor = null } = {}) =>
      client.api("GET /api/conversations/:id/members", {
        id,
        ...(q !== "" && { q }),
        ...(cursor !== null && { cursor }),
      }),
    occupancy: (id) => select(known, (all) => all.get(id) ?? null),
  };
}

export const channelsOf = once(createChannels);
