/**
 * One actor of the application. The behaviour decides when its turns run, commits what they did,
 * and then answers, publishes and carries out their effects. The turns themselves run elsewhere:
 * see AppRunner.
 *
 * [APP1] Turns that wait run one after another as one batch, with one commit. No turn begins
 *        before the batch before it is committed.
 * [APP2] Before the commit nobody is answered, and nobody receives an event.
 * [APP3] Where another activation has committed meanwhile, the batch runs again on its state.
 * [APP4] A call id of a caller makes one turn that commits; its repeat has the first answer.
 * [APP5] A batch that changes nothing commits nothing.
 * [APP6] An actor that is bound to a conversation lets its present members in and nobody else; a
 *        former member receives no event of a batch that begins afterwards.
 */
import type { AppOps } from "../src/protocol/actor-ops.ts";
import type { AppBatchDone } from "../src/protocol/app-actors.ts";
import { kindAndKeyOf } from "../src/protocol/app-actors.ts";
import { REFUSALS } from "../src/protocol/errors.ts";
import type { SessionId, UserId } from "../src/protocol/ids.ts";
import type { Role } from "../src/protocol/permissions.ts";
import { epochMsOf, later, msBetween } from "../src/protocol/time.ts";
import { type BatchOutcome, commitOf, outcomeOf } from "./app-batch.ts";
import { carryOut, type EffectPorts, putOff } from "./app-effects.ts";
import type { AppRunner } from "./app-ports.ts";
import { take } from "./app-queue.ts";
import {
  type AppState,
  type AppWatcher,
  callerName,
  emptyRecord,
  eventsAfter,
  NO_ACTOR,
  publishClosed,
  publishEvents,
  turnOf,
  type WaitingTurn,
} from "./app-state.ts";
import { RING, wind } from "./app-timers.ts";
import { admitted, arrives, endWatches, GRACE, leaves, usersOf, withRole } from "./app-watchers.ts";
import type { Behaviour, Context, Incoming, Reply } from "./behaviour.ts";
import type { ActorPorts } from "./ports.ts";

type Body<O extends keyof AppOps> = AppOps[O]["body"];

/** Contract: so many turns may wait. */
const WAITING_MAX = 1_000;
const IDLE_MS = 60_000;
/** After that the activation gives up, and the next one begins with what is stored. */
const STALE_MAX = 20;
/** Until the edges have announced who watches. */
const SETTLE_MS = 1_000;

const BUSY = REFUSALS.unavailable;

export interface AppRules {
  apps: AppRunner;
  graceMs: number;
}

export function appBehaviour(
  { apps: store }: Pick<ActorPorts, "apps">,
  { apps, graceMs }: AppRules,
): Behaviour<AppState> {
  const effectPorts: EffectPorts = {
    store,
    fetch: apps.fetch,
    isKnown: (kind) => apps.kinds.isKnown(kind),
    onAnswer: (state, n, turn, hops, ctx) =>
      enqueue(state, turnOf(turn, { effectDone: n, hops }), ctx),
  };

  function enqueue(state: AppState, waiting: WaitingTurn, ctx: Context): void {
    // Turns without a caller need no bound here: timers, watchers and effects have their own.
    if (waiting.reply !== null && state.waiting.length >= WAITING_MAX) {
      waiting.reply.refuse(BUSY.error);
      return;
    }
    state.waiting.push(waiting);
    pump(state, ctx);
  }

  /** The first look at what was loaded. */
  function begin(state: AppState, ctx: Context): void {
    const { record } = state;
    state.epoch = epochMsOf(ctx.wallMs);
    for (const { name, inMs } of record.timers) {
      state.timers.set(name, later(ctx.monotonicMs, inMs));
    }
    for (const { n, effect } of record.effects) state.effects.set(n, effect);
    for (const user of record.watching) ctx.after(graceMs + SETTLE_MS, GRACE + user);
    if (!state.kind.durable && !record.isGone) {
      // Its state went with the worker that had it.
      state.timers.clear();
      state.watchers.clear();
      const { args, caller } = record.created;
      state.waiting.unshift(turnOf({ does: "create", args, caller }, { created: record.created }));
    }
    wind(state, ctx);
    carryOut(state, ctx, effectPorts);
    pump(state, ctx);
  }

  function ring(state: AppState, ctx: Context): void {
    for (const [timer, dueMs] of state.timers) {
      if (msBetween(ctx.monotonicMs, dueMs) > 0 || state.ringing.has(timer)) continue;
      state.ringing.add(timer);
      state.waiting.push(turnOf({ does: "ring", timer }));
    }
    wind(state, ctx);
    pump(state, ctx);
  }

  function pump(state: AppState, ctx: Context): void {
    if (state.isBusy) return;
    if (state.announcements.length > 0) {
      takeAnnouncements(state, ctx);
      return;
    }
    if (state.waiting.length === 0 && !state.mustCheck) return;
    const batch = take(state, ctx);
    if (batch.length === 0 && !state.mustCheck) {
      pump(state, ctx);
      return;
    }
    state.isBusy = true;
    state.mustCheck = false;
    const conversation =
      batch[0]?.created?.conversation ??
      (state.text === null ? null : state.record.created.conversation);
    if (conversation === null) {
      run(state, batch, null, ctx);
      return;
    }
    ctx.run(
      store.roles(conversation, usersOf(state, batch)),
      (roles) => {
        if (roles === null) gone(state, batch, ctx);
        else run(state, admitted(state, batch, roles, ctx), roles, ctx);
      },
      () => unreachable(state, batch, ctx),
    );
  }

  function run(
    state: AppState,
    batch: WaitingTurn[],
    roles: ReadonlyMap<UserId, Role> | null,
    ctx: Context,
  ): void {
    if (batch.length === 0) {
      settle(state, ctx);
      return;
    }
    const { record } = state;
    // The application's files may have been reloaded.
    state.kind = apps.kinds.get(state.kind.kind) ?? state.kind;
    const nowMs = Math.max(epochMsOf(ctx.wallMs), record.nowMs);
    const watchers = [...state.watchers];
    const asked = {
      kind: state.kind.kind,
      key: state.key,
      state: state.text,
      version: record.codeVersion,
      nowMs,
      turns: batch.map(({ turn }) =>
        "caller" in turn ? { ...turn, caller: withRole(turn.caller, roles) } : turn,
      ),
      timers: [...state.timers.keys()],
      watching: state.kind.hasAuthorize
        ? watchers.map(([, { caller }]) => withRole(caller, roles))
        : [],
      hops: batch[0]?.hops ?? 0,
    };
    ctx.run(
      apps.run(asked),
      (done) => finish(state, batch, done, watchers, nowMs, ctx),
      () => unreachable(state, batch, ctx),
    );
  }

  function finish(
    state: AppState,
    batch: WaitingTurn[],
    done: AppBatchDone,
    watchers: [SessionId, AppWatcher][],
    nowMs: number,
    ctx: Context,
  ): void {
    const outcome = outcomeOf(state, batch, done, nowMs, ctx.monotonicMs);
    putOff(state, batch, outcome.effectsDone, ctx);
    const left = done.unauthorized.map((n) => watchers[n]?.[0]).filter((one) => one !== undefined);
    if (!outcome.isChanged) {
      answer(state, outcome, ctx);
      settle(state, ctx);
      return;
    }
    if (!outcome.mustCommit) {
      apply(state, outcome, { id: state.record.id, version: state.record.version }, left, ctx);
      return;
    }
    ctx.run(
      store.commit(commitOf(state, outcome, ctx.monotonicMs)),
      (committed) => {
        if (committed.ok) apply(state, outcome, committed.value, left, ctx);
        else if (committed.error.code === "conflict") again(state, batch, ctx);
        else if (committed.error.code === "not_found") gone(state, batch, ctx);
        else unreachable(state, batch, ctx);
      },
      () => unreachable(state, batch, ctx),
    );
  }

  function apply(
    state: AppState,
    outcome: BatchOutcome,
    committed: { id: string; version: number },
    left: SessionId[],
    ctx: Context,
  ): void {
    const wasThere = state.text !== null || !state.record.isGone;
    state.staleCount = 0;
    state.record = { ...outcome.record, ...committed };
    state.text = outcome.text;
    state.timers.clear();
    for (const [name, dueMs] of outcome.timers) state.timers.set(name, dueMs);
    for (const timer of outcome.rung) state.ringing.delete(timer);
    for (const { n, effect } of outcome.effects) state.effects.set(n, effect);
    for (const n of outcome.effectsDone) {
      state.effects.delete(n);
      state.underway.delete(n);
    }
    publishEvents(state, outcome.events, ctx);
    answer(state, outcome, ctx);
    const named = new Set(outcome.unwatched);
    const unwatched = [...state.watchers]
      .filter(([, { caller }]) => caller.user !== null && named.has(caller.user))
      .map(([session]) => session);
    endWatches(state, unwatched, "unwatched", ctx);
    endWatches(state, left, "forbidden", ctx);
    if (state.text === null && wasThere && outcome.record.isGone) {
      state.watchers.clear();
      publishClosed(state, "destroyed", null, ctx);
    }
    wind(state, ctx);
    carryOut(state, ctx, effectPorts);
    settle(state, ctx);
  }

  /** [APP2] */
  function answer(state: AppState, { answers }: BatchOutcome, ctx: Context): void {
    for (const { waiting, ok, text, rev } of answers) {
      const { reply, watch, turn } = waiting;
      if (ok && watch !== null && "caller" in turn) {
        arrives(state, watch, turn.caller, ctx);
      }
      if (ok) reply?.okText(text, rev);
      else reply?.refuse(JSON.parse(text) as never);
    }
  }

  function settle(state: AppState, ctx: Context): void {
    state.isBusy = false;
    pump(state, ctx);
  }

  /** [APP3] */
  function again(state: AppState, batch: WaitingTurn[], ctx: Context): void {
    state.staleCount++;
    if (state.staleCount > STALE_MAX) {
      unreachable(state, batch, ctx);
      return;
    }
    reload(state, ctx, () => {
      state.waiting.unshift(...batch);
      settle(state, ctx);
    });
  }

  /** Whether the batch was committed is not known: who called asks again, with their call id. */
  function unreachable(state: AppState, batch: WaitingTurn[], ctx: Context): void {
    putOff(state, batch, [], ctx);
    for (const { reply, turn } of batch) {
      reply?.refuse(BUSY.error);
      if (turn.does === "ring") state.ringing.delete(turn.timer);
    }
    if (!state.kind.durable) {
      settle(state, ctx);
      return;
    }
    reload(state, ctx, () => settle(state, ctx));
  }

  function reload(state: AppState, ctx: Context, then: () => void): void {
    ctx.run(
      store.load(state.kind.kind, state.key),
      (record) => {
        const isVolatile = !state.kind.durable;
        const before = state.record.rev;
        state.record = record ?? emptyRecord();
        publishEvents(state, eventsAfter(state.record, before) ?? [], ctx);
        if (!isVolatile) state.text = state.record.isGone ? null : state.record.state;
        state.timers.clear();
        for (const { name, inMs } of state.record.timers) {
          state.timers.set(name, later(ctx.monotonicMs, inMs));
        }
        state.effects.clear();
        for (const { n, effect } of state.record.effects) state.effects.set(n, effect);
        wind(state, ctx);
        then();
      },
      () => {
        // The edges announce their sessions again.
        for (const { reply } of state.waiting.splice(0)) reply?.refuse(BUSY.error);
        for (const { reply } of state.announcements.splice(0)) reply.refuse(BUSY.error);
        state.isBusy = false;
        ctx.passivate();
      },
    );
  }

  /** Its conversation is gone, and it with that. */
  function gone(state: AppState, batch: WaitingTurn[], ctx: Context): void {
    for (const { reply, turn } of batch) {
      reply?.refuse(turn.does === "create" ? REFUSALS.conversationNotFound.error : NO_ACTOR.error);
    }
    if (state.text === null) {
      settle(state, ctx);
      return;
    }
    const outcome = outcomeOf(
      state,
      [],
      { turns: [], unauthorized: [] },
      state.record.nowMs,
      ctx.monotonicMs,
    );
    outcome.text = null;
    outcome.record = { ...outcome.record, isGone: true, state: null, timers: [], watching: [] };
    outcome.timers.clear();
    outcome.isChanged = true;
    ctx.run(
      store.commit(commitOf(state, outcome, ctx.monotonicMs)),
      (committed) => {
        if (committed.ok) apply(state, outcome, committed.value, [], ctx);
        else reload(state, ctx, () => settle(state, ctx));
      },
      () => settle(state, ctx),
    );
  }

  /**
   * [APP7] The edges announce their watchers. The actor first reads what an earlier activation may
   * have committed at the last moment, because nobody else publishes that.
   */
  function takeAnnouncements(state: AppState, ctx: Context): void {
    state.isBusy = true;
    const answerAll = () => {
      for (const { body, reply } of state.announcements.splice(0))
        announced(state, body, reply, ctx);
      settle(state, ctx);
    };
    if (state.kind.durable) reload(state, ctx, answerAll);
    else answerAll();
  }

  function announced(
    state: AppState,
    { worker, watchers, rev, epoch }: Body<"announced">,
    reply: Reply,
    ctx: Context,
  ): void {
    const isRestarted = !state.kind.durable && epoch !== state.epoch;
    const events = eventsAfter(state.record, rev);
    if (state.text === null && !isRestarted) reply.ok({ closed: "destroyed" });
    else if (isRestarted || events === null) reply.ok({ closed: "restarted" });
    else {
      for (const { session, caller } of watchers) arrives(state, { session, worker }, caller, ctx);
      reply.ok({ rev: state.record.rev, epoch: state.epoch, events });
      state.mustCheck = state.record.created.conversation !== null;
    }
  }

  function takeIn(state: AppState, { op, body, reply }: Incoming, ctx: Context): void {
    switch (op as keyof AppOps) {
      case "create": {
        const { args, caller, call_id, hash, conversation_id } = body as Body<"create">;
        const created = { args, caller, conversation: conversation_id };
        const once = { caller: callerName(caller), callId: call_id, hash };
        enqueue(state, turnOf({ does: "create", args, caller }, { reply, once, created }), ctx);
        return;
      }
      case "call": {
        const { action, args, caller, call_id, hash, hops = 0 } = body as Body<"call">;
        const once = { caller: callerName(caller), callId: call_id, hash };
        enqueue(state, turnOf({ does: "call", action, args, caller }, { reply, once, hops }), ctx);
        return;
      }
      case "watch": {
        const { caller, after_rev, watch = null } = body as Body<"watch">;
        const more = { reply, watch, afterRev: after_rev };
        enqueue(state, turnOf({ does: "see", caller }, more), ctx);
        return;
      }
      case "unwatch":
        leaves(state, (body as Body<"unwatch">).session, ctx);
        reply.ok(null);
        return;
      case "announced":
        state.announcements.push({ body: body as Body<"announced">, reply });
        pump(state, ctx);
        return;
      case "wake":
        state.mustCheck = state.record.created.conversation !== null && state.text !== null;
        ring(state, ctx);
        // It was claimed for this; what is due later is due at its own time.
        ctx.run(
          store.effectsDone(state.kind.kind, state.key, []),
          () => undefined,
          () => undefined,
        );
        reply.ok(null);
        return;
      default:
        throw new Error(`app actor: unknown op ${op}`);
    }
  }

  return {
    kind: "app",
    idleMs: IDLE_MS,

    async activate(id) {
      const { kind, key } = kindAndKeyOf(id);
      const known = apps.kinds.get(kind);
      // Another host has it already, or a reload has taken it away.
      if (known === undefined) throw new Error(`there is no kind ${kind} here now`);
      const record = (await store.load(kind, key)) ?? emptyRecord();
      return {
        kind: known,
        key,
        record,
        text: record.isGone ? null : record.state,
        epoch: 0,
        waiting: [],
        isBusy: false,
        mustCheck: false,
        staleCount: 0,
        announcements: [],
        watchers: new Map(),
        timers: new Map(),
        ringing: new Set(),
        effects: new Map(),
        underway: new Set(),
        graceMs,
      };
    },

    receive(state, incoming, ctx) {
      if (state.epoch === 0) begin(state, ctx);
      takeIn(state, incoming, ctx);
    },

    onTimer(state, timer, ctx) {
      if (timer === RING) ring(state, ctx);
      else if (timer.startsWith(GRACE)) {
        const user = timer.slice(GRACE.length);
        const caller = { user, session: null, service: null };
        const isBack = [...state.watchers.values()].some((one) => one.caller.user === user);
        if (!isBack && state.record.watching.includes(user)) {
          enqueue(state, turnOf({ does: "unwatched", caller }), ctx);
        }
      } else carryOut(state, ctx, effectPorts);
    },

    onWorkersGone(state, workers, ctx, mayBeBack) {
      if (mayBeBack) return;
      for (const [session, { worker }] of [...state.watchers]) {
        if (workers.has(worker)) leaves(state, session, ctx);
      }
    },

    isBusy: (state) =>
      state.isBusy ||
      state.waiting.length > 0 ||
      state.watchers.size > 0 ||
      state.effects.size > 0 ||
      (!state.kind.durable && state.text !== null),
  };
}
