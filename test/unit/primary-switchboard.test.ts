import { beforeEach, describe, expect, test } from "vitest";
import { Tally } from "../../src/base/metrics.ts";
import { type Line, NO_UPLINK, Switchboard, type Uplink } from "../../src/primary/switchboard.ts";
import {
  decodeAt,
  eachFrame,
  encode,
  FLAG,
  FRAME,
  type Frame,
  frame,
} from "../../src/runtime/frames.ts";

/** A worker's end of its pipe: every frame that reaches it, in order. */
class Ear implements Line {
  readonly heard: Frame[] = [];
  isFull = false;
  isRead = true;
  pauseReading(): void {
    this.isRead = false;
  }
  resumeReading(): void {
    this.isRead = true;
  }
  send(sent: Frame): void {
    this.sendBytes(encode(sent));
  }
  sendBytes(bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    eachFrame(copy, (at) => this.heard.push(decodeAt(copy, at)));
  }
  get names(): string[] {
    return this.heard.map((one) => one.name || Object.keys(FRAME)[one.type - 1]!);
  }
}

class RecordingUplink implements Uplink {
  readonly said: string[] = [];
  confirm: Promise<void> | null = null;
  publish(topic: string): void {
    this.said.push(`publish ${topic}`);
  }
  send(incarnation: string): boolean {
    this.said.push(`send ${incarnation}`);
    return incarnation.startsWith("far");
  }
  interest(topic: string, wanted: boolean): Promise<void> | null {
    this.said.push(`${wanted ? "want" : "drop"} ${topic}`);
    return this.confirm;
  }
}

let uplink: RecordingUplink;
let switchboard: Switchboard;
let toPrimary: [string, Frame][];
let tally: Tally;
let dropped: string[];
const drops = {
  note: (source: string, reason: string) => void dropped.push(`${source} ${reason}`),
};
let a: Ear;
let b: Ear;

function from(incarnation: string, ...frames: Frame[]): void {
  switchboard.fromWorker(incarnation, Buffer.concat(frames.map(encode)));
}
const event = (key: string, name: string) => frame(FRAME.event, { key, name, body: "{}" });
const subscribe = (topics: string, corr = 1) => frame(FRAME.subscribe, { body: topics, corr });

beforeEach(() => {
  uplink = new RecordingUplink();
  toPrimary = [];
  tally = new Tally();
  dropped = [];
  switchboard = new Switchboard(uplink, { tally, drops }, (incarnation, heard) =>
    toPrimary.push([incarnation, heard]),
  );
  a = new Ear();
  b = new Ear();
  switchboard.attach("a", a);
  switchboard.attach("b", b);
});

describe("events", () => {
  test("[SWB1] go to those who hear the topic, not back, and once to the uplink", () => {
    from("a", subscribe("t:1"));
    from("b", subscribe("t:1\nt:2"));
    from("a", event("t:1", "one"), event("t:2", "two"), event("t:3", "three"));
    expect(a.names).toEqual(["answer"]);
    expect(b.names).toEqual(["answer", "one", "two"]);
    expect(uplink.said.filter((said) => said.startsWith("publish"))).toHaveLength(3);
  });

  test("[SWB1] of another host reach all who hear them and do not go out again", () => {
    from("a", subscribe("t:1"));
    from("b", subscribe("t:1"));
    switchboard.fromUplink(encode(event("t:1", "one")));
    expect(a.names).toEqual(["answer", "one"]);
    expect(b.names).toEqual(["answer", "one"]);
    expect(uplink.said.some((said) => said.startsWith("publish"))).toBe(false);
  });

  test("[SWB2] a subscription in the same batch is answered ahead of the next event", () => {
    from("b", subscribe("t:1", 7));
    from("a", event("t:1", "one"));
    from("b", frame(FRAME.unsubscribe, { body: "t:1", corr: 8 }));
    from("a", event("t:1", "two"));
    expect(b.heard.map((one) => [one.name, one.corr])).toEqual([
      ["", 7],
      ["one", 0],
      ["", 8],
    ]);
    expect(b.heard[0]).toMatchObject({ type: FRAME.answer, flags: FLAG.ok, to: "b" });
  });

  test("[SWB2] an answer waits for the uplink's word, the second worker's too", async () => {
    let confirm: () => void = () => undefined;
    uplink.confirm = new Promise((resolve) => {
      confirm = resolve;
    });
    from("a", subscribe("t:1"));
    from("b", subscribe("t:1"));
    expect([a.heard, b.heard]).toEqual([[], []]);
    confirm();
    await new Promise((resolve) => setImmediate(resolve));
    expect([a.names, b.names]).toEqual([["answer"], ["answer"]]);
    expect(uplink.said).toEqual(["want t:1"]);
  });

  test("[SWB3] the host's interest follows the first and the last who hear", () => {
    from("a", subscribe("t:1", 0));
    from("b", subscribe("t:1", 0));
    from("a", frame(FRAME.unsubscribe, { body: "t:1" }));
    expect(uplink.said).toEqual(["want t:1"]);
    switchboard.detach("b");
    expect(uplink.said).toEqual(["want t:1", "drop t:1"]);
    expect(switchboard.topics).toBe(0);
  });
});

describe("asks, tells and answers", () => {
  test("[SWB4] pass unread to the life they name, here or far", () => {
    const ask = frame(FRAME.ask, { to: "b", from: "a", corr: 5, key: "user:1", body: '"ü"' });
    from("a", ask, frame(FRAME.tell, { to: "far.1", from: "a" }));
    expect(b.heard).toEqual([ask]);
    expect(uplink.said).toEqual(["send far.1"]);
    switchboard.fromUplink(encode(frame(FRAME.answer, { to: "a", corr: 5, flags: FLAG.ok })));
    expect(a.heard).toMatchObject([{ type: FRAME.answer, corr: 5 }]);
  });

  test("[SWB5] an ask to a life that is gone is answered not-owner, with the view's number", () => {
    switchboard.announce(frame(FRAME.view, { view: 9, body: "{}" }));
    switchboard.detach("b");
    from("a", frame(FRAME.ask, { to: "b", from: "a", corr: 6 }), frame(FRAME.tell, { to: "b" }));
    expect(a.heard.slice(1)).toMatchObject([
      { type: FRAME.answer, flags: FLAG.notOwner, from: "", to: "a", corr: 6, view: 9 },
    ]);
  });

  test("[SWB5] what came from another host never goes back out for want of an owner", () => {
    switchboard.fromUplink(encode(frame(FRAME.tell, { to: "far.2", from: "far.1" })));
    expect(uplink.said).toEqual([]);
    switchboard.fromUplink(encode(frame(FRAME.ask, { to: "far.2", from: "far.1", corr: 3 })));
    expect(uplink.said).toEqual(["send far.1"]);
  });

  test("[SWB6] reports and answers to the primary reach it, with who sent them", () => {
    from(
      "a",
      frame(FRAME.control, { name: "online", from: "liar" }),
      frame(FRAME.answer, { corr: 2, flags: FLAG.ok }),
    );
    expect(toPrimary.map(([incarnation, heard]) => [incarnation, heard.name, heard.corr])).toEqual([
      ["a", "online", 0],
      ["a", "", 2],
    ]);
  });
});

test("[SWB7] frames are counted by type and direction", () => {
  from("b", subscribe("t:1"));
  from("a", event("t:1", "one"), event("t:2", "two"));
  const counts: Record<string, number> = {};
  tally.each((type, direction, count) => {
    counts[`${type} ${direction}`] = count;
  });
  expect(counts).toEqual({ "subscribe in": 1, "event in": 2, "event out": 1 });
});

test("[SWB8] one host alone needs no uplink", () => {
  const alone = new Switchboard(NO_UPLINK, { tally, drops }, () => undefined);
  alone.attach("a", a);
  alone.fromWorker("a", encode(subscribe("t:1")));
  alone.fromWorker("a", encode(frame(FRAME.ask, { to: "x", from: "a", corr: 1 })));
  expect(a.heard.map((one) => one.flags)).toEqual([FLAG.ok, FLAG.notOwner]);
});

describe("[SWB9] a worker for whom too much waits", () => {
  const tellTo = (to: string) => frame(FRAME.tell, { to, key: "user:1", body: "{}" });

  test("stops the reading of whoever sends to it, until there is room", () => {
    b.isFull = true;
    from("a", tellTo("b"));
    expect([a.isRead, b.isRead, b.heard.length]).toEqual([false, true, 1]);
    b.isFull = false;
    switchboard.relieved("b");
    expect(a.isRead).toBe(true);
  });

  test("stops nobody who sends elsewhere", () => {
    b.isFull = true;
    from("a", tellTo("a"), tellTo("far"));
    expect(a.isRead).toBe(true);
  });

  test("is waited for no more when it is gone", () => {
    b.isFull = true;
    from("a", tellTo("b"));
    switchboard.detach("b");
    expect(a.isRead).toBe(true);
  });

  test("one of two full lines with room is not enough", () => {
    const c = new Ear();
    switchboard.attach("c", c);
    b.isFull = true;
    c.isFull = true;
    from("a", tellTo("b"), tellTo("c"));
    switchboard.relieved("b");
    expect(a.isRead).toBe(false);
    switchboard.relieved("c");
    expect(a.isRead).toBe(true);
  });
});
