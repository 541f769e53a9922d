/**
 * `defineActor`: the type of a kind of actor, from which a client's types follow, and the checks
 * that need nothing but the definition. What a turn does with it is in turns.ts.
 */
import type { Static, TObject, TSchema } from "typebox";
import type { AppRequest, AppResponse } from "../protocol/app-actors.ts";
import { mistaken as mistake, synchronous as mustBeSynchronous } from "./mistake.ts";

/** The caller or watcher: a user, or a service. */
export interface Caller {
  user: string | null;
  /** The socket's session; null over HTTP and for services. */
  session: string | null;
  /** The `sub` of a service token; null for users. */
  service: string | null;
  /** What the application had put into the user's token. */
  claims?: Readonly<Record<string, unknown>>;
  /** The caller's role in the conversation to which the actor is bound. */
  role?: string;
}

/**
 * The caller of a turn that `authorize` has let through. `user` is a string, as most actors let
 * nobody else in; one that lets services in asks `caller.service` first.
 */
export type CallerOfTurn = Omit<Caller, "user"> & { user: string };

type Schemas = Record<string, TSchema>;
/** An action without `args` takes none. */
type ArgsOf<Args> = Args extends TSchema ? Static<Args> : Record<string, never>;
type DataOf<Events extends Schemas> = { [N in keyof Events]: Static<Events[N]> };

/** Codes of the contract with which a turn may refuse. */
export type RefusalCode =
  | "invalid_payload"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "quota_exceeded"
  | "gone"
  | "rate_limited"
  | "unavailable";

export interface SentMessage {
  body?: string;
  type?: string;
  data?: Record<string, unknown>;
  silent?: boolean;
}

export interface Context<State = unknown, Events extends Schemas = Schemas> {
  readonly key: string;
  /** A draft: what a turn that refuses or throws wrote is gone. */
  state: State;
  /** Milliseconds since 1970; never behind an earlier turn's. */
  readonly nowMs: number;
  random(): number;
  /** With `to`, others receive the event's `rev` only. */
  emit<N extends keyof Events & string>(
    name: N,
    data: Static<Events[N]>,
    options?: { to?: readonly string[] },
  ): void;
  /** (Re)starts a durable timer. */
  after(delayMs: number, timer: string): void;
  cancel(timer: string): void;
  /** Sends a message once. `as`: a user's id, or "system". */
  send(conversation: string, message: SentMessage, options: { as: string }): void;
  notify(
    user: string,
    notification: { type: string; message: string; data?: Record<string, unknown> },
  ): void;
  signal(
    conversation: string,
    signal: { type: string; data?: Record<string, unknown>; to?: string[]; key?: string },
  ): void;
  /** Calls another actor; its answer is a turn of `onAnswer` with this tag. */
  call(kind: string, key: string, action: string, args?: unknown, options?: { tag?: string }): void;
  /** Sends a request; its answer, of whatever status, is a turn of `onAnswer` with this tag. */
  fetch(request: FetchRequest, options?: { tag?: string }): void;
  /** Ends all watching sessions of a user. */
  unwatch(user: string): void;
  /** `throw ctx.refuse("conflict", "…")` refuses the turn. */
  refuse(code: RefusalCode, message: string, details?: unknown): Error;
  destroy(): void;
}

/** A request to an https address that is public, or that WEBHOOK_ALLOW_PRIVATE lets through. */
export interface FetchRequest {
  url: string;
  /** GET where there is no body, else POST. */
  method?: AppRequest["method"];
  headers?: Readonly<Record<string, string>>;
  /** A text, or a value that is sent as JSON. */
  body?: unknown;
}

/** What `ctx.fetch` was answered: `answer.result` in `onAnswer`. Redirects are not followed. */
export type FetchResponse = AppResponse;

/**
 * An answer to `ctx.call` or `ctx.fetch`. A request without any answer is `unavailable`, one to an
 * address that is not let through `forbidden`.
 */
export type Answer =
  | { ok: true; result: unknown }
  | { ok: false; error: { code: string; message: string } };

/** What a client needs to know of a kind, as types only. */
export interface ActorTypes {
  view: unknown;
  args: Record<string, unknown>;
  results: Record<string, unknown>;
  events: Record<string, unknown>;
}

interface Definition<
  State extends TSchema,
  Create extends TObject,
  Args extends Record<string, unknown>,
  Results extends Record<keyof Args, unknown>,
  Events extends Schemas,
  View,
> {
  /** `[a-z][a-z0-9_-]{0,31}` */
  kind: string;
  /** From 1. A higher one needs `migrate`. */
  version: number;
  state: State;
  /** A state of an older version as one of this version. */
  migrate?(state: unknown, from: number): Static<State>;
  create: {
    args: Create;
    run(
      ctx: Omit<Context<undefined, Events>, "state">,
      args: Static<Create>,
      caller: CallerOfTurn,
    ): Static<State>;
  };
  /** `act`: "create" (`state` is null), "watch", or an action's name. Without it everybody may. */
  authorize?(
    // biome-ignore lint/suspicious/noExplicitAny: null for "create", which most need not look at.
    state: any,
    caller: Caller,
    act: string,
    // biome-ignore lint/suspicious/noExplicitAny: the args of whatever is called.
    call: { key: string; args: any },
  ): boolean;
  view(state: Static<State>, caller: Caller): View;
  events?: Events;
  /** The view after an event; for `actorOf` in clients. */
  apply?(
    ...event: {
      [N in keyof Events & string]: [view: View, name: N, data: Static<Events[N]>];
    }[keyof Events & string]
  ): View;
  actions: {
    [N in keyof Args]: {
      args?: Args[N];
      run(
        ctx: Context<Static<State>, Events>,
        args: ArgsOf<Args[N]>,
        caller: CallerOfTurn,
      ): unknown;
    };
  } & { [N in keyof Results]: { args?: unknown; run(...turn: never[]): Results[N] } };
  onTimer?: Record<string, (ctx: Context<Static<State>, Events>) => void>;
  /** A user's first watching session, and the last one's end after the presence grace. */
  onWatch?(ctx: Context<Static<State>, Events>, caller: CallerOfTurn): void;
  onUnwatch?(ctx: Context<Static<State>, Events>, caller: CallerOfTurn): void;
  onAnswer?(ctx: Context<Static<State>, Events>, tag: string, answer: Answer): void;
  /** The users whom the state holds. Required, with `onErase`, unless `holdsUsers` is false. */
  users?(state: Static<State>): string[];
  onErase?(ctx: Context<Static<State>, Events>, user: string): void;
  holdsUsers?: false;
  /** False: the state is in memory only, in a thread of this kind's own. */
  durable?: boolean;
}

export interface ActorDefinition<Types extends ActorTypes = ActorTypes> {
  readonly troupe: "actor";
  readonly kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: run by turns.ts, which checks by the schemas.
  readonly definition: Definition<TSchema, TObject, any, any, any, any>;
  /** The stack of the definition, which tells its file and line. */
  readonly place: Error;
  /** Types only. */
  readonly types?: Types;
}

const KIND = /^[a-z][a-z0-9_-]{0,31}$/;
const ACTION = /^[a-z][a-z0-9_]{0,31}$/;
const KEYS: ReadonlySet<string> = new Set([
  ..."kind version state migrate create authorize view events apply actions onTimer".split(" "),
  ..."onWatch onUnwatch onAnswer users onErase holdsUsers durable".split(" "),
]);
const FUNCTIONS = [
  "migrate",
  "authorize",
  "view",
  "apply",
  "onWatch",
  "onUnwatch",
  "onAnswer",
  "users",
  "onErase",
] as const;

/** Defines a kind of actor, the default export of a `*.actor.ts` or `*.actor.js`. */
export function defineActor<
  State extends TSchema,
  Create extends TObject,
  Args extends Record<string, unknown>,
  Results extends Record<keyof Args, unknown>,
  View,
  // biome-ignore lint/complexity/noBannedTypes: no events.
  Events extends Schemas = {},
>(
  definition: Definition<State, Create, Args, Results, Events, View>,
): ActorDefinition<{
  view: View;
  args: { [N in keyof Args]: ArgsOf<Args[N]> };
  results: Results;
  events: DataOf<Events>;
}> {
  check(definition as unknown as Record<string, unknown>);
  return {
    troupe: "actor",
    kind: definition.kind,
    definition: definition as never,
    place: new Error(definition.kind),
  };
}

const mistaken = (why: string): never => mistake("defineActor", why);

function synchronous(value: unknown, name: string): void {
  mustBeSynchronous(
    "defineActor",
    value,
    name,
    "a turn is synchronous, and what is slow leaves through `ctx`.",
  );
}

function check(definition: Record<string, unknown>): void {
  if (typeof definition !== "object" || definition === null) {
    mistaken("it takes one object.");
  }
  for (const key of Object.keys(definition)) {
    if (!KEYS.has(key)) mistaken(`there is no ${JSON.stringify(key)} in a definition.`);
  }
  const { kind, version, state, create, view, events, actions, onTimer } = definition;
  if (typeof kind !== "string" || !KIND.test(kind)) {
    mistaken(
      `the kind should be like "poll": [a-z][a-z0-9_-]{0,31}. Found ${JSON.stringify(kind)}.`,
    );
  }
  if (!Number.isInteger(version) || (version as number) < 1) {
    mistaken("the version should be an integer from 1.");
  }
  if (!isSchema(state)) mistaken("`state` should be a schema, like Type.Object({…}).");
  const made = object(create, "`create` should be {args, run}.");
  if (!isObjectSchema(made.args)) mistaken("`create.args` should be a Type.Object({…}).");
  synchronous(made.run, "create.run");
  synchronous(view, "view");
  for (const name of FUNCTIONS) {
    if (definition[name] !== undefined) synchronous(definition[name], name);
  }
  for (const [name, schema] of Object.entries(
    object(events ?? {}, "`events` should be an object."),
  )) {
    if (!ACTION.test(name))
      mistaken(`the event ${JSON.stringify(name)} is no name: [a-z][a-z0-9_]{0,31}.`);
    if (!isSchema(schema)) mistaken(`\`events.${name}\` should be a schema.`);
  }
  for (const [name, action] of Object.entries(object(actions, "`actions` should be an object."))) {
    if (!ACTION.test(name))
      mistaken(`the action ${JSON.stringify(name)} is no name: [a-z][a-z0-9_]{0,31}.`);
    if (name === "create" || name === "watch") {
      mistaken(`an action cannot be called "${name}": \`authorize\` gives it a meaning.`);
    }
    const { args, run } = object(action, `\`actions.${name}\` should be {args, run}.`);
    if (args !== undefined && !isObjectSchema(args)) {
      mistaken(`\`actions.${name}.args\` should be a Type.Object({…}).`);
    }
    synchronous(run, `actions.${name}.run`);
  }
  for (const [name, ring] of Object.entries(
    object(onTimer ?? {}, "`onTimer` should be an object."),
  )) {
    synchronous(ring, `onTimer.${name}`);
  }
  checkUsers(definition);
}

function checkUsers({ users, onErase, holdsUsers }: Record<string, unknown>): void {
  if (holdsUsers === false) {
    if (users !== undefined || onErase !== undefined) {
      mistaken("with `holdsUsers: false` there is no `users` and no `onErase`.");
    }
    return;
  }
  if (holdsUsers !== undefined) mistaken("`holdsUsers` is false or left out.");
  if (users === undefined || onErase === undefined) {
    mistaken(
      "`users` and `onErase` say whom the state holds and take a user out of it. Where it holds nobody, say `holdsUsers: false`.",
    );
  }
}

function object(value: unknown, otherwise: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) mistaken(otherwise);
  return value as Record<string, unknown>;
}

function isSchema(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isObjectSchema(value: unknown): boolean {
  return isSchema(value) && (value as { type?: unknown }).type === "object";
}
