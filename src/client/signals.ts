/**
 * `signalsOf`: the application's own ephemeral events in a conversation, such as cursors or a
 * call. Sent only while there is a connection, and never again; one for a client.
 *
 * Signals with a key say the newest value of something: one of each is on its way at a time, and
 * what is sent meanwhile replaces what was waiting, so that a pointer's every move can be sent.
 */
import type { ServerPayload } from "../protocol/events.ts";
import { isOnline, once } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { TroupeError } from "./error.ts";
import type { ClientClock } from "./ports.ts";

/** Nobody sees more than 20 a second. */
const AGAIN_MS = 50;

export type Signal = ServerPayload<"signal">;

export interface SignalOptions {
  /** At most 1 KiB as JSON. */
  data?: Record<string, unknown>;
  /** Ids of the members who receive it; default: all. */
  to?: readonly string[];
  key?: string;
}

export interface Signals {
  /** For an answer ask for it: `client.ask("signal", …)`. */
  send(conversationId: string, type: string, options?: SignalOptions): void;
  /** Calls `listener` for each signal of others in that conversation; returns the end. */
  on(conversationId: string, listener: (signal: Signal) => void): () => void;
}

export function createSignals(client: Client, clock: ClientClock): Signals {
  /** By conversation, type and key; null: one is on its way and nothing newer waits. */
  const newest = new Map<string, (() => Promise<unknown>) | null>();

  async function pace(name: string, say: () => Promise<unknown>): Promise<void> {
    if (newest.has(name)) {
      newest.set(name, say);
      return;
    }
    newest.set(name, null);
    let waitMs = AGAIN_MS;
    try {
      await say();
    } catch (error) {
      // Refused, or lost with the connection: a newer value is tried when it can pass.
      if (error instanceof TroupeError) waitMs = Math.max(waitMs, error.retryAfterMs ?? 0);
    }
    clock.after(waitMs, () => {
      const next = newest.get(name) ?? null;
      newest.delete(name);
      if (next !== null && isOnline(client)) void pace(name, next);
    });
  }

  return {
    send(conversation_id, type, { data, to, key } = {}) {
      if (!isOnline(client)) return;
      const say = () =>
        client.ask("signal", {
          conversation_id,
          type,
          ...(data && { data }),
          ...(to && { to: [...to] }),
          ...(key !== undefined && { key }),
        });
      if (key === undefined) void say().catch(() => undefined);
      else void pace(JSON.stringify([conversation_id, type, key]), say);
    },
    on: (conversationId, listener) =>
      client.on("signal", (signal) => {
        if (signal.conversation_id === conversationId) listener(signal);
      }),
  };
}

export const signalsOf = once((client) => createSignals(client, systemClock));
