/**
 * The signed-in page without its looks: joins store, link, outbox, names and attention, and
 * offers the views what a person can do. One instance from sign-in to sign-out.
 */
import type { Result } from "../../protocol/errors.ts";
import type { ClientAck, ServerPayload } from "../../protocol/events.ts";
import type { Conversation, Message, Status, User } from "../../protocol/schemas.ts";
import type { Account } from "./account.ts";
import { type Attention, createAttention } from "./attention.ts";
import { catchUp, createLiveGate, syncTalks } from "./catch-up.ts";
import { createApi } from "./http.ts";
import { createLink, type LiveEvent } from "./link.ts";
import { createOutbox, type Outbox, storedOutbox } from "./outbox.ts";
import { createPeople, type People } from "./people.ts";
import { newestRun, peerIdOf, talksWithGaps } from "./selection.ts";
import { createSocial, type Social } from "./social.ts";
import {
  initialState,
  type State,
  withConversation,
  withHistory,
  withJoined,
  withLiveMessage,
  withOpen,
  withoutTyping,
  withReceipt,
  withStatuses,
  withTyping,
  withUnread,
  withUsers,
} from "./state.ts";
import { createStore, type Store } from "./store.ts";

const HISTORY_PAGE = 50;
const JOIN_RETRY_MS = 2_000;
/** An event that overtook another by this much has not overtaken it: it is missing. */
const GAP_PATIENCE_MS = 1_500;
const LATEST_VALUES: ReadonlySet<LiveEvent> = new Set([
  "user_status",
  "receipt",
  "like_update",
  "comment_update",
]);
/** The contract's cap on the users of one `watch_presence`. */
const WATCH_MAX = 500;

export interface Chat {
  store: Store;
  people: People;
  outbox: Outbox;
  attention: Attention;
  social: Social;
  open(conversationId: string | null): void;
  /** Resolves once the page before the oldest shown message is here, or could not be had. */
  loadOlder(conversationId: string): Promise<void>;
  edit(conversationId: string, seq: number, body: string): Promise<Result<unknown>>;
  remove(conversationId: string, seq: number): Promise<Result<unknown>>;
  setTyping(conversationId: string, isTyping: boolean): void;
  /** Learns how somebody is right now, once. */
  lookAt(userId: string): Promise<void>;
  findUser(username: string): Promise<Result<User>>;
  create(memberIds: string[], title: string | null): Promise<Result<Conversation>>;
  rename(conversationId: string, title: string): Promise<Result<unknown>>;
  addMember(conversationId: string, userId: string): Promise<Result<unknown>>;
  removeMember(conversationId: string, userId: string): Promise<Result<unknown>>;
  retryConnection(): void;
  stop(): void;
}

/** `onCaughtUp`: after a reconnect, with the count of messages that had been missed. */
export function createChat(account: Account, me: User, onCaughtUp: (fresh: number) => void): Chat {
  const store = createStore(initialState(me, storedOutbox(me.id)));
  const api = createApi(account);
  const people = createPeople(api, store);
  const gate = createLiveGate<() => void>();
  const watched = new Set<string>();
  let joinTimer: ReturnType<typeof setTimeout> | undefined;
  let gapTimer: ReturnType<typeof setTimeout> | undefined;
  let hasBeenOnline = false;

  const link = createLink(account, {
    onState(state) {
      store.update((s) => ({ ...withoutTypingUnlessLive(s, state.kind), link: state }));
    },
    async onReady(ready, isCurrent) {
      gate.close();
      watched.clear();
      store.update((s) =>
        withUsers({ ...withUnread(s, ready.unread.conversations), me: ready.user }, [ready.user]),
      );
      social.inbox.noteUnread(ready.unread.notifications);
      const fresh = await catchUp(api, link.ask, store, social.inbox, isCurrent);
      if (!isCurrent()) return;
      for (const apply of gate.open()) apply();
      if (fresh !== null && hasBeenOnline) onCaughtUp(fresh);
      hasBeenOnline = true;
    },
    onOnline() {
      attention.announce();
      outbox.flush();
      watchPeers();
      const { openId } = store.get();
      if (openId !== null) void join(openId);
      social.resume();
    },
    onEvent: (event, payload) => takeEvent(event, payload),
  });
  const isOnline = (): boolean => store.get().link.kind === "online";
  const outbox = createOutbox(store, link.ask, isOnline);
  const attention = createAttention(store, link.ask);
  const social = createSocial(me.id, api, link.ask, isOnline);

  function withoutTypingUnlessLive(state: State, kind: string) {
    return kind === "online" || kind === "syncing" ? state : withoutTyping(state);
  }

  /** Latest values apply at once; what is numbered waits for the catch-up. */
  function takeEvent<E extends LiveEvent>(event: E, payload: ServerPayload<E>): void {
    const apply = (): void => applyEvent(event, payload);
    if (LATEST_VALUES.has(event) || !gate.holds(apply)) apply();
  }

  function applyEvent(event: LiveEvent, payload: ServerPayload<LiveEvent>): void {
    switch (event) {
      case "message":
      case "message_updated": {
        const message = payload as ServerPayload<"message">;
        const isKnown = store.get().talks.has(message.conversation_id);
        store.update((state) => withLiveMessage(state, message));
        if (!isKnown) void join(message.conversation_id);
        break;
      }
      case "conversation_updated": {
        const conversation = payload as ServerPayload<"conversation_updated">;
        const isKnown = store.get().talks.has(conversation.id);
        store.update((state) => withConversation(state, conversation));
        // A newcomer sees the whole history: fetch at least its newest page.
        if (!isKnown && conversation.last_seq > 0) void join(conversation.id);
        watchPeers();
        break;
      }
      case "typing":
        store.update((state) => withTyping(state, payload as ServerPayload<"typing">));
        break;
      case "receipt":
        store.update((state) => withReceipt(state, payload as ServerPayload<"receipt">));
        break;
      case "user_status":
        store.update((state) => withStatuses(state, [payload as ServerPayload<"user_status">]));
        break;
      case "notification":
        social.inbox.take(payload as ServerPayload<"notification">);
        break;
      case "like_update":
      case "comment_update":
        social.takeCounts(payload as ServerPayload<"like_update" | "comment_update">);
        break;
      default:
        throw new Error(`unhandled event ${String(event satisfies never)}`);
    }
    if (talksWithGaps(store.get()).length > 0) gapTimer ??= setTimeout(fillGaps, GAP_PATIENCE_MS);
  }

  async function fillGaps(): Promise<void> {
    gapTimer = undefined;
    if (talksWithGaps(store.get()).length === 0) return;
    await syncTalks(link.ask, store, talksWithGaps, false);
  }

  async function join(conversationId: string): Promise<void> {
    const answer = await link.ask("join_conversation", {
      conversation_id: conversationId,
      limit: HISTORY_PAGE,
    });
    if (!answer.ok) {
      const isOpen = store.get().openId === conversationId;
      if (answer.error.code === "unavailable" || answer.error.code === "rate_limited") {
        const delayMs = answer.error.retry_after_ms ?? JOIN_RETRY_MS;
        // After a reconnect the open talk is joined anyway.
        if (isOpen && store.get().link.kind === "online") {
          clearTimeout(joinTimer);
          joinTimer = setTimeout(() => void join(conversationId), delayMs);
        }
      } else if (isOpen && !store.get().talks.has(conversationId)) {
        // An address that leads nowhere, or no longer.
        store.update((state) => withOpen(state, null));
      }
      return;
    }
    store.update((state) => withJoined(state, answer.value));
    watchMembers(answer.value);
    if (talksWithGaps(store.get()).length > 0) gapTimer ??= setTimeout(fillGaps, GAP_PATIENCE_MS);
  }

  async function watch(userIds: string[]): Promise<void> {
    const wanted = userIds
      .filter((userId) => !watched.has(userId))
      .slice(0, WATCH_MAX - watched.size);
    if (wanted.length === 0 || store.get().link.kind !== "online") return;
    for (const userId of wanted) watched.add(userId);
    const answer = await link.ask("watch_presence", { user_ids: wanted });
    if (answer.ok) store.update((state) => withStatuses(state, answer.value.statuses));
    else for (const userId of wanted) watched.delete(userId);
  }

  /** Peers are watched by the server anyway; asking also tells how they are right now. */
  function watchPeers(): void {
    const state = store.get();
    void watch([...state.talks.values()].flatMap((talk) => peerIdOf(state, talk) ?? []));
  }

  function watchMembers({ conversation }: ClientAck<"join_conversation">): void {
    const others = conversation.members.filter((member) => member.user_id !== me.id);
    void watch(others.slice(0, 50).map((member) => member.user_id));
  }

  const takeMessage = (answer: Result<{ message: Message }>): Result<unknown> => {
    if (answer.ok) store.update((state) => withLiveMessage(state, answer.value.message));
    return answer;
  };

  const takeConversation = (answer: Result<Conversation>): Result<Conversation> => {
    if (answer.ok) store.update((state) => withConversation(state, answer.value));
    watchPeers();
    return answer;
  };

  const path = (conversationId: string): string => `/api/conversations/${conversationId}`;

  link.start();
  return {
    store,
    people,
    outbox,
    attention,
    social,
    open(conversationId) {
      if (store.get().openId === conversationId) return;
      store.update((state) => withOpen(state, conversationId));
      if (conversationId !== null) void join(conversationId);
    },
    async loadOlder(conversationId) {
      const talk = store.get().talks.get(conversationId);
      const oldest = talk && newestRun(talk)[0];
      if (!oldest || oldest.seq === 1) return;
      const query = `before_seq=${oldest.seq}&limit=${HISTORY_PAGE}`;
      const page = await api<{ items: Message[] }>(
        "GET",
        `${path(conversationId)}/messages?${query}`,
      );
      if (page.ok) store.update((state) => withHistory(state, conversationId, page.value.items));
    },
    edit: async (conversation_id, seq, body) =>
      takeMessage(await link.ask("edit_message", { conversation_id, seq, body })),
    remove: async (conversation_id, seq) =>
      takeMessage(await link.ask("delete_message", { conversation_id, seq })),
    setTyping(conversation_id, is_typing) {
      if (store.get().link.kind === "online")
        void link.ask("typing", { conversation_id, is_typing });
    },
    async lookAt(userId) {
      const answer = await api<{ items: Status[] }>("GET", `/api/presence?user_ids=${userId}`);
      if (answer.ok) store.update((state) => withStatuses(state, answer.value.items));
    },
    async findUser(username) {
      const answer = await api<User>("GET", `/api/users?username=${encodeURIComponent(username)}`);
      if (answer.ok) store.update((state) => withUsers(state, [answer.value]));
      return answer;
    },
    create: async (member_ids, title) =>
      takeConversation(
        await api("POST", "/api/conversations", title ? { member_ids, title } : { member_ids }),
      ),
    rename: async (conversationId, title) =>
      takeConversation(await api("PATCH", path(conversationId), { title })),
    addMember: async (conversationId, userId) =>
      takeConversation(
        await api("POST", `${path(conversationId)}/members`, { user_ids: [userId] }),
      ),
    removeMember: (conversationId, userId) =>
      api("DELETE", `${path(conversationId)}/members/${userId}`),
    retryConnection: link.retryNow,
    stop() {
      clearTimeout(gapTimer);
      clearTimeout(joinTimer);
      link.stop();
      outbox.stop();
      attention.stop();
      social.stop();
      people.stop();
    },
  };
}
