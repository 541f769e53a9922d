/**
 * The signed-in page without its looks: the client SDK and what the page adds to it, names,
 * what is open, what is read, the feed; and what a person can do, with refusals as values. One
 * from sign-in to sign-out.
 */
import {
  connect,
  loadMembers,
  onMessage,
  streamsOf,
  TroupeError,
  webOutbox,
} from "../../client/index.ts";
import { presenceOf, typingOf } from "../../client/presence.ts";
import type { Result } from "../../protocol/errors.ts";
import type { Conversation, User } from "../../protocol/schemas.ts";
import type { Account } from "./account.ts";
import { type Attention, createAttention } from "./attention.ts";
import { answerOf, createApi } from "./http.ts";
import { createPeople, type People } from "./people.ts";
import { openTalkOf, peerIdOf } from "./selection.ts";
import { SERVER_URL } from "./server-url.ts";
import { createSocial, type Social } from "./social.ts";
import { initialState, linkOf, withAnswered, withOpen, withTalks, withUsers } from "./state.ts";
import { createStatuses } from "./statuses.ts";
import { createStore, type Store } from "./store.ts";

/** The presence of at most this many members of the open group is watched. */
const MEMBERS_WATCHED_MAX = 50;

export interface Chat {
  store: Store;
  people: People;
  attention: Attention;
  social: Social;
  open(conversationId: string | null): void;
  /**
   * Resolves once the page before the oldest shown message is here, or could not be had, with
   * whether it is worth asking for the one before it.
   */
  loadOlder(conversationId: string): Promise<boolean>;
  send(conversationId: string, body: string, replyToSeq: number | null): void;
  retry(clientId: string): void;
  discard(clientId: string): void;
  edit(conversationId: string, seq: number, body: string): Promise<Result<unknown>>;
  remove(conversationId: string, seq: number): Promise<Result<unknown>>;
  /** Asks the writer of a streamed message to stop. */
  stopStream(conversationId: string, seq: number): Promise<Result<unknown>>;
  /** At each keystroke. */
  typing(conversationId: string): void;
  stopTyping(conversationId: string): void;
  /** Keeps somebody's presence in the state; returns the end. */
  lookAt(userId: string): () => void;
  findUser(username: string): Promise<Result<User>>;
  create(memberIds: string[], title: string | null): Promise<Result<Conversation>>;
  rename(conversationId: string, title: string): Promise<Result<unknown>>;
  /** Has all members in the state, as long as no gap comes. */
  loadMembers(conversationId: string): Promise<Result<unknown>>;
  addMember(conversationId: string, userId: string): Promise<Result<unknown>>;
  removeMember(conversationId: string, userId: string): Promise<Result<unknown>>;
  retryConnection(): void;
  stop(): void;
}

/** `onCaughtUp`: after a reconnect, with the count of messages that had been missed. */
export function createChat(account: Account, me: User, onCaughtUp: (fresh: number) => void): Chat {
  const store = createStore(initialState(me));
  const client = connect({
    url: SERVER_URL,
    storage: webOutbox(localStorage, me.id),
    async getToken({ stale }) {
      const answer = await (stale === null ? account.accessToken() : account.renewedToken(stale));
      if (!answer.ok) throw new TroupeError(answer.error);
      return answer.value;
    },
  });
  const api = createApi(client.api);
  const people = createPeople(api, store);
  const presence = presenceOf(client);
  const statuses = createStatuses(presence, store);
  const typing = typingOf(client);
  const streams = streamsOf(client);
  const attention = createAttention(store, client.markRead, presence.show);
  const social = createSocial(me.id, api, client);
  let close = (): void => undefined;
  let hasBeenOnline = false;
  let missed = 0;

  const takeTalks = (): void => {
    store.update((state) => ({
      ...withTalks(state, client.conversations.get()),
      isListed: client.isListed.get(),
    }));
    const state = store.get();
    const peers = [...state.talks.values()].flatMap((talk) => peerIdOf(state, talk) ?? []);
    const members = openTalkOf(state)?.conversation.members.map(({ user_id }) => user_id) ?? [];
    const others = members.filter((id) => id !== me.id).slice(0, MEMBERS_WATCHED_MAX);
    statuses.watch([...new Set([...others, ...peers])]);
  };

  const takeMe = (): void => {
    const user = client.me.get();
    if (user) store.update((state) => withUsers({ ...state, me: user }, [user]));
  };

  const takeConnection = (): void => {
    const connection = client.connection.get();
    store.update((state) => ({
      ...state,
      link: linkOf(connection, state.link, !navigator.onLine),
    }));
    if (connection.is === "online") {
      if (hasBeenOnline) onCaughtUp(missed);
      hasBeenOnline = true;
      missed = 0;
      social.resume();
      void checkOpen();
    } else if (connection.is === "closed") {
      const { reason } = connection;
      const isOver =
        (reason.by === "server" && /^(logged_out|suspended)$/.test(reason.code)) ||
        reason.by === "refused";
      if (isOver && account.user()) account.end(reason.message);
    }
  };

  /** An address that leads nowhere, or no longer, is left. */
  async function checkOpen(): Promise<void> {
    const { openId, isListed } = store.get();
    if (openId === null || !isListed || client.conversation(openId).get()) return;
    const answer = await api("GET /api/conversations/:id", { id: openId });
    const isNowhere = !answer.ok && /^(not_found|invalid_payload)$/.test(answer.error.code);
    if (!isNowhere) return;
    store.update((state) => (state.openId === openId ? withOpen(state, null) : state));
  }

  const ends = [
    client.connection.subscribe(takeConnection),
    client.me.subscribe(takeMe),
    client.conversations.subscribe(takeTalks),
    client.isListed.subscribe(takeTalks),
    onMessage(client, ({ sender_id }) => {
      if (sender_id !== me.id && client.connection.get().is !== "online") missed++;
    }),
  ];

  return {
    store,
    people,
    attention,
    social,
    open(conversationId) {
      if (store.get().openId === conversationId) return;
      close();
      close = conversationId === null ? () => undefined : client.open(conversationId);
      store.update((state) => withOpen(state, conversationId));
      takeTalks();
      if (client.connection.get().is === "online") void checkOpen();
    },
    async loadOlder(conversationId) {
      // Refused or out of reach: asked again on the next scroll.
      const answer = await answerOf(client.loadOlder(conversationId));
      return answer.ok && answer.value;
    },
    send(conversationId, body, replyToSeq) {
      client.send(conversationId, body, { replyToSeq });
      store.update(withAnswered);
    },
    retry: client.retry,
    discard: client.discard,
    edit: (id, seq, body) => answerOf(client.edit(id, seq, body)),
    remove: (id, seq) => answerOf(client.remove(id, seq)),
    stopStream: (id, seq) => answerOf(streams.stop(id, seq)),
    typing: typing.touch,
    stopTyping: typing.stop,
    lookAt: statuses.lookAt,
    async findUser(username) {
      const answer = await api("GET /api/users", { username });
      if (answer.ok) store.update((state) => withUsers(state, [answer.value]));
      return answer;
    },
    create: (memberIds, title) =>
      answerOf(client.createConversation(memberIds, title ?? undefined)),
    rename: (id, title) => api("PATCH /api/conversations/:id", { id, title }),
    loadMembers: (id) => answerOf(loadMembers(client, id)),
    addMember: (id, userId) =>
      api("POST /api/conversations/:id/members", { id, user_ids: [userId] }),
    removeMember: (id, user_id) =>
      api("DELETE /api/conversations/:id/members/:user_id", { id, user_id }),
    retryConnection: client.retryNow,
    stop() {
      for (const end of ends) end();
      close();
      attention.stop();
      social.stop();
      people.stop();
      statuses.stop();
      client.close();
    },
  };
}
