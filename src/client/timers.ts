/** A clock whose timers have one owner: `stop` takes all of them away, and those to come. */
import type { ClientClock } from "./ports.ts";

export function ownTimers(clock: ClientClock): ClientClock & { stop(): void } {
  const pending = new Set<() => void>();
  let isOver = false;
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    after(delayMs, ring) {
      if (isOver) return () => undefined;
      const cancel = clock.after(delayMs, () => {
        pending.delete(cancel);
        ring();
      });
      pending.add(cancel);
      return () => {
        pending.delete(cancel);
        cancel();
      };
    },
    stop() {
      isOver = true;
      for (const cancel of pending) cancel();
    },
  };
}
