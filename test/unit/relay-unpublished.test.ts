import { expect, test } from "vitest";
import { DOUBTED_TOPICS_MAX } from "../../src/protocol/doubt.ts";
import { UnpublishedTopics } from "../../src/relay/unpublished-topics.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("[UNP1] topics are named once, with the age of the first", async () => {
  const clock = new FakeClock();
  const unpublished = new UnpublishedTopics(clock);
  expect(unpublished.take()).toBeNull();
  unpublished.add("a");
  await clock.advance(500);
  unpublished.add("b");
  unpublished.add("a");
  await clock.advance(250);
  expect(unpublished.take()).toEqual({ topics: ["a", "b"], ageMs: 750 });
  expect(unpublished.take()).toBeNull();
});

test("[UNP1] past the bound every topic is in doubt, and afterwards topics are named again", () => {
  const unpublished = new UnpublishedTopics(new FakeClock());
  for (let n = 0; n <= DOUBTED_TOPICS_MAX; n++) unpublished.add(`conversations:${n}`);
  unpublished.add("a");
  expect(unpublished.take()).toEqual({ topics: null, ageMs: 0 });
  unpublished.add("a");
  expect(unpublished.take()?.topics).toEqual(["a"]);
});

test("[UNP1] [OBX5] a doubt that was not taken joins what came since", async () => {
  const clock = new FakeClock();
  const unpublished = new UnpublishedTopics(clock);
  unpublished.add("a");
  unpublished.addAgain({ topics: ["b"], ageMs: 2_000 });
  expect(unpublished.take()).toEqual({ topics: ["a", "b"], ageMs: 2_000 });
  unpublished.addAgain({ topics: null, ageMs: 1_000 });
  unpublished.add("a");
  expect(unpublished.take()).toEqual({ topics: null, ageMs: 1_000 });
});
