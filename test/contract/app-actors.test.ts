/** AppStore, and what edges read of the application's actors: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppCommit } from "../../actors/app-ports.ts";
import type { ConversationId } from "../../src/protocol/ids.ts";
import { ADAPTERS, codeOf, granted, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

const NOBODY = { user: null, session: null, service: null };
let made = 0;

function commitOf(more: Partial<AppCommit> = {}): AppCommit {
  return {
    kind: "poll",
    key: `k${++made}`,
    version: 0,
    rev: 0,
    state: '{"n":1}',
    isGone: false,
    isDurable: true,
    codeVersion: 1,
    created: { args: { n: 1 }, caller: NOBODY, conversation: null },
    nowMs: 1_000,
    timers: [],
    wakeInMs: null,
    users: ["7"],
    watching: [],
    effectCount: 0,
    effects: [],
    effectsDone: [],
    events: [],
    calls: [],
    ...more,
  };
}

/** The commit that follows one with that answer. */
function next(first: AppCommit, version: number, more: Partial<AppCommit>): AppCommit {
  const { created: _, state: __, users: ___, ...rest } = first;
  return { ...rest, version, ...more };
}

describe.each(ADAPTERS)("actors of the application in $name", ({ open }) => {
  let storage: OpenStorage;
  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  it("[APS1] a commit is written only on the version on which its turns began", async () => {
    const first = commitOf();
    const { id, version } = await granted(storage.apps.commit(first));
    expect(version).toBe(1);
    expect(await codeOf(storage.apps.commit(first))).toBe("conflict");
    const second = next(first, 1, { rev: 1, state: '{"n":2}' });
    const both = [storage.apps.commit(second), storage.host().apps.commit(second)];
    const answers = await Promise.all(both);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(1);
    expect(await storage.apps.load("poll", first.key)).toMatchObject({
      id,
      version: 2,
      rev: 1,
      state: '{"n":2}',
      isGone: false,
      created: first.created,
      nowMs: 1_000,
    });
    expect(await storage.apps.load("poll", "nobody")).toBeNull();
  });

  it("[APS2] events, calls, effects and timers are there with the state, the newest 200 events", async () => {
    const first = commitOf({
      rev: 3,
      events: [1, 2, 3].map((rev) => ({
        rev,
        name: "e",
        data: `{"n":${rev}}`,
        ...(rev === 2 && { to: ["7"] }),
      })),
      calls: [
        {
          caller: "7",
          callId: "c1",
          hash: "h",
          answer: '{"result":1,"rev":3}',
          rev: 3,
          madeAtMs: 0,
        },
        { caller: "7", callId: "c2", hash: "i", answer: null, rev: 3, madeAtMs: 0 },
      ],
      effectCount: 1,
      effects: [
        { n: 1, effect: { does: "notify", user: "7", type: "t", message: "m", data: null } },
      ],
      timers: [{ name: "close", inMs: 60_000 }],
      watching: ["7"],
    });
    await granted(storage.apps.commit(first));
    const loaded = await storage.apps.load("poll", first.key);
    expect(loaded?.events).toEqual(first.events);
    expect(loaded?.calls.map(({ callId, answer }) => [callId, answer])).toEqual([
      ["c1", '{"result":1,"rev":3}'],
      ["c2", null],
    ]);
    expect(loaded?.effects).toEqual(first.effects);
    expect(loaded?.watching).toEqual(["7"]);
    expect(loaded?.timers[0]?.inMs).toBeGreaterThan(50_000);
    const more = Array.from({ length: 200 }, (_, n) => ({ rev: n + 4, name: "e", data: "{}" }));
    const second = next(first, 1, {
      rev: 203,
      events: more,
      calls: [],
      effects: [],
      effectsDone: [1],
    });
    await granted(storage.apps.commit(second));
    const later = await storage.apps.load("poll", first.key);
    expect(later?.events.map(({ rev }) => rev)).toEqual(more.map(({ rev }) => rev));
    expect(later?.effects).toEqual([]);
    expect(later?.calls).toHaveLength(2);
    expect(later?.state).toBe('{"n":1}');
  });

  it("[APS3] what is due is claimed once, and again when the claim has passed", async () => {
    const due = commitOf({ wakeInMs: 0 });
    const not = commitOf({ wakeInMs: 60_000 });
    await Promise.all([due, not].map((commit) => granted(storage.apps.commit(commit))));
    const claims = await Promise.all([
      storage.appQueries.claimWakes(100, 60_000),
      storage.appQueries.claimWakes(100, 60_000),
    ]);
    const keys = claims.flat().map(({ key }) => key);
    expect(keys.filter((key) => key === due.key)).toHaveLength(1);
    expect(keys).not.toContain(not.key);
    // Nothing is left that it could be woken for.
    await storage.apps.effectsDone("poll", due.key, []);
    const timed = commitOf({ wakeInMs: 0, timers: [{ name: "t", inMs: 0 }] });
    await granted(storage.apps.commit(timed));
    await storage.appQueries.claimWakes(100, 0);
    await storage.apps.effectsDone("poll", timed.key, []);
    const again = (await storage.appQueries.claimWakes(100, 0)).map(({ key }) => key);
    expect(again).toContain(timed.key);
    expect(again).not.toContain(due.key);
  });

  it("[APS4] an actor is bound to a conversation that is there, and its members have roles", async () => {
    const [ann, bob, cid] = await newUsers(storage, 3);
    const group = await newGroup(storage, [ann!, bob!]);
    const created = { args: {}, caller: NOBODY, conversation: group };
    await granted(storage.apps.commit(commitOf({ created })));
    const nowhere = { ...created, conversation: "999999999" as ConversationId };
    expect(await codeOf(storage.apps.commit(commitOf({ created: nowhere })))).toBe("not_found");
    expect([...((await storage.apps.roles(group, [ann!, bob!, cid!])) ?? [])].sort()).toEqual(
      [
        [ann, "owner"],
        [bob, "member"],
      ].sort(),
    );
    expect(await storage.apps.roles(nowhere.conversation, [ann!])).toBeNull();
    expect(await storage.apps.roles(group, [cid!])).toEqual(new Map());
  });

  it("[APS5] the list has those that are there, by rising key", async () => {
    const kind = `listed${++made}`;
    const keys = ["b", "a", "c"];
    for (const key of keys) await granted(storage.apps.commit(commitOf({ kind, key })));
    const gone = next(commitOf({ kind, key: "c" }), 1, { state: null, isGone: true });
    await granted(storage.apps.commit(gone));
    const listed = await storage.appQueries.list(kind, "", 10);
    expect(listed.map(({ key }) => key)).toEqual(["a", "b"]);
    expect((await storage.appQueries.list(kind, "a", 10)).map(({ key }) => key)).toEqual(["b"]);
  });
});
