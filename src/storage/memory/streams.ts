/** StreamStore in memory; the twin of ../postgres/streams.ts, held to the same suite. */
import type { StreamStore, StreamWrite, StreamWritten } from "../../../actors/stream-ports.ts";
import type { ConversationId } from "../../protocol/ids.ts";
import { asConversationId, asUserId, type Message } from "../../protocol/schemas.ts";
import { codePoints } from "../../protocol/text.ts";
import { mentionedIn } from "./message-extras.ts";
import type { MemoryTables, StoredConversation } from "./tables.ts";

const isOpen = ({ stream }: Message) => stream?.state === "open";

export const hasOpenStreams = ({ messages, isDeleted }: StoredConversation): boolean =>
  !isDeleted && messages.some(isOpen);

export class MemoryStreams implements StreamStore {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  async write(
    id: ConversationId,
    seq: number,
    { from, text, end }: StreamWrite,
  ): Promise<StreamWritten> {
    const stored = this.#tables.conversations.get(id);
    const message = stored?.messages[seq - 1];
    if (stored === undefined || message === undefined || stored.isDeleted) {
      return { is: "ended", message: null };
    }
    if (!isOpen(message)) return { is: "ended", message: { ...message } };
    if (codePoints(message.body) !== from) return { is: "moved" };
    stored.versions.push({ ...message, replacedAtMs: this.#tables.nowMs() });
    message.rev = ++stored.rev;
    message.body = text;
    const mentions = end && mentionedIn(this.#tables, stored, message.sender_id, end.names);
    if (end !== null) {
      message.stream = { state: end.state };
      if (end.data !== undefined) message.data = end.data;
      if (mentions && mentions.length > 0) message.mentions = mentions;
      if (end.all) message.mention_all = true;
    }
    const newlyMentioned = (mentions ?? []).map(asUserId);
    return { is: "written", revised: { message: { ...message }, changed: true, newlyMentioned } };
  }

  async open(id: ConversationId): Promise<Message[]> {
    const messages = this.#tables.conversations.get(id)?.messages ?? [];
    return messages.filter(isOpen).map((message) => ({ ...message }));
  }

  async find(id: ConversationId, seq: number): Promise<Message | null> {
    const message = this.#tables.conversations.get(id)?.messages[seq - 1];
    return message === undefined ? null : { ...message };
  }

  async openThreads(parent: ConversationId): Promise<ConversationId[]> {
    return [...this.#tables.conversations.values()]
      .filter((stored) => stored.parent?.id === parent && stored.messages.some(isOpen))
      .map(({ id }) => asConversationId(id));
  }
}
