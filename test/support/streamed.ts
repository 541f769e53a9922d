/** Streamed messages as a client of the contract writes and reads them. */
import { expect } from "vitest";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import type { Troupe } from "./cluster.ts";
import type { Person } from "./person.ts";
import type { Session } from "./session.ts";

/** The options of a session of contract 1.1. */
export const NEW = { contract: "1.1" };

export interface Scene {
  ann: Person;
  bob: Person;
  cleo: Person;
  group: Conversation;
}

/** Three people with a group. */
export async function trio(troupe: Troupe): Promise<Scene> {
  const [ann, bob, cleo] = await troupe.users("ann", "bob", "cleo");
  const group = await ann!.startsGroup(bob!, cleo!);
  return { ann: ann!, bob: bob!, cleo: cleo!, group };
}

let ids = 0;
export async function begins(session: Session, group: Conversation, body = ""): Promise<Message> {
  const { message } = await session.does("send_message", {
    conversation_id: group.id,
    client_id: `stream-${++ids}`,
    body,
    streaming: true,
  });
  return message;
}

export const appends = (
  session: Session,
  { conversation_id, seq }: Message,
  offset: number,
  text: string,
) => session.does("append_message", { conversation_id, seq, offset, text });
export const ends = (session: Session, { conversation_id, seq }: Message, more: object = {}) =>
  session.does("end_message", { conversation_id, seq, state: "done", ...more });

/** Puts a text together as a client does, from the message and its deltas. */
export async function grown(session: Session, from: string, until: number): Promise<string> {
  let text = from;
  while ([...text].length < until) {
    const delta = await session.next("message_delta");
    expect(delta.offset).toBe([...text].length);
    text += delta.text;
  }
  return text;
}
