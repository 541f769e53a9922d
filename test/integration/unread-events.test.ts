/** [UNR] The event message.unread, from which a back end writes e-mails. */

import type { Static } from "typebox";
import { Value } from "typebox/value";
import { afterEach, describe, expect, it } from "vitest";
import {
  OUTSIDE_EVENT_SCHEMAS,
  type OUTSIDE_EVENTS,
  type OutsideEvent,
} from "../../src/protocol/outside-events.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { EventReader, type Pulled } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

type Unread = Static<(typeof OUTSIDE_EVENTS)["message.unread"]>;

const AFTER_S = 2;
/** A round of the job, and what a busy machine adds. */
const WITHIN_MS = (AFTER_S + 10) * 1_000;
/** The lease of the job of a killed host has to end first. */
const JOB_WITHIN_MS = 30_000;
/** After this nothing comes any more. */
const QUIET_ROUNDS = 4;
const env = { UNREAD_AFTER_S: String(AFTER_S), PRESENCE_GRACE_MS: "200" };

const unreadOf = (event: OutsideEvent) => event.data as Unread;

/** The events until one is about each of these readers, and those that come in the rounds after. */
async function hears(reader: EventReader, readers: readonly Person[]): Promise<OutsideEvent[]> {
  const found: OutsideEvent[] = [];
  const missing = () =>
    readers.filter(({ id }) => !found.some((event) => unreadOf(event).user.id === id));
  const deadline = performance.now() + WITHIN_MS;
  while (missing().length > 0) {
    if (performance.now() > deadline) {
      throw new Error(`no event for ${missing().map(({ user }) => user.username)}`);
    }
    found.push(...(await reader.pulls("&types=message.unread&wait_s=1")));
  }
  for (const _ of upTo(QUIET_ROUNDS)) {
    found.push(...(await reader.pulls("&types=message.unread&wait_s=1")));
  }
  return found;
}

describe("message.unread", () => {
  const troupe = troupeForFile({ workers: 2, env });

  it("[UNR1] tells of a direct conversation, of a small group and of a mention, once for each reader", async () => {
    const reader = await EventReader.of(troupe());
    const [ann, bob, eve, dan] = (await troupe().users("ann", "bob", "eve", "dan")) as [
      Person,
      Person,
      Person,
      Person,
    ];
    const direct = await ann.startsDirect(bob);
    const group = await ann.startsGroup(eve, dan);
    for (const n of upTo(12)) await ann.posts(direct.id, `direct ${n}`);
    await ann.posts(group.id, `@${eve.user.username} look`);
    const events = await hears(reader, [bob, eve, dan]);
    expect(events.map((event) => unreadOf(event).user.id).sort()).toEqual(
      [bob.id, eve.id, dan.id].sort(),
    );
    for (const event of events) {
      const faults = [...Value.Errors(OUTSIDE_EVENT_SCHEMAS["message.unread"]!, event)];
      expect(faults, JSON.stringify(event)).toEqual([]);
      expect(event.key).toBe(`user:${unreadOf(event).user.id}`);
    }
    const bobs = unreadOf(events.find((event) => unreadOf(event).user.id === bob.id)!);
    expect(bobs).toMatchObject({ unread_count: 12, conversation: { id: direct.id } });
    expect(bobs.messages.map(({ body }) => body)).toEqual(upTo(10).map((n) => `direct ${n + 2}`));
  });

  it("[UNR2] [UNR3] tells nobody who is here, has read it elsewhere, has muted it, or was told and has not read", async () => {
    const reader = await EventReader.of(troupe());
    const people = await troupe().users("ann", "here", "read", "muted", "told", "last");
    const [ann, here, read, muted, told, last] = people as [
      Person,
      Person,
      Person,
      Person,
      Person,
      Person,
    ];
    const talks = new Map<Person, string>();
    for (const other of [here, read, muted, told]) {
      talks.set(other, (await ann.startsDirect(other)).id);
    }
    const session = await here.connects();
    const prefs = { muted_until: new Date(Date.now() + 3_600_000).toISOString() };
    const path = `/api/conversations/${talks.get(muted)}/prefs`;
    expectStatus<unknown>(await muted.api.patch(path, prefs), 200);
    for (const id of talks.values()) await ann.posts(id, "first");
    const marks = `/api/conversations/${talks.get(read)}/read`;
    expectStatus<unknown>(await read.api.put(marks, { seq: 1 }), 200);
    const first = await hears(reader, [told]);
    expect(first.map((event) => unreadOf(event).user.username)).toEqual([told.user.username]);

    // Told, and not read since: what comes is not told again. The one after it shows that the job
    // has come so far.
    await ann.posts(talks.get(told)!, "second");
    await ann.posts((await ann.startsDirect(last)).id, "to the last");
    const second = await hears(reader, [last]);
    expect(second.map((event) => unreadOf(event).user.username)).toEqual([last.user.username]);
    expect(session.isConnected).toBe(true);
  });
});

describe("message.unread over hosts that die", () => {
  let troupe: Troupe | undefined;
  afterEach(async () => {
    await troupe?.stop();
  });

  it("[UNR1] comes once for each of many readers, though everything is killed in between", async () => {
    troupe = await startTroupe({ workers: 2, env: { ...env, RATE_LIMITS: "off" } });
    const reader = await EventReader.of(troupe);
    const ann = await troupe.user("ann");
    const readers = await troupe.users(...upTo(12).map((n) => `reader${n}`));
    for (const each of readers) await ann.posts((await ann.startsDirect(each)).id, "hello");
    const found: OutsideEvent[] = [];
    while (found.length === 0) {
      found.push(...(await reader.pulls("&types=message.unread&wait_s=5")));
    }
    await troupe.killEverything();
    const { databaseUrl, dataDir } = troupe;
    troupe = await startTroupe({ workers: 2, env, databaseUrl: databaseUrl!, dataDir });
    const next = await EventReader.of(troupe);
    const fromOldest = async () =>
      expectStatus(await next.api.get<Pulled>("/api/events?after=oldest&types=message.unread"), 200)
        .items;
    await eventually(
      "each reader's event is in the log",
      async () => (await fromOldest()).length >= readers.length,
      JOB_WITHIN_MS,
    );
    // Rounds in which a second one would come.
    for (const _ of upTo(QUIET_ROUNDS)) await next.pulls("&wait_s=1");
    const all = await fromOldest();
    expect(all.map((event) => unreadOf(event).user.id).sort()).toEqual(
      readers.map(({ id }) => id).sort(),
    );
  });
});
