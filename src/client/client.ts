/**
 * One user's connection to Troupe: connects the state, the link and the modules that work on both,
 * and offers what an application can read (as Readables) and do. Calls reject with TroupeError;
 * `send` keeps messages until they can be sent.
 */
import type {
  ClientAck,
  ClientEventName,
  ClientPayload,
  ServerEventName,
  ServerPayload,
} from "../protocol/events.ts";
import type { Conversation, Message } from "../protocol/schemas.ts";
import { type Api, createApi } from "./api.ts";
import type { AppTypes, UserOf } from "./app-data.ts";
import { TroupeError } from "./error.ts";
import { unknownFrom } from "./held-unread.ts";
import { createLink } from "./link.ts";
import { createMarks } from "./marks.ts";
import { watchNetwork } from "./network.ts";
import { createOutbox, type Sending, type SendOptions } from "./outbox.ts";
import type { ClientPorts } from "./ports.ts";
import { type ConnectionState, INITIAL_STATE, type State } from "./state.ts";
import * as steps from "./steps.ts";
import type { OutboxStorage } from "./storage.ts";
import { createListeners, createStore, type Readable, select } from "./store.ts";
import { createSync } from "./sync.ts";
import { ownTimers } from "./timers.ts";
import { createTokens, type GetToken, type Tokens } from "./tokens.ts";
import { type ConversationView, viewOf, viewsOf } from "./views.ts";

const HISTORY_PAGE = 50;
/** A conversation that is not open keeps at least this many messages, and at most twice as many. */
const KEPT_MESSAGES = 500;

export interface ClientOptions {
  getToken: GetToken;
  /** A store in which unsent messages outlive this client; none by default. */
  storage?: OutboxStorage;
  /** Whether to mark messages as delivered when they arrive here; default true. */
  markDelivered?: boolean;
  /** Receives errors thrown by listeners and by the storage; default: console.error. */
  onError?: (error: unknown) => void;
}

export interface Client<A extends AppTypes = AppTypes> {
  readonly connection: Readable<ConnectionState>;
  /** Null before the first session. */
  readonly me: Readable<UserOf<A> | null>;
  /** The 500 most recently active conversations, newest activity first. */
  readonly conversations: Readable<readonly ConversationView<A>[]>;
  /** Whether the list of conversations has been loaded once. */
  readonly isListed: Readable<boolean>;
  /** Null when the user is not a member or the conversation is not known yet. */
  conversation(id: string): Readable<ConversationView<A> | null>;

  /** Tries to connect now, also after the connection was closed. */
  retryNow(): void;
  /** Closes the connection and rejects everything that waits. */
  close(): void;

  /**
   * Loads the newest page and keeps all cursors and typing current; returns a function that closes
   * the conversation again.
   */
  open(conversationId: string): () => void;
  /** Loads the page before the oldest message; resolves with whether there are older ones. */
  loadOlder(conversationId: string, limit?: number): Promise<boolean>;
  /** Sends a message once and in order, now or when the connection is back. */
  send(conversationId: string, body: string, options?: SendOptions): Sending;
  /** Sends a refused message again, by the `clientId` of an `outgoing`. */
  retry(clientId: string): void;
  discard(clientId: string): void;
  edit(conversationId: string, seq: number, body: string): Promise<Message>;
  remove(conversationId: string, seq: number): Promise<Message>;
  /** Marks as read up to `seq`, or everything loaded; sent when there is a connection. */
  markRead(conversationId: string, seq?: number): void;
  createConversation(memberIds: readonly string[], title?: string): Promise<Conversation>;

  /** Every HTTP call of the contract, see api.ts; its effects come back as events. */
  readonly api: Api;
  /** Where Troupe is, as `connect` was given it; "" for the page's own origin. */
  readonly url: string;
  /** The access token, for modules built on the client: see upload. */
  readonly tokens: Tokens;
  /**
   * Every command of the contract on the socket; rejects with TroupeError. `take` is called with
   * the answer before any event that came after it, which a promise cannot guarantee.
   */
  ask<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
    take?: (answer: ClientAck<E>) => void,
  ): Promise<ClientAck<E>>;
  /** The server's events as they arrive; the state already reflects them. */
  on<E extends ServerEventName>(name: E, listener: (payload: ServerPayload<E>) => void): () => void;
  /** Applies a step to the state, for modules built on the client: see loadMembers. */
  take(step: steps.Step): void;
  /**
   * Calls `listener` for each change of the state, for modules built on the client: see onMessage.
   */
  onStep(listener: (before: State, after: State) => void): () => void;
}

export function createClient(options: ClientOptions, given: ClientPorts): Client {
  const ports = { ...given, clock: ownTimers(given.clock) };
  const onError = options.onError ?? ((error: unknown) => console.error(error));
  const store = createStore<State>(INITIAL_STATE, onError);
  const tokens = createTokens(options.getToken);
  const api = createApi(ports.call, tokens);
  /** One entry for each `open` that was not closed. */
  const opened = new Set<{ id: string }>();
  const changes = createListeners<[State, State]>(onError);
  const events = createListeners<[ServerEventName, unknown]>(onError);

  const get = store.get;
  const isOpen = (id: string): boolean => [...opened].some((one) => one.id === id);
  const isOnline = (): boolean => get().connection.is === "online";

  function update(step: steps.Step): void {
    const before = get();
    const after = step(before);
    store.set(after);
    changes.tell(before, after);
    if (before.conversations !== after.conversations) marks.look();
    outbox.look(before);
  }

  const link = createLink({
    ports,
    tokens,
    onState(connection) {
      update(steps.takeConnection(connection));
      if (connection.is === "online") resume();
    },
    async onReady(ready, isCurrent) {
      events.tell("ready", ready);
      update(steps.takeReady(ready));
      await sync.catchUp(ready.unread, isCurrent);
    },
    onEvent: arrived,
  });
  const { ask } = link;
  const core = { ports, ask, api, get, update };
  const sync = createSync(core);
  const outbox = createOutbox({ ...core, storage: options.storage ?? null, onError });
  const marks = createMarks({
    ...core,
    isDeliveredAutomatic: options.markDelivered ?? true,
    onMarked(conversation_id, cursors) {
      const { me } = get();
      if (me) takeReceipt({ conversation_id, user_id: me.id, ...cursors });
    },
  });
  const stopWatchingNetwork = watchNetwork(link.retryNow, link.lost);

  function resume(): void {
    outbox.flush();
    marks.look();
    for (const id of new Set([...opened].map((one) => one.id))) void sync.join(id);
  }

  function takeReceipt(receipt: ServerPayload<"receipt">): void {
    sync.noteReceipt(receipt);
    update(steps.takeReceipt(receipt));
  }

  function takeMessage(message: Message): void {
    const id = message.conversation_id;
    update(steps.takeMessage(message));
    const size = get().conversations.get(id)?.messages.size ?? 0;
    if (size > 2 * KEPT_MESSAGES && !isOpen(id)) {
      update(steps.trim(id, KEPT_MESSAGES));
    }
    sync.check(id);
  }

  function arrived(name: ServerEventName, payload: unknown): void {
    takeEvent(name, payload);
    events.tell(name, payload);
  }

  function takeEvent(name: ServerEventName, payload: unknown): void {
    switch (name) {
      case "changes":
        for (const { event, data } of (payload as ServerPayload<"changes">).items) {
          arrived(event as ServerEventName, data);
        }
        break;
      case "skipped":
        sync.mend(payload as ServerPayload<"skipped">);
        break;
      case "message":
      case "message_updated":
        takeMessage(payload as Message);
        break;
      case "conversation_updated":
        takeConversation(payload as Conversation);
        break;
      case "rev_skipped":
      case "message_checkpoint":
      case "messages_erased": {
        // Text that was stored comes by deltas (streams.ts), and whole with the end.
        const skipped = payload as ServerPayload<typeof name>;
        update(steps.takeSkipped(skipped));
        sync.check(skipped.conversation_id);
        break;
      }
      case "reaction": {
        const reaction = payload as ServerPayload<"reaction">;
        update(steps.takeReaction(reaction));
        sync.check(reaction.conversation_id);
        break;
      }
      case "conversation_deleted":
        update(steps.takeDeleted(payload as ServerPayload<"conversation_deleted">));
        break;
      case "conversation_activity": {
        const activity = payload as ServerPayload<"conversation_activity">;
        update(steps.takeActivity(activity));
        // The messages of a channel that nobody looks at are not fetched.
        if (!steps.isChannel(get(), activity.conversation_id)) sync.fetch(activity.conversation_id);
        break;
      }
      case "prefs_updated":
        takePrefs(payload as ServerPayload<"prefs_updated">);
        break;
      case "typing":
        update(steps.takeTyping(payload as ServerPayload<"typing">));
        break;
      case "receipt":
        takeReceipt(payload as ServerPayload<"receipt">);
        break;
    }
  }

  function takePrefs(prefs: ServerPayload<"prefs_updated">): void {
    const id = prefs.conversation_id;
    update(steps.takeOwnPrefs(prefs));
    const held = get().conversations.get(id);
    const from = held && unknownFrom(held);
    if (!from) return;
    // Two messages tell how many count before what was marked. Without them the next `ready` does.
    api("GET /api/conversations/:id/messages", { id, after_seq: from - 2, limit: 2 }).then(
      ({ items, own_reactions }) => update(steps.takeHistory(id, items, own_reactions)),
      () => undefined,
    );
  }

  function takeConversation(conversation: Conversation): Conversation {
    update(steps.takeConversation(conversation));
    // For a removed user this was the last event of the conversation.
    if (get().conversations.has(conversation.id)) sync.check(conversation.id);
    return conversation;
  }

  async function demand<E extends ClientEventName>(
    event: E,
    payload: ClientPayload<E>,
    take?: (answer: ClientAck<E>) => void,
  ): Promise<ClientAck<E>> {
    const answer = await ask(event, payload, take);
    if (!answer.ok) throw new TroupeError(answer.error);
    return answer.value;
  }

  async function changeMessage<E extends "edit_message" | "delete_message">(
    event: E,
    payload: ClientPayload<E>,
  ): Promise<Message> {
    const { message } = await demand(event, payload, (answer) => takeMessage(answer.message));
    return message;
  }

  link.start();

  return {
    connection: select(store, (state) => state.connection),
    me: select(store, (state) => state.me),
    conversations: select(store, viewsOf),
    isListed: select(store, (state) => state.isListed),
    conversation: (id) => select(store, (state) => viewOf(state, id)),

    retryNow: link.retryNow,
    close() {
      stopWatchingNetwork();
      link.close();
      outbox.stop();
      ports.clock.stop();
    },
    open(id) {
      if (isOnline() && !isOpen(id)) void sync.join(id);
      const one = { id };
      opened.add(one);
      return () => opened.delete(one);
    },
    async loadOlder(id, limit = HISTORY_PAGE) {
      const view = viewOf(get(), id);
      if (!view?.hasOlder) return false;
      const before_seq = view.messages[0]?.seq ?? view.conversation.last_seq + 1;
      const page = await api("GET /api/conversations/:id/messages", { id, limit, before_seq });
      update(steps.takeHistory(id, page.items, page.own_reactions));
      return page.has_more;
    },
    send: outbox.send,
    retry: outbox.retry,
    discard: outbox.discard,
    edit: (conversation_id, seq, body) =>
      changeMessage("edit_message", { conversation_id, seq, body }),
    remove: (conversation_id, seq) => changeMessage("delete_message", { conversation_id, seq }),
    markRead(id, seq) {
      const held = get().conversations.get(id);
      const upTo = seq ?? held?.conversation.last_seq;
      if (upTo) marks.read(id, upTo);
    },
    createConversation: async (memberIds, title) =>
      takeConversation(
        await api("POST /api/conversations", {
          member_ids: [...memberIds],
          ...(title && { title }),
        }),
      ),

    api,
    ask: demand,
    tokens,
    url: ports.url,
    take: update,
    onStep: changes.add,
    on: (name, listener) =>
      events.add((heard, payload) => {
        // The contract defines the payload of each event name.
        if (heard === name) listener(payload as ServerPayload<typeof name>);
      }),
  };
}
