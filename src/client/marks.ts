/**
 * Sends this user's marks: `mark_read` when the application asks for it, kept until there is a
 * connection, and optionally `mark_delivered` for everything that arrived. Bursts become one mark;
 * marks are cumulative, so a newer mark replaces one that failed.
 */
import { backOffMs } from "./back-off.ts";
import { isPassing } from "./error.ts";
import { memberOf } from "./held.ts";
import { isMarkedUnread } from "./held-unread.ts";
import type { Ask } from "./link.ts";
import type { ClientPorts } from "./ports.ts";
import type { State } from "./state.ts";

const GATHER_MS = 100;

export interface Marks {
  read(conversationId: string, seq: number): void;
  /** Sends the marks that are due: something arrived, or a failed mark may be repeated. */
  look(): void;
}

export interface MarksOptions {
  ports: ClientPorts;
  ask: Ask;
  isDeliveredAutomatic: boolean;
  get(): State;
  onMarked(conversationId: string, cursors: { delivered_seq: number; read_seq: number }): void;
}

export function createMarks(options: MarksOptions): Marks {
  const { ports, ask, isDeliveredAutomatic, get, onMarked } = options;
  const wanted = new Map<string, number>();
  const busy = new Set<string>();
  /** Marks that were refused for good, for example in a direct conversation under a block. */
  const refusedAt = new Map<string, number>();
  let failures = 0;
  let isDue = false;

  function look(delayMs = GATHER_MS): void {
    if (isDue) return;
    isDue = true;
    ports.clock.after(delayMs, markAll);
  }

  function markAll(): void {
    isDue = false;
    const { connection, conversations, me } = get();
    if (connection.is !== "online" || !me) return;
    for (const [id, held] of conversations) {
      const own = memberOf(held, me.id);
      if (!own || busy.has(id)) continue;
      const { last_seq } = held.conversation;
      const readSeq = Math.min(wanted.get(id) ?? 0, last_seq);
      // A read mark also takes away what was marked unread.
      const isRead = readSeq > (isMarkedUnread(held) ? 0 : own.read_seq);
      if (!isRead) wanted.delete(id);
      const seq = isRead ? readSeq : isDeliveredAutomatic ? last_seq : 0;
      if (!isRead && seq <= own.delivered_seq) continue;
      if (seq > (refusedAt.get(id) ?? 0)) void mark(id, isRead, seq);
    }
  }

  async function mark(id: string, isRead: boolean, seq: number): Promise<void> {
    busy.add(id);
    const payload = { conversation_id: id, seq };
    const answer = await ask(isRead ? "mark_read" : "mark_delivered", payload, (cursors) =>
      onMarked(id, cursors),
    );
    busy.delete(id);
    if (answer.ok) {
      failures = 0;
      if (isRead && (wanted.get(id) ?? 0) <= seq) wanted.delete(id);
      look();
    } else if (!isPassing(answer.error)) refusedAt.set(id, seq);
    else look(answer.error.retry_after_ms ?? GATHER_MS + backOffMs(failures++, ports.random()));
  }

  return {
    read(conversationId, seq) {
      wanted.set(conversationId, Math.max(seq, wanted.get(conversationId) ?? 0));
      look();
    },
    look: () => look(),
  };
}
