/**
 * What an application puts into the `data` of messages, conversations and users: `connect<App>()`
 * types it, and nothing checks it but the application.
 *
 *   const client = connect<{ message: { order: string } }>({ url, getToken });
 *   client.conversation(id).get()?.messages.at(-1)?.data?.order;
 */
import type { Conversation, Message, User } from "../protocol/schemas.ts";

export interface AppData {
  message?: object;
  conversation?: object;
  user?: object;
}

type WithData<T, D> = Omit<T, "data"> & { data?: D };

export type MessageOf<A extends AppData> = WithData<Message, A["message"]>;
export type ConversationOf<A extends AppData> = WithData<Conversation, A["conversation"]>;
export type UserOf<A extends AppData> = WithData<User, A["user"]>;
