/** The list of conversations and the totals: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListAsked } from "../../src/ports/edge.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { PrefsChange } from "../../src/protocol/prefs.ts";
import { asConversationId } from "../../src/protocol/schemas.ts";
import { administer } from "../support/postgres.ts";
import { chanceFrom, seedFor } from "../support/random.ts";
import { ADAPTERS, granted, newDirect, newUsers, type OpenStorage, say } from "./adapters.ts";

describe.each(ADAPTERS)("lists in $name", ({ name, open }) => {
  let storage: OpenStorage;
  let ann: UserId;
  let bob: UserId;
  let sent = 0;

  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  const meet = async () => {
    [ann, bob] = (await newUsers(storage, 2)) as [UserId, UserId];
  };
  const group = async (title: string, members = [ann, bob]) => {
    const made = await granted(storage.conversations.create("group", bob, members, title));
    return asConversationId(made.conversation.id);
  };
  const groups = async (count: number) => {
    const ids: ConversationId[] = [];
    for (let n = 0; n < count; n++) {
      ids.push(await group(`g${n}`));
      await says(ids[n]!);
    }
    return ids;
  };
  const says = (id: ConversationId, by = bob) => granted(say(storage, id, by, `l${++sent}`));
  const reads = (id: ConversationId, seq: number) =>
    granted(storage.conversations.mark({ conversationId: id, userId: ann, seq, read: true }));
  const set = (id: ConversationId, change: PrefsChange) =>
    granted(
      storage.prefs.change({ userId: ann, conversationId: id, change, session: "", draftBy: "" }),
    );
  const page = async (asked: ListAsked = {}, limit = 100, cursor: string | null = null) =>
    (await storage.queries.conversations(ann, limit, cursor, asked))!;
  const list = async (asked: ListAsked = {}) => (await page(asked)).items.map(({ id }) => id);

  it("[LST3] filters take what they name; pinned ones come first", async () => {
    await meet();
    const [a, b, c, d] = (await groups(4)) as [
      ConversationId,
      ConversationId,
      ConversationId,
      ConversationId,
    ];
    const direct = await newDirect(storage, [ann, bob]);
    await set(direct, { hidden: true });
    await reads(b, 1);
    await reads(d, 1);
    await set(a, { pinned: true });
    await set(d, { archived: true });
    expect(await list()).toEqual([a, c, b]);
    expect(await list({ filter: "all" })).toEqual([a, direct, d, c, b]);
    expect(await list({ filter: "unread" })).toEqual([a, c]);
    expect(await list({ filter: "archived" })).toEqual([d]);
    expect(await list({ filter: "pinned" })).toEqual([a]);
    expect(await list({ filter: "all", kind: "direct" })).toEqual([direct]);
    expect(await list({ kind: "channel" })).toEqual([]);
    const items = (await page()).items;
    expect(items[0]).toMatchObject({ prefs: { pinned_at: expect.any(String), prefs_rev: 2 } });
    expect(items[1]).not.toHaveProperty("prefs");
    await says(d);
    await says(direct);
    expect(await list()).toEqual([a, direct, d, c, b]);
    await set(d, { archived: true, muted_until: "forever" });
    await says(d);
    expect(await list({ filter: "archived" })).toEqual([d]);
  });

  it("[LST4] each word of q begins a word of the title or of the other's name, without case and accents", async () => {
    await meet();
    const plans = await group("Überraschung für Łukasz: Straße 7");
    const other = await group("Überall");
    const direct = await newDirect(storage, [ann, bob]);
    const found = (q: string) => list({ q });
    expect(await found("uber")).toEqual([other, plans]);
    expect(await found("LUK ÜBERR")).toEqual([plans]);
    expect(await found("strasse")).toEqual([plans]);
    expect(await found("raschung")).toEqual([]);
    const bobName = (await storage.queries.user(bob))!.display_name;
    expect(await found(bobName.toUpperCase())).toEqual([direct]);
    expect(await found("%")).toHaveLength(3);
  });

  it("[LST5] with members=few there are at most 20, the reader first, and their number", async () => {
    await meet();
    const others = await newUsers(storage, 24);
    const large = await group("large", [bob, ...others, ann]);
    const item = (await page({ members: "few" })).items.find(({ id }) => id === large)!;
    expect(item).toMatchObject({ member_count: 26, members_partial: true });
    expect(item.members.map(({ user_id }) => user_id).slice(0, 2)).toEqual([ann, bob]);
    expect(item.members).toHaveLength(20);
    const small = await group("small");
    const two = (await page({ members: "few" })).items.find(({ id }) => id === small)!;
    expect(two).toMatchObject({ member_count: 2 });
    expect(two).not.toHaveProperty("members_partial");
    expect(two.members.map(({ user_id }) => user_id)).toEqual([ann, bob]);
  });

  it("[LST6] mentions above the read point are counted, but those deleted or cleared", async () => {
    await meet();
    const [room] = (await groups(1)) as [ConversationId];
    const { username } = (await storage.queries.user(ann))!;
    const mention = async () => {
      const message = { conversationId: room, senderId: bob, body: "x", replyToSeq: null };
      const clientId = `m${++sent}`;
      return granted(
        storage.conversations.append({ ...message, clientId, content: { names: [username] } }),
      );
    };
    const count = async () => (await page()).items[0]!.mention_count;
    expect(await count()).toBeUndefined();
    for (let n = 0; n < 4; n++) await mention();
    expect(await count()).toBe(4);
    await reads(room, 2);
    expect(await count()).toBe(3);
    const deletion = { does: "delete", any: false, system: false, spared: [] } as const;
    await granted(storage.conversations.revise(room, 3, bob, { ...deletion, spared: [] }));
    expect(await count()).toBe(2);
    await set(room, { cleared_before_seq: 5 });
    expect(await count()).toBe(1);
    expect(await storage.queries.totals(ann)).toMatchObject({ mentions: 1, messages: 1 });
  });

  it("[LST7] totals leave out what is muted or archived", async () => {
    await meet();
    const [a, b, c, d] = (await groups(4)) as [
      ConversationId,
      ConversationId,
      ConversationId,
      ConversationId,
    ];
    await says(a);
    await set(b, { muted_until: "forever" });
    await set(c, { archived: true });
    await reads(d, 1);
    const none = { mentions: 0, notifications: 0, threads: 0 };
    expect(await storage.queries.totals(ann)).toEqual({ ...none, messages: 2, conversations: 1 });
    await set(d, { unread_from_seq: 1 });
    expect(await storage.queries.totals(ann)).toEqual({ ...none, messages: 3, conversations: 2 });
  });

  it("[LST1] in a pass over a list at rest each conversation comes once", async () => {
    await meet();
    const ids = await groups(7);
    await set(ids[3]!, { pinned: true });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { items, next_cursor } = await page({}, 2, cursor);
      seen.push(...items.map(({ id }) => id));
      cursor = next_cursor;
    } while (cursor !== null);
    expect(seen).toEqual(await list());
    expect(seen).toHaveLength(7);
  });

  it("[LST1] while the order changes none is missed", async () => {
    const chance = chanceFrom(seedFor("passes"));
    for (let run = 0; run < 6; run++) {
      await meet();
      const ids = await groups(9);
      for (const id of ids) if (chance(5) === 0) await set(id, { pinned: true });
      const seen = new Set<string>();
      let cursor: string | null = null;
      let pages = 0;
      do {
        const { items, next_cursor } = await page({ filter: "all" }, 2, cursor);
        for (const { id } of items) seen.add(id);
        cursor = next_cursor;
        // A pass that nothing disturbs any more ends.
        for (let n = pages++ < 6 ? chance(4) : 0; n > 0; n--) {
          const id = ids[chance(ids.length)]!;
          if (chance(3) === 0) await set(id, { pinned: chance(2) === 0 });
          else await says(id);
        }
      } while (cursor !== null);
      expect([...seen].sort()).toEqual([...ids].sort());
    }
  });

  it("[LST2] a cursor of another list, or a broken one, is refused", async () => {
    await meet();
    await groups(3);
    const { next_cursor } = await page({}, 1);
    const text = Buffer.from(next_cursor!, "base64url").toString("latin1");
    expect(text.length).toBeLessThan(150);
    for (const bad of ["", "x", text, "l1.5.1.1.1.2:1:", "l1.5.1.1.1.0:0:", "l7.5.1.1.1.1:1:"]) {
      const cursor = Buffer.from(bad, "latin1").toString("base64url");
      if (bad === text) continue;
      expect(await storage.queries.conversations(ann, 1, cursor)).toBeUndefined();
    }
  });

  it.runIf(name === "postgres")(
    "[LST8] a user with 10,000 conversations pays for a look at each, and not for more",
    async () => {
      await meet();
      const [first] = await groups(1);
      const url = storage.url!;
      await administer(
        url,
        `INSERT INTO conversations (kind, title, owner_id, last_seq, rev, meta_rev, member_count)
         SELECT 'group', 'talk ' || n, ${bob}, 0, 1, 1, 2 FROM generate_series(1, 10000) n`,
      );
      await administer(
        url,
        `INSERT INTO conversation_members (conversation_id, user_id)
         SELECT c.id, u FROM conversations c, unnest(ARRAY[${ann}, ${bob}]::bigint[]) u
         WHERE c.title LIKE 'talk %'`,
      );
      await administer(url, "ANALYZE conversations, conversation_members");
      const took = async (work: () => Promise<unknown>) => {
        await work();
        const beganMs = performance.now();
        await work();
        return Math.round(performance.now() - beganMs);
      };
      const times = {
        list: await took(() => page({}, 50)),
        unread: await took(() => page({ filter: "unread" }, 50)),
        q: await took(() => page({ q: "talk 99" }, 50)),
        totals: await took(() => storage.queries.totals(ann)),
      };
      console.info("ms of a user with 10,000 conversations", times);
      expect(await list({ filter: "unread" })).toEqual([first]);
      for (const ms of Object.values(times)) expect(ms).toBeLessThan(1_000);
    },
    60_000,
  );
});
