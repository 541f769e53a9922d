/**
 * `POST` and `PUT /api/conversations/:id/messages/stream`: the body is the text of a message, which is
 * appended as it arrives. The actor's part is in actors/streams.ts.
 *
 * [PIP1] A refusal of the message is answered at once, before its body.
 * [PIP2] The end of the body is the end of the message (`done`); a connection that is cut leaves it
 *        `failed`.
 * [PIP3] Where the message ends otherwise (a member asks to stop, silence, a removal), the answer
 *        comes early, with the message as it is.
 * [PIP4] The body is read only as fast as its text is appended. Text that was lost by a worker's death
 *        is appended again.
 */
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../base/clock.ts";
import type { Acting } from "../../../protocol/actor-ops.ts";
import { COST_OF_ROUTE } from "../../../protocol/costs.ts";
import { type ErrorObject, refused } from "../../../protocol/errors.ts";
import { sendRefusal } from "../../../protocol/message-content.ts";
import { ACT_OF_ROUTE } from "../../../protocol/policy.ts";
import { ROUTES, type RouteQuery } from "../../../protocol/routes.ts";
import { asConversationId, type Message } from "../../../protocol/schemas.ts";
import { codePoints, withoutControls } from "../../../protocol/text.ts";
import { later, type Monotonic } from "../../../protocol/time.ts";
import type { Gateway } from "../../../runtime/gateway.ts";
import type { Identity } from "../../auth/identity.ts";
import type { EdgeLimits } from "../../limits/limits.ts";
import { createReader } from "../../validation.ts";
import { askedActingOf } from "./acting.ts";
import type { AuditTrail } from "./audit.ts";
import { answerFault } from "./fallbacks.ts";
import type { Gates } from "./gates.ts";
import { type NameQueries, namedKinds, resolveNames } from "./named-ids.ts";
import type { Replies } from "./replies.ts";

type PipeRoute = "streamMessage" | "pipeMessage";

export interface PipesOptions {
  gateway: Pick<Gateway, "ask">;
  clock: Clock;
  gates: Gates;
  limits: EdgeLimits;
  replies: Replies;
  audit: AuditTrail;
  queries: NameQueries;
  log: Logger;
}

/** Code units in one append: at most three bytes of UTF-8 each. */
const PIECE_UNITS_MAX = 1_300;
/** While the actor moves to another worker, its asks are refused for a moment. */
const RETRY_MS = 200;
const RETRY_FOR_MS = 20_000;
/** After an early answer the client may go on sending for so long. */
const LINGER_MS = 5_000;

const ENCODED = refused(
  "unsupported_media_type",
  "Compressed bodies are not read; send the text as it is.",
).error;
const NOT_TEXT = refused(
  "unsupported_media_type",
  "The body is the message's text: text/plain in UTF-8, or no type at all.",
).error;

class Stopped extends Error {
  readonly refusal: ErrorObject;

  constructor(refusal: ErrorObject) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

export function servePipe(app: FastifyInstance, name: PipeRoute, options: PipesOptions): void {
  const { gates, limits, replies, audit, queries, log, clock } = options;
  const spec = ROUTES[name];
  const kinds = namedKinds(spec.path);
  const readParams = createReader("path", spec.params);
  const readQuery = createReader("query", spec.query);

  /** Why it is refused before anything is sent; null: it is not. */
  function early(request: FastifyRequest, caller: Identity): ErrorObject | null {
    for (const [read, value] of [
      [readParams, request.params],
      [readQuery, request.query],
    ] as const) {
      const part = read(value);
      if (!part.ok) return part.error;
    }
    const query = request.query as RouteQuery<PipeRoute>;
    if (caller.service === null) {
      const units = COST_OF_ROUTE[name]({ query, body: {} as never, caller: caller.userId });
      const limited = limits.callCosts(caller.userId, units, request.address);
      if (limited !== null) return limited;
    }
    const { "content-encoding": encoding = "identity", "content-type": type = "" } =
      request.headers;
    if (encoding !== "identity") return ENCODED;
    const [media = ""] = type.split(";");
    if (media !== "" && media.trim().toLowerCase() !== "text/plain") return NOT_TEXT;
    return sendRefusal(
      { streaming: true, ...(query.type !== undefined && { type: query.type }) },
      "body",
    );
  }

  async function take(
    request: FastifyRequest,
    caller: Identity,
  ): Promise<{ status: 200 | 201; message: Message }> {
    const params = request.params as Record<string, unknown>;
    const resolved = await resolveNames(params, kinds, caller, queries);
    if (!resolved.ok) throw new Stopped(resolved.error);
    const refusal = early(request, caller);
    if (refusal !== null) throw new Stopped(refusal);
    const id = String(params["id"]);
    const { client_id, type, reply_to_seq } = request.query as RouteQuery<PipeRoute>;
    const acting = askedActingOf(caller);
    const sent = await options.gateway.ask("conversation", asConversationId(id), "send", {
      ...acting,
      client_id,
      body: "",
      reply_to_seq: reply_to_seq ?? null,
      content: { streaming: true, ...(type !== undefined && type !== "text" && { type }) },
    });
    if (!sent.ok) throw new Stopped(sent.error);
    const { message, duplicate } = sent.value;
    if (duplicate === true) {
      if (message.stream?.state !== "open") return { status: 200, message };
      throw new Stopped(stillOpen(message));
    }
    const paysFor = caller.service === null ? caller.userId : null;
    const pipe = new Pipe(options, acting, message, paysFor);
    withoutRequestTimeout(request.raw);
    return { status: 201, message: await pipe.run(request.raw) };
  }

  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // The handler reads the body itself.
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null, undefined));
    scope.route({
      method: spec.method,
      url: spec.path,
      onRequest: gates.token(ACT_OF_ROUTE[name]),
      handler(request, reply) {
        const caller = request.caller as Identity;
        take(request, caller).then(
          async ({ status, message }) => {
            if (caller.service !== null) {
              const call = { name, path: spec.path } as const;
              const asked = { params: request.params, query: request.query, body: {} };
              await audit.note(caller, { ...call, ...asked, answer: message });
            }
            answer(request, reply, () => replies.send(request, reply, status, message));
          },
          (fault: unknown) =>
            answer(request, reply, () => {
              if (fault instanceof Stopped) replies.refuse(request, reply, fault.refusal);
              else answerFault(request, reply, fault, replies, log);
            }),
        );
      },
    });
  });

  /** The rest of the body is read and dropped: closing would reset the connection under the answer. */
  function answer(request: FastifyRequest, reply: FastifyReply, send: () => void): void {
    const { raw } = request;
    if (raw.socket === null || raw.socket.destroyed) {
      reply.hijack();
      return;
    }
    if (!raw.complete) {
      const { socket } = raw;
      const cancel = clock.after(LINGER_MS, () => socket.destroy());
      raw.once("end", cancel);
      socket.once("close", cancel);
      raw.resume();
    }
    send();
  }
}

const stillOpen = ({ seq, body }: Message): ErrorObject => ({
  code: "conflict",
  message: "The message with that client_id is being streamed: go on with append and end.",
  details: { seq, length: codePoints(body) },
});

/**
 * Node ends a request that has not come whole after some seconds; this one is as long as its text
 * takes. It is taken off the list of those that are watched, and node puts the connection on it again
 * with the next request (test/integration/piped-long.test.ts). Silence ends it, as any connection.
 */
function withoutRequestTimeout({ socket }: IncomingMessage): void {
  const { parser } = socket as unknown as { parser?: { remove?: () => void } };
  parser?.remove?.();
}

/** One message on its way from a request's body to its conversation. */
class Pipe {
  readonly #options: PipesOptions;
  readonly #acting: Acting;
  readonly #message: Message;
  /** The user who is charged for appends; null: a service, which is not. */
  readonly #payer: string | null;
  /** All text that has come. */
  #text = "";
  /** How much of it the actor has, in code units and code points. */
  #units = 0;
  #length = 0;
  #isOver = false;
  /** The body has failed, and the refusal is answered. */
  #hasFailed = false;

  constructor(options: PipesOptions, acting: Acting, message: Message, payer: string | null) {
    this.#options = options;
    this.#acting = acting;
    this.#message = message;
    this.#payer = payer;
  }

  /** The message as it ended. */
  async run(body: IncomingMessage): Promise<Message> {
    try {
      return await Promise.race([this.#ended(), this.#read(body)]);
    } finally {
      this.#isOver = true;
    }
  }

  async #read(body: IncomingMessage): Promise<Message> {
    const decoder = new TextDecoder();
    try {
      // The connection must not be cut by the end of reading: the answer leaves on it.
      const chunks: AsyncIterable<Buffer> = body.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) {
        if (this.#isOver) return this.#never();
        await this.#append(decoder.decode(chunk, { stream: true }));
      }
      await this.#append(decoder.decode());
    } catch (fault) {
      if (this.#isOver) return this.#never();
      this.#hasFailed = true;
      await this.#end("failed").catch(() => undefined);
      if (fault instanceof Stopped) throw fault;
      throw new Stopped(refused("invalid_payload", "The body ended early.").error);
    }
    if (this.#isOver) return this.#never();
    return this.#end("done");
  }

  /** `#ended` answers. */
  #never(): Promise<never> {
    return new Promise(() => undefined);
  }

  /** [PIP3] */
  async #ended(): Promise<Message> {
    for (;;) {
      const answer = await this.#ask("ended", {});
      if (answer.ok) {
        const { message } = answer.value as { message: Message | null };
        if (message !== null) return this.#hasFailed ? this.#never() : message;
      } else await this.#pause(RETRY_MS);
      if (this.#isOver || this.#hasFailed) return this.#never();
    }
  }

  async #append(text: string): Promise<void> {
    this.#text += withoutControls(text);
    const until = this.#deadline();
    while (this.#units < this.#text.length && !this.#isOver) {
      const piece = pieceAt(this.#text, this.#units);
      await this.#pay();
      const answer = await this.#ask("append", { offset: this.#length, text: piece });
      if (answer.ok) {
        this.#units += piece.length;
        this.#length += codePoints(piece);
        continue;
      }
      const { code, details } = answer.error;
      const { length, state } = (details ?? {}) as { length?: number; state?: string };
      if (code === "conflict" && length !== undefined) this.#goOnFrom(length);
      // [PIP3] It has ended, and its end is answered.
      else if (code === "conflict" && state !== undefined) return this.#never();
      else if (code !== "unavailable" || this.#isPast(until)) throw new Stopped(answer.error);
      else await this.#pause(RETRY_MS);
    }
  }

  /** [PIP4] The actor has so many code points. */
  #goOnFrom(length: number): void {
    let units = 0;
    for (let at = 0; at < length && units < this.#text.length; at++) {
      units += (this.#text.codePointAt(units) ?? 0) > 0xffff ? 2 : 1;
    }
    this.#units = units;
    this.#length = length;
  }

  async #end(state: "done" | "failed"): Promise<Message> {
    const until = this.#deadline();
    for (;;) {
      const answer = await this.#ask("end", { state });
      if (answer.ok) return (answer.value as { message: Message }).message;
      const { code, details } = answer.error;
      if (code === "conflict" && details !== undefined) return this.#never();
      if (code !== "unavailable" || this.#isPast(until)) throw new Stopped(answer.error);
      await this.#pause(RETRY_MS);
    }
  }

  /** Waits for what the user's limit allows. */
  async #pay(): Promise<void> {
    if (this.#payer === null) return;
    for (;;) {
      const waitMs = this.#options.limits.charge(this.#payer, { append: 1 }, null);
      if (waitMs === 0 || this.#isOver) return;
      await this.#pause(waitMs);
    }
  }

  #ask(op: "append" | "end" | "ended", asked: object) {
    const { conversation_id, seq } = this.#message;
    const body = { ...this.#acting, seq, ...asked } as never;
    return this.#options.gateway.ask("conversation", asConversationId(conversation_id), op, body);
  }

  #deadline(): Monotonic {
    return later(this.#options.clock.monotonicMs(), RETRY_FOR_MS);
  }

  #isPast(until: Monotonic): boolean {
    return this.#options.clock.monotonicMs() >= until;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }
}

/** The piece of the text to append next: whole characters, and no more than fits. */
function pieceAt(text: string, from: number): string {
  let end = Math.min(text.length, from + PIECE_UNITS_MAX);
  const last = text.charCodeAt(end - 1);
  const isCut = end < text.length && last >= 0xd800 && last <= 0xdbff;
  if (isCut) end--;
  return text.slice(from, end);
}
