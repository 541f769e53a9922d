import { describe, expect, test } from "vitest";
import { withTranslation } from "../../src/protocol/contract.ts";
import { FarEnd } from "../support/far-end.ts";
import {
  caughtUp,
  change,
  deletion,
  event,
  joins,
  local,
  message,
  ROOM,
  read,
  stream,
  streamForEachTest,
  updated,
  waits,
} from "../support/stream-scene.ts";

streamForEachTest();

describe("the two contracts", () => {
  const newer = (user: string) => {
    const far = new FarEnd({ user, session: `n${user}`, contract: "1.1" }).begins();
    local.push(far);
    stream.attach(far.session);
    return far;
  };
  const reaction = (rev: number, text: string) => event({ rev, name: "reaction", body: text });

  test("[CTR3] a newer event reaches a session of version 1 as its translation", () => {
    const ann = joins("1");
    const bob = newer("2");
    stream.open(1, false);
    const updated = { name: "message_updated", body: '{"seq":1,"rev":2}' } as const;
    stream.onEvent(reaction(2, withTranslation('{"key":"x"}', updated)));
    expect(ann.heard).toEqual(['message_updated {"seq":1,"rev":2}']);
    expect(bob.heard).toEqual(['reaction {"key":"x"}']);
  });

  test("[CTR3] a repair tells both what the live event would have told them", () => {
    const ann = joins("1");
    const bob = newer("2");
    stream.open(1, false);
    stream.expect(2);
    const updated = { name: "message_updated", body: '{"seq":1,"rev":2}' } as const;
    const body = withTranslation('{"key":"x"}', updated);
    stream.repaired(read({ name: "reaction", rev: 2, body }));
    stream.repairDone();
    expect(ann.heard).toEqual(['message_updated {"seq":1,"rev":2}']);
    expect(bob.heard).toEqual(['reaction {"key":"x"}']);
  });

  test("[CTR1] a newer event without a translation is not for a session of version 1", () => {
    const ann = joins("1");
    const bob = newer("2");
    stream.open(1, false);
    stream.onEvent(event({ rev: 0, name: "signal", body: '{"type":"x"}' }));
    expect(ann.heard).toEqual([]);
    expect(bob.heard).toEqual(['signal {"type":"x"}']);
  });

  test("[STM7] which messages are hidden follows from the members that the conversation shows", () => {
    const bob = newer("2");
    stream.open(1, false);
    const withVisible = (rev: number, from: number | null) =>
      event({
        rev,
        name: "conversation_updated",
        body: JSON.stringify({
          id: ROOM,
          rev,
          members: [{ user_id: "2", ...(from !== null && { visible_from_seq: from }) }],
        }),
      });
    const edit = (rev: number) =>
      event({ rev, name: "message_updated", body: `{"seq":4,"rev":${rev}}` });
    stream.onEvent(withVisible(2, 5));
    stream.onEvent(edit(3));
    stream.onEvent(withVisible(4, null));
    stream.onEvent(edit(5));
    expect(bob.heard.map((text) => text.split(" ")[0])).toEqual([
      "conversation_updated",
      "rev_skipped",
      "conversation_updated",
      "message_updated",
    ]);
  });

  test("[ISO1] a deletion is the last event, live and by a repair", () => {
    const ann = joins("1");
    const bob = newer("2");
    stream.open(1, false);
    stream.onEvent(deletion(2));
    stream.onEvent(message(3));
    expect(ann.heard).toEqual([`conversation_updated ${updated(2, [])}`]);
    expect(bob.heard).toEqual(['conversation_deleted {"conversation_id":"5","rev":2}']);
    expect(stream.sessions.size).toBe(0);
    const eve = newer("3");
    stream.expect(5);
    stream.repaired(read({ name: "conversation_deleted", rev: 5, body: deletion(5).body }));
    stream.repairDone();
    expect(eve.heard).toEqual(['conversation_deleted {"conversation_id":"5","rev":5}']);
    expect(stream.sessions.size).toBe(0);
  });

  test("[STM7] a change of a hidden message is skipped, and version 1 reads what stands for it", () => {
    const ann = joins("1");
    const bob = newer("2");
    const eve = newer("3");
    stream.open(1, false);
    stream.visibleFrom.set("1", 5);
    stream.visibleFrom.set("2", 5);
    stream.onEvent(event({ rev: 2, name: "message_updated", body: '{"seq":4,"rev":2}' }));
    expect(bob.heard).toEqual(['rev_skipped {"conversation_id":"5","rev":2}']);
    expect(eve.heard).toEqual(['message_updated {"seq":4,"rev":2}']);
    expect(ann.heard).toEqual([]);
    expect(caughtUp).toEqual([[ann.session.id, 1]]);
    expect(stream.sessions.has(ann.session)).toBe(false);
    stream.onEvent(event({ rev: 3, name: "message_updated", body: '{"seq":5,"rev":3}' }));
    expect(bob.heard.at(-1)).toBe('message_updated {"seq":5,"rev":3}');
  });
});

describe("reactions", () => {
  const flush = (rev: number, makers: { session: string; ask: string }[]) =>
    event({
      name: "reaction",
      rev,
      body: withTranslation(`{"rev":${rev}}`, { name: "message_updated", body: `{"seq":1}` }),
      note: JSON.stringify({
        makers: makers.map((maker) => ({ ...maker, own: ["a"] })),
        reactions: [{ key: "a", count: 2, last_user_ids: [] }],
      }),
    });

  test("[STM2] a flush answers every socket that waits for it, and nobody gets both", () => {
    const [ann, bob, eve] = ["ann", "bob", "eve"].map((user) => joins(user));
    const answers: string[] = [];
    waits(ann!, "r1", (text) => answers.push(text));
    waits(ann!, "r2", (text) => answers.push(text));
    waits(ann!, "r9", () => answers.push("the next flush"));
    waits(bob!, "r3", (text) => answers.push(text));
    stream.open(1, false);
    stream.onEvent(
      flush(2, [
        { session: "sann", ask: "1" },
        { session: "sann", ask: "2" },
        { session: "sbob", ask: "3" },
      ]),
    );
    expect(answers.map((text) => JSON.parse(text) as object)).toEqual(
      Array(3).fill({
        rev: 2,
        reactions: [{ key: "a", count: 2, last_user_ids: [] }],
        own: ["a"],
      }),
    );
    expect(ann!.events("message_updated")).toHaveLength(0);
    expect(bob!.events("message_updated")).toHaveLength(0);
    expect(eve!.events("message_updated")).toHaveLength(1);
  });

  test("[STM2] several acknowledgements of one rev that come before its event stand for it", () => {
    const [ann, bob, eve] = ["ann", "bob", "eve"].map((user) => joins(user));
    stream.open(1, false);
    stream.ack(ann!.session, 2, () => true);
    stream.ack(bob!.session, 2, () => true);
    stream.onEvent(flush(2, []));
    expect(ann!.events("message_updated")).toHaveLength(0);
    expect(bob!.events("message_updated")).toHaveLength(0);
    expect(eve!.events("message_updated")).toHaveLength(1);
  });

  test("[STM2] an event that waits for a repair answers its makers, though storage tells it", () => {
    const [ann, eve] = ["ann", "eve"].map((user) => joins(user));
    const answers: string[] = [];
    waits(ann!, "r1", (text) => answers.push(text));
    stream.open(1, false);
    stream.onEvent(flush(3, [{ session: "sann", ask: "1" }]));
    const { name, body } = flush(3, []);
    stream.repaired(read(change(2), { name: name as "reaction", rev: 3, body }));
    stream.repairDone();
    expect(answers).toHaveLength(1);
    expect(ann!.events("message_updated")).toHaveLength(0);
    expect(eve!.events("message_updated")).toHaveLength(1);
  });
});
