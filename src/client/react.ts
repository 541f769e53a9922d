"use client";

/**
 * React hooks, `troupe-client/react`: each shows a part of the client's state and watches it at the
 * server for as long as it is mounted.
 *
 *   <TroupeProvider client={client}><Chat /></TroupeProvider>
 *   const conversation = useConversation(id); // null until it is known
 */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from "react";
import type { Status, User } from "../protocol/schemas.ts";
import type { PostCounts } from "../protocol/social.ts";
import {
  type ActorHandle,
  type TypesOf as ActorTypesOf,
  actorOf,
  type SharedActor,
  type TypedActor,
} from "./actors.ts";
import type { AppTypes, UserOf } from "./app-data.ts";
import { attempt } from "./attached.ts";
import { calm } from "./calm.ts";
import type { Client } from "./client.ts";
import { presenceOf } from "./presence.ts";
import { inboxOf, type NotificationState, postWatchOf } from "./social.ts";
import type { ConnectionState } from "./state.ts";
import { type Readable, select } from "./store.ts";
import { usersOf } from "./users.ts";
import type { ConversationView } from "./views.ts";

const ClientContext = createContext<Client | null>(null);

/** The client stays the application's: it is not closed with the provider. */
export function TroupeProvider(props: { client: Client; children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: props.client }, props.children);
}

export function useTroupe<A extends AppTypes = AppTypes>(): Client<A> {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("There is no TroupeProvider around this component.");
  // The application knows which client it has put there.
  return client as unknown as Client<A>;
}

/** Any Readable, or a part of one; `pick` is one function for as long as the part is the same. */
export function useReadable<T>(readable: Readable<T>): T;
export function useReadable<S, T>(readable: Readable<S>, pick: (value: S) => T): T;
export function useReadable<S>(readable: Readable<S>, pick?: (value: S) => unknown): unknown {
  const part = useMemo(
    () => calm<unknown>(pick ? select(readable, pick) : readable),
    [readable, pick],
  );
  return useSyncExternalStore(part.subscribe, part.get, part.get);
}

/** Lists of much are drawn again no sooner than this after they were. */
const LIST_GAP_MS = 100;

/** [KIT40] As useReadable, for what a list shows: a burst of events draws it a few times only. */
export function useListReadable<T>(readable: Readable<T>): T {
  const part = useMemo(() => calm(readable, LIST_GAP_MS), [readable]);
  return useSyncExternalStore(part.subscribe, part.get, part.get);
}

export function useConnection(): ConnectionState {
  return useReadable(useTroupe().connection);
}

export function useConversations<A extends AppTypes = AppTypes>(): readonly ConversationView<A>[] {
  return useListReadable(useTroupe<A>().conversations);
}

/** Null before the first session. */
export function useMe<A extends AppTypes = AppTypes>(): UserOf<A> | null {
  return useReadable(useTroupe<A>().me);
}

/** Whether the list of conversations has been loaded once. */
export function useIsListed(): boolean {
  return useReadable(useTroupe().isListed);
}

const NOTHING: Readable<null> = { get: () => null, subscribe: () => () => undefined };

/** Open while it is shown; `null` shows none. */
export function useConversation<A extends AppTypes = AppTypes>(
  id: string | null,
): ConversationView<A> | null {
  const client = useTroupe<A>();
  useEffect(() => (id === null ? undefined : client.open(id)), [client, id]);
  return useListReadable<ConversationView<A> | null>(
    useMemo(() => (id === null ? NOTHING : client.conversation(id)), [client, id]),
  );
}

const totalOf = (views: readonly ConversationView[]): number =>
  views.reduce((sum, { unread }) => sum + unread, 0);

/** The unread messages of all conversations. */
export function useUnreadTotal(): number {
  return useReadable(useTroupe().conversations, totalOf);
}

const NOBODY: readonly string[] = [];
const typingIn = (view: ConversationView | null): readonly string[] => view?.typing ?? NOBODY;

/** The ids of the others who are typing there. */
export function useTyping(conversationId: string): readonly string[] {
  const client = useTroupe();
  const talk = useMemo(() => client.conversation(conversationId), [client, conversationId]);
  return useReadable(talk, typingIn);
}

/** Undefined: not known yet; null: there is no such user. */
export function useUser(userId: string): User | null | undefined {
  const client = useTroupe();
  return useReadable(useMemo(() => usersOf(client).of(userId), [client, userId]));
}

/** The view of one of the application's actors, and its calls; `shared` is one object for all. */
export function useActor<D extends TypedActor>(
  shared: SharedActor<ActorTypesOf<D>>,
  key: string,
): [view: ActorTypesOf<D>["view"] | null, actor: ActorHandle<ActorTypesOf<D>>] {
  const client = useTroupe();
  const actor = useMemo(() => actorOf<D>(client, shared, key), [client, shared, key]);
  return [useReadable(actor), actor];
}

export function usePresence(userId: string): Status | null {
  const client = useTroupe();
  return useReadable(useMemo(() => presenceOf(client).of(userId), [client, userId]));
}

/** Undefined: not known yet; null: there is no such post. */
export function usePostCounts(postId: string): PostCounts | null | undefined {
  const client = useTroupe();
  return useReadable(useMemo(() => postWatchOf(client).counts(postId), [client, postId]));
}

/** The newest page and the unread count; `inboxOf(client).loadOlder()` adds a page. */
export function useNotifications(): NotificationState {
  const client = useTroupe();
  useEffect(() => {
    // Out of reach now, the next session brings it.
    void attempt(inboxOf(client).load());
  }, [client]);
  return useReadable(inboxOf(client).state);
}
