/**
 * Threads: conversations of the kind `thread`, each about one message of another. A thread is shown
 * and written to as any conversation: `client.conversation(id)`, `client.open(id)`,
 * `client.send(id, body)`. It stands in no list of conversations; those that the user follows are
 * in `followed`.
 */
import type { Conversation } from "../protocol/schemas.ts";
import type { CallAnswer } from "./api.ts";
import { attempt, isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { memberOf, withMembers } from "./held.ts";
import { takePoint } from "./held-unread.ts";
import type { ClientClock } from "./ports.ts";
import type { State } from "./state.ts";
import { type Step, takeConversation, takeListed } from "./steps.ts";
import type { Readable } from "./store.ts";
import type { ConversationView } from "./views.ts";

const PAGE = 100;
/** As many as are live in a session. */
const FOLLOWED_MAX = 200;
const AGAIN_MS = 2_000;

type Listed = CallAnswer<"GET /api/threads">["items"][number];

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

export function createThreads(client: Client, clock: Pick<ClientClock, "after">): Threads {
  /** Threads of which an event came while the list was on its way. */
  const heard = new Set<string>();
  let rounds = 0;
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

  /**
   * What began or ended without a connection: following takes no `rev`, so `sync` does not tell of
   * it where nothing else has changed.
   */
  async function read(): Promise<void> {
    const round = ++rounds;
    heard.clear();
    const items: Listed[] = [];
    let cursor: string | null = null;
    const readAll = async (): Promise<void> => {
      do {
        const asked = { limit: PAGE, ...(cursor !== null && { cursor }) };
        const page: CallAnswer<"GET /api/threads"> = await client.api("GET /api/threads", asked);
        items.push(...page.items);
        cursor = page.next_cursor;
      } while (cursor !== null && items.length < FOLLOWED_MAX);
    };
    const isRead = await attempt(readAll());
    if (round !== rounds) return;
    if (isRead) client.take(takeFollowed(items, cursor === null, heard));
    else {
      clock.after(AGAIN_MS, () => {
        if (round === rounds && isOnline(client)) void read();
      });
    }
  }

  client.on("conversation_updated", (thread) => {
    if (thread.kind !== "thread") return;
    heard.add(thread.id);
    client.take(takeFollowing(thread));
  });
  client.onStep((before, after) => {
    if (before.conversations === after.conversations) return;
    const isGone = (id = ""): boolean =>
      before.conversations.has(id) && !after.conversations.has(id);
    for (const { conversation } of after.conversations.values()) {
      if (isGone(conversation.parent?.conversation_id)) client.take(takeGone(conversation.id));
    }
  });
  onOnline(client, () => void read());
  if (isOnline(client)) void read();

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

/** The user has left the conversation in which the thread is. */
export const takeGone =
  (id: string): Step =>
  (state) => ({
    ...state,
    conversations: new Map([...state.conversations].filter(([known]) => known !== id)),
    outbox: state.outbox.filter(({ conversationId }) => conversationId !== id),
  });

/**
 * Following takes no `rev`: the user's own entry comes and goes at the one that is held, and a
 * thread that they had to leave comes back at the one that it had.
 */
export const takeFollowing =
  (thread: Conversation): Step =>
  (before) => {
    const { id, rev, members } = thread;
    const left = new Map([...before.left].filter(([known]) => known !== id));
    const state = takeConversation(thread)({ ...before, left });
    const held = state.conversations.get(id);
    if (!held || rev < held.rev) return state;
    const own = members.map((member) => memberOf(held, member.user_id) ?? member);
    const next = { ...held, conversation: withMembers(held.conversation, own) };
    return { ...state, conversations: new Map([...state.conversations, [id, next]]) };
  };

/** `items`: the followed threads, all of them if `isWhole`. Those in `heard` stay as events left them. */
const takeFollowed =
  (items: readonly Listed[], isWhole: boolean, heard: ReadonlySet<string>): Step =>
  (state) => {
    const news = new Map(items.filter(({ id }) => !heard.has(id)).map((item) => [item.id, item]));
    const next = takeListed([...news.values()], [])(state);
    const conversations = new Map(next.conversations);
    for (const [id, held] of conversations) {
      const { conversation } = held;
      if (conversation.kind !== "thread" || heard.has(id)) continue;
      const item = news.get(id);
      const isFollowed = conversation.members.length > 0;
      if (item !== undefined && !isFollowed) {
        const followed = { ...held, conversation: withMembers(conversation, item.members) };
        conversations.set(id, takePoint(followed, item));
      } else if (item === undefined && isFollowed && isWhole) {
        conversations.set(id, { ...held, conversation: withMembers(conversation, []) });
      }
    }
    return { ...next, conversations };
  };

const newestMs = ({ lastMessage, conversation }: ConversationView): number =>
  Date.parse((lastMessage ?? conversation).created_at);

export const threadsOf = once((client) => createThreads(client, systemClock));
