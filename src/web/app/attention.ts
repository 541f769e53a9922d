/**
 * Tells the server what stands before the reader's eyes: reads the open talk while the tab is
 * visible and the list at its end, and is away after five minutes out of sight.
 */
import type { Client } from "../../client/index.ts";
import type { Presence } from "../../client/presence.ts";
import { openTalkOf } from "./selection.ts";
import type { Store } from "./store.ts";

const AWAY_AFTER_MS = 5 * 60_000;

export interface Attention {
  /** Whether the newest messages of the open talk can be seen. */
  setAtEnd(isAtEnd: boolean): void;
  stop(): void;
}

export function createAttention(
  store: Store,
  markRead: Client["markRead"],
  show: Presence["show"],
): Attention {
  let isAtEnd = true;
  let awayTimer: ReturnType<typeof setTimeout> | undefined;

  const look = (): void => {
    const talk = openTalkOf(store.get());
    const isSeen = isAtEnd && document.visibilityState === "visible";
    if (isSeen && talk?.isLoaded && talk.unread > 0) markRead(talk.id);
  };

  const onVisibility = (): void => {
    clearTimeout(awayTimer);
    if (document.visibilityState === "visible") {
      show("online");
      look();
    } else awayTimer = setTimeout(() => show("away"), AWAY_AFTER_MS);
  };

  document.addEventListener("visibilitychange", onVisibility);
  if (document.visibilityState !== "visible") onVisibility();
  const unsubscribe = store.subscribe(look);

  return {
    setAtEnd(next) {
      isAtEnd = next;
      look();
    },
    stop() {
      unsubscribe();
      clearTimeout(awayTimer);
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}
