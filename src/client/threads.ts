/**
 * Threads: conversations of the kind `thread`, each about one message of another. A thread is shown
 * and written to as any conversation: `client.conversation(id)`, `client.open(id)`,
 * `client.send(id, body)`. It stands in no list of conversations; those that the user follows are
 * in `followed`.
 */
import type { Conversation } from "../protocol/schemas.ts";
import { once } from "./attached.ts";
import type { Client } from "./client.ts";
import { memberOf, withMembers } from "./held.ts";
import type { State } from "./state.ts";
import type { Step } from "./steps.ts";
import type { Readable } from "./store.ts";
import type { ConversationView } from "./views.ts";

export interface Threads {
  /** Those that the user follows, newest activity first. */
  followed: Readable<readonly ConversationView[]>;
  /**
   * The id of the thread of a message, which is made where there is none yet. Rejects with
   * TroupeError.
   */
  of(conversationId: string, seq: number): Promise<string>;
  /** Live events, unread counts and notifications of it, or with false none of them any more. */
  follow(threadId: string, on?: boolean): Promise<void>;
}

function createThreads(client: Client): Threads {
  let conversations: State["conversations"] | null = null;
  let followed: readonly ConversationView[] = [];

  /** The same array until a followed thread has changed. */
  function get(): readonly ConversationView[] {
    client.take((state) => {
      if (state.conversations === conversations) return state;
      conversations = state.conversations;
      const next = [...conversations.values()]
        .filter(({ conversation }) => conversation.kind === "thread")
        .filter(({ conversation }) => conversation.members.length > 0)
        .flatMap(({ conversation }) => client.conversation(conversation.id).get() ?? [])
        .sort((a, b) => newestMs(b) - newestMs(a));
      const isSame = next.length === followed.length && next.every((one, n) => one === followed[n]);
      if (!isSame) followed = next;
      return state;
    });
    return followed;
  }

  client.on("conversation_updated", (thread) => {
    if (thread.kind === "thread") client.take(takeFollowing(thread));
  });

  return {
    followed: { get, subscribe: (listener) => client.conversations.subscribe(listener) },
    async of(id, seq) {
      const call = "POST /api/conversations/:id/messages/:seq/thread";
      return (await client.api(call, { id, seq })).id;
    },
    async follow(id, on = true) {
      if (on) await client.api("POST /api/conversations/:id/follow", { id });
      else await client.api("DELETE /api/conversations/:id/follow", { id });
    },
  };
}

/** Following takes no `rev`: the user's own entry comes and goes at the one that is held. */
const takeFollowing =
  ({ id, rev, members }: Conversation): Step =>
  (state) => {
    const held = state.conversations.get(id);
    if (!held || rev < held.rev) return state;
    const own = members.map((member) => memberOf(held, member.user_id) ?? member);
    const next = { ...held, conversation: withMembers(held.conversation, own) };
    return { ...state, conversations: new Map([...state.conversations, [id, next]]) };
  };

const newestMs = ({ lastMessage, conversation }: ConversationView): number =>
  Date.parse((lastMessage ?? conversation).created_at);

export const threadsOf = once(createThreads);
