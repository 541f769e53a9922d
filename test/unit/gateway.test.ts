import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FLAG, FRAME, type Frame, frame } from "../../src/runtime/frames.ts";
import { ASK_DEADLINE_MS, Gateway, isThreadCorr } from "../../src/runtime/gateway.ts";
import type { View } from "../../src/runtime/view.ts";
import { FakeClock } from "../support/fake-clock.ts";

let clock: FakeClock;
let sent: Frame[];
let gateway: Gateway;
let answers: string[];

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  answers = [];
  gateway = new Gateway({ clock, self: "me", side: "edge", send: (f) => sent.push(f) });
});

afterEach(() => {
  gateway.close();
  expect(clock.pending).toBe(0);
});

/** Each worker has a slot of its own name. */
function view(number: number, incarnations: string[], draining: string[] = []): View {
  return {
    number,
    workers: incarnations.map((incarnation) => ({ incarnation, slot: incarnation })),
    draining,
    away: [],
  };
}

function asks(op = "send", key = "conversation:1"): void {
  gateway.askText(key, op, "{}", 0, (ok, body, rev) => {
    answers.push(
      ok
        ? `${op}: ${body} ${rev}`
        : `${op}: ${(JSON.parse(body) as Frame & { code: string }).code}`,
    );
  });
}

function answer(to: Frame, body = '"done"', flags: number = FLAG.ok): void {
  gateway.onAnswer(
    frame(FRAME.answer, { to: "me", from: to.to, corr: to.corr, body, rev: 4, flags }),
  );
}

const destinations = () => sent.map((f) => f.to);

describe("answers", () => {
  test("[ASK1] an ask goes to its owner and its answer comes back", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    expect(sent[0]).toMatchObject({ type: FRAME.ask, to: "a", from: "me", view: 1, name: "send" });
    answer(sent[0]!);
    expect(answers).toEqual(['send: "done" 4']);
    expect(gateway.pendingAsks).toBe(0);
  });

  test("[ASK1] a second answer, or one to nothing, is ignored", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    answer(sent[0]!);
    answer(sent[0]!);
    gateway.onAnswer(frame(FRAME.answer, { corr: 999, flags: FLAG.ok, body: "1" }));
    expect(answers).toHaveLength(1);
  });

  test("[ASK1] closing answers what is still open", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.close();
    expect(answers).toEqual(["send: unavailable"]);
  });

  test("[ASK1] the two sides of a worker use different numbers", () => {
    const thread = new Gateway({ clock, self: "me", side: "thread", send: (f) => sent.push(f) });
    for (const each of [gateway, thread]) {
      each.setView(view(1, ["a"]));
      each.askText("user:1", "status", "{}", 0, () => undefined);
    }
    expect(sent.map(({ corr }) => isThreadCorr(corr))).toEqual([false, true]);
    thread.close();
  });
});

describe("deadlines", () => {
  test("[ASK2] what nobody answers is unavailable at the deadline", async () => {
    gateway.setView(view(1, ["a"]));
    asks();
    await clock.advance(ASK_DEADLINE_MS - 1);
    expect(answers).toEqual([]);
    await clock.advance(500);
    expect(answers).toEqual(["send: unavailable"]);
    expect(clock.pending).toBe(0);
  });

  test("[ASK2] an answer after the deadline is too late", async () => {
    gateway.setView(view(1, ["a"]));
    asks();
    await clock.advance(ASK_DEADLINE_MS + 500);
    answer(sent[0]!);
    expect(answers).toEqual(["send: unavailable"]);
  });

  test("[ASK2] without any worker an ask waits, and goes when there is one", async () => {
    asks();
    expect(sent).toEqual([]);
    await clock.advance(1_000);
    gateway.setView(view(1, ["a"]));
    expect(sent[0]).toMatchObject({ to: "a", rev: ASK_DEADLINE_MS - 1_000 });
    answer(sent[0]!);
    expect(answers).toHaveLength(1);
  });
});

describe("owners that move", () => {
  test("[ASK3] the owner is gone: asked again of the new one, answered once", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.setView(view(2, ["b"]));
    expect(destinations()).toEqual(["a", "b"]);
    answer(sent[1]!);
    answer(sent[0]!, '"from the dead"');
    expect(answers).toEqual(['send: "done" 4']);
  });

  test("[ASK3] an owner that drains still answers what it was asked", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.setView(view(2, ["b"], ["a"]));
    expect(destinations()).toEqual(["a"]);
    answer(sent[0]!);
    expect(answers).toHaveLength(1);
  });

  test("[ASK3] not the owner, and a newer view is here: asked again at once", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.setView(view(2, ["b"], ["a"]));
    answer(sent[0]!, "", FLAG.notOwner);
    expect(destinations()).toEqual(["a", "b"]);
  });

  test("[ASK3] not the owner, and nothing newer is known: asked when the view comes", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    answer(sent[0]!, "", FLAG.notOwner);
    expect(destinations()).toEqual(["a"]);
    gateway.setView(view(2, ["b"], ["a"]));
    expect(destinations()).toEqual(["a", "b"]);
  });

  test("[ASK3] a refusal of the earlier attempt does not touch the later one", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.setView(view(2, ["b"]));
    answer(sent[0]!, "", FLAG.notOwner);
    expect(destinations()).toEqual(["a", "b"]);
    answer(sent[1]!);
    expect(answers).toEqual(['send: "done" 4']);
  });

  test("[ASK3] a worker that keeps refusing is asked again a while, then given up", async () => {
    gateway.setView(view(1, ["a"]));
    asks();
    for (let n = 0; n < 50 && answers.length === 0; n++) {
      answer(sent.at(-1)!, "", FLAG.notOwner);
      await clock.advance(250);
    }
    expect(answers).toEqual(["send: unavailable"]);
    expect(sent.length).toBeLessThan(30);
  });

  test("[ASK3] an older view is not taken", () => {
    gateway.setView(view(3, ["a"]));
    gateway.setView(view(2, ["b"]));
    asks();
    expect(destinations()).toEqual(["a"]);
  });

  test("[ASK4] what may not run twice is not repeated after its owner died with it", () => {
    gateway.setView(view(1, ["a"]));
    asks("create_conversation", "user:1");
    gateway.setView(view(2, ["b"]));
    expect(destinations()).toEqual(["a"]);
    expect(answers).toEqual(["create_conversation: unavailable"]);
  });

  test("[ASK4] but it is when the receiver was not the owner, and so did not run it", () => {
    gateway.setView(view(1, ["a"]));
    asks("create_conversation", "user:1");
    gateway.setView(view(2, ["b"], ["a"]));
    answer(sent[0]!, "", FLAG.notOwner);
    expect(destinations()).toEqual(["a", "b"]);
  });
});

describe("after a gap between hosts", () => {
  test("[ASK3] what was asked over there is asked again, and the first answer is late", () => {
    gateway.setView(view(1, ["a"]));
    asks();
    gateway.onGap(new Set(["elsewhere"]));
    expect(destinations()).toEqual(["a"]);
    gateway.onGap(new Set(["a"]));
    expect(destinations()).toEqual(["a", "a"]);
    answer(sent[0]!);
    expect(answers).toEqual([]);
    answer(sent[1]!);
    expect(answers).toEqual(['send: "done" 4']);
  });

  test("[ASK4] what may not run twice is answered instead", () => {
    gateway.setView(view(1, ["a"]));
    asks("create_conversation", "user:1");
    gateway.onGap(new Set(["a"]));
    expect(answers).toEqual(["create_conversation: unavailable"]);
  });
});

describe("asks for many actors", () => {
  const letters = [{ body: { told: "online" as const }, isPeek: false, ids: ["1", "2"] }];
  const compares = () => {
    void gateway.askMany("user", "a", "compare_status", letters).then((result) => {
      answers.push(result.ok ? JSON.stringify(result.value) : result.error.code);
    });
  };

  test("[ASK6] they go to the worker named, and are answered once", async () => {
    gateway.setView(view(1, ["a", "b"]));
    compares();
    expect(sent).toMatchObject([
      { to: "a", key: "user", name: "compare_status", flags: FLAG.many },
    ]);
    answer(sent[0]!, '{"answers":[],"undone":["2"]}');
    await Promise.resolve();
    expect(answers).toEqual(['{"answers":[],"undone":["2"]}']);
  });

  test("[ASK6] that worker is lost: the asker is told, and nobody else is asked", async () => {
    gateway.setView(view(1, ["a"]));
    compares();
    gateway.setView(view(2, ["b"]));
    await Promise.resolve();
    expect(answers).toEqual(["unavailable"]);
    expect(destinations()).toEqual(["a"]);
  });

  test("[ASK6] that worker does not know of it any more: the asker is told", async () => {
    gateway.setView(view(1, ["a"]));
    compares();
    answer(sent[0]!, "", FLAG.notOwner);
    await Promise.resolve();
    expect(answers).toEqual(["unavailable"]);
  });

  test("[ASK6] what was asked across a gap is asked again", () => {
    gateway.setView(view(1, ["a"]));
    compares();
    gateway.onGap(new Set(["a"]));
    expect(destinations()).toEqual(["a", "a"]);
  });

  test("[ASK7] more of them than may wait are refused, and users' asks are not", async () => {
    gateway.setView(view(1, ["a"]));
    for (let n = 0; n < 2_100; n++) compares();
    await Promise.resolve();
    expect(answers).toEqual(Array(100).fill("unavailable"));
    asks();
    answer(sent.at(-1)!);
    expect(answers.at(-1)).toBe('send: "done" 4');
    answer(sent[0]!, '{"answers":[],"undone":[]}');
    compares();
    expect(sent).toHaveLength(2_002);
  });
});

test("[ASK1] a tell without an owner goes nowhere; with one it goes once", () => {
  gateway.tell("user", "1", "session_closed", { session: "s1" as never });
  expect(sent).toEqual([]);
  gateway.setView(view(1, ["a"]));
  gateway.tell("user", "1", "session_closed", { session: "s1" as never });
  expect(sent).toMatchObject([{ type: FRAME.tell, to: "a", key: "user:1" }]);
});
