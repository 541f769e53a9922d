import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Topic } from "../../src/protocol/topics.ts";
import { Exchange } from "../../src/runtime/exchange.ts";
import {
  decodeAt,
  eachFrame,
  encode,
  FLAG,
  FRAME,
  type Frame,
  frame,
} from "../../src/runtime/frames.ts";
import type { View } from "../../src/runtime/view.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

/** One of the exchange's neighbours: keeps every frame, in order. */
class Ear {
  readonly frames: Frame[] = [];
  isFull = false;
  isHeld = false;

  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
  }

  send(sent: Frame): void {
    this.sendBytes(encode(sent));
  }

  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    eachFrame(copy, (at) => this.frames.push(decodeAt(copy, at)));
  }

  flush(): void {
    // Nothing is held back here.
  }
}

let clock: FakeClock;
let primary: Ear;
let thread: Ear;
/** What the edge noticed, in order. */
let edge: string[];
let exchange: Exchange;

beforeEach(() => {
  clock = new FakeClock();
  primary = new Ear();
  thread = new Ear();
  edge = [];
  exchange = new Exchange({
    incarnation: "w1",
    isCluster: false,
    clock,
    pipe: primary,
    thread,
    drops: { note: (source, reason) => edge.push(`dropped ${source} ${reason}`) },
    onEvent: (event) => edge.push(`event ${event.name} ${event.rev}`),
    onView: (now) => edge.push(`view ${now.view.number}`),
    onControl: (order, reply) => {
      edge.push(`order ${order.name}`);
      reply("{}");
    },
    onBatchEnd: () => edge.push("end"),
  });
});

afterEach(() => {
  exchange.close();
  expect(clock.pending).toBe(0);
});

function takes(number: number, incarnations: string[]): void {
  const view: View = {
    number,
    workers: incarnations.map((incarnation) => ({ incarnation, slot: incarnation })),
    draining: [],
    away: [],
  };
  exchange.fromPrimary(encode(frame(FRAME.view, { view: number, body: JSON.stringify(view) })));
  edge.length = 0;
  thread.frames.length = 0;
}

const batch = (...frames: Frame[]) => Buffer.concat(frames.map(encode));
const event = (rev: number) =>
  frame(FRAME.event, { from: "w1", key: "conversations:1", name: "message", rev, body: "{}" });

function asks(): void {
  exchange.gateway.askText("conversation:1", "send", "{}", 0, (_ok, body, rev) => {
    edge.push(`answer ${body} ${rev}`);
  });
}

describe("from the thread", () => {
  test("[XCH1] an event and the answer that stands for it keep their order", () => {
    takes(1, ["w1"]);
    asks();
    const { corr } = thread.frames[0]!;
    const answer = frame(FRAME.answer, { to: "w1", corr, flags: FLAG.ok, body: '"a"', rev: 3 });
    exchange.fromThread(batch(event(2), event(3), answer));
    expect(edge).toEqual(["event message 2", "event message 3", 'answer "a" 3', "end"]);
  });

  test("[XCH1] what is for others goes on as it is, in order", () => {
    takes(1, ["w1", "w2"]);
    const answer = frame(FRAME.answer, { to: "w2", from: "w1", corr: 9, flags: FLAG.ok, rev: 2 });
    const ask = frame(FRAME.ask, { to: "w2", from: "w1", corr: 0x80000001, key: "user:1" });
    exchange.fromThread(batch(event(2), answer, ask));
    expect(primary.frames).toEqual([event(2), answer, ask]);
    expect(edge).toEqual(["event message 2", "end"]);
  });

  test("[XCH2] alone, no event leaves; with a neighbour each does", () => {
    takes(1, ["w1"]);
    exchange.fromThread(batch(event(2)));
    expect(primary.frames).toEqual([]);
    takes(2, ["w1", "w2"]);
    exchange.fromThread(batch(event(3)));
    expect(primary.frames).toEqual([event(3)]);
  });
});

describe("from the primary", () => {
  test("[XCH1] asks and tells go to the thread, events to the edge", () => {
    takes(1, ["w1", "w2"]);
    const ask = frame(FRAME.ask, { to: "w1", from: "w2", corr: 5, key: "user:1", name: "status" });
    const tell = frame(FRAME.tell, { to: "w1", from: "w2", key: "user:1", name: "x" });
    exchange.fromPrimary(batch(ask, event(4), tell));
    expect(thread.frames).toEqual([ask, tell]);
    expect(edge).toEqual(["event message 4", "end"]);
  });

  test("[XCH1] an answer goes to the side that asked", () => {
    takes(1, ["w2"]);
    asks();
    const { corr } = primary.frames[0]!;
    const mine = frame(FRAME.answer, { to: "w1", from: "w2", corr, flags: FLAG.ok, body: "1" });
    const theirs = { ...mine, corr: 0x80000007 };
    exchange.fromPrimary(batch(theirs, mine));
    expect(thread.frames).toEqual([theirs]);
    expect(edge).toEqual(["answer 1 0", "end"]);
  });

  test("[XCH1] a view reaches the thread, the gateway and the edge, before what follows it", () => {
    const view: View = {
      number: 1,
      workers: [{ incarnation: "w1", slot: "w1" }],
      draining: [],
      away: [],
    };
    const said = frame(FRAME.view, { view: 1, body: JSON.stringify(view) });
    exchange.fromPrimary(batch(said, event(2)));
    expect(thread.frames).toEqual([said]);
    expect(edge).toEqual(["view 1", "event message 2", "end"]);
    exchange.fromPrimary(batch(said));
    expect(edge).toEqual(["view 1", "event message 2", "end", "end"]);
  });

  test("[XCH1] an ask that found nobody is asked again, not taken for an answer", () => {
    takes(1, ["w2"]);
    asks();
    const { corr } = primary.frames[0]!;
    exchange.fromPrimary(
      batch(frame(FRAME.answer, { to: "w1", corr, flags: FLAG.notOwner, key: "conversation:1" })),
    );
    expect(edge).toEqual(["end"]);
    takes(2, ["w1"]);
    expect(exchange.gateway.pendingAsks).toBe(1);
  });

  test("an order that wants an answer gets one", () => {
    exchange.fromPrimary(batch(frame(FRAME.control, { name: "metrics", corr: 3 })));
    exchange.fromPrimary(batch(frame(FRAME.control, { name: "drain" })));
    expect(edge.filter((one) => one.startsWith("order"))).toEqual(["order metrics", "order drain"]);
    expect(primary.frames).toMatchObject([{ type: FRAME.answer, corr: 3, flags: FLAG.ok }]);
  });
});

describe("asking the primary", () => {
  const answered = (flags: number, body: string) => {
    const { corr } = primary.frames.at(-1)!;
    exchange.fromPrimary(batch(frame(FRAME.answer, { to: "w1", corr, flags, body })));
  };

  test("[XCH3] a subscription is done when it is confirmed", async () => {
    takes(1, ["w1", "w2"]);
    let isDone = false;
    void exchange.subscribe(["a", "b"]).then(() => {
      isDone = true;
    });
    expect(primary.frames.at(-1)).toMatchObject({ type: FRAME.subscribe, body: "a\nb" });
    await settled();
    expect(isDone).toBe(false);
    answered(FLAG.ok, "null");
    await settled();
    expect(isDone).toBe(true);
  });

  test("[XCH3] without an answer it fails in time", async () => {
    takes(1, ["w1", "w2"]);
    const failed = exchange.subscribe(["a"]).catch((error: Error) => error.message);
    await clock.advance(5_000);
    expect(await failed).toMatch(/subscribe/);
  });

  test("[XCH3] what the primary says comes back as it is", async () => {
    const health = exchange.askPrimary("host_health");
    answered(FLAG.ok, '{"workers":2}');
    expect(await health).toEqual({ ok: true, value: { workers: 2 } });
    const refused = exchange.askPrimary("gather_metrics");
    answered(0, '{"code":"unavailable","message":"no"}');
    expect(await refused).toMatchObject({ ok: false, error: { code: "unavailable" } });
  });
});

test("[XCH1] what the edge publishes itself reaches the others and its own sessions", () => {
  takes(1, ["w1", "w2"]);
  exchange.publish("revocations" as Topic, { name: "revoked", body: "{}", rev: 0 });
  expect(primary.frames).toMatchObject([{ type: FRAME.event, key: "revocations", from: "w1" }]);
  expect(edge).toEqual(["event revoked 0"]);
});

describe("[XCH4] [ASK5] while too much waits", () => {
  const UNAVAILABLE = { ok: false, error: expect.objectContaining({ code: "unavailable" }) };

  test("for the thread, new asks of its actors are refused, and tells still go", async () => {
    takes(1, ["w1"]);
    thread.isFull = true;
    const answer = await exchange.gateway.ask("user", "7", "status", {});
    expect(answer).toEqual(UNAVAILABLE);
    exchange.gateway.tell("user", "7", "session_closed", { session: "s" as never });
    expect(thread.frames.map(({ name }) => name)).toEqual(["session_closed"]);
    expect(exchange.isCongested).toBe(true);
  });

  test("for the thread, other workers' asks are answered at once", () => {
    takes(1, ["w1", "w2"]);
    thread.isFull = true;
    exchange.fromPrimary(
      batch(frame(FRAME.ask, { to: "w1", from: "w2", corr: 5, key: "user:7", name: "status" })),
    );
    expect(thread.frames).toEqual([]);
    const [answer] = primary.frames.filter(({ type }) => type === FRAME.answer);
    expect(answer).toMatchObject({ to: "w2", corr: 5, flags: 0 });
    expect(JSON.parse(answer?.body ?? "")).toMatchObject({ code: "unavailable" });
  });

  test("for the primary, nothing more is taken from the thread", () => {
    exchange.onPipePressure(true);
    expect(thread.isHeld).toBe(true);
    exchange.onPipePressure(false);
    expect(thread.isHeld).toBe(false);
  });
});
