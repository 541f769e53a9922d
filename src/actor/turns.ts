/**
 * Runs turns of an application's actor: a function of its state and of what is asked, which
 * returns all that the turn wants done. Used by the threads that run actors, and by the test kit.
 *
 * [APT1] Nothing is left of a turn that refuses or throws.
 * [APT2] A value that is no JSON, or does not fit its schema, costs the turn; the log has its place.
 */
import type { TSchema } from "typebox";
import {
  APP_BYTES_MAX,
  APP_STATE_BYTES_MAX,
  type AppBatch,
  type AppBatchDone,
  type AppCaller,
  type AppKind,
  type AppTurn,
  type AppTurnDone,
} from "../protocol/app-actors.ts";
import { type ErrorObject, REFUSALS } from "../protocol/errors.ts";
import { type Check, checkOf, noArgs } from "./checks.ts";
import type { ActorDefinition, Caller, CallerOfTurn } from "./define-actor.ts";
import { type AnyContext, Draft, plain, Refused } from "./draft.ts";
import { Faulty } from "./faulty.ts";
import { jsonText } from "./json.ts";

const PROBLEMS_MAX = 10;

export class KindOfActor {
  readonly kind: string;
  readonly version: number;
  readonly isDurable: boolean;
  readonly definition: ActorDefinition["definition"];
  readonly #checkState: Check;
  readonly #checkArgs = new Map<string, Check>();
  readonly #checkEvents = new Map<string, Check>();

  constructor({ definition }: Pick<ActorDefinition, "definition">) {
    this.definition = definition;
    this.kind = definition.kind;
    this.version = definition.version;
    this.isDurable = definition.durable !== false;
    this.#checkState = checkOf(definition.state);
    this.#checkArgs.set("", checkOf(definition.create.args));
    for (const [name, { args }] of Object.entries(actionsOf(definition))) {
      this.#checkArgs.set(name, args === undefined ? noArgs : checkOf(args));
    }
    for (const [name, schema] of Object.entries((definition.events ?? {}) as Schemas)) {
      this.#checkEvents.set(name, checkOf(schema));
    }
  }

  /** As others know it, schemas as JSON. */
  describe(): AppKind {
    const { definition } = this;
    const actions: AppKind["actions"] = {};
    for (const [name, { args }] of Object.entries(actionsOf(definition))) {
      actions[name] = { args: args === undefined ? null : plain(args) };
    }
    return {
      kind: this.kind,
      version: this.version,
      durable: this.isDurable,
      create: plain(definition.create.args),
      view: null,
      actions,
      events: plain(definition.events ?? {}) as Record<string, unknown>,
      hasAuthorize: definition.authorize !== undefined,
      hasWatchHooks: definition.onWatch !== undefined || definition.onUnwatch !== undefined,
    };
  }

  /**
   * `began` is called at the start of each turn, so that one that does not end is known. `noted`
   * receives what `migrate`, and `authorize` outside of a turn, throw: their callers get a refusal.
   */
  run(
    batch: AppBatch,
    began: (turn: number) => void = () => undefined,
    noted: NoteFault = () => undefined,
  ): AppBatchDone {
    let text = batch.state;
    let version = batch.version;
    const turns: AppTurnDone[] = [];
    const timers = new Set(batch.timers);
    let isChanged = false;
    for (const [n, turn] of batch.turns.entries()) {
      began(n);
      if (turn.does === "ring") timers.delete(turn.timer);
      const done = this.#turn({ ...batch, timers: [...timers] }, text, version, turn, noted);
      turns.push(done);
      if (done.is === "done") {
        for (const { name, delayMs } of done.timers) {
          if (delayMs === null) timers.delete(name);
          else timers.add(name);
        }
      }
      if (done.is !== "done" || done.state === undefined) continue;
      text = done.state;
      version = this.version;
      isChanged = true;
    }
    const unauthorized: number[] = [];
    if (isChanged && text !== null && this.definition.authorize !== undefined) {
      began(batch.turns.length);
      for (const [n, caller] of batch.watching.entries()) {
        if (!this.#mayWatch(text, caller, batch.key, noted)) unauthorized.push(n);
      }
    }
    return { turns, unauthorized };
  }

  #mayWatch(text: string, caller: AppCaller, key: string, noted: NoteFault): boolean {
    try {
      const state: unknown = JSON.parse(text);
      const call = { key, args: undefined };
      return this.definition.authorize?.(state, caller as Caller, "watch", call) !== false;
    } catch (fault) {
      noted("authorize", whyOf(fault));
      return false;
    }
  }

  #turn(
    batch: AppBatch,
    text: string | null,
    version: number,
    turn: AppTurn,
    noted: NoteFault,
  ): AppTurnDone {
    try {
      if (turn.does === "create") return this.#create(batch, turn);
      if (text === null) return { is: "refused", error: NO_SUCH_ACTOR };
      const state = this.#stateOf(text, version, noted);
      if (state === UNREADABLE) return { is: "refused", error: UNAVAILABLE };
      const draft = new Draft(this, batch, state);
      const answer = this.#act(draft, turn);
      return draft.end(text, answer);
    } catch (fault) {
      if (fault instanceof Refused) return { is: "refused", error: fault.error };
      return { is: "failed", why: whyOf(fault), error: REFUSALS.internal.error };
    }
  }

  #create(batch: AppBatch, { args, caller }: Extract<AppTurn, { does: "create" }>): AppTurnDone {
    this.checkArgs("", args);
    this.#authorize(null, caller, "create", batch.key, args);
    const draft = new Draft(this, batch, undefined);
    draft.state = this.definition.create.run(draft, args as never, caller as CallerOfTurn);
    return draft.end(null, () => this.viewFor(draft.state, caller));
  }

  /** What the answer is, to be asked for when the draft is known to be good. */
  #act(draft: Draft, turn: Exclude<AppTurn, { does: "create" }>): () => unknown {
    const { definition } = this;
    switch (turn.does) {
      case "call": {
        const action = actionsOf(definition)[turn.action];
        if (action === undefined || !Object.hasOwn(actionsOf(definition), turn.action)) {
          throw new Refused(NO_SUCH_ACTION);
        }
        const args = turn.args ?? {};
        this.checkArgs(turn.action, args);
        this.#authorize(draft.state, turn.caller, turn.action, draft.key, args);
        const result: unknown = action.run(draft, args, turn.caller as CallerOfTurn);
        return () => result ?? null;
      }
      case "see":
        this.#authorize(draft.state, turn.caller, "watch", draft.key, undefined);
        return () => this.viewFor(draft.state, turn.caller);
      case "ring":
        definition.onTimer?.[turn.timer]?.(draft);
        break;
      case "watched":
        definition.onWatch?.(draft, turn.caller as CallerOfTurn);
        break;
      case "unwatched":
        definition.onUnwatch?.(draft, turn.caller as CallerOfTurn);
        break;
      case "answer":
        definition.onAnswer?.(draft, turn.tag, turn.answer);
        break;
      case "erase":
        definition.onErase?.(draft, turn.user);
        break;
    }
    return () => null;
  }

  viewFor(state: unknown, caller: AppCaller): unknown {
    return this.definition.view(state, caller as Caller) as unknown;
  }

  #authorize(state: unknown, caller: AppCaller, act: string, key: string, args: unknown): void {
    const { authorize } = this.definition;
    if (authorize === undefined) return;
    // `authorize` looks and changes nothing: it is given a copy.
    const seen: unknown = state === null ? null : structuredClone(state);
    const verdict: unknown = authorize(seen, caller as Caller, act, { key, args });
    if (verdict instanceof Promise) throw new Faulty("`authorize` answers a promise");
    if (verdict !== true) throw new Refused(FORBIDDEN);
  }

  checkArgs(action: string, args: unknown): void {
    const problems = this.#checkArgs.get(action)?.(args) ?? [];
    const [first] = problems;
    if (first === undefined) return;
    const at = `args${first.at}`;
    throw new Refused({
      code: "invalid_payload",
      message: `payload: ${at} ${first.problem}.`,
      details: problems
        .slice(0, PROBLEMS_MAX)
        .map(({ at, problem }) => ({ in: "payload", at: `args${at}`, problem })),
    });
  }

  eventText(name: string, data: unknown): string {
    const check = this.#checkEvents.get(name);
    if (check === undefined) throw new Faulty(`emit: there is no event "${name}" in \`events\``);
    const text = jsonText(data ?? {}, `event ${name}`, APP_BYTES_MAX);
    const [problem] = check(JSON.parse(text));
    if (problem !== undefined) {
      throw new Faulty(`emit: the data of "${name}"${problem.at} ${problem.problem}`);
    }
    return text;
  }

  /** Throws Faulty. */
  stateText(state: unknown): string {
    const text = jsonText(state, "state", APP_STATE_BYTES_MAX);
    const [problem] = this.#checkState(JSON.parse(text));
    if (problem !== undefined) throw new Faulty(`state${problem.at} ${problem.problem}`);
    return text;
  }

  /** [APT1] A fresh draft; UNREADABLE where it fits no version that this definition knows. */
  #stateOf(text: string, version: number, noted: NoteFault): unknown {
    const state: unknown = JSON.parse(text);
    if (version === this.version) return state;
    if (version > this.version || this.definition.migrate === undefined) return UNREADABLE;
    try {
      const migrated: unknown = this.definition.migrate(state, version);
      this.stateText(migrated);
      return migrated;
    } catch (fault) {
      noted("migrate", whyOf(fault));
      return UNREADABLE;
    }
  }
}

/** `why`: for the application's author. */
export type NoteFault = (of: "authorize" | "migrate", why: string) => void;

type Schemas = Record<string, TSchema>;
interface Action {
  args?: TSchema;
  run(ctx: AnyContext, args: unknown, caller: CallerOfTurn): unknown;
}

const UNREADABLE = Symbol("a state of another version");
const NO_SUCH_ACTOR: ErrorObject = { code: "not_found", message: "No such actor." };
const NO_SUCH_ACTION: ErrorObject = { code: "not_found", message: "No such action." };
const FORBIDDEN: ErrorObject = { code: "forbidden", message: "You may not do this here." };
const UNAVAILABLE: ErrorObject = {
  code: "unavailable",
  message: "The state of this actor is of another version of the application.",
};

function actionsOf(definition: ActorDefinition["definition"]): Record<string, Action> {
  return definition.actions as unknown as Record<string, Action>;
}

function whyOf(fault: unknown): string {
  if (fault instanceof Faulty) return fault.message;
  return fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);
}
