/**
 * `streamsOf`: streamed messages. The text of a message that is streamed grows in the conversation's
 * view as it arrives; `begin` writes one. One for a client.
 *
 * [CSM60] Deltas continue the held text exactly. Where something is missing, the text so far is asked
 *         for, and so it is when the connection is back.
 * [CSM61] Text that was appended is sent once and in order, also over a cut or a worker's death: the
 *         server says from where to go on.
 */
import type { ServerPayload } from "../protocol/events.ts";
import type { Message } from "../protocol/schemas.ts";
import { isOnline, once, onOnline } from "./attached.ts";
import type { Client } from "./client.ts";
import { systemClock } from "./clock.ts";
import { isPassing, TroupeError } from "./error.ts";
import type { ClientClock } from "./ports.ts";
import { type Step, takeMessage } from "./steps.ts";

type Delta = ServerPayload<"message_delta">;

/** Characters in one append: at most 4 KiB, whatever they are. */
const PIECE_MAX = 1_000;
const AGAIN_MS = 250;
/** Text that is missing is asked for at most so often. */
const MEND_EVERY_MS = 1_000;

export interface StreamOptions {
  /** With what it begins. */
  body?: string;
  replyToSeq?: number;
  type?: string;
  data?: Record<string, unknown>;
}

/** A message that is being written. */
export interface Writing {
  readonly message: Message;
  /** Text to go on with; sent as soon as it can be. */
  append(text: string): void;
  /** Ends it once all text is sent; resolves with the message. Rejects with TroupeError. */
  end(state?: "done" | "cancelled" | "failed", data?: Record<string, unknown>): Promise<Message>;
}

export interface Streams {
  /** Rejects with TroupeError. */
  begin(conversationId: string, options?: StreamOptions): Promise<Writing>;
  /** Asks the writer to stop. Rejects with TroupeError, where one may not or it has ended. */
  stop(conversationId: string, seq: number): Promise<void>;
}

/** In code points. */
const lengthOf = (text: string): number => [...text].length;

/** The message takes this rev; its text has come by deltas. */
export const takeCheckpoint =
  ({ conversation_id: id, seq, rev }: ServerPayload<"message_checkpoint">): Step =>
  (state) => {
    const held = state.conversations.get(id);
    const message = held?.messages.get(seq);
    // Beyond a gap another change of it may be missing.
    if (!held || !message || message.rev >= rev || held.rev < rev) return state;
    const messages = new Map(held.messages).set(seq, { ...message, rev });
    const conversations = new Map(state.conversations).set(id, { ...held, messages });
    return { ...state, conversations };
  };

/** The message with `change` of its text; its rev stays. */
const withText =
  (id: string, seq: number, change: (body: string) => string): Step =>
  (state) => {
    const held = state.conversations.get(id);
    const message = held?.messages.get(seq);
    if (!held || message?.stream?.state !== "open") return state;
    const body = change(message.body);
    if (body === message.body) return state;
    const messages = new Map(held.messages).set(seq, { ...message, body });
    const conversations = new Map(state.conversations).set(id, { ...held, messages });
    return { ...state, conversations };
  };

export function createStreams(client: Client, clock: ClientClock): Streams {
  /** Conversations whose text is being asked for; true: again afterwards. */
  const mending = new Map<string, boolean>();

  /** [CSM60] */
  function mend(id: string): void {
    if (mending.has(id)) {
      mending.set(id, true);
      return;
    }
    mending.set(id, false);
    const { rev } = client.conversation(id).get()?.conversation ?? {};
    const done = () =>
      clock.after(MEND_EVERY_MS, () => {
        const isAgain = mending.get(id) === true;
        mending.delete(id);
        if (isAgain && isOnline(client)) mend(id);
      });
    client
      .ask(
        "join_conversation",
        { conversation_id: id, ...(rev !== undefined && { after_rev: rev }) },
        ({ streams = [] }) => {
          for (const { seq, text } of streams) {
            if (text !== undefined) client.take(withText(id, seq, (body) => longer(body, text)));
          }
        },
      )
      .then(done, (fault: unknown) => {
        if (fault instanceof TroupeError && isPassing(fault)) mending.set(id, true);
        done();
      });
  }

  function take({ conversation_id: id, seq, offset, text }: Delta): void {
    let isHole = false;
    client.take(
      withText(id, seq, (body) => {
        const held = lengthOf(body);
        isHole = offset > held;
        return isHole ? body : body + [...text].slice(held - offset).join("");
      }),
    );
    if (isHole) mend(id);
  }

  client.on("message_delta", take);
  client.on("message_checkpoint", (checkpoint) => client.take(takeCheckpoint(checkpoint)));
  onOnline(client, () => {
    client.take((state) => {
      for (const [id, { messages }] of state.conversations) {
        if ([...messages.values()].some(({ stream }) => stream?.state === "open")) mend(id);
      }
      return state;
    });
  });

  return {
    async begin(conversation_id, { body, replyToSeq, type, data } = {}) {
      const asked = {
        conversation_id,
        client_id: `s${crypto.getRandomValues(new Uint32Array(4)).join("-")}`,
        streaming: true as const,
        ...(body !== undefined && { body }),
        ...(replyToSeq !== undefined && { reply_to_seq: replyToSeq }),
        ...(type !== undefined && { type }),
        ...(data !== undefined && { data }),
      };
      for (;;) {
        try {
          const { message } = await client.ask("send_message", asked, (sent) =>
            client.take(takeMessage(sent.message)),
          );
          return writing(client, clock, message);
        } catch (fault) {
          if (!(await isTriedAgain(client, clock, fault))) throw fault;
        }
      }
    },
    async stop(conversation_id, seq) {
      await client.ask("signal", { conversation_id, type: "stream.stop", data: { seq } });
    },
  };
}

/** Deltas that came meanwhile may have brought more. */
const longer = (held: string, text: string): string =>
  held.length > text.length && held.startsWith(text) ? held : text;

/** Resolves after the wait that a retry takes, with whether the call should be retried. */
async function isTriedAgain(client: Client, clock: ClientClock, fault: unknown): Promise<boolean> {
  if (!(fault instanceof TroupeError) || !isPassing(fault)) return false;
  await new Promise<void>((resolve) => clock.after(fault.retryAfterMs ?? AGAIN_MS, resolve));
  return client.connection.get().is !== "closed";
}

/** [CSM61] */
function writing(client: Client, clock: ClientClock, message: Message): Writing {
  const { conversation_id, seq } = message;
  let text = [...message.body];
  let sent = text.length;
  let failure: unknown = null;
  let sending: Promise<void> | null = null;

  async function flush(): Promise<void> {
    while (sent < text.length) {
      const piece = text.slice(sent, sent + PIECE_MAX).join("");
      try {
        const asked = { conversation_id, seq, offset: sent, text: piece };
        sent = (await client.ask("append_message", asked)).length;
      } catch (fault) {
        const length = goOnFrom(fault);
        if (length !== null) sent = length;
        else if (!(await isTriedAgain(client, clock, fault))) throw fault;
      }
      const held = text.slice(0, sent).join("");
      client.take(withText(conversation_id, seq, () => held));
    }
  }

  function flushing(): Promise<void> {
    sending ??= flush()
      .catch((fault: unknown) => {
        failure = fault;
      })
      .finally(() => {
        sending = null;
      });
    return sending;
  }

  return {
    message,
    append(more) {
      text = text.concat([...more]);
      if (failure === null) void flushing();
    },
    async end(state = "done", data) {
      while (sent < text.length && failure === null) await flushing();
      if (failure !== null) throw failure;
      for (;;) {
        try {
          const asked = { conversation_id, seq, state, ...(data && { data }) };
          const { message: ended } = await client.ask("end_message", asked, (answer) =>
            client.take(takeMessage(answer.message)),
          );
          return ended;
        } catch (fault) {
          if (!(await isTriedAgain(client, clock, fault))) throw fault;
        }
      }
    },
  };
}

/** The length that a `conflict` names; null: it is another refusal. */
function goOnFrom(fault: unknown): number | null {
  if (!(fault instanceof TroupeError) || fault.code !== "conflict") return null;
  const { length } = (fault.details ?? {}) as { length?: number };
  return length ?? null;
}

export const streamsOf = once((client) => createStreams(client, systemClock));
