/** What a command asks for, as far as it is recorded. */
import { digestOf } from "./replica.ts";

/** The parts of a command's payload that are recorded. */
export interface Asked {
  conversation_id?: string;
  client_id?: string;
  body?: string;
  seq?: number;
  conversations?: { conversation_id: string; after_rev: number }[];
  key?: string;
  on?: boolean;
  unread_from_seq?: number;
}

/** The recorded facts, without those that the command does not have. */
export function factsOf(asked: Asked) {
  return {
    ...(asked.client_id === undefined ? {} : { clientId: asked.client_id }),
    ...(asked.body === undefined ? {} : { digest: digestOf(asked.body, false) }),
    ...(asked.seq === undefined ? {} : { seq: asked.seq }),
    ...(asked.key === undefined ? {} : { key: asked.key, on: asked.on ?? false }),
    ...(asked.unread_from_seq === undefined ? {} : { marksUnread: true }),
  };
}
