import { beforeEach, describe, expect, test } from "vitest";
import type { Behaviour } from "../../actors/behaviour.ts";
import { later } from "../../src/protocol/time.ts";
import { Activation, type Letter, MAILBOX_MAX } from "../../src/runtime/activation.ts";
import { Box, type BoxState, deferred } from "../support/box-behaviour.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

let clock: FakeClock;
let box: Box;
let answers: string[];
let ended: { letters: readonly Letter[]; bug: unknown }[];
let gone: Set<string>;
let malformed: string[];

beforeEach(() => {
  clock = new FakeClock();
  box = new Box();
  answers = [];
  ended = [];
  gone = new Set();
  malformed = [];
});

function activates(): Activation {
  return new Activation("conversation:1", "1", box.behaviour as Behaviour, {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    after: (delayMs, ring) => clock.after(delayMs, ring),
    isAway: () => false,
    whenOpen: (turn) => turn(),
    isGone: (incarnation) => gone.has(incarnation),
    effects: { ask: () => undefined, tell: () => undefined, publish: () => undefined },
    onMalformed: (key) => malformed.push(key),
    onEnded: (_activation, letters, bug) => ended.push({ letters, bug }),
  });
}

/** An ask, whose answer goes to `answers` under `name`. */
function ask(op: string, body: unknown = null, name = op): Letter {
  return {
    from: "w1",
    op,
    body: JSON.stringify(body),
    expiresAtMs: later(clock.monotonicMs(), 10_000),
    answer: (ok, text) => {
      const shown = ok ? text : (JSON.parse(text) as { code: string }).code;
      answers.push(`${name}: ${shown}`);
    },
  };
}

async function active(): Promise<Activation> {
  const activation = activates();
  await settled();
  return activation;
}

describe("loading", () => {
  test("[ACT1] letters wait and are turns in their order", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    for (const n of [1, 2, 3]) activation.receive(ask("echo", n));
    await settled();
    expect(box.happened).toEqual(["activate 1"]);
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(answers).toEqual(["echo: 1", "echo: 2", "echo: 3"]);
  });

  test("[ACT1] there is no such actor: everyone is told so", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    activation.receive(ask("echo"));
    box.loading.resolve(null);
    await settled();
    expect(answers).toEqual(["echo: not_found"]);
    expect(ended).toHaveLength(1);
  });

  test("[ACT1] storage is away: everyone is told so, and the activation is over", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    activation.receive(ask("echo"));
    box.loading.reject(new Error("no route"));
    await settled();
    expect(answers).toEqual(["echo: unavailable"]);
    expect(ended).toEqual([{ letters: [], bug: undefined }]);
  });

  test("[ACT1] a letter that nobody waits for any more is no turn", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    activation.receive(ask("echo"));
    await clock.advance(10_000);
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(box.happened).toEqual(["activate 1"]);
  });
});

describe("bounds", () => {
  test("[ACT2] past its size the mailbox refuses, and keeps what it has", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    for (let n = 0; n < MAILBOX_MAX; n++) activation.receive(ask("echo", n));
    expect(answers).toEqual([]);
    activation.receive(ask("echo", "one too many"));
    expect(answers).toEqual(["echo: unavailable"]);
    expect(activation.depth).toBe(MAILBOX_MAX);
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(answers).toHaveLength(MAILBOX_MAX + 1);
  });

  test("[ACT2] begun work counts", async () => {
    const activation = await active();
    activation.receive(ask("work"));
    expect(activation.depth).toBe(1);
    box.work[0]!.resolve("x");
    await settled();
    expect(activation.depth).toBe(0);
  });
});

describe("turns", () => {
  test("[ACT1] an ask is answered once, whatever the behaviour says", async () => {
    (await active()).receive(ask("twice"));
    expect(answers).toEqual(['twice: "first"']);
  });

  test("[ACT3] a throw answers everyone who waits, and ends this activation", async () => {
    const activation = await active();
    activation.receive(ask("silent"));
    activation.receive(ask("work"));
    activation.receive(ask("throw"));
    expect(answers).toEqual(["silent: internal", "work: internal", "throw: internal"]);
    expect(ended[0]?.bug).toBeInstanceOf(Error);
  });

  test("[ACT3] work that comes back after the end finds nothing", async () => {
    const activation = await active();
    activation.receive(ask("work"));
    activation.receive(ask("throw"));
    box.work[0]!.resolve("late");
    await settled();
    expect(box.happened).not.toContain("done late");
  });

  test("[ACT3] a body that is no JSON is a bug, not a crash", async () => {
    const activation = await active();
    activation.receive({ ...ask("echo"), body: "{" });
    expect(answers).toEqual(["echo: internal"]);
  });

  test("[ACT6] a letter of a worker that is gone is no turn", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    activation.receive(ask("echo", "from the dead"));
    activation.receive({ ...ask("echo", "from the living"), from: "w2" });
    gone.add("w1");
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(box.happened).toEqual(["activate 1", 'echo "from the living"']);
  });
});

describe("passivating", () => {
  test("[ACT4] with nothing begun it ends with the turn", async () => {
    const activation = await active();
    activation.receive(ask("passivate"));
    expect(answers).toEqual(['passivate: "passivates"']);
    expect(ended).toEqual([{ letters: [], bug: undefined }]);
  });

  test("[ACT4] begun work is finished, letters meanwhile go to the next", async () => {
    const activation = await active();
    activation.receive(ask("work"));
    activation.receive(ask("passivate"));
    activation.receive(ask("echo", "for the next"));
    expect(ended).toEqual([]);
    box.work[0]!.resolve("x");
    await settled();
    expect(answers).toEqual(['passivate: "passivates"', 'work: "x"']);
    expect(ended[0]?.letters.map(({ op }) => op)).toEqual(["echo"]);
  });

  test("[ACT4] retired while it loads, it takes its letters in first", async () => {
    box.loading = deferred<BoxState | null>();
    const activation = activates();
    activation.receive(ask("echo", 1));
    activation.receive(ask("echo", 2));
    activation.retire();
    box.loading.resolve({ id: "1", isBusy: false });
    await settled();
    expect(answers).toEqual(["echo: 1", "echo: 2"]);
    expect(ended).toHaveLength(1);
  });

  test("[ACT4] an ask that is never answered holds it, and is refused at the hard end", async () => {
    const activation = await active();
    activation.receive(ask("silent"));
    activation.retire();
    expect(ended).toEqual([]);
    activation.end({ code: "unavailable", message: "stopping" });
    expect(answers).toEqual(["silent: unavailable"]);
  });

  test("[ACT3] a bug while it passivates loses no waiting letter", async () => {
    const activation = await active();
    activation.receive(ask("work"));
    activation.retire();
    activation.receive(ask("echo"));
    const turn = box.behaviour.onWorkersGone;
    box.behaviour.onWorkersGone = () => {
      throw new Error("a bug");
    };
    activation.workersGone(new Set(["w9"]));
    box.behaviour.onWorkersGone = turn;
    expect(answers).toEqual(["work: internal"]);
    expect(ended[0]?.letters).toHaveLength(1);
  });
});

describe("timers", () => {
  test("[ACT5] a timer rings once, at its time", async () => {
    const activation = await active();
    activation.receive(ask("after", 500));
    await clock.advance(499);
    expect(box.happened).not.toContain("timer bell");
    await clock.advance(10_000);
    expect(box.happened.filter((one) => one === "timer bell")).toHaveLength(1);
  });

  test("[ACT5] set anew it rings at the new time only", async () => {
    const activation = await active();
    activation.receive(ask("after", 500));
    await clock.advance(400);
    activation.receive(ask("after", 500));
    await clock.advance(499);
    expect(box.happened).not.toContain("timer bell");
    await clock.advance(1);
    expect(box.happened).toContain("timer bell");
  });

  test("[ACT5] cancelled, or after the end, it never rings", async () => {
    const activation = await active();
    activation.receive(ask("after", 500));
    activation.receive(ask("cancel"));
    expect(clock.pending).toBe(0);
    activation.receive(ask("after", 500));
    activation.end({ code: "unavailable", message: "" });
    expect(clock.pending).toBe(0);
  });
});

test("[ACT4] idle is who holds nothing: no work, no timer, no one waiting, not busy", async () => {
  const activation = await active();
  expect(activation.isIdle).toBe(true);
  activation.receive(ask("busy", true));
  activation.receive(ask("after", 500));
  expect(activation.isIdle).toBe(false);
  activation.receive(ask("busy", false));
  expect(activation.isIdle).toBe(false);
});
