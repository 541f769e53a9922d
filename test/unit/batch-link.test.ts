import { once } from "node:events";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BatchLink, createLine, type LineEnd } from "../../src/runtime/batch-link.ts";
import { decodeAt, eachFrame, encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { eventually } from "../support/eventually.ts";

let near: LineEnd;
let far: LineEnd;
let link: BatchLink;
let stuck: string[];

beforeEach(() => {
  [near, far] = createLine();
  stuck = [];
  link = new BatchLink(near, { frames: () => undefined, stuck: (why) => stuck.push(String(why)) });
});

afterEach(() => {
  near.port.close();
});

const tell = (body: string) => frame(FRAME.tell, { body });

function bodiesOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const bodies: string[] = [];
  eachFrame(buffer, (at) => bodies.push(decodeAt(buffer, at).body));
  return bodies;
}

/** The far end, batch by batch; `each` may throw. */
function farEnd(
  each: (bodies: string[]) => void,
  failed: (why: Error) => void = (why) => stuck.push(String(why)),
) {
  return new BatchLink(far, { frames: (bytes) => each(bodiesOf(bytes)), stuck: failed });
}

/** What has been posted to a far end that works nothing through. */
function posted(port: MessagePort): string[][] {
  const batches: string[][] = [];
  port.on("message", (batch: Uint8Array) => batches.push(bodiesOf(batch)));
  return batches;
}

test("[LNK1] a lone frame leaves at the end of its turn, and flush lets it leave at once", async () => {
  const heard: string[][] = [];
  farEnd((bodies) => heard.push(bodies));
  link.send(tell("one"));
  link.sendBytes(encode(tell("two")));
  expect(receiveMessageOnPort(far.port), "not before its end").toBeUndefined();
  await eventually("both have come", () => heard.length > 0);
  link.send(tell("three"));
  link.flush();
  const third = receiveMessageOnPort(far.port);
  expect(bodiesOf(third?.message as Uint8Array)).toEqual(["three"]);
  expect(heard).toEqual([["one", "two"]]);
});

test("[LNK2] with two batches not worked through the rest gathers, in order", async () => {
  const batches = posted(far.port);
  for (const name of ["a", "b", "c", "d", "e"]) {
    link.send(tell(name));
    link.flush();
  }
  await eventually("two have come", () => batches.length === 2);
  expect(batches).toEqual([["a"], ["b"]]);
  far.port.removeAllListeners("message");

  // Somebody works them through after all, and says so.
  Atomics.add(far.incoming, 0, 1);
  expect(Atomics.exchange(far.incoming, 1, 0), "the sender has said that it waits").toBe(1);
  const [next] = await Promise.all([once(far.port, "message"), far.port.postMessage(null)]);
  expect(bodiesOf(next[0] as Uint8Array)).toEqual(["c", "d", "e"]);
});

test("[LNK2] whatever two ends say at once, all of it comes, in order", async () => {
  const FRAMES = 3_000;
  const heard: string[] = [];
  const back: string[] = [];
  const [one, other] = createLine();
  const end = (at: LineEnd, into: string[]) =>
    new BatchLink(at, {
      frames: (bytes) => into.push(...bodiesOf(bytes)),
      stuck: (why) => stuck.push(String(why)),
    });
  const here = end(one, back);
  const there = end(other, heard);
  for (let n = 0; n < FRAMES; n++) {
    here.send(tell(`${n}`));
    there.send(tell(`${n}`));
    // Some at once and some with their turn, so that lines fill and empty again.
    if (n % 3 === 0) here.flush();
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const all = Array.from({ length: FRAMES }, (_, n) => `${n}`);
  await eventually("all has come", () => heard.length === FRAMES && back.length === FRAMES);
  expect(heard).toEqual(all);
  expect(back).toEqual(all);
  expect(stuck).toEqual([]);
  one.port.close();
});

test("[LNK3] a side that cannot go on says so once, and takes nothing any more", async () => {
  const seen: string[] = [];
  const reasons: string[] = [];
  farEnd(
    (bodies) => {
      seen.push(...bodies);
      throw new Error("cannot");
    },
    (why) => reasons.push(String(why)),
  );
  const closed = once(near.port, "close");
  for (const name of ["a", "b"]) {
    link.send(tell(name));
    link.flush();
  }
  await closed;
  expect(seen).toEqual(["a"]);
  expect(reasons).toEqual(["Error: cannot"]);
  expect(stuck).toEqual([]);
});

test("[LNK3] a far end that never reads is stuck, not a heap of memory", () => {
  const big = encode(tell("x".repeat(8 * 1024 * 1024)));
  for (let n = 0; n < 30 && stuck.length === 0; n++) {
    link.sendBytes(big);
    link.flush();
  }
  expect(stuck).toEqual(["Error: the other side does not read"]);
  link.send(tell("late"));
  link.flush();
  expect(stuck).toHaveLength(1);
});
