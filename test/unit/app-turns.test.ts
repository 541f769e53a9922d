/** [APT] Turns of an application's actor, and the test kit with which applications run them. */
import { describe, expect, it } from "vitest";
import { defineActor, Type } from "../../src/actor/api.ts";
import { ActorRefusal, service, testActor, user } from "../../src/actor/test.ts";
import { KindOfActor } from "../../src/actor/turns.ts";

type Definition = Parameters<typeof defineActor>[0];
const counter = {
  kind: "counter",
  version: 2,
  state: Type.Object({ n: Type.Integer(), log: Type.Array(Type.String()) }),
  migrate: (state: unknown) => ({ ...(state as { n: number }), log: [] }),
  create: { args: Type.Object({}), run: () => ({ n: 0, log: [] }) },
  view: (state: { n: number }) => ({ n: state.n }),
  actions: {},
  holdsUsers: false as const,
};
const defined = (more: object) => () => defineActor({ ...counter, ...more } as Definition);

const clock = defineActor({
  ...counter,
  kind: "clock",
  authorize: (_state, caller, act) => act !== "tick" || caller.user === "1",
  events: { ticked: Type.Object({ n: Type.Integer() }) },
  actions: {
    tick: {
      args: Type.Object({ by: Type.Integer({ minimum: 1 }) }),
      run(ctx, { by }) {
        ctx.state.n += by;
        ctx.emit("ticked", { n: ctx.state.n });
        ctx.after(1_000, "again");
        return ctx.state.n;
      },
    },
    break: {
      args: Type.Object({ how: Type.String() }),
      run(ctx, { how }) {
        ctx.state.n = 99;
        const broken: Record<string, () => unknown> = {
          bigint: () => ({ deep: [1n] }),
          early: () => ctx.after(10, "again"),
          timer: () => ctx.after(1_000, "none"),
          endless: () => {
            for (;;) ctx.signal("1", { type: "tick" });
          },
          events: () => {
            for (;;) ctx.emit("ticked", { n: 1 });
          },
          event: () => ctx.emit("ticked", { n: 1.5 }),
          refuse: () => {
            throw ctx.refuse("quota_exceeded", "Enough.");
          },
        };
        return broken[how]?.();
      },
    },
    end: { run: (ctx) => ctx.destroy() },
  },
  onTimer: {
    again(ctx) {
      ctx.state.log.push(`at ${ctx.nowMs}`);
      if (ctx.state.log.length < 2) ctx.after(1_000, "again");
    },
  },
});

describe("defineActor", () => {
  it("[APT3] a mistake in a definition is a sentence", () => {
    const run = async () => ({ n: 0, log: [] });
    expect(defined({ kind: "Counter" })).toThrow(/the kind should be like "poll"/);
    expect(defined({ version: 0 })).toThrow(/version should be an integer from 1/);
    expect(defined({ create: { args: Type.Object({}), run } })).toThrow(
      /`create.run` is an async function: a turn is synchronous/,
    );
    expect(defined({ views: 1 })).toThrow(/there is no "views"/);
    expect(defined({ holdsUsers: undefined })).toThrow(/`users` and `onErase`/);
    expect(defined({ actions: { watch: { run: () => 1 } } })).toThrow(/cannot be called "watch"/);
    expect(defined({ actions: { go: { args: Type.String(), run: () => 1 } } })).toThrow(
      /`actions.go.args` should be a Type.Object/,
    );
  });
});

describe("turns", () => {
  it("[APT4] a turn's state, events and timers are there when it has ended", () => {
    const actor = testActor(clock, { nowMs: 5_000 });
    expect(actor.create({}, user("1"))).toEqual({ n: 0 });
    expect(actor.call("tick", { by: 2 }, user("1"))).toBe(2);
    expect(actor.events).toEqual([{ rev: 1, name: "ticked", data: { n: 2 } }]);
    actor.advance(2_500);
    expect(actor.state).toEqual({ n: 2, log: ["at 6000", "at 7000"] });
    actor.call("end", {}, user("1"));
    expect(actor.state).toBeNull();
    expect(() => actor.view(user("1"))).toThrow(ActorRefusal);
  });

  it("[APT5] [APT2] [APT1] what is refused or breaks leaves nothing behind, and says where", () => {
    const actor = testActor(clock);
    actor.create({}, user("1"));
    const breaks = (how: string) => () => actor.call("break", { how }, user("1"));
    expect(breaks("bigint")).toThrow("the answer.deep[0] is a bigint");
    expect(breaks("early")).toThrow(/after 1000 ms at the earliest/);
    expect(breaks("timer")).toThrow(/no timer "none"/);
    expect(breaks("endless")).toThrow(/signal: a turn has at most 1000 effects/);
    expect(breaks("events")).toThrow(/emit: a turn has at most 1000 effects/);
    expect(breaks("event")).toThrow(/the data of "ticked".n/);
    expect(breaks("refuse")).toThrow("Enough.");
    expect(() => actor.call("tick", { by: 0 }, user("1"))).toThrow(/args.by/);
    expect(() => actor.call("tick", { by: 1, far: 2 } as never, user("1"))).toThrow(
      /args.far is not known here/,
    );
    expect(() => actor.call("tick", { by: 1 }, service("shop"))).toThrow(/may not do this/);
    expect(actor.state).toEqual({ n: 0, log: [] });
    expect(actor.events).toEqual([]);
  });

  it("[APT6] what `migrate` throws, and `authorize` about watchers, is noted with its place", () => {
    const asks = { user: "1", session: null, service: null };
    const turn = { does: "call" as const, action: "add", args: {}, caller: asks };
    const noted: string[] = [];
    const note = (of: string, why: string) => noted.push(`${of}: ${why.split("\n")[0]}`);
    const kind = new KindOfActor(
      defineActor({
        ...counter,
        kind: "broken",
        migrate() {
          throw new Error("not from there");
        },
        authorize(_state, _caller, act) {
          if (act === "watch") throw new Error("who is that");
          return true;
        },
        actions: {
          add: {
            run(ctx) {
              ctx.state.n++;
            },
          },
        },
      }),
    );
    const batch = { kind: "broken", key: "a", nowMs: 5_000, timers: [], hops: 0, turns: [turn] };
    const old = { ...batch, state: '{"n":1}', version: 1, watching: [] };
    expect(kind.run(old, undefined, note).turns).toMatchObject([
      { is: "refused", error: { code: "unavailable" } },
    ]);
    const now = { ...batch, state: '{"n":1,"log":[]}', version: 2, watching: [asks] };
    expect(kind.run(now, undefined, note)).toMatchObject({
      turns: [{ is: "done" }],
      unauthorized: [0],
    });
    expect(noted).toEqual(["migrate: Error: not from there", "authorize: Error: who is that"]);
  });
});
