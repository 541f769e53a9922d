/**
 * Sends what the person wrote, once, in order: one message of a conversation at a time, each
 * under its `client_id` until the server has answered for it, over reconnects and reloads.
 * Kept in localStorage, an entry a message, so that tabs do not overwrite each other.
 */
import type { ErrorObject } from "../../protocol/errors.ts";
import type { Ask } from "./link.ts";
import {
  type Outgoing,
  withLiveMessage,
  withOutgoing,
  withoutOutgoing,
  withProblem,
} from "./state.ts";
import type { Store } from "./store.ts";

const KEY_PREFIX = "troupe.outbox.";
const RETRY_MS = 2_000;

export interface Outbox {
  add(conversationId: string, body: string, replyToSeq: number | null): void;
  retry(clientId: string): void;
  discard(clientId: string): void;
  /** Sends all that waits; called when the link is online. */
  flush(): void;
  stop(): void;
}

const keyOf = (userId: string, clientId: string): string => `${KEY_PREFIX}${userId}.${clientId}`;

/** 128 random bits. Not randomUUID: that exists in secure contexts only. */
function newClientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function storedOutbox(userId: string): Outgoing[] {
  const found: Outgoing[] = [];
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(`${KEY_PREFIX}${userId}.`)) continue;
    try {
      found.push(JSON.parse(localStorage.getItem(key) ?? "null") as Outgoing);
    } catch (error) {
      // Written by another version or by hand.
      console.warn("stored message is unreadable", key, error);
    }
  }
  return found.sort((a, b) => a.createdAtMs - b.createdAtMs);
}

/** Whether trying the same again later can succeed. */
function isPassing(error: ErrorObject): boolean {
  return ["unavailable", "internal", "rate_limited", "token_expired"].includes(error.code);
}

/** `isOnline`: whether the link takes messages now. */
export function createOutbox(store: Store, ask: Ask, isOnline: () => boolean): Outbox {
  const busy = new Set<string>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const userId = store.get().me.id;
  let kept = new Set(store.get().outbox.map((outgoing) => outgoing.clientId));

  const sendNext = async (conversationId: string): Promise<void> => {
    if (busy.has(conversationId) || !isOnline()) return;
    const next = store
      .get()
      .outbox.find((o) => o.conversationId === conversationId && o.problem === null);
    if (!next) return;
    busy.add(conversationId);
    const { clientId, body, replyToSeq } = next;
    const answer = await ask("send_message", {
      conversation_id: conversationId,
      client_id: clientId,
      body,
      ...(replyToSeq === null ? {} : { reply_to_seq: replyToSeq }),
    });
    busy.delete(conversationId);
    if (answer.ok) store.update((state) => withLiveMessage(state, answer.value.message));
    else if (!isPassing(answer.error)) {
      store.update((state) => withProblem(state, clientId, answer.error.message));
    } else {
      const timer = setTimeout(() => {
        timers.delete(timer);
        void sendNext(conversationId);
      }, answer.error.retry_after_ms ?? RETRY_MS);
      timers.add(timer);
      return;
    }
    void sendNext(conversationId);
  };

  const flush = (): void => {
    for (const id of new Set(store.get().outbox.map((o) => o.conversationId))) void sendNext(id);
  };

  // What has left the outbox, by an ack or by any other news of it, is forgotten here too.
  const stopKeeping = store.subscribe((state) => {
    const current = new Set(state.outbox.map((outgoing) => outgoing.clientId));
    for (const clientId of kept) {
      if (!current.has(clientId)) localStorage.removeItem(keyOf(userId, clientId));
    }
    kept = current;
  });

  return {
    add(conversationId, body, replyToSeq) {
      const outgoing: Outgoing = {
        clientId: newClientId(),
        conversationId,
        body,
        replyToSeq,
        createdAtMs: Date.now(),
        problem: null,
      };
      localStorage.setItem(keyOf(userId, outgoing.clientId), JSON.stringify(outgoing));
      kept.add(outgoing.clientId);
      store.update((state) => withOutgoing(state, outgoing));
      void sendNext(conversationId);
    },
    retry(clientId) {
      store.update((state) => withProblem(state, clientId, null));
      flush();
    },
    discard(clientId) {
      store.update((state) => withoutOutgoing(state, clientId));
    },
    flush,
    stop() {
      stopKeeping();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
