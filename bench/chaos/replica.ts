/**
 * What one client believes, merged from its events, its own acks and its syncs, as any client
 * of the contract would merge them. Pure. `rev` of a conversation is what the client syncs from:
 * the highest it has received, since changes come in rising order. Until a session has caught up,
 * live events do not raise it, so that they cannot hide what its syncs have yet to bring.
 */
import { createHash } from "node:crypto";
import type { ClientAck, ServerPayload } from "../../src/protocol/events.ts";
import type { Prefs } from "../../src/protocol/prefs.ts";
import type { Conversation, Message } from "../../src/protocol/schemas.ts";
import type { FinalPrefs, FinalReplica, MessageFact } from "./history.ts";

interface HeldMessage {
  seq: number;
  rev: number;
  /** The `rev` of the newest state that was received whole. */
  wholeRev: number;
  digest: string;
  own: boolean;
  deleted: boolean;
  /** Keys that are gone stay with a count of 0, so that no older state brings them back. */
  keys: Map<string, { count: number; lastUsers: string[]; rev: number }>;
}

interface Held {
  rev: number;
  /** The highest rev received live. */
  heard: number;
  baseSeq: number;
  lastSeq: number;
  readSeq: number;
  /** Null for a conversation that is no thread. */
  parent: string | null;
  messages: Map<number, HeldMessage>;
  /** Reactions to messages that a sync has yet to bring. */
  early: { seq: number; rev: number; changed: readonly Reaction[]; isWhole: boolean }[];
}

type Reaction = { key: string; count: number; last_user_ids: string[] };

export class Replica {
  readonly user: string;
  /** The newest `prefs_rev` below which nothing is missing. */
  prefsRev = 0;
  readonly #prefs = new Map<string, Prefs>();
  #heardPrefs = 0;
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
    this.prefsRev = Math.max(this.prefsRev, this.#heardPrefs);
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
    if (message.sender_id === this.user) this.read(message.conversation_id, message.seq);
  }

  /** `changed`: what is new of some keys, or with `isWhole` all that there are. */
  applyReactions(
    conversation: string,
    seq: number,
    rev: number,
    changed: readonly Reaction[],
    isWhole: boolean,
  ): void {
    const held = this.#held.get(conversation);
    if (held === undefined) return;
    this.#hear(held, rev);
    const message = held.messages.get(seq);
    if (message === undefined) {
      held.early.push({ seq, rev, changed, isWhole });
      return;
    }
    const news = new Map(changed.map((one) => [one.key, one]));
    if (isWhole) {
      for (const key of message.keys.keys()) {
        if (!news.has(key)) news.set(key, { key, count: 0, last_user_ids: [] });
      }
    }
    for (const { key, count, last_user_ids } of news.values()) {
      if ((message.keys.get(key)?.rev ?? message.wholeRev) >= rev) continue;
      message.keys.set(key, { count, lastUsers: last_user_ids, rev });
    }
    message.rev = Math.max(message.rev, rev);
  }

  /** What `ready` says is unread; what it leaves out is read, as far as it is known here. */
  applyUnread({ conversations, more }: ServerPayload<"ready">["unread"]): void {
    for (const { conversation_id, read_seq } of conversations) this.read(conversation_id, read_seq);
    if (more) return;
    const listed = new Set(conversations.map(({ conversation_id }) => conversation_id));
    for (const [id, held] of this.#held) if (!listed.has(id)) this.read(id, held.lastSeq);
  }

  /** The user's own read cursor is at least there. */
  read(conversation: string, seq: number): void {
    const held = this.#held.get(conversation);
    if (held !== undefined) held.readSeq = Math.max(held.readSeq, seq);
  }

  applyPrefs(prefs: Prefs, isLive: boolean): void {
    const { conversation_id: id, prefs_rev: rev } = prefs;
    const known = this.#prefs.get(id);
    if (known === undefined || known.prefs_rev < rev) this.#prefs.set(id, prefs);
    this.#heardPrefs = Math.max(this.#heardPrefs, rev);
    if (!isLive || !this.#isCatchingUp || rev === this.prefsRev + 1) {
      this.prefsRev = Math.max(this.prefsRev, rev);
    }
  }

  applyConversation(conversation: Conversation): void {
    const own = conversation.members.find((member) => member.user_id === this.user);
    if (own === undefined) {
      this.#drop(conversation.id);
      return;
    }
    const held = this.#at(conversation.id, conversation.rev - 1, conversation.last_seq);
    held.parent = conversation.parent?.conversation_id ?? null;
    this.read(conversation.id, own.read_seq);
    this.#hear(held, conversation.rev);
  }

  applySync(answer: ClientAck<"sync">): void {
    for (const id of answer.removed) this.#drop(id);
    for (const prefs of answer.prefs ?? []) this.applyPrefs(prefs, false);
    for (const one of answer.conversations) {
      const { conversation_id, rev, messages, conversation, reset, read_seq } = one;
      if (reset) this.#held.delete(conversation_id);
      const first = messages[0]?.seq;
      const baseSeq = first === undefined ? (conversation?.last_seq ?? 0) : first - 1;
      const held = this.#at(conversation_id, 0, baseSeq);
      for (const message of messages) this.#put(held, message);
      held.lastSeq = Math.max(held.lastSeq, conversation?.last_seq ?? 0);
      if (conversation?.parent) held.parent = conversation.parent.conversation_id;
      if (read_seq !== undefined) this.read(conversation_id, read_seq);
      for (const { sender_id, seq } of messages) {
        if (sender_id === this.user) this.read(conversation_id, seq);
      }
      held.rev = Math.max(held.rev, rev);
    }
  }

  /** `knowsPrefs`: whether its sessions speak 1.1, and so know what is marked unread. */
  final(knowsPrefs: boolean): FinalReplica["conversations"] {
    return [...this.#held].map(([id, { rev, baseSeq, messages, lastSeq, readSeq }]) => ({
      id,
      rev,
      baseSeq,
      ...(knowsPrefs && {
        // Every message of a run counts, so `n` is `seq`. Before the first message is 0.
        unread:
          lastSeq -
          Math.max(0, Math.min(readSeq, (this.#prefs.get(id)?.unread_from_seq ?? Infinity) - 1)),
      }),
      messages: [...messages.values()]
        .sort((a, b) => a.seq - b.seq)
        .map(({ seq, rev: messageRev, digest, keys }) => ({
          seq,
          rev: messageRev,
          digest,
          ...reactionsFact(
            [...keys].map(([key, { count, lastUsers }]) => ({
              key,
              count,
              last_user_ids: lastUsers,
            })),
          ),
        })),
    }));
  }

  finalPrefs(): FinalPrefs[] {
    return [...this.#prefs.values()].map(prefsFact);
  }

  /** With its threads. */
  #drop(id: string): void {
    this.#held.delete(id);
    for (const [thread, { parent }] of this.#held) if (parent === id) this.#held.delete(thread);
  }

  #at(id: string, rev: number, baseSeq: number): Held {
    let held = this.#held.get(id);
    if (held === undefined) {
      const messages = new Map<number, HeldMessage>();
      held = {
        rev,
        heard: rev,
        baseSeq,
        lastSeq: baseSeq,
        readSeq: 0,
        parent: null,
        messages,
        early: [],
      };
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
    const { rev } = message;
    const known = held.messages.get(message.seq);
    if (known !== undefined && known.wholeRev >= rev) return;
    const keys: HeldMessage["keys"] = new Map(
      (message.reactions ?? []).map(({ key, count, last_user_ids: lastUsers }) => [
        key,
        { count, lastUsers, rev },
      ]),
    );
    for (const [key, one] of known?.keys ?? []) if (one.rev > rev) keys.set(key, one);
    held.messages.set(message.seq, {
      seq: message.seq,
      rev: Math.max(rev, known?.rev ?? 0),
      wholeRev: rev,
      keys,
      digest: digestOf(message.body, message.deleted_at !== null),
      own: message.sender_id === this.user,
      deleted: message.deleted_at !== null,
    });
    const early = held.early.filter(({ seq }) => seq === message.seq);
    if (early.length === 0) return;
    held.early = held.early.filter(({ seq }) => seq !== message.seq);
    for (const { seq, rev: at, changed, isWhole } of early) {
      this.applyReactions(message.conversation_id, seq, at, changed, isWhole);
    }
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
    ...reactionsFact(message.reactions ?? []),
  };
}

function reactionsFact(reactions: readonly Reaction[]): { reactions?: string } {
  const shown = reactions.filter(({ count }) => count > 0);
  if (shown.length === 0) return {};
  const texts = shown.map(({ key, count, last_user_ids }) => `${key} ${count} ${last_user_ids}`);
  return { reactions: texts.sort().join("; ") };
}

export function prefsFact(prefs: Prefs): FinalPrefs {
  const sorted = Object.entries(prefs).sort(([a], [b]) => (a < b ? -1 : 1));
  const { conversation_id: conversation, prefs_rev: rev } = prefs;
  return { conversation, rev, text: JSON.stringify(sorted) };
}

export function membersOf(conversation: Conversation): string[] {
  return conversation.members.map((member) => member.user_id);
}
