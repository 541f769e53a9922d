/** Presence tells the truth: once for each change, over all sessions and workers. */
import { describe, expect, it } from "vitest";
import type { Status } from "../../src/protocol/schemas.ts";
import { expectErrorObject, expectRefusal, TIME } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import type { Session } from "../support/session.ts";
import { SHARED_GRACE_MS } from "../support/shared-troupe.ts";
import { troupeForFile } from "../support/suite.ts";

const GRACE_MS = SHARED_GRACE_MS;
/** Slack for two busy cores. */
const SLACK_MS = 1500;
const SILENCE_MS = 400;
const troupe = troupeForFile({ shared: true });

/** Two people with a direct conversation: they watch each other by themselves. */
async function peers(): Promise<{ ann: Person; bob: Person }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  await ann!.startsDirect(bob!);
  return { ann: ann!, bob: bob! };
}

const presence = async (asking: Person, ...of: Person[]) => {
  const ids = of.map((person) => person.id).join(",");
  const answer = await asking.api.get<{ items: Status[] }>(`/api/presence?user_ids=${ids}`);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.items;
};
const statusesOf = (watcher: Session, person: Person) =>
  watcher.heard("user_status", ({ user_id }) => user_id === person.id).map(({ status }) => status);

describe("coming and going", () => {
  it("[CTR-PRS1] direct peers hear online at the first session and offline after the last", async () => {
    const { ann, bob } = await peers();
    const watchers = [...(await troupe().sessionOnEachWorker(bob))];
    const session = await ann.connects();
    for (const watcher of watchers) {
      expect(await watcher.next("user_status")).toMatchObject({
        user_id: ann.id,
        status: "online",
      });
    }
    const endedMs = performance.now();
    await session.disconnects();
    for (const watcher of watchers) {
      expect(await watcher.next("user_status", undefined, GRACE_MS + SLACK_MS)).toEqual({
        user_id: ann.id,
        status: "offline",
        last_seen_at: expect.stringMatching(TIME),
      });
    }
    expect(performance.now() - endedMs).toBeGreaterThan(GRACE_MS - 300);
    for (const watcher of watchers) {
      await watcher.never("user_status", SILENCE_MS);
      expect(statusesOf(watcher, ann)).toEqual(["online", "offline"]);
    }
  });

  it("[CTR-PRS2] a connection cut without a word goes offline likewise", async () => {
    const { ann, bob } = await peers();
    const watcher = await bob.connects();
    const session = await ann.connects();
    await watcher.next("user_status", ({ status }) => status === "online");
    session.drops();
    await watcher.next("user_status", ({ status }) => status === "offline", GRACE_MS + SLACK_MS);
  });

  it("[CTR-PRS3] back within the grace period: no one hears of it", async () => {
    const { ann, bob } = await peers();
    const watcher = await bob.connects();
    let session = await ann.connects();
    await watcher.next("user_status");
    for (let i = 0; i < 4; i++) {
      await session.disconnects();
      await watcher.never("user_status", GRACE_MS / 6);
      session = await ann.connects();
    }
    await watcher.never("user_status", GRACE_MS + SILENCE_MS);
    expect(statusesOf(watcher, ann)).toEqual(["online"]);
    expect(await presence(bob, ann)).toMatchObject([{ user_id: ann.id, status: "online" }]);
  });

  it("[CTR-PRS4] never offline while one session lives, on whatever worker", async () => {
    const { ann, bob } = await peers();
    const watcher = await bob.connects();
    const sessions = [
      ...(await troupe().sessionOnEachWorker(ann)),
      await ann.connects({ transports: ["polling"] }),
    ];
    const last = sessions.pop()!;
    await watcher.next("user_status", ({ status }) => status === "online");
    for (const session of sessions) await session.disconnects();
    await watcher.never("user_status", GRACE_MS + SLACK_MS);
    await last.disconnects();
    await watcher.next("user_status", ({ status }) => status === "offline", GRACE_MS + SLACK_MS);
    expect(statusesOf(watcher, ann)).toEqual(["online", "offline"]);
  });

  it("[CTR-PRS5] who connects later learns of those already online", async () => {
    const { ann, bob } = await peers();
    await ann.connects();
    const late = await bob.connects();
    const watched = await late.does("watch_presence", { user_ids: [ann.id] });
    expect(watched.statuses).toMatchObject([{ user_id: ann.id, status: "online" }]);
  });

  it("[CTR-PRS6] those who become direct peers while online watch from then on", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const watcher = await bob!.connects();
    const direct = await ann!.startsDirect(bob!);
    await watcher.next("conversation_updated", ({ id }) => id === direct.id);
    await ann!.connects();
    expect(await watcher.next("user_status")).toMatchObject({
      user_id: ann!.id,
      status: "online",
    });
  });

  it("[CTR-PRS7] who shares only a group does not watch by itself", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    await ann!.startsGroup(bob!);
    const watcher = await bob!.connects();
    await ann!.connects();
    await watcher.never("user_status", SILENCE_MS);
  });
});

describe("away", () => {
  it("[CTR-PRS8] of several sessions the best counts, and each change is one event", async () => {
    const { ann, bob } = await peers();
    const watcher = await bob.connects();
    const [one, two, three] = await troupe().sessionOnEachWorker(ann);
    expect(await watcher.next("user_status")).toMatchObject({ status: "online" });
    await one!.does("set_status", { status: "away" });
    await two!.does("set_status", { status: "away" });
    await watcher.never("user_status", SILENCE_MS);
    await three!.does("set_status", { status: "away" });
    expect(await watcher.next("user_status")).toMatchObject({ user_id: ann.id, status: "away" });
    await one!.does("set_status", { status: "away" });
    await watcher.never("user_status", SILENCE_MS);
    await two!.does("set_status", { status: "online" });
    expect(await watcher.next("user_status")).toMatchObject({ status: "online" });
    await two!.disconnects();
    const after = await watcher.next("user_status", undefined, GRACE_MS + SLACK_MS);
    expect(after).toMatchObject({ status: "away" });
    await watcher.never("user_status", SILENCE_MS);
    expect(statusesOf(watcher, ann)).toEqual(["online", "away", "online", "away"]);
  });

  it("[CTR-PRS9] set_status takes online and away only", async () => {
    const ann = await (await troupe().user("ann")).connects();
    for (const status of ["offline", "busy", "", null, 1, ["away"]]) {
      expectErrorObject(await ann.isRefused("set_status", { status }), "invalid_payload");
    }
  });
});

describe("watching", () => {
  it("[CTR-PRS10] watch answers the statuses now and brings the changes; unwatch ends them", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const watcher = await bob!.connects();
    await cleo!.connects();
    const watched = await watcher.does("watch_presence", { user_ids: [ann!.id, cleo!.id] });
    expect(watched.statuses).toHaveLength(2);
    expect(watched.statuses).toContainEqual({
      user_id: ann!.id,
      status: "offline",
      last_seen_at: null,
    });
    expect(watched.statuses).toContainEqual(
      expect.objectContaining({ user_id: cleo!.id, status: "online" }),
    );
    const session = await ann!.connects();
    await watcher.next("user_status", (now) => now.user_id === ann!.id && now.status === "online");
    await watcher.does("unwatch_presence", { user_ids: [ann!.id] });
    await session.does("set_status", { status: "away" });
    await watcher.never("user_status", SILENCE_MS, ({ user_id }) => user_id === ann!.id);
    const again = await watcher.does("watch_presence", { user_ids: [ann!.id] });
    expect(again.statuses).toMatchObject([{ user_id: ann!.id, status: "away" }]);
  });

  it("[CTR-PRS11] GET presence tells the same of online, away and offline", async () => {
    const [ann, bob, cleo] = await troupe().users("ann", "bob", "cleo");
    const session = await ann!.connects();
    await (await bob!.connects()).does("set_status", { status: "away" });
    const now = async () =>
      Object.fromEntries(
        (await presence(cleo!, ann!, bob!, cleo!)).map(({ user_id, status }) => [user_id, status]),
      );
    expect(await now()).toEqual({
      [ann!.id]: "online",
      [bob!.id]: "away",
      [cleo!.id]: "offline",
    });
    const watcher = await cleo!.connects();
    await watcher.does("watch_presence", { user_ids: [ann!.id] });
    await session.disconnects();
    const offline = await watcher.next("user_status", undefined, GRACE_MS + SLACK_MS);
    expect(await presence(cleo!, ann!)).toEqual([offline]);
    expect(Math.abs(Date.parse(offline.last_seen_at!) - Date.now())).toBeLessThan(10_000);
  });

  it("[CTR-PRS12] malformed lists of people are invalid_payload", async () => {
    const ann = await troupe().user("ann");
    const session = await ann.connects();
    const tooMany = Array.from({ length: 501 }, (_, i) => String(i + 1));
    for (const event of ["watch_presence", "unwatch_presence"]) {
      for (const user_ids of [undefined, null, "1", [1], ["x"], ["0"], tooMany]) {
        expectErrorObject(await session.isRefused(event, { user_ids }), "invalid_payload");
      }
    }
    for (const query of ["", "?user_ids=", "?user_ids=x", "?user_ids=1,,2", "?user_ids=1&x=1"]) {
      expectRefusal(await ann.api.get(`/api/presence${query}`), "invalid_payload");
    }
  });

  it("[CTR-PRS13] 500 people can be watched at once", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const watcher = await bob!.connects();
    const user_ids = [ann!.id, ...Array.from({ length: 499 }, (_, i) => String(50_000_000 + i))];
    const watched = await watcher.does("watch_presence", { user_ids });
    expect(watched.statuses).toContainEqual({
      user_id: ann!.id,
      status: "offline",
      last_seen_at: null,
    });
    await ann!.connects();
    expect(await watcher.next("user_status")).toMatchObject({ user_id: ann!.id });
  });
});
