import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Behaviour } from "../../actors/behaviour.ts";
import { ActorRuntime } from "../../src/runtime/actor-runtime.ts";
import { FLAG, FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { Placement, type View } from "../../src/runtime/view.ts";
import { Box, type BoxState, deferred } from "../support/box-behaviour.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

let clock: FakeClock;
let box: Box;
let sent: Frame[];
let bugs: string[];
let host: ActorRuntime;
let corr: number;

beforeEach(() => {
  clock = new FakeClock();
  box = new Box();
  sent = [];
  bugs = [];
  corr = 0;
  host = new ActorRuntime({
    clock,
    self: "me",
    behaviours: { conversation: box.behaviour as Behaviour },
    send: (f) => sent.push(f),
    onBug: (key) => bugs.push(key),
    onMalformed: (key) => bugs.push(`malformed ${key}`),
  });
});

afterEach(() => {
  host.close();
  expect(clock.pending).toBe(0);
});

function view(number: number, incarnations: string[]): View {
  return {
    number,
    workers: incarnations.map((incarnation) => ({ incarnation, slot: incarnation })),
    draining: [],
    away: [],
  };
}

/** A key that `life` owns when these live. */
function keyOf(incarnation: string, incarnations: string[]): string {
  const placement = new Placement(view(1, incarnations));
  for (let n = 1; ; n++) {
    if (placement.ownerOf(`conversation:${n}`) === incarnation) return `conversation:${n}`;
  }
}

function asks(op: string, body: unknown = null, fields: Partial<Frame> = {}): number {
  host.deliver(
    frame(FRAME.ask, {
      to: "me",
      from: "me",
      corr: ++corr,
      view: host.gateway.placement.view.number,
      rev: 10_000,
      key: "conversation:1",
      name: op,
      body: JSON.stringify(body),
      ...fields,
    }),
  );
  return corr;
}

const answers = () =>
  sent
    .filter((f) => f.type === FRAME.answer)
    .map(({ corr: to, flags, body }) => {
      if ((flags & FLAG.notOwner) !== 0) return `${to} notOwner`;
      return `${to} ${(flags & FLAG.ok) !== 0 ? body : (JSON.parse(body) as { code: string }).code}`;
    });

describe("actors", () => {
  test("[ACT1] the first letter activates, the next find it", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1);
    asks("echo", 2);
    await settled();
    asks("echo", 3);
    expect(answers()).toEqual(["1 1", "2 2", "3 3"]);
    expect(box.happened.filter((one) => one.startsWith("activate"))).toHaveLength(1);
    expect(sent[0]?.rev).toBe(7);
  });

  test("[ACT3] a bug costs one activation; others and the next message go on", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { key: "conversation:2" });
    asks("throw");
    await settled();
    asks("echo", "anew");
    asks("echo", 2, { key: "conversation:2" });
    await settled();
    expect(answers()).toEqual(["1 1", "2 internal", "4 2", '3 "anew"']);
    expect(bugs).toEqual(["conversation:1"]);
    expect(box.happened.filter((one) => one === "activate 1")).toHaveLength(2);
    expect(box.happened.filter((one) => one === "activate 2")).toHaveLength(1);
  });

  test("[ACT4] letters for an activation that passivates find the next one, in order", async () => {
    host.setView(view(1, ["me"]));
    asks("work");
    await settled();
    asks("passivate");
    asks("echo", "a");
    asks("echo", "b");
    box.work[0]!.resolve("x");
    await settled();
    expect(answers()).toEqual(['2 "passivates"', '1 "x"', '3 "a"', '4 "b"']);
    expect(box.happened.filter((one) => one === "activate 1")).toHaveLength(2);
  });

  test("[ACT1] a kind that nothing runs is unavailable", () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { key: "post:1" });
    expect(answers()).toEqual(["1 unavailable"]);
  });

  test("[HST8] a peek activates nothing, and is answered null", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { flags: FLAG.peek });
    expect(answers()).toEqual(["1 null"]);
    expect(box.happened).toEqual([]);
    asks("echo", 2);
    asks("echo", 3, { flags: FLAG.peek });
    await settled();
    expect(answers()).toEqual(["1 null", "2 2", "3 3"]);
  });

  test("an actor's event leaves in its worker's name, under its view", async () => {
    host.setView(view(4, ["me"]));
    asks("publish", { a: 1 });
    await settled();
    expect(sent).toMatchObject([
      { type: FRAME.event, from: "me", view: 4, key: "conversations:1", name: "message", rev: 3 },
    ]);
  });
});

describe("placement", () => {
  test("[HST1] an ask for somebody else's actor is passed on once", () => {
    host.setView(view(1, ["me", "other"]));
    const key = keyOf("other", ["me", "other"]);
    asks("echo", 1, { key, from: "far" });
    expect(sent).toMatchObject([
      { type: FRAME.ask, to: "other", from: "far", key, corr: 1, flags: FLAG.forwarded },
    ]);
    expect(box.happened).toEqual([]);
  });

  test("[HST1] passed on already, it is refused", () => {
    host.setView(view(1, ["me", "other"]));
    const key = keyOf("other", ["me", "other"]);
    asks("echo", 1, { key, from: "far", flags: FLAG.forwarded });
    expect(answers()).toEqual(["1 notOwner"]);
    expect(sent[0]?.to).toBe("far");
  });

  test("[HST1] a tell that was passed on already is dropped", () => {
    host.setView(view(1, ["me", "other"]));
    const key = keyOf("other", ["me", "other"]);
    host.deliver(frame(FRAME.tell, { key, name: "echo", body: "1", flags: FLAG.forwarded }));
    expect(sent).toEqual([]);
  });

  test("[HST2] a frame under a newer view waits for that view", async () => {
    host.setView(view(1, ["other"]));
    asks("echo", 1, { view: 2 });
    expect([...sent, ...box.happened]).toEqual([]);
    host.setView(view(2, ["me"]));
    await settled();
    expect(answers()).toEqual(["1 1"]);
  });

  test("[HST2] a view that does not come: after a while it is passed on as is known", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { view: 9 });
    await clock.advance(3_000);
    expect(answers()).toEqual(["1 1"]);
  });

  test("[HST2] waiting frames keep their order", async () => {
    host.setView(view(1, ["other"]));
    for (const n of [1, 2, 3]) asks("echo", n, { view: 2 });
    host.setView(view(2, ["me"]));
    await settled();
    expect(answers()).toEqual(["1 1", "2 2", "3 3"]);
  });

  test("[HST3] actors that belong elsewhere are dropped, the others stay", async () => {
    const both = ["me", "other"];
    const [mine, theirs] = [keyOf("me", both), keyOf("other", both)];
    host.setView(view(1, ["me"]));
    asks("echo", 1, { key: mine });
    asks("echo", 2, { key: theirs });
    await settled();
    expect(host.stats.actors).toEqual({ conversation: 2 });
    host.setView(view(2, both));
    expect(host.stats.actors).toEqual({ conversation: 1 });
  });

  test("[HST3] one with begun work finishes it first, and answers", async () => {
    const both = ["me", "other"];
    const key = keyOf("other", both);
    host.setView(view(1, ["me"]));
    asks("work", null, { key });
    await settled();
    host.setView(view(2, both));
    expect(host.hasUnfinishedWork).toBe(true);
    box.work[0]!.resolve("x");
    await settled();
    expect(answers()).toEqual(['1 "x"']);
    expect(host.stats.actors).toEqual({});
  });

  test("[HST3] a timer of one that moved does not ring", async () => {
    const both = ["me", "other"];
    const key = keyOf("other", both);
    host.setView(view(1, ["me"]));
    asks("after", 100, { key });
    asks("work", null, { key });
    await settled();
    host.setView(view(2, both));
    await clock.advance(1_000);
    expect(box.happened).not.toContain("timer bell");
    box.work[0]!.resolve("x");
    await settled();
  });

  test("[ACT6] workers that are gone are told to the actors that stay", async () => {
    host.setView(view(1, ["me", "other"]));
    const key = keyOf("me", ["me", "other"]);
    asks("echo", 1, { key });
    await settled();
    host.setView(view(2, ["me"]));
    expect(box.happened).toContain("gone other");
  });

  test("[ACT6] what a worker said before it was gone is no turn after that", async () => {
    box.loading = deferred<BoxState | null>();
    host.setView(view(1, ["me", "other"]));
    const key = keyOf("me", ["me", "other"]);
    asks("echo", "I live", { key, from: "other" });
    host.setView(view(2, ["me"]));
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(box.happened.filter((one) => one.startsWith("echo"))).toEqual([]);
  });
});

describe("after a gap between hosts", () => {
  test("[HST5] actors doubt the sessions over there; those of their own host stay", async () => {
    const incarnations = ["me", "a.0.1", "b.0.1"];
    host.setView(view(1, incarnations));
    asks("echo", 1, { key: keyOf("me", incarnations) });
    await settled();
    host.onGap("a");
    expect(box.happened).toContain("gone a.0.1");
    host.onGap("");
    expect(box.happened).toContain("gone a.0.1,b.0.1");
    host.onGap("c");
    expect(box.happened.filter((one) => one.startsWith("gone"))).toHaveLength(2);
  });

  test("[PLC5] what a worker out of reach has said still counts", async () => {
    box.loading = deferred<BoxState | null>();
    const incarnations = ["me", "a.0.1"];
    host.setView(view(1, incarnations));
    const key = keyOf("me", incarnations);
    asks("echo", "I live", { key, from: "a.0.1" });
    host.setView({ ...view(2, ["me"]), away: ["a.0.1"] });
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(box.happened.filter((one) => one.startsWith("echo"))).toHaveLength(1);
    expect(box.happened.filter((one) => one.startsWith("gone"))).toEqual([]);
  });
});

describe("an ask for many actors", () => {
  const LIVES = ["me", "other"];
  const owned = (incarnation: string, from: number) => {
    const placement = new Placement(view(1, LIVES));
    const ids = Array.from({ length: 200 }, (_, n) => `${from + n}`);
    return ids.filter((id) => placement.ownerOf(`conversation:${id}`) === incarnation).slice(0, 3);
  };
  const asksMany = (op: string, letters: object[]) =>
    asks(op, letters, { key: "conversation", flags: FLAG.many });

  test("[HST9] it is answered once, without the nulls, and names who is not here", async () => {
    host.setView(view(1, LIVES));
    const [here, elsewhere] = [owned("me", 1), owned("other", 1)];
    asksMany("echo", [
      { body: "yes", isPeek: false, ids: here.slice(0, 2) },
      { body: null, isPeek: false, ids: [here[2], ...elsewhere] },
    ]);
    await settled();
    const value = { answers: ["yes", "yes"], undone: elsewhere };
    expect(answers()).toEqual([`1 ${JSON.stringify(value)}`]);
  });

  test("[HST9] those that refuse are named, and the others have answered", async () => {
    host.setView(view(1, ["me"]));
    asksMany("echo", [{ body: "yes", isPeek: false, ids: ["1"] }]);
    await settled();
    box.loading = deferred<BoxState | null>();
    asksMany("echo", [{ body: "yes", isPeek: false, ids: ["1", "2"] }]);
    await settled();
    box.loading.resolve(null);
    await settled();
    expect(answers()).toEqual([
      '1 {"answers":["yes"],"undone":[]}',
      '2 {"answers":["yes"],"undone":["2"]}',
    ]);
  });

  test("[HST8] a peek of many activates nobody", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { key: "conversation:1" });
    await settled();
    asksMany("echo", [{ body: "here", isPeek: true, ids: ["1", "2", "3"] }]);
    await settled();
    expect(answers().at(-1)).toBe('2 {"answers":["here"],"undone":[]}');
    expect(host.stats.actors).toEqual({ conversation: 1 });
  });

  test("[HST2] under a newer view it waits for that view", async () => {
    host.setView(view(1, ["other"]));
    asks("echo", [{ body: "yes", isPeek: false, ids: ["1"] }], {
      key: "conversation",
      flags: FLAG.many,
      view: 2,
    });
    expect(sent).toEqual([]);
    host.setView(view(2, ["me"]));
    await settled();
    expect(answers()).toEqual(['1 {"answers":["yes"],"undone":[]}']);
  });
});

describe("idling", () => {
  test("[HST4] an actor that is idle for its kind's time goes, a used one stays", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", 1, { key: "conversation:1" });
    asks("echo", 1, { key: "conversation:2" });
    await clock.advance(4_900);
    asks("echo", 1, { key: "conversation:2" });
    await clock.advance(200);
    expect(host.stats.actors).toEqual({ conversation: 1 });
    await clock.advance(5_000);
    expect(host.stats.actors).toEqual({});
  });

  test("[HST4] a busy one, and one with a timer, are not idle", async () => {
    host.setView(view(1, ["me"]));
    asks("busy", true, { key: "conversation:1" });
    asks("after", 60_000, { key: "conversation:2" });
    await clock.advance(30_000);
    expect(host.stats.actors).toEqual({ conversation: 2 });
  });
});

test("[ASK1] closing answers who waits, and begins nothing new", async () => {
  host.setView(view(1, ["me"]));
  asks("silent");
  asks("work");
  await settled();
  host.close();
  expect(answers()).toEqual(["1 unavailable", "2 unavailable"]);
  asks("echo");
  expect(answers().at(-1)).toBe("3 unavailable");
});

describe("[HST6] [ACT7] while it is held", () => {
  test("letters and results of begun work wait, in order, and none is lost", async () => {
    host.setView(view(1, ["me"]));
    asks("echo", "a");
    await settled();
    const before = sent.length;
    host.setHeld(true);
    asks("echo", "b");
    asks("echo", "c");
    await settled();
    expect(sent.length).toBe(before);
    expect(host.hasUnfinishedWork).toBe(true);
    host.setHeld(false);
    await settled();
    const bodies = sent.slice(before).map(({ body }) => JSON.parse(body));
    expect(bodies).toEqual(["b", "c"]);
    expect(host.hasUnfinishedWork).toBe(false);
  });

  test("a turn that fills the line again leaves the rest waiting", async () => {
    host.close();
    const turns: string[] = [];
    host = new ActorRuntime({
      clock,
      self: "me",
      behaviours: { conversation: box.behaviour as Behaviour },
      send: (f) => {
        turns.push(f.body);
        host.setHeld(true);
      },
      onBug: (key) => bugs.push(key),
      onMalformed: (key) => bugs.push(`malformed ${key}`),
    });
    host.setView(view(1, ["me"]));
    asks("echo", 1);
    await settled();
    asks("echo", 2);
    asks("echo", 3);
    expect(turns).toEqual(["1"]);
    host.setHeld(false);
    expect(turns).toEqual(["1", "2"]);
    host.setHeld(false);
    expect(turns).toEqual(["1", "2", "3"]);
  });

  test("asks past its bound are answered unavailable", () => {
    host.setView(view(1, ["me"]));
    host.setHeld(true);
    for (let n = 0; n < 50_001; n++) asks("echo", n);
    expect(sent).toHaveLength(1);
    expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ code: "unavailable" });
    host.setHeld(false);
  });
});
