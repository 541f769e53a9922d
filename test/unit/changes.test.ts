import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChangeBucket, takeChange } from "../../actors/changes.ts";
import { CHANGES_EVERY_MS } from "../../actors/limits.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { BEFORE_ALL, monotonic } from "../../src/protocol/time.ts";
import { settled } from "../support/fake-clock.ts";
import { SoloActors } from "../support/solo-actors.ts";

const RATE = { perS: 1, burst: 3 };

describe("the bucket of a conversation", () => {
  let bucket: ChangeBucket;
  beforeEach(() => {
    bucket = { used: 0, atMs: BEFORE_ALL };
  });
  const takes = (count: number, nowMs: number) =>
    Array.from({ length: count }, () => {
      const refusal = takeChange(bucket, RATE, "update", { user: "1" }, monotonic(nowMs));
      return refusal?.retry_after_ms ?? 0;
    });

  test("[CHG1] gives its burst at once, then says how long to wait, and is right", () => {
    expect(takes(4, 1_000)).toEqual([0, 0, 0, 1_000]);
    expect(takes(1, 1_999)).toEqual([1]);
    expect(takes(2, 2_000)).toEqual([0, 1_000]);
    expect(takes(4, 60_000)).toEqual([0, 0, 0, 1_000]);
  });

  test("[CHG1] without a rate nothing is counted", () => {
    for (let n = 0; n < 100; n++)
      expect(takeChange(bucket, null, "update", {}, BEFORE_ALL)).toBeNull();
  });
});

describe("a conversation", () => {
  let actors: SoloActors;
  let ann: UserId;
  let bob: UserId;
  let cat: UserId;
  let room: ConversationId;
  beforeEach(async () => {
    actors = new SoloActors(undefined, RATE);
    [ann, bob, cat] = (await actors.users(3)) as [UserId, UserId, UserId];
    room = await actors.group([ann, bob]);
  });
  afterEach(() => actors.close());

  /** Waits as long as changes are gathered. */
  const asks = async (op: string, user: UserId, body: object) => {
    const told = actors.asking(`conversation:${room}`, op, { user, session: "s", ...body });
    await settled();
    if (op !== "send") await actors.clock.advance(CHANGES_EVERY_MS);
    return told;
  };

  test("[CHG1] counts titles and members of all its members together", async () => {
    expect(await asks("update", ann, { title: "a" })).toHaveProperty("value");
    expect(await asks("add_members", bob, { user_ids: [cat] })).toHaveProperty("value");
    expect(await asks("remove_member", ann, { user_id: cat })).toHaveProperty("value");
    expect(await asks("update", bob, { title: "b" })).toEqual({ code: "rate_limited" });
    await actors.clock.advance(1_000);
    expect(await asks("update", bob, { title: "b" })).toHaveProperty("value");
  });

  test("[CHG1] is not spent by strangers, nor by messages", async () => {
    for (let n = 0; n < 10; n++) {
      expect(await asks("update", cat, { title: `${n}` })).toEqual({ code: "not_found" });
      const sent = { client_id: `${n}`, body: "hi", reply_to_seq: null };
      expect(await asks("send", ann, sent)).toHaveProperty("value");
    }
    expect(await asks("update", ann, { title: "a" })).toHaveProperty("value");
  });

  test("[CHG2] lets whoever wants to leave", async () => {
    for (const title of ["a", "b", "c"]) await asks("update", ann, { title });
    expect(await asks("update", ann, { title: "d" })).toEqual({ code: "rate_limited" });
    expect(await asks("remove_member", bob, { user_id: bob })).toHaveProperty("value");
  });
});
