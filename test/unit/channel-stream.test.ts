/** Gathered changes of a channel, and what a slow reader receives in their place. */
import { describe, expect, test } from "vitest";
import { withTranslation } from "../../src/protocol/contract.ts";
import type { Frame } from "../../src/runtime/frames.ts";
import { FarEnd } from "../support/far-end.ts";
import {
  channelForEachTest,
  clock,
  deletion,
  event,
  leftOut,
  members,
  message,
  waits,
  watched,
} from "../support/stream-scene.ts";

const channel = channelForEachTest();

function watches(user: string, session = `s${user}`): FarEnd {
  const far = new FarEnd({ user, session, contract: "1.1" }).begins();
  channel.stream.attach(far.session);
  return far;
}

const publish = (...frames: Frame[]) => {
  for (const frame of frames) channel.stream.onEvent(frame);
};
/** Messages of these revs, both included. */
const flood = (from: number, to: number) => {
  for (let rev = from; rev <= to; rev++) publish(message(rev));
};
const gathered = (far: FarEnd) =>
  far
    .events("changes")
    .map(({ items }) => (items as { data: { rev: number } }[]).map(({ data }) => data.rev));
/** Revs of all changes that came, gathered or not, in their order. */
const order = (far: FarEnd) =>
  far.heard.flatMap((one) => {
    const payload = JSON.parse(one.slice(one.indexOf("{")));
    if (one.startsWith("changes "))
      return payload.items.map((item: { data: { rev: number } }) => item.data.rev);
    return payload.rev === undefined ? [] : [payload.rev];
  });
const upTo = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe("gathered changes", () => {
  test("[CHD1] up to 50 changes a second come one by one", async () => {
    const far = watches("1");
    flood(2, 51);
    expect(far.events("message")).toHaveLength(50);
    expect(gathered(far)).toEqual([]);
  });

  test("[CHD1] above 50 a second they come together, at most every 50 ms, by rising rev", async () => {
    const far = watches("1");
    flood(2, 60);
    expect(far.events("message")).toHaveLength(50);
    await clock.advance(49);
    expect(gathered(far)).toEqual([]);
    await clock.advance(1);
    expect(gathered(far)).toEqual([upTo(52, 60)]);
    flood(61, 70);
    await clock.advance(50);
    expect(gathered(far)[1]).toEqual(upTo(61, 70));
    await clock.advance(1_000);
    publish(message(71));
    expect(far.events("message")).toHaveLength(51);
    expect(order(far)).toEqual(upTo(2, 71));
  });

  test("[CHD1] an item is the event with its payload, and version 1 has none of it", async () => {
    const far = watches("1");
    flood(2, 51);
    const body = '{"conversation_id":"5","seq":3,"rev":52,"changed":[],"changes":[]}';
    const former = { name: "message_updated" as const, body: "{}" };
    publish(event({ rev: 52, name: "reaction", body: withTranslation(body, former) }));
    await clock.advance(50);
    expect(far.events("changes")).toEqual([
      { conversation_id: "5", items: [{ event: "reaction", data: JSON.parse(body) }] },
    ]);
  });

  test("[CHD1] [STM2] a session's own change is answered at its place, and is not among its changes", async () => {
    const [own, other] = [watches("1"), watches("2")];
    flood(2, 51);
    waits(own, "c1", (text) => own.texts.push(`3ack ${text}`));
    publish(message(52), { ...message(53, "s1"), note: "c1" }, message(54));
    await clock.advance(50);
    expect(gathered(other)).toEqual([[52, 53, 54]]);
    expect(gathered(own)).toEqual([[52], [54]]);
    const texts = own.texts.slice(-3);
    expect(texts[1]).toBe('3ack {"rev":53}');
  });

  test("[CHD1] a gap, a deletion and an order to leave let go of what waits first", async () => {
    const far = watches("1");
    const other = watches("2");
    flood(2, 53);
    const leave = JSON.stringify({ conversation_id: "5", user_ids: ["2"] });
    publish(event({ rev: 0, name: "channel_left", body: "{}", note: leave }), message(54));
    expect(gathered(far)).toEqual([[52, 53]]);
    publish(deletion(55));
    expect(order(far)).toEqual(upTo(2, 55));
    expect(far.events("conversation_deleted")).toHaveLength(1);
    expect(order(other)).toEqual(upTo(2, 53));
  });

  test("[CHD1] what has no rev stays behind the changes before it", async () => {
    const far = watches("1");
    flood(2, 52);
    publish(event({ rev: 0, name: "message_delta", body: '{"seq":9,"offset":0,"text":"a"}' }));
    expect(far.events("message_delta")).toEqual([]);
    await clock.advance(50);
    expect(far.heard.slice(-2).map((one) => one.split(" ")[0])).toEqual([
      "changes",
      "message_delta",
    ]);
  });

  test("[CHD5] however much text comes meanwhile, none of it is dropped", async () => {
    const far = watches("1");
    flood(2, 52);
    for (let offset = 0; offset < 1_200; offset++) {
      const body = JSON.stringify({ seq: 9, offset, text: "a" });
      publish(event({ rev: 0, name: "message_delta", body }));
    }
    await clock.advance(50);
    expect(far.events("message_delta").map(({ offset }) => offset)).toEqual(upTo(0, 1_199));
    expect(order(far)).toEqual(upTo(2, 52));
  });
});

describe("a slow reader", () => {
  const BIG = "x".repeat(60_000);
  const big = (rev: number) => event({ rev, body: JSON.stringify({ rev, body: BIG }) });

  test("[CHD2] is moved ahead with what it has not received, and goes on from there", async () => {
    const [slow, quick] = [watches("1"), watches("2")];
    slow.connection.isReading = false;
    for (let rev = 2; rev <= 20; rev++) publish(big(rev));
    const received = slow.events("message").length;
    expect(received).toBeLessThan(10);
    expect(slow.closings).toEqual([]);
    expect(order(quick)).toEqual(upTo(2, 20));
    slow.connection.readsAgain();
    expect(slow.events("skipped")).toEqual([
      { conversation_id: "5", from_rev: received + 2, to_rev: 20 },
    ]);
    publish(message(21));
    expect(order(slow).at(-1)).toBe(21);
  });

  test("[CHD2] its own ack comes after what was skipped before it", async () => {
    const slow = watches("1");
    slow.connection.isReading = false;
    for (let rev = 2; rev <= 20; rev++) publish(big(rev));
    channel.stream.ack(slow.session, 21, () => {
      slow.texts.push("3ack");
      return true;
    });
    const at = slow.texts.findIndex((text) => text.startsWith('2["skipped"'));
    expect(slow.texts.slice(at + 1)).toEqual(["3ack"]);
    publish({ ...message(21, "s1") }, message(22));
    slow.connection.readsAgain();
    expect(slow.events("skipped").at(-1)).toMatchObject({ from_rev: 22, to_rev: 22 });
  });

  const delta = (offset: number, text: string) =>
    event({ rev: 0, name: "message_delta", body: JSON.stringify({ seq: 2, offset, text }) });

  test("[CHD2] that misses text of a stream is told of the newest change, and is not cut", async () => {
    const [slow, quick] = [watches("1"), watches("2")];
    publish(message(2));
    slow.connection.isReading = false;
    for (let n = 0; n < 50; n++) publish(delta(n * BIG.length, BIG));
    expect(slow.closings).toEqual([]);
    const received = slow.events("message_delta").length;
    expect(received).toBeLessThan(10);
    expect(quick.events("message_delta")).toHaveLength(50);
    slow.connection.readsAgain();
    expect(slow.events("skipped")).toEqual([{ conversation_id: "5", from_rev: 2, to_rev: 2 }]);
    publish(delta(50 * BIG.length, "x"), message(3));
    expect(slow.events("message_delta")).toHaveLength(received + 1);
    expect(order(slow)).toEqual([2, 3]);
    expect(leftOut).toEqual({ delta: 50 - received });
  });

  test("[CHD2] goes without signals, and what it does not receive is counted", async () => {
    const slow = watches("1");
    slow.connection.isReading = false;
    for (let rev = 2; rev <= 20; rev++) publish(big(rev));
    const signal = event({ rev: 0, name: "signal", except: "9", body: "{}" });
    for (let n = 0; n < 1_000; n++) publish(signal);
    expect(slow.events("signal")).toEqual([]);
    expect(slow.closings).toEqual([]);
    slow.connection.readsAgain();
    const received = slow.events("message").length;
    expect(leftOut).toEqual({ change: 19 - received, signal: 1_000 });
    publish(signal);
    expect(slow.events("signal")).toHaveLength(1);
  });
});

describe("who watches", () => {
  test("[CHD4] a change of members neither brings a session in nor takes one out", async () => {
    const far = watches("1");
    publish(members(2, ["7"]));
    expect(far.session.channels).toBe(1);
    expect(far.events("conversation_updated")).toHaveLength(1);
    channel.stream.detach(far.session);
    expect([far.session.channels, watched]).toEqual([0, 2]);
  });
});
