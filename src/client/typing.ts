/**
 * `typingOf`: own typing, called at every keystroke, says so every few seconds (the server lets
 * it end after 5 s of silence), and that it ended after a pause. One for a client.
 */
import { type Monotonic, msBetween } from "../protocol/time.ts";
import { isOnline, once } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import type { ClientClock } from "./ports.ts";

const AGAIN_MS = 3_000;
const PAUSE_MS = 4_000;

export interface Typing {
  /** A keystroke. */
  touch(conversationId: string): void;
  stop(conversationId: string): void;
}

export function createTyping(client: Client, clock: ClientClock): Typing {
  const active = new Map<string, { saidAtMs: Monotonic; cancel: () => void }>();

  const say = (conversation_id: string, is_typing: boolean): void => {
    // Not worth a retry: the next keystroke says it again, and silence ends it.
    if (isOnline(client))
      client.ask("typing", { conversation_id, is_typing }).catch(() => undefined);
  };

  const forget = (conversationId: string): void => {
    active.get(conversationId)?.cancel();
    active.delete(conversationId);
  };

  const stop = (conversationId: string): void => {
    if (!active.has(conversationId)) return;
    forget(conversationId);
    say(conversationId, false);
  };

  // Typing ends by itself with a message and with the connection.
  client.onStep((before, { outbox, connection }) => {
    if (before.outbox !== outbox) {
      const sent = outbox.filter((one) => !before.outbox.includes(one) && one.problem === null);
      for (const one of sent) forget(one.conversationId);
    }
    if (connection.is !== "online") for (const id of active.keys()) forget(id);
  });

  return {
    touch(conversationId) {
      const before = active.get(conversationId);
      before?.cancel();
      const nowMs = clock.monotonicMs();
      const isDue = !before || msBetween(before.saidAtMs, nowMs) >= AGAIN_MS;
      if (isDue) say(conversationId, true);
      active.set(conversationId, {
        saidAtMs: isDue ? nowMs : before.saidAtMs,
        cancel: clock.after(PAUSE_MS, () => stop(conversationId)),
      });
    },
    stop,
  };
}

export const typingOf = once((client) => createTyping(client, systemClock));
