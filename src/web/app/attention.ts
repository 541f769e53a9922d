/**
 * Tells the server what this page has taken in: `mark_delivered` for what has arrived,
 * `mark_read` for what stands before the reader's eyes (talk open, tab visible, list at its
 * end), and `set_status` away after five minutes out of sight.
 */
import type { Ask } from "./link.ts";
import { type State, type Talk, withReceipt } from "./state.ts";
import type { Store } from "./store.ts";

const AWAY_AFTER_MS = 5 * 60_000;
/** Bursts become one mark. */
const GATHER_MS = 120;
const RETRY_MS = 2_000;

export interface Attention {
  /** Whether the newest messages of the open talk can be seen. */
  setAtEnd(isAtEnd: boolean): void;
  /** A new session starts as online: says so where that is not true. */
  announce(): void;
  stop(): void;
}

export function createAttention(store: Store, ask: Ask): Attention {
  const marking = new Set<string>();
  let isAtEnd = true;
  let isAway = false;
  let gatherTimer: ReturnType<typeof setTimeout> | undefined;
  let awayTimer: ReturnType<typeof setTimeout> | undefined;

  const isReading = (state: State, talk: Talk): boolean =>
    isAtEnd &&
    talk.isLoaded &&
    state.openId === talk.conversation.id &&
    document.visibilityState === "visible";

  const wantedMark = (state: State, talk: Talk): "mark_read" | "mark_delivered" | null => {
    const { members, last_seq } = talk.conversation;
    const own = members.find((member) => member.user_id === state.me.id);
    if (!own) return null;
    if (own.read_seq < last_seq && isReading(state, talk)) return "mark_read";
    return own.delivered_seq < last_seq ? "mark_delivered" : null;
  };

  const mark = async (event: "mark_read" | "mark_delivered", talk: Talk): Promise<void> => {
    const { id, last_seq } = talk.conversation;
    marking.add(id);
    const answer = await ask(event, { conversation_id: id, seq: last_seq });
    if (answer.ok) {
      marking.delete(id);
      store.update((state) =>
        withReceipt(state, { conversation_id: id, user_id: state.me.id, ...answer.value }),
      );
      schedule();
      return;
    }
    // Held back for a while: marks are cumulative, the next one makes up for it.
    setTimeout(() => {
      marking.delete(id);
      schedule();
    }, answer.error.retry_after_ms ?? RETRY_MS);
  };

  const markAll = (): void => {
    gatherTimer = undefined;
    const state = store.get();
    if (state.link.kind !== "online") return;
    for (const talk of state.talks.values()) {
      if (marking.has(talk.conversation.id)) continue;
      const event = wantedMark(state, talk);
      if (event) void mark(event, talk);
    }
  };

  function schedule(): void {
    gatherTimer ??= setTimeout(markAll, GATHER_MS);
  }

  const setAway = async (away: boolean): Promise<void> => {
    if (isAway === away) return;
    isAway = away;
    await ask("set_status", { status: away ? "away" : "online" });
  };

  const onVisibility = (): void => {
    clearTimeout(awayTimer);
    if (document.visibilityState === "visible") {
      void setAway(false);
      schedule();
    } else awayTimer = setTimeout(() => void setAway(true), AWAY_AFTER_MS);
  };

  document.addEventListener("visibilitychange", onVisibility);
  onVisibility();
  const unsubscribe = store.subscribe(schedule);

  return {
    setAtEnd(next) {
      isAtEnd = next;
      if (isAtEnd) schedule();
    },
    announce() {
      if (isAway) void ask("set_status", { status: "away" });
    },
    stop() {
      unsubscribe();
      clearTimeout(gatherTimer);
      clearTimeout(awayTimer);
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}
