/** Messages that are emptied together: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { translationIn } from "../../src/protocol/contract.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { ADAPTERS, granted, newGroup, newUsers, type OpenStorage, say } from "./adapters.ts";

const SENT = 6;

describe.each(ADAPTERS)("erased messages in $name", ({ open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    [ann, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
    group = await newGroup(storage, [ann, bob]);
    for (let n = 1; n <= SENT; n++) await granted(say(storage, group, n % 2 ? ann : bob, `m${n}`));
  });
  afterAll(() => storage?.close());

  it("[ERB1] are one change with one rev, and a repair tells it as one event", async () => {
    const { conversations, queries } = storage;
    const first = await conversations.eraseMessages(group, ann, 2);
    expect(first.seqs).toHaveLength(2);
    const second = await conversations.eraseMessages(group, ann, 2);
    expect(second).toMatchObject({ rev: first.rev + 1 });
    expect([...first.seqs, ...second.seqs].sort()).toEqual([1, 3, 5]);
    expect((await conversations.eraseMessages(group, ann, 2)).seqs).toEqual([]);

    const { changes } = await queries.changes(group, first.rev - 1, 10);
    expect(changes.map(({ name, rev }) => [name, rev])).toEqual([
      ["messages_erased", first.rev],
      ["messages_erased", second.rev],
    ]);
    const { body, former } = translationIn(changes[0]!.body);
    expect(JSON.parse(body)).toEqual({ conversation_id: group, ...first });
    expect(former?.name).toBe("conversation_updated");
    expect(JSON.parse(former!.body)).toMatchObject({ id: group, rev: first.rev });
  });

  it("[ERB1] are in sync empty, with the rev that they share", async () => {
    const [answer] = [
      await storage.queries.sync({
        userId: bob,
        after: new Map([[group, SENT + 1]]),
        complete: false,
      }),
    ];
    const [entry] = answer.conversations;
    expect(
      entry!.messages.map(({ seq, body, client_id }) => [seq, body, client_id]).sort(),
    ).toEqual([1, 3, 5].map((seq) => [seq, "", null]));
    expect(entry!.messages.every(({ deleted_at }) => deleted_at !== null)).toBe(true);
    expect(entry!.has_more).toBe(false);
  });
});
