/**
 * Carries out the effects of an application's actor, once their turns are committed. Effects that
 * wait are stored with the actor, so that they outlive this activation; a message has a
 * `client_id` of its own and is sent once, a call a `call_id`.
 */
import {
  type AppAnswer,
  type AppEffect,
  type AppTurn,
  appActorId,
} from "../src/protocol/app-actors.ts";
import type { ErrorObject } from "../src/protocol/errors.ts";
import type { ConversationId, UserId } from "../src/protocol/ids.ts";
import type { AppRunner, AppStore } from "./app-ports.ts";
import { type AppState, idOf, NO_ACTOR, type WaitingTurn } from "./app-state.ts";
import type { Context } from "./behaviour.ts";

/** Effects of one actor that are under way at a time. */
const UNDERWAY_MAX = 8;
const AGAIN_MS = 1_000;
export const EFFECTS_TIMER = "effects";

export interface EffectPorts {
  store: Pick<AppStore, "effectsDone">;
  fetch: AppRunner["fetch"];
  /** Whether any host has such actors. */
  isKnown(kind: string): boolean;
  /** Enqueues the turn that has an answer, `hops` calls and requests from the first one. */
  onAnswer(state: AppState, n: number, turn: AppTurn, hops: number, ctx: Context): void;
}

export function carryOut(state: AppState, ctx: Context, ports: EffectPorts): void {
  const { store, onAnswer } = ports;
  for (const [n, effect] of state.effects) {
    if (state.underway.size >= UNDERWAY_MAX) return;
    if (state.underway.has(n)) continue;
    state.underway.add(n);
    start(state, n, effect, ctx, ports, {
      done() {
        state.underway.delete(n);
        state.effects.delete(n);
        ctx.run(
          store.effectsDone(state.kind.kind, state.key, [n]),
          () => carryOut(state, ctx, ports),
          () => undefined,
        );
      },
      // It is under way until the turn that has the answer is committed.
      answered: (turn, hops) => onAnswer(state, n, turn, hops, ctx),
      later() {
        state.underway.delete(n);
        ctx.after(AGAIN_MS, EFFECTS_TIMER);
      },
    });
  }
}

/** Calls whose answer found no turn are made again. */
export function putOff(
  state: AppState,
  batch: readonly WaitingTurn[],
  done: readonly number[],
  ctx: Context,
): void {
  for (const { effectDone } of batch) {
    if (effectDone === null || done.includes(effectDone)) continue;
    state.underway.delete(effectDone);
    ctx.after(AGAIN_MS, EFFECTS_TIMER);
  }
}

interface Ends {
  done(): void;
  /** It is done with the turn that has the answer. */
  answered(turn: AppTurn, hops: number): void;
  later(): void;
}

function start(
  state: AppState,
  n: number,
  effect: AppEffect,
  ctx: Context,
  { fetch, isKnown }: EffectPorts,
  ends: Ends,
): void {
  const name = `actor.${state.record.id}.${n}`;
  const ended = (answer: { ok: true } | { ok: false; error: ErrorObject }) => {
    if (answer.ok || !isTemporary(answer.error)) ends.done();
    else ends.later();
  };
  switch (effect.does) {
    case "send": {
      const { body = "", type, data, silent } = effect.message;
      const to = { kind: "conversation" as const, id: effect.conversation };
      const content = {
        ...(type !== undefined && { type }),
        ...(data !== undefined && { data: data as never }),
        ...(silent === true && { silent: true as const }),
      };
      const message = { client_id: name, body, reply_to_seq: null };
      if (effect.as === "system") {
        const { type: _, ...rest } = content;
        const asked = { ...message, subject: `actor:${idOf(state)}`, content: rest };
        ctx.ask(to, "service_send", asked, ended);
        return;
      }
      const asked = {
        ...message,
        user: effect.as as UserId,
        session: "" as const,
        isService: true as const,
        ...(Object.keys(content).length > 0 && { content }),
      };
      ctx.ask(to, "send", asked, ended);
      return;
    }
    case "notify": {
      const { user, type, message, data } = effect;
      const notice = { type, message, actor_id: null, post_id: null, comment_id: null, data };
      ctx.ask({ kind: "user", id: user }, "notify", notice, ended);
      return;
    }
    case "signal":
      ctx.tell(
        { kind: "conversation", id: effect.conversation as ConversationId },
        "service_signal",
        effect.signal as never,
      );
      ends.done();
      return;
    case "call": {
      const { kind, key, action, args, tag, hops } = effect;
      if (!isKnown(kind)) {
        ends.answered({ does: "answer", tag, answer: NO_ACTOR }, hops);
        return;
      }
      const caller = { user: null, session: null, service: `actor:${idOf(state)}` };
      const asked = { action, args, call_id: name, hash: name, caller, hops };
      ctx.ask({ kind: "app", id: appActorId(kind, key) }, "call", asked, (answer) => {
        if (!answer.ok && isTemporary(answer.error)) ends.later();
        else if (!answer.ok) ends.answered({ does: "answer", tag, answer }, hops);
        else {
          const result = "result" in answer.value ? answer.value.result : null;
          ends.answered({ does: "answer", tag, answer: { ok: true, result } }, hops);
        }
      });
      return;
    }
    case "fetch": {
      const { request, tag, hops } = effect;
      const sent = fetch(request, name);
      if (sent === null) ends.later();
      else {
        const answered = (answer: AppAnswer) =>
          ends.answered({ does: "answer", tag, answer }, hops);
        ctx.run(sent, answered, ends.later);
      }
      return;
    }
  }
}

function isTemporary({ code }: ErrorObject): boolean {
  return code === "unavailable" || code === "rate_limited";
}
