/**
 * What one client believes, merged from its events, its own acks and its syncs, as any client
 * of the contract would merge them. Pure. `rev` of a conversation is what the client syncs from:
 * the highest it has received, since changes come in rising order. Until a session has caught up,
 * live events do not raise it, so that they cannot hide what its syncs have yet to bring.
 */
import { createHash } from "node:crypto";
import type { ClientAck } from "../../src/protocol/events.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import type { FinalReplica, MessageFact } from "./history.ts";

interface Held {
  rev: number;
  /** The highest rev received live. */
  heard: number;
  baseSeq: number;
  lastSeq: number;
  messages: Map<
    number,
    { seq: number; rev: number; digest: string; own: boolean; deleted: boolean }
  >;
}

export class Replica {
  readonly user: string;
  readonly #held = new Map<string, Held>();
  #isCatchingUp = false;

  constructor(user: string) {
    this.user = user;
  }

  conversations(): string[] {
    return [...this.#held.keys()];
  }

  has(conversation: string): boolean {
    return this.#held.has(conversation);
  }

  revOf(conversation: string): number {
    return this.#held.get(conversation)?.rev ?? 0;
  }

  lastSeqOf(conversation: string): number {
    return this.#held.get(conversation)?.lastSeq ?? 0;
  }

  /** The seqs of own messages that are not deleted, newest last. */
  ownSeqs(conversation: string): number[] {
    const messages = [...(this.#held.get(conversation)?.messages.values() ?? [])];
    return messages.filter((one) => one.own && !one.deleted).map((one) => one.seq);
  }

  /** The list of conversations for a `sync` request. */
  cursors(): { conversation_id: string; after_rev: number }[] {
    return [...this.#held].map(([conversation_id, { rev }]) => ({
      conversation_id,
      after_rev: rev,
    }));
  }

  /** A session begins: it has yet to sync. */
  beginCatchUp(): void {
    this.#isCatchingUp = true;
  }

  /** The session has caught up with what it received live. */
  endCatchUp(): void {
    this.#isCatchingUp = false;
    for (const held of this.#held.values()) held.rev = Math.max(held.rev, held.heard);
  }

  /** Whether it holds this message as it is, or newer. */
  knows({ conversation_id, seq, rev }: Message): boolean {
    return (this.#held.get(conversation_id)?.messages.get(seq)?.rev ?? 0) >= rev;
  }

  applyMessage(message: Message, isOwnAck: boolean): void {
    // The ack of a message sent just before the removal does not bring the conversation back.
    if (isOwnAck && !this.has(message.conversation_id)) return;
    const held = this.#at(message.conversation_id, message.rev - 1, message.seq - 1);
    this.#put(held, message);
    this.#hear(held, message.rev);
  }

  applyConversation(conversation: Conversation): void {
    if (!conversation.members.some((member) => member.user_id === this.user)) {
      this.#held.delete(conversation.id);
      return;
    }
    const held = this.#at(conversation.id, conversation.rev - 1, conversation.last_seq);
    this.#hear(held, conversation.rev);
  }

  applySync(answer: ClientAck<"sync">): void {
    for (const id of answer.removed) this.#held.delete(id);
    for (const { conversation_id, rev, messages, conversation, reset } of answer.conversations) {
      if (reset) this.#held.delete(conversation_id);
      const first = messages[0]?.seq;
      const baseSeq = first === undefined ? (conversation?.last_seq ?? 0) : first - 1;
      const held = this.#at(conversation_id, 0, baseSeq);
      for (const message of messages) this.#put(held, message);
      held.lastSeq = Math.max(held.lastSeq, conversation?.last_seq ?? 0);
      held.rev = Math.max(held.rev, rev);
    }
  }

  final(): FinalReplica["conversations"] {
    return [...this.#held].map(([id, { rev, baseSeq, messages }]) => ({
      id,
      rev,
      baseSeq,
      messages: [...messages.values()]
        .sort((a, b) => a.seq - b.seq)
        .map((one) => ({ seq: one.seq, rev: one.rev, digest: one.digest })),
    }));
  }

  #at(id: string, rev: number, baseSeq: number): Held {
    let held = this.#held.get(id);
    if (held === undefined) {
      held = { rev, heard: rev, baseSeq, lastSeq: baseSeq, messages: new Map() };
      this.#held.set(id, held);
    }
    return held;
  }

  #hear(held: Held, rev: number): void {
    held.heard = Math.max(held.heard, rev);
    if (!this.#isCatchingUp || rev === held.rev + 1) held.rev = Math.max(held.rev, rev);
  }

  #put(held: Held, message: Message): void {
    held.lastSeq = Math.max(held.lastSeq, message.seq);
    const known = held.messages.get(message.seq);
    if (known !== undefined && known.rev >= message.rev) return;
    held.messages.set(message.seq, {
      seq: message.seq,
      rev: message.rev,
      digest: digestOf(message.body, message.deleted_at !== null),
      own: message.sender_id === this.user,
      deleted: message.deleted_at !== null,
    });
  }
}

export function digestOf(body: string, isDeleted: boolean): string {
  return createHash("sha1").update(`${isDeleted} ${body}`).digest("base64").slice(0, 12);
}

export function factOf(message: Message): MessageFact {
  const deleted = message.deleted_at !== null;
  return {
    id: message.id,
    seq: message.seq,
    rev: message.rev,
    sender: message.sender_id ?? "",
    clientId: message.client_id ?? "",
    digest: digestOf(message.body, deleted),
    deleted,
  };
}
