import { afterEach, beforeEach, expect, test } from "vitest";
import { Publisher } from "../../src/relay/publisher.ts";
import { deferred } from "../support/box-behaviour.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

let clock: FakeClock;
let publisher: Publisher;
/** What was published, as `topic number texts`. */
let published: string[];
let doubted: string[];
/** What the next publishings answer; when there is nothing here they are taken. */
let answers: (Promise<unknown> | "fails")[];

beforeEach(() => {
  clock = new FakeClock();
  published = [];
  doubted = [];
  answers = [];
  let number = 0;
  publisher = new Publisher({
    clock,
    nextNumber: () => ++number,
    deliver: async (topic, n, frames) => {
      published.push(`${topic} ${n} ${frames.map((it) => Buffer.from(it).toString()).join("+")}`);
      const answer = answers.shift();
      if (answer === "fails") throw new Error("no answer");
      await answer;
    },
    onDoubted: (topic) => doubted.push(topic),
  });
});

afterEach(() => {
  publisher.clear();
  expect(clock.pending).toBe(0);
});

async function says(topic: string, ...texts: string[]): Promise<void> {
  for (const text of texts) publisher.push(topic, Buffer.from(text));
  await settled();
}

test("[PUB1] what one turn says of a topic is one message, and each has a number of its own", async () => {
  publisher.push("a", Buffer.from("1"));
  await says("b", "2", "3");
  await says("a", "4");
  expect(published).toEqual(["a 1 1", "b 2 2+3", "a 3 4"]);
  expect(doubted).toEqual([]);
});

test("[PUB1] one that fails is published again under its number", async () => {
  answers.push("fails", "fails");
  await says("a", "1");
  await clock.advance(1_000);
  expect(published).toEqual(["a 1 1", "a 1 1", "a 1 1"]);
  expect(doubted).toEqual([]);
});

test("[PUB3] one that fails three times is in doubt, and the next goes on", async () => {
  answers.push("fails", "fails", "fails");
  await says("a", "1");
  await clock.advance(1_000);
  expect(doubted).toEqual(["a"]);
  await says("a", "2");
  expect(published.at(-1)).toBe("a 2 2");
});

test("[PUB2] what follows on the topic waits behind it, what is on others does not", async () => {
  answers.push("fails");
  await says("a", "1");
  await says("a", "2", "3");
  await says("b", "4");
  expect(published).toEqual(["a 1 1", "b 2 4"]);
  await clock.advance(100);
  expect(published).toEqual(["a 1 1", "b 2 4", "a 1 1", "a 3 2+3"]);
  expect(doubted).toEqual([]);
});

test("[PUB2] a later one has left already: it is not published again, the topic is in doubt", async () => {
  const first = deferred<void>();
  answers.push(first.promise);
  await says("a", "online");
  await says("a", "away");
  first.reject(new Error("timed out"));
  await clock.advance(1_000);
  expect(published).toEqual(["a 1 online", "a 2 away"]);
  expect(doubted).toEqual(["a"]);
});

test("[PUB2] two fail that were on their way at once: the later is published again", async () => {
  const [first, second] = [deferred<void>(), deferred<void>()];
  answers.push(first.promise, second.promise);
  await says("a", "1");
  await says("a", "2");
  for (const each of [first, second]) each.reject(new Error("timed out"));
  await clock.advance(1_000);
  expect(published).toEqual(["a 1 1", "a 2 2", "a 2 2"]);
  expect(doubted).toEqual(["a"]);
});

test("[PUB3] what has not left when the bus is lost is in doubt, and nothing follows", async () => {
  answers.push("fails");
  await says("a", "1");
  publisher.push("b", Buffer.from("2"));
  publisher.clear();
  expect(doubted.toSorted()).toEqual(["a", "b"]);
  await clock.advance(1_000);
  expect(published).toEqual(["a 1 1"]);
});

test("[PUB3] what fails after the bus was lost is in doubt, and not published again", async () => {
  const first = deferred<void>();
  answers.push(first.promise);
  await says("a", "1");
  publisher.clear();
  first.reject(new Error("connection lost"));
  await clock.advance(1_000);
  expect(published).toEqual(["a 1 1"]);
  expect(doubted).toEqual(["a"]);
});

test("[PUB3] what waits behind others is bounded", async () => {
  answers.push("fails");
  await says("a", "1");
  const large = "x".repeat(3 * 1024 * 1024);
  await says("a", large, large, large);
  expect(doubted).toEqual(["a"]);
  await clock.advance(100);
  expect(published.at(-1)?.length).toBe("a 2 ".length + 2 * large.length + 1);
});
