/** [APP] The behaviour of an application's actor, over the memory store. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AppRunner } from "../../actors/app-ports.ts";
import { defineActor, Type } from "../../src/actor/api.ts";
import { KindOfActor } from "../../src/actor/turns.ts";
import { AppKinds } from "../../src/protocol/app-kinds.ts";
import { REFUSALS } from "../../src/protocol/errors.ts";
import { SoloActors } from "../support/solo-actors.ts";

const kind = new KindOfActor(
  defineActor({
    kind: "tally",
    version: 1,
    holdsUsers: false,
    state: Type.Object({ n: Type.Integer(), heard: Type.Array(Type.String()) }),
    create: { args: Type.Object({}), run: () => ({ n: 0, heard: [] }) },
    view: (state) => state,
    events: { counted: Type.Object({ n: Type.Integer() }) },
    actions: {
      add: {
        run(ctx) {
          ctx.state.n++;
          ctx.emit("counted", { n: ctx.state.n });
          return ctx.state.n;
        },
      },
      look: { run: (ctx) => ctx.state },
      ring: { run: (ctx) => ctx.after(30_000, "bell") },
      pass: { run: (ctx) => ctx.call("tally", "b", "add", {}, { tag: "t" }) },
    },
    onTimer: {
      bell(ctx) {
        ctx.state.heard.push("bell");
      },
    },
    onAnswer(ctx, tag) {
      ctx.state.heard.push(tag);
    },
  }),
);

let isOut: boolean;
let batches: number;
let solo: SoloActors;
const runner: AppRunner = {
  kinds: new AppKinds([kind.describe()]),
  async run(batch) {
    batches++;
    if (!isOut) return kind.run(batch);
    const refused = { is: "refused" as const, error: REFUSALS.unavailable.error };
    return { turns: batch.turns.map(() => refused), unauthorized: [] };
  },
  fetch: () => null,
};
const caller = { user: "1", session: null, service: null };
let ids = 0;

function calls(key: string, action: string, call_id = `c${++ids}`, on = solo) {
  return on.asks(`app:tally:${key}`, "call", { action, args: {}, call_id, hash: action, caller });
}
function creates(key: string, call_id = `c${++ids}`) {
  const body = { args: {}, call_id, hash: "", caller, conversation_id: null };
  return solo.asks(`app:tally:${key}`, "create", body);
}
const stateOf = async (key: string, on = solo) => {
  const looked = await calls(key, "look", undefined, on);
  return "value" in looked ? looked.value["result"] : looked.code;
};

beforeEach(async () => {
  isOut = false;
  batches = 0;
  solo = new SoloActors(undefined, null, { apps: runner });
  await creates("a");
});
afterEach(() => {
  expect(solo.bugs).toEqual([]);
  solo.host.close();
});

describe("an application's actor", () => {
  it("[APP1] turns that wait run as one batch, and each has its own rev", async () => {
    batches = 0;
    const answers = await Promise.all(Array.from({ length: 20 }, () => calls("a", "add")));
    expect(answers.map((answer) => "rev" in answer && answer.rev)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    );
    expect(batches).toBeLessThan(5);
  });

  it("[APP3] a commit of another activation makes the turn run again on its state", async () => {
    const other = new SoloActors(undefined, null, { apps: runner, of: solo });
    expect(await stateOf("a", other)).toMatchObject({ n: 0 });
    await calls("a", "add");
    await calls("a", "add");
    expect(await calls("a", "add", "x", other)).toMatchObject({ value: { result: 3, rev: 3 } });
    expect(await calls("a", "add")).toMatchObject({ value: { result: 4, rev: 4 } });
    // The repeat finds what the other one has committed.
    expect(await calls("a", "add", "x")).toMatchObject({ value: { result: 3, rev: 3 } });
    other.host.close();
  });

  it("[APP8] a timer rings in the next activation, whoever held it before", async () => {
    await calls("a", "ring");
    solo.host.close();
    const next = new SoloActors(undefined, null, { apps: runner, of: solo });
    await next.clock.advance(40_000);
    const due = await solo.storage.apps.claimWakes(10, 5_000);
    expect(due).toEqual([{ kind: "tally", key: "a" }]);
    await next.asks("app:tally:a", "wake", {});
    expect(await stateOf("a", next)).toMatchObject({ heard: ["bell"] });
    // Nothing is left to wake it for.
    await next.clock.advance(10_000);
    expect(await solo.storage.apps.claimWakes(10, 5_000)).toEqual([]);
    next.host.close();
  });

  it("[APP9] the answer of a call is one turn, however many others run meanwhile", async () => {
    await creates("b");
    await Promise.all([calls("a", "pass"), calls("a", "add"), calls("a", "add")]);
    await calls("a", "add");
    await solo.clock.advance(2_000);
    expect(await stateOf("a")).toEqual({ n: 3, heard: ["t"] });
    expect(await stateOf("b")).toMatchObject({ n: 1 });
  });

  it("[APP10] what cannot run now is refused, and a due timer rings later", async () => {
    await calls("a", "ring");
    isOut = true;
    await solo.clock.advance(31_000);
    expect(await calls("a", "add")).toEqual({ code: "unavailable" });
    isOut = false;
    await solo.clock.advance(6_000);
    expect(await stateOf("a")).toEqual({ n: 0, heard: ["bell"] });
  });
});
