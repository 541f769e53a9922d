import { afterEach, beforeEach, expect, test } from "vitest";
import { TopicSubscriptions } from "../../src/edge/live/subscriptions.ts";
import type { Topic } from "../../src/protocol/topics.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const A: Topic = "conversations:1";
const B: Topic = "conversations:2";

let clock: FakeClock;
let interests: TopicSubscriptions;
let frames: string[];
let dropped: string[];
/** How the primary answers a subscription. */
let primary: () => Promise<void>;

beforeEach(() => {
  clock = new FakeClock();
  frames = [];
  dropped = [];
  primary = () => Promise.resolve();
  interests = new TopicSubscriptions({
    clock,
    subscribe: (topics) => {
      frames.push(`+${topics.join(",")}`);
      return primary();
    },
    unsubscribe: (topics) => frames.push(`-${topics.join(",")}`),
    onDropped: (topic) => dropped.push(topic),
  });
});

afterEach(() => {
  interests.close();
  expect(clock.pending).toBe(0);
});

test("[INT1] want resolves when the primary has confirmed, for everyone who waits", async () => {
  let confirm: () => void = () => undefined;
  primary = () =>
    new Promise((resolve) => {
      confirm = resolve;
    });
  const done: string[] = [];
  void interests.want(A).then(() => done.push("first"));
  await settled();
  void interests.want(A).then(() => done.push("second"));
  await settled();
  expect(done).toEqual([]);
  confirm();
  await settled();
  expect(done).toEqual(["first", "second"]);
});

test("[INT2] what is wanted in one turn is one frame", async () => {
  void interests.want(A);
  void interests.want(B);
  void interests.want(A);
  await settled();
  expect(frames).toEqual([`+${A},${B}`]);
});

test("[INT3] a topic that nobody wants is dropped after its linger, once", async () => {
  await interests.want(A);
  await interests.want(A);
  interests.release(A);
  await clock.advance(60_000);
  expect(frames).toEqual([`+${A}`]);
  interests.release(A);
  await clock.advance(9_999);
  expect(dropped).toEqual([]);
  await clock.advance(30_000);
  expect(frames).toEqual([`+${A}`, `-${A}`]);
  expect(dropped).toEqual([A]);
  expect(interests.size).toBe(0);
});

test("[INT3] wanted again while it lingers, it stays without a word", async () => {
  await interests.want(A);
  interests.release(A);
  await clock.advance(5_000);
  await interests.want(A);
  await clock.advance(60_000);
  expect(frames).toEqual([`+${A}`]);
});

test("[INT3] one release too many is no harm", async () => {
  await interests.want(A);
  interests.release(A);
  interests.release(A);
  interests.release(B);
  await interests.want(A);
  await clock.advance(60_000);
  expect(interests.size).toBe(1);
});

test("[INT4] a primary that does not answer rejects who waits, and is asked again", async () => {
  primary = () => Promise.reject(new Error("no answer"));
  await expect(interests.want(A)).rejects.toThrow("no answer");
  await clock.advance(2_000);
  expect(frames.length).toBeGreaterThan(3);
  primary = () => Promise.resolve();
  await clock.advance(1_000);
  const asked = frames.length;
  await interests.want(A);
  await clock.advance(60_000);
  expect(frames).toHaveLength(asked);
});

test("[INT4] each want has its release, also a rejected one", async () => {
  primary = () => Promise.reject(new Error("no answer"));
  await expect(interests.want(A)).rejects.toThrow();
  primary = () => Promise.resolve();
  await clock.advance(1_000);
  await interests.want(A);
  interests.release(A);
  await clock.advance(60_000);
  expect(interests.size).toBe(1);
  interests.release(A);
  await clock.advance(60_000);
  expect(interests.size).toBe(0);
});
