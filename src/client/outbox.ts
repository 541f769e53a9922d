/**
 * Sends messages once and in order: one message of a conversation at a time, each
 * under its `client_id` until the server has answered it, over reconnects and, with a
 * storage, over reloads. A message that is refused for good stays, with its `problem`, until
 * it is tried again or discarded; those after it go on.
 */
import type { ErrorObject } from "../protocol/errors.ts";
import type { Message } from "../protocol/schemas.ts";
import { epochMsOf } from "../protocol/time.ts";
import { backOffMs } from "./back-off.ts";
import { isPassing, refusal, TroupeError } from "./error.ts";
import type { Ask } from "./link.ts";
import type { ClientPorts } from "./ports.ts";
import type { More, Outgoing, State } from "./state.ts";
import { addOutgoing, removeOutgoing, type Step, setProblem, takeMessage } from "./steps.ts";
import type { OutboxStorage } from "./storage.ts";

/** The most messages that may wait; further sends are refused. */
const OUTBOX_MAX = 1_000;
const CLOSED = refusal("The client is closed.").error;

export interface Sending {
  clientId: string;
  /**
   * Resolves once the message is committed; rejects with TroupeError when it was refused for good.
   */
  committed: Promise<Message>;
}

export interface SendOptions extends More {
  replyToSeq?: number | null;
}

export interface Outbox {
  send(conversationId: string, body: string, options?: SendOptions): Sending;
  /** Sends a refused message again. */
  retry(clientId: string): void;
  discard(clientId: string): void;
  /** Sends all waiting messages; called when the connection is online. */
  flush(): void;
  /** The state changed: settles the messages that have left its outbox, however they left. */
  look(before: State): void;
  stop(): void;
}

export interface OutboxOptions {
  ports: ClientPorts;
  ask: Ask;
  storage: OutboxStorage | null;
  get(): State;
  update(step: Step): void;
  /** Receives the storage's errors. */
  onError(error: unknown): void;
}

interface Promised {
  resolve(message: Message): void;
  reject(error: TroupeError): void;
}

export function createOutbox(options: OutboxOptions): Outbox {
  const { ports, ask, storage, get, update, onError } = options;
  const busy = new Set<string>();
  const promised = new Map<string, Promised>();
  /**
   * Committed messages that are still shown as outgoing until the messages before them are here.
   */
  const committed = new Set<string>();
  let failures = 0;
  let isStopped = false;

  /**
   * The storage belongs to the application: its errors are reported and cost no message of this
   * page.
   */
  async function keep(work: (port: OutboxStorage) => unknown): Promise<void> {
    if (storage === null) return;
    try {
      await work(storage);
    } catch (error) {
      // For example full, forbidden or unreadable.
      onError(error);
    }
  }

  function settle(clientId: string, settled: Message | ErrorObject): void {
    const waiting = promised.get(clientId);
    promised.delete(clientId);
    committed.delete(clientId);
    if ("code" in settled) waiting?.reject(new TroupeError(settled));
    else waiting?.resolve(settled);
  }

  async function sendNext(conversationId: string): Promise<void> {
    if (busy.has(conversationId) || get().connection.is !== "online") return;
    const next = get().outbox.find(
      (one) =>
        one.conversationId === conversationId &&
        one.problem === null &&
        !committed.has(one.clientId),
    );
    if (!next) return;
    const { clientId, body, replyToSeq, more } = next;
    busy.add(conversationId);
    const payload = {
      conversation_id: conversationId,
      client_id: clientId,
      body,
      ...(replyToSeq && { reply_to_seq: replyToSeq }),
      ...more,
    };
    const answer = await ask("send_message", payload, ({ message }) => {
      committed.add(clientId);
      promised.get(clientId)?.resolve(message);
      update(takeMessage(message));
      // Beyond a gap the message is not shown yet; it leaves the outbox when the gap is filled.
      const isAhead = get().conversations.get(conversationId)?.ahead.has(message.rev);
      if (!isAhead) update(removeOutgoing(clientId));
    });
    busy.delete(conversationId);
    if (answer.ok) failures = 0;
    else if (isPassing(answer.error)) {
      const delayMs = answer.error.retry_after_ms ?? backOffMs(failures++, ports.random());
      ports.clock.after(delayMs, () => void sendNext(conversationId));
      return;
    } else {
      update(setProblem(clientId, answer.error));
      settle(clientId, answer.error);
    }
    void sendNext(conversationId);
  }

  function flush(): void {
    for (const id of new Set(get().outbox.map((one) => one.conversationId))) void sendNext(id);
  }

  if (storage !== null) {
    void keep(async (port) => {
      const outgoing = await port.load();
      if (isStopped) return;
      update(addOutgoing(outgoing));
      flush();
    });
  }

  return {
    send(conversationId, body, { replyToSeq = null, ...more } = {}) {
      const clientId = ports.newClientId();
      const sent = new Promise<Message>((resolve, reject) => {
        promised.set(clientId, { resolve, reject });
      });
      // A caller that does not await it sees the problem in the state.
      sent.catch(() => undefined);
      if (isStopped || get().outbox.length >= OUTBOX_MAX) {
        settle(clientId, isStopped ? CLOSED : refusal("Too many messages wait.").error);
        return { clientId, committed: sent };
      }
      const outgoing: Outgoing = {
        clientId,
        conversationId,
        body,
        replyToSeq,
        more,
        createdAtMs: epochMsOf(ports.clock.wallMs()),
        problem: null,
      };
      update(addOutgoing([outgoing]));
      void keep((port) => port.put(outgoing));
      void sendNext(conversationId);
      return { clientId, committed: sent };
    },
    retry(clientId) {
      update(setProblem(clientId, null));
      flush();
    },
    discard(clientId) {
      settle(clientId, refusal("Discarded.", "conflict").error);
      update(removeOutgoing(clientId));
    },
    flush,
    look(before) {
      const { outbox, conversations, me } = get();
      if (outbox === before.outbox) return;
      const left = new Set(outbox.map(({ clientId }) => clientId));
      for (const { clientId, conversationId } of before.outbox) {
        if (left.has(clientId)) continue;
        const messages = [...(conversations.get(conversationId)?.messages.values() ?? [])];
        const arrived = messages.find(
          ({ client_id, sender_id }) => client_id === clientId && sender_id === me?.id,
        );
        settle(clientId, arrived ?? refusal("No member.", "not_found").error);
        void keep((port) => port.remove(clientId));
      }
    },
    stop() {
      isStopped = true;
      for (const clientId of [...promised.keys()]) settle(clientId, CLOSED);
    },
  };
}
