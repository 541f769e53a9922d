/**
 * The context of one turn: the draft of the state, and all that the turn wants done, which is
 * taken only where the turn ends well.
 */
import type { TSchema } from "typebox";
import {
  APP_BYTES_MAX,
  APP_EFFECTS_MAX,
  APP_HOPS_MAX,
  APP_TIMER_MS_MIN,
  APP_TIMERS_MAX,
  APP_VOLATILE_TIMER_MS_MIN,
  type AppBatch,
  type AppEffect,
  type AppTurnDone,
} from "../protocol/app-actors.ts";
import type { ErrorCode, ErrorObject } from "../protocol/errors.ts";
import type { ActorDefinition, Context, FetchRequest } from "./define-actor.ts";
import { Faulty } from "./faulty.ts";
import { readRequest } from "./fetch-request.ts";
import { jsonText } from "./json.ts";

export type AnyContext = Context<unknown, Record<string, TSchema>>;
type Done = Extract<AppTurnDone, { is: "done" }>;

/** The kind of actor, as its drafts need it. */
export interface DraftedKind {
  readonly isDurable: boolean;
  readonly definition: ActorDefinition["definition"];
  eventText(name: string, data: unknown): string;
  stateText(state: unknown): string;
}

const ID = /^[1-9][0-9]{0,18}$/;
const REFUSAL_CODES: ReadonlySet<string> = new Set([
  "invalid_payload",
  "forbidden",
  "not_found",
  "conflict",
  "quota_exceeded",
  "gone",
  "rate_limited",
  "unavailable",
  "payload_too_large",
  "unauthorized",
]);

export class Refused extends Error {
  readonly error: ErrorObject;
  constructor(error: ErrorObject) {
    super(error.message);
    this.error = error;
  }
}

/** The context of one turn, and what it has gathered. */
/** A loop that does not end would take the thread's memory first. */
function bounded(made: readonly unknown[], what: string): void {
  if (made.length < APP_EFFECTS_MAX) return;
  throw new Faulty(`${what}: a turn has at most ${APP_EFFECTS_MAX} effects, and as many events`);
}

export class Draft implements AnyContext {
  readonly key: string;
  readonly nowMs: number;
  state: unknown;
  readonly #of: DraftedKind;
  readonly #batch: AppBatch;
  readonly #events: Done["events"] = [];
  readonly #timers = new Map<string, number | null>();
  readonly #effects: AppEffect[] = [];
  readonly #unwatched: string[] = [];
  #isDestroyed = false;
  #isOver = false;

  constructor(of: DraftedKind, batch: AppBatch, state: unknown) {
    this.key = batch.key;
    this.nowMs = batch.nowMs;
    this.state = state;
    this.#of = of;
    this.#batch = batch;
  }

  random(): number {
    return Math.random();
  }

  emit(name: string, data: unknown, options?: { to?: readonly string[] }): void {
    this.#open("emit");
    bounded(this.#events, "emit");
    const text = this.#of.eventText(name, data);
    const to = options?.to;
    this.#events.push({ name, data: text, ...(to !== undefined && { to: [...to] }) });
  }

  after(delayMs: number, timer: string): void {
    this.#open("after");
    if (this.#of.definition.onTimer?.[timer] === undefined) {
      throw new Faulty(`after: there is no timer "${timer}" in \`onTimer\``);
    }
    const least = this.#of.isDurable ? APP_TIMER_MS_MIN : APP_VOLATILE_TIMER_MS_MIN;
    if (!Number.isFinite(delayMs) || delayMs < least) {
      throw new Faulty(`after: a timer rings after ${least} ms at the earliest`);
    }
    this.#timers.set(timer, Math.round(delayMs));
    const running = new Set(this.#batch.timers);
    for (const [name, delay] of this.#timers) {
      if (delay === null) running.delete(name);
      else running.add(name);
    }
    if (running.size > APP_TIMERS_MAX) {
      throw new Faulty(`after: an actor has at most ${APP_TIMERS_MAX} timers`);
    }
  }

  cancel(timer: string): void {
    this.#open("cancel");
    this.#timers.set(timer, null);
  }

  send(conversation: string, message: object, { as }: { as: string }): void {
    this.#open("send");
    bounded(this.#effects, "send");
    if (as !== "system") id(as, "send: `as`");
    id(conversation, "send: the conversation");
    jsonText(message, "send: the message", APP_BYTES_MAX);
    this.#effects.push({ does: "send", conversation, as, message: plain(message) as never });
  }

  notify(
    user: string,
    { type, message, data }: { type: string; message: string; data?: unknown },
  ): void {
    this.#open("notify");
    bounded(this.#effects, "notify");
    id(user, "notify: the user");
    jsonText(data ?? null, "notify: data", APP_BYTES_MAX);
    this.#effects.push({
      does: "notify",
      user,
      type,
      message,
      data: data === undefined ? null : plain(data),
    });
  }

  signal(conversation: string, signal: object): void {
    this.#open("signal");
    bounded(this.#effects, "signal");
    id(conversation, "signal: the conversation");
    jsonText(signal, "signal", APP_BYTES_MAX);
    this.#effects.push({ does: "signal", conversation, signal: plain(signal) as never });
  }

  call(
    kind: string,
    key: string,
    action: string,
    args?: unknown,
    options?: { tag?: string },
  ): void {
    this.#open("call");
    bounded(this.#effects, "call");
    const hops = this.#nextHop("call");
    jsonText(args ?? {}, "call: args", APP_BYTES_MAX);
    this.#effects.push({
      does: "call",
      kind,
      key,
      action,
      args: plain(args ?? {}),
      tag: options?.tag ?? "",
      hops,
    });
  }

  fetch(request: FetchRequest, options?: { tag?: string }): void {
    this.#open("fetch");
    bounded(this.#effects, "fetch");
    const hops = this.#nextHop("fetch");
    const tag = options?.tag ?? "";
    this.#effects.push({ does: "fetch", request: readRequest(request), tag, hops });
  }

  unwatch(user: string): void {
    this.#open("unwatch");
    bounded(this.#unwatched, "unwatch");
    this.#unwatched.push(user);
  }

  refuse(code: string, message: string, details?: unknown): Error {
    const known = REFUSAL_CODES.has(code);
    if (!known) return new Faulty(`refuse: ${JSON.stringify(code)} is no code for this`);
    const error: ErrorObject = { code: code as ErrorCode, message };
    if (details !== undefined) error.details = plain(details);
    if (code === "rate_limited") error.retry_after_ms = 1_000;
    return new Refused(error);
  }

  destroy(): void {
    this.#open("destroy");
    this.#isDestroyed = true;
  }

  /** `before`: the state's text as it was; null: there was none. */
  end(before: string | null, answer: () => unknown): Done {
    const written = this.#isDestroyed ? null : this.#of.stateText(this.state);
    const answered = answer();
    if (answered instanceof Promise) throw new Faulty("an action answers a promise");
    const text = jsonText(answered ?? null, "the answer", APP_BYTES_MAX);
    this.#isOver = true;
    const done: Done = {
      is: "done",
      answer: text,
      events: this.#events,
      timers: [...this.#timers].map(([name, delayMs]) => ({ name, delayMs })),
      effects: this.#effects,
      unwatched: this.#unwatched,
    };
    if (written === before) return done;
    done.state = written;
    const { users } = this.#of.definition;
    if (users !== undefined && written !== null) {
      done.users = [...new Set(users(JSON.parse(written)))].map(String);
    }
    return done;
  }

  #nextHop(name: string): number {
    const hops = this.#batch.hops + 1;
    if (hops > APP_HOPS_MAX) throw new Faulty(`${name}: more than ${APP_HOPS_MAX} hops`);
    return hops;
  }

  /** A turn that is over has no effects any more. */
  #open(name: string): void {
    if (this.#isOver) throw new Faulty(`${name}: the turn is over`);
  }
}

function id(text: unknown, what: string): void {
  if (typeof text !== "string" || !ID.test(text)) {
    throw new Faulty(`${what} should be an id. Found ${JSON.stringify(text)}`);
  }
}

/** A copy as JSON has it. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
