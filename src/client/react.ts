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
import type { Status } from "../protocol/schemas.ts";
import type { PostCounts } from "../protocol/social.ts";
import { attempt } from "./attached.ts";
import type { Client } from "./client.ts";
import { presenceOf } from "./presence.ts";
import { inboxOf, type NotificationState, postWatchOf } from "./social.ts";
import type { ConnectionState } from "./state.ts";
import type { Readable } from "./store.ts";
import type { ConversationView } from "./views.ts";

const ClientContext = createContext<Client | null>(null);

/** The client stays the application's: it is not closed with the provider. */
export function TroupeProvider(props: { client: Client; children?: ReactNode }): ReactElement {
  return createElement(ClientContext.Provider, { value: props.client }, props.children);
}

export function useTroupe(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("There is no TroupeProvider around this component.");
  return client;
}

const useReadable = <T>({ subscribe, get }: Readable<T>): T =>
  useSyncExternalStore(subscribe, get, get);

export function useConnection(): ConnectionState {
  return useReadable(useTroupe().connection);
}

export function useConversations(): readonly ConversationView[] {
  return useReadable(useTroupe().conversations);
}

/** Open while it is shown. */
export function useConversation(id: string): ConversationView | null {
  const client = useTroupe();
  useEffect(() => client.open(id), [client, id]);
  return useReadable(useMemo(() => client.conversation(id), [client, id]));
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
