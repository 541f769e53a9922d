import { beforeEach, expect, test } from "vitest";
import { BatchLink } from "../../src/runtime/batch-link.ts";
import { decodeAt, eachFrame, encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { settled } from "../support/fake-clock.ts";

/** The far end: each call waits until the test lets it go. */
let calls: { bodies: string[]; done: () => void; fail: (error: Error) => void }[];
let stuck: string[];
let link: BatchLink;

beforeEach(() => {
  calls = [];
  stuck = [];
  const submit = (batch: Uint8Array) =>
    new Promise<void>((done, fail) => {
      const bytes = Buffer.from(batch);
      const bodies: string[] = [];
      eachFrame(bytes, (at) => bodies.push(decodeAt(bytes, at).body));
      calls.push({ bodies, done, fail });
    });
  link = new BatchLink(submit, (reason) => stuck.push(reason));
});

const tell = (body: string) => frame(FRAME.tell, { body });

test("[LNK1] a lone frame leaves at the end of its turn", async () => {
  link.send(tell("one"));
  expect(calls).toHaveLength(0);
  await settled();
  expect(calls[0]?.bodies).toEqual(["one"]);
});

test("[LNK1] flush lets it leave at once", () => {
  link.send(tell("one"));
  link.sendBytes(encode(tell("two")));
  link.flush();
  expect(calls[0]?.bodies).toEqual(["one", "two"]);
});

test("[LNK2] with two calls unanswered the rest gathers, in order", async () => {
  for (const name of ["a", "b", "c", "d", "e"]) {
    link.send(tell(name));
    link.flush();
  }
  expect(calls.map(({ bodies }) => bodies)).toEqual([["a"], ["b"]]);
  calls[0]!.done();
  await settled();
  expect(calls[2]?.bodies).toEqual(["c", "d", "e"]);
});

test("[LNK3] a far end that fails is told once, and nothing is sent any more", async () => {
  link.send(tell("a"));
  link.flush();
  calls[0]!.fail(new Error("gone"));
  await settled();
  link.send(tell("b"));
  link.flush();
  await settled();
  expect(stuck).toEqual(["Error: gone"]);
  expect(calls).toHaveLength(1);
});

test("[LNK3] a far end that never reads is stuck, not a heap of memory", () => {
  const big = encode(tell("x".repeat(8 * 1024 * 1024)));
  for (let n = 0; n < 30 && stuck.length === 0; n++) {
    link.sendBytes(big);
    link.flush();
  }
  expect(stuck).toHaveLength(1);
});
