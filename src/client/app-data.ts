/**
 * What an application puts into the `data` of messages, conversations and users: `connect<App>()`
 * types it, and nothing checks it but the application.
 *
 *   const client = connect<{ message: { order: string } }>({ url, getToken });
 *   client.conversation(id).get()?.messages.at(-1)?.data?.order;
 */
import type { Conversation, Message, User } from "../protocol/schemas.ts";

/** A `type` fits it; an `interface` does not, for it may be added to. */
type Json = Record<string, unknown>;

export interface AppTypes {
  message?: Json;
  conversation?: Json;
  user?: Json;
}

type WithData<T, D> = Omit<T, "data"> & { data?: NonNullable<D> };

export type MessageOf<A extends AppTypes> = WithData<Message, A["message"]>;
export type ConversationOf<A extends AppTypes> = WithData<Conversation, A["conversation"]>;
export type UserOf<A extends AppTypes> = WithData<User, A["user"]>;
