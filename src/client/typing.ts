/**
 * Own typing: called at every keystroke, says so every few seconds (the server lets it end
 * after 5 s of silence), and that it ended after a pause.
 */
import type { Ask } from "./link.ts";
import type { ClientClock } from "./ports.ts";

const AGAIN_MS = 3_000;
const PAUSE_MS = 4_000;

export interface Typing {
  /** A keystroke. */
  touch(conversationId: string): void;
  stop(conversationId: string): void;
  /** It ended without having to be said: with a message, or with the connection. */
  forget(conversationId: string | null): void;
}

export function createTyping(clock: ClientClock, ask: Ask, isOnline: () => boolean): Typing {
  const active = new Map<string, { saidAtMs: number; cancel: () => void }>();

  const say = (conversation_id: string, is_typing: boolean): void => {
    // Not worth a retry: the next keystroke says it again, and silence ends it.
    if (isOnline()) void ask("typing", { conversation_id, is_typing });
  };

  const stop = (conversationId: string): void => {
    if (!active.has(conversationId)) return;
    forget(conversationId);
    say(conversationId, false);
  };

  function forget(conversationId: string | null): void {
    for (const id of conversationId === null ? [...active.keys()] : [conversationId]) {
      active.get(id)?.cancel();
      active.delete(id);
    }
  }

  return {
    touch(conversationId) {
      const before = active.get(conversationId);
      before?.cancel();
      const nowMs = clock.nowMs();
      const isDue = !before || nowMs - before.saidAtMs >= AGAIN_MS;
      if (isDue) say(conversationId, true);
      active.set(conversationId, {
        saidAtMs: isDue ? nowMs : before.saidAtMs,
        cancel: clock.after(PAUSE_MS, () => stop(conversationId)),
      });
    },
    stop,
    forget,
  };
}
