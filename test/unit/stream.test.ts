import { describe, expect, test } from "vitest";
import type { Message } from "../../src/protocol/schemas.ts";
import type { FarEnd } from "../support/far-end.ts";
import {
  change,
  clock,
  comes,
  event,
  joins,
  leavers,
  members,
  membersChange,
  message,
  occupied,
  ROOM,
  read,
  repairs,
  revs,
  stream,
  streamForEachTest,
  typing,
  waits,
} from "../support/stream-scene.ts";

streamForEachTest();

describe("order", () => {
  test("[STM1] what comes while it opens waits, and what it has already is dropped", () => {
    const ann = joins("1");
    stream.onEvent(message(3));
    stream.onEvent(message(4));
    stream.onEvent(message(5));
    expect(ann.texts).toEqual([]);
    stream.open(4, false);
    expect(revs(ann)).toEqual([5]);
  });

  test("[STM1] a gap is read from storage before it goes on", () => {
    const ann = joins("1");
    stream.open(1, false);
    stream.onEvent(message(4));
    stream.onEvent(message(5));
    expect(repairs).toBe(1);
    expect(ann.texts).toEqual([]);
    stream.repaired(read(change(2), change(3), change(4)));
    stream.repairDone();
    expect(revs(ann)).toEqual([2, 3, 4, 5]);
  });

  test("[STM1] a repair that reads further than the events is no double", () => {
    const ann = joins("1");
    stream.open(1, false);
    stream.onEvent(message(3));
    stream.repaired(read(change(2), change(3), change(4), change(5)));
    stream.repairDone();
    stream.onEvent(message(4));
    stream.onEvent(message(5));
    stream.onEvent(message(6));
    expect(revs(ann)).toEqual([2, 3, 4, 5, 6]);
  });

  test("[STM1] a hint that more has happened reads it, once", () => {
    joins("1");
    stream.open(3, false);
    stream.expect(3);
    expect(repairs).toBe(0);
    stream.expect(4);
    stream.expect(5);
    expect(repairs).toBe(1);
  });

  test("[STM1] a session that came with more than the stream hears only what is newer", () => {
    stream.open(3, false);
    const ann = comes("1");
    stream.attach(ann.session, 5);
    const bob = joins("2");
    for (const rev of [4, 5, 6]) stream.onEvent(message(rev));
    expect(revs(bob)).toEqual([4, 5, 6]);
    expect(revs(ann)).toEqual([6]);
  });

  test("[STM1] in that time it still hears what is not durable", () => {
    stream.open(3, false);
    const ann = comes("1");
    stream.attach(ann.session, 5);
    stream.onEvent(typing("2", true));
    expect(ann.events("typing")).toHaveLength(1);
  });
});

describe("acknowledgements", () => {
  test("[STM2] an ack that is next, or behind, is released at once", () => {
    const ann = joins("1");
    stream.open(3, false);
    const released: number[] = [];
    stream.ack(ann.session, 4, () => released.push(4) > 0);
    stream.ack(ann.session, 2, () => released.push(2) > 0);
    expect(released).toEqual([4, 2]);
  });

  test("[STM2] it waits for the events before it, and stands for its own", () => {
    const [ann, bob] = [joins("1"), joins("2")];
    stream.open(3, false);
    stream.ack(ann.session, 6, () => ann.texts.push('2["ack",{"rev":6}]') > 0);
    expect(repairs).toBe(1);
    stream.onEvent(message(4));
    stream.onEvent(message(5));
    stream.repaired(read(change(4), change(5), change(6)));
    stream.repairDone();
    expect(revs(ann)).toEqual([4, 5, 6]);
    expect(ann.events("ack")).toHaveLength(1);
    expect(revs(bob)).toEqual([4, 5, 6]);
  });

  test("[STM2] the socket that sent it does not hear its message, the user's others do", () => {
    const [phone, laptop] = [joins("1", "phone"), joins("1", "laptop")];
    stream.open(1, false);
    const answered: string[] = [];
    waits(phone, "cx", (text) => answered.push(text));
    const sent = { ...message(2, "phone"), note: "cx" };
    stream.onEvent(sent);
    expect(phone.texts).toEqual([]);
    expect(answered).toEqual([sent.body]);
    expect(revs(laptop)).toEqual([2]);
  });

  test("[STM2] a change whose answer has come already is not heard again", () => {
    const phone = joins("1", "phone");
    stream.open(1, false);
    stream.ack(phone.session, 2, () => true);
    stream.onEvent(message(2, "phone"));
    expect(phone.texts).toEqual([]);
  });

  test("[STM2] a change that ran twice is heard the second time", () => {
    const phone = joins("1", "phone");
    stream.open(1, false);
    waits(phone, "s1", () => undefined);
    stream.onEvent({ ...message(2, "phone"), note: "s1" });
    stream.onEvent({ ...message(3, "phone"), note: "s1" });
    expect(revs(phone)).toEqual([3]);
  });

  test("[STM2] an ack that the event of its first run has answered stands for no second one", () => {
    const phone = joins("1", "phone");
    stream.open(1, false);
    let isAnswered = false;
    waits(phone, "s1", () => {
      isAnswered = true;
    });
    stream.ack(phone.session, 3, () => !isAnswered);
    stream.onEvent({ ...message(2, "phone"), note: "s1" });
    stream.repaired(read());
    stream.repairDone();
    expect(isAnswered).toBe(true);
    stream.onEvent({ ...message(3, "phone"), note: "s1" });
    expect(revs(phone)).toEqual([3]);
  });

  test("[STM2] two edits of one message at once are answered each by its own event", () => {
    const phone = joins("1", "phone");
    stream.open(1, false);
    const answered: string[] = [];
    for (const text of ["one", "two", "three"]) {
      const is = (found: Message) => found.body === text;
      waits(phone, "s1", (body) => answered.push(`${text}: ${JSON.parse(body).rev}`), is);
    }
    const edited = (rev: number, body: string) =>
      stream.onEvent({ ...message(rev, "phone"), note: "s1", body: JSON.stringify({ rev, body }) });
    // The second was refused, and ran all the same; others may overtake on their way, too.
    edited(2, "one");
    edited(3, "three");
    edited(4, "two");
    edited(5, "one");
    expect(answered).toEqual(["one: 2", "three: 3", "two: 4"]);
    expect(revs(phone), "what nobody waits for is heard").toEqual([5]);
  });

  test("[STM2] no ack waits for ever", async () => {
    const ann = joins("1");
    stream.open(3, false);
    let isReleased = false;
    stream.ack(ann.session, 9, () => {
      isReleased = true;
      return true;
    });
    await clock.advance(4_999);
    expect(isReleased).toBe(false);
    await clock.advance(1);
    expect(isReleased).toBe(true);
  });
});

describe("members", () => {
  test("[ISO1] who is added hears the event that adds them, and what follows", () => {
    const ann = joins("1");
    const bob = comes("2");
    stream.open(1, false);
    stream.onEvent(message(2));
    stream.onEvent(members(3, ["1", "2"]));
    stream.onEvent(message(4));
    expect(revs(ann)).toEqual([2, 3, 4]);
    expect(revs(bob)).toEqual([3, 4]);
  });

  test("[ISO1] who is removed hears that last", () => {
    const [ann, bob] = [joins("1"), joins("2")];
    stream.open(1, false);
    stream.onEvent(members(2, ["1"]));
    stream.onEvent(message(3));
    stream.onEvent(typing("1", true));
    expect(revs(bob)).toEqual([2]);
    expect(revs(ann)).toEqual([2, 3]);
    expect(bob.session.streams.size).toBe(0);
  });

  test("[THE3] where a user leaves whose session receives threads, those are looked at again", () => {
    const [bob, cleo] = [joins("2"), joins("3")];
    bob.session.threads = 1;
    stream.open(1, false);
    stream.onEvent(members(2, ["1"]));
    expect(leavers).toEqual(["2"]);
    expect(revs(cleo)).toEqual([2]);
  });

  test("[ISO1] removed during a gap: nothing that came after the removal", () => {
    const bob = joins("2");
    stream.open(1, false);
    stream.onEvent(message(4));
    stream.repaired(read(change(2), membersChange(3, ["1"]), change(4)));
    stream.repairDone();
    expect(revs(bob)).toEqual([2, 3]);
  });

  test("[ISO1] removed and taken in again during a gap: nothing of the time between", () => {
    const [ann, bob] = [joins("1"), joins("2")];
    stream.open(1, false);
    stream.expect(6);
    const changes = [membersChange(2, ["1"]), change(3), membersChange(4, ["1", "2"]), change(5)];
    stream.repaired(read(...changes));
    stream.repairDone();
    expect(revs(ann)).toEqual([2, 3, 4, 5]);
    expect(revs(bob)).toEqual([2, 4, 5]);
  });

  test("[ISO1] removed by a change that is forgotten: that is heard first, and nothing else", () => {
    const [ann, bob] = [joins("1"), joins("2")];
    const ahead = comes("3");
    stream.open(1, false);
    stream.attach(ahead.session, 9);
    stream.expect(8);
    const forgotten = membersChange(7, ["1"]);
    stream.repaired({ changes: [change(3), forgotten, change(8)], hasMore: false, forgotten });
    stream.repairDone();
    stream.onEvent(message(9));
    expect(revs(bob)).toEqual([7]);
    expect(revs(ann)).toEqual([3, 7, 8, 9]);
    stream.onEvent(message(10));
    expect(revs(ahead), "what it was told is newer than the removal").toEqual([10]);
  });

  test("[ISO1] who left on their own is not taken back by a change of others", () => {
    const ann = joins("1");
    stream.open(1, false);
    stream.detach(ann.session);
    ann.session.left.add(ROOM);
    stream.onEvent(members(2, ["1", "2"]));
    expect(ann.texts).toEqual([]);
  });
});

describe("typing", () => {
  test("[STM3] the user who types hears nothing of it, in no session", () => {
    const [phone, laptop, bob] = [joins("1", "phone"), joins("1", "laptop"), joins("2")];
    stream.open(1, false);
    stream.onEvent(typing("1", true));
    expect([...phone.texts, ...laptop.texts]).toEqual([]);
    expect(bob.events("typing")).toMatchObject([{ user_id: "1", is_typing: true }]);
  });

  test("[STM3] when the owner is gone, who types is said to have stopped, once", () => {
    const bob = joins("2");
    stream.open(1, false);
    stream.onEvent(typing("1", true));
    stream.endTyping("elsewhere");
    stream.endTyping("elsewhere");
    expect(bob.events("typing").map(({ is_typing }) => is_typing)).toEqual([true, false]);
  });
});

describe("receipts", () => {
  const receipt = (user_id: string, delivered_seq: number, read_seq: number) =>
    event({
      name: "receipt",
      note: user_id,
      body: JSON.stringify({ conversation_id: ROOM, user_id, delivered_seq, read_seq }),
    });
  const cursors = (far: FarEnd) =>
    far.events("receipt").map((one) => [one["user_id"], one["delivered_seq"], one["read_seq"]]);

  test("[STM5] one that would move cursors back, or not at all, is not told", () => {
    const ann = joins("1");
    stream.open(1, false);
    for (const [user, delivered, read] of [
      ["2", 5, 3],
      ["2", 4, 3],
      ["2", 5, 3],
      ["3", 1, 1],
      ["2", 5, 4],
    ] as const) {
      stream.onEvent(receipt(user, delivered, read));
    }
    expect(cursors(ann)).toEqual([
      ["2", 5, 3],
      ["3", 1, 1],
      ["2", 5, 4],
    ]);
  });

  test("[STM5] one that is ahead in one cursor and behind in the other is told with the newest of both", () => {
    const ann = joins("1");
    stream.open(1, false);
    stream.onEvent(receipt("2", 5, 3));
    stream.onEvent(receipt("2", 7, 2));
    stream.onEvent(receipt("2", 6, 4));
    expect(cursors(ann)).toEqual([
      ["2", 5, 3],
      ["2", 7, 3],
      ["2", 7, 4],
    ]);
  });

  test("[STM5] who left and came back begins anew", () => {
    const ann = joins("1");
    stream.open(1, false);
    stream.onEvent(receipt("2", 5, 5));
    stream.onEvent(members(2, ["1"]));
    stream.onEvent(members(3, ["1", "2"]));
    stream.onEvent(receipt("2", 1, 0));
    expect(cursors(ann)).toEqual([
      ["2", 5, 5],
      ["2", 1, 0],
    ]);
  });
});

test("[STM4] the first session and the last are told of", () => {
  const [ann, bob] = [joins("1"), joins("2")];
  stream.detach(ann.session);
  stream.detach(ann.session);
  stream.detach(bob.session);
  expect(occupied).toEqual([true, false]);
});
