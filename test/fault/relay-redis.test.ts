/** Redis dies, freezes, or is out of one host's reach: what is delayed, and what must not be. */
import { afterEach, describe, expect, it } from "vitest";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { revTrail } from "../support/expectations.ts";
import type { Person } from "../support/person.ts";
import { promised } from "../support/promised.ts";
import { type Wire, whyNoRedis } from "../support/redis.ts";
import type { Session } from "../support/session.ts";
import { noSocketsLeft } from "../support/suite.ts";

const BACK_WITHIN_MS = 15_000;
/** Contract: presence is true again this soon after Redis is back. */
const TRUE_WITHIN_MS = promised(10_000, 13_000);
/** Longer than a lease, the presence grace and what detection takes. */
const CUT_MS = 15_000;
/** Of these some have their actors on either host, whatever the ids: all on one, one time in 512. */
const MANY = 10;

let cluster: ClusterOfHosts;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(cluster.logTail());
  await cluster.discard();
  await noSocketsLeft();
});

interface Scene {
  a: Troupe;
  b: Troupe;
  ann: Person;
  bob: Person;
  cleo: Person;
  groups: string[];
  /** Ann and cleo on a, bob and cleo on b. */
  annHere: Session;
  cleoHere: Session;
  bobThere: Session;
  cleoThere: Session;
}

async function scene(): Promise<Scene> {
  cluster = await ClusterOfHosts.start(2);
  const [a, b] = cluster.hosts as [Troupe, Troupe];
  const [ann, bob, cleo] = (await a.users("ann", "bob", "cleo")) as [Person, Person, Person];
  const groups: string[] = [];
  for (let n = 0; n < 6; n++) groups.push((await ann.startsGroup(bob, cleo)).id);
  await ann.startsDirect(bob);
  await ann.startsDirect(cleo);
  const annHere = await ann.connects();
  const bobThere = await connectsTo(b, bob);
  const cleoHere = await cleo.connects();
  const cleoThere = await connectsTo(b, cleo);
  for (const id of [bob.id, cleo.id]) {
    await annHere.next("user_status", (it) => it.user_id === id && it.status === "online");
  }
  return { a, b, ann, bob, cleo, groups, annHere, cleoHere, bobThere, cleoThere };
}

/** More people with their sessions on b, whom ann watches. */
async function manyThere({ a, b, annHere }: Scene): Promise<Person[]> {
  const people = await a.users(...Array.from({ length: MANY }, (_, n) => `many${n}`));
  for (const person of people) await connectsTo(b, person);
  const ids = people.map(({ id }) => id);
  const { statuses } = await annHere.does("watch_presence", { user_ids: ids });
  expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set(["online"]));
  return people;
}

/** Both sides send while they cannot hear each other; every send is acknowledged. */
async function bothSend({ annHere, bobThere, groups }: Scene, what: string): Promise<void> {
  for (const id of groups) {
    await annHere.sends(id, `ann ${what}`);
    await bobThere.sends(id, `bob ${what}`);
  }
}

async function allHeard({ annHere, bobThere, groups }: Scene, what: string): Promise<void> {
  await eventually(
    `both have heard what the other said ${what}`,
    () =>
      annHere.heard("message", ({ body }) => body === `bob ${what}`).length === groups.length &&
      bobThere.heard("message", ({ body }) => body === `ann ${what}`).length === groups.length,
    BACK_WITHIN_MS,
  );
  for (const id of groups) {
    for (const session of [annHere, bobThere]) {
      expect(revTrail(session, id).violations).toEqual([]);
    }
  }
}

function statusesOf(session: Session, person: Person): string[] {
  return session
    .heard("user_status", ({ user_id }) => user_id === person.id)
    .map(({ status }) => status);
}

async function presenceOver(host: Troupe, asking: Person, of: Person): Promise<string | undefined> {
  const headers = { Authorization: `Bearer ${asking.token}` };
  const path = `/api/presence?user_ids=${of.id}`;
  const { body } = await host.http.get<{ items: { status: string }[] }>(path, { headers });
  return body.items[0]?.status;
}

describe.skipIf(whyNoRedis !== null)(`without Redis${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  it("[RDS1] killed and back empty: nothing is lost, presence keeps its value and is true again", {
    timeout: 120_000,
  }, async () => {
    const happening = await scene();
    const { a, b, ann, bob, cleo, annHere, bobThere, cleoThere } = happening;
    await cluster.redis.dies();
    await cluster.untilAway(a);
    await cluster.untilAway(b);
    await bothSend(happening, "without Redis");
    // What bob is cannot be known here: as he was last.
    expect(await presenceOver(a, ann, bob)).toBe("online");
    const { statuses } = await annHere.does("watch_presence", { user_ids: [bob.id] });
    expect(statuses.map(({ status }) => status)).toEqual(["online"]);

    // What the other host has to learn afterwards.
    const dora = await a.user("dora");
    const made = await ann.startsGroup(bob, dora);
    await dora.api.post(`/api/users/${bob.id}/follow`);
    const again = await ann.signsInAgain();
    const annThere = await connectsTo(b, again);
    await a.http.post("/api/auth/logout", { refresh_token: again.login.refresh_token });
    await cleoThere.disconnects();

    await cluster.redis.comesBack();
    await cluster.untilJoined();
    await allHeard(happening, "without Redis");
    await bobThere.next("conversation_updated", ({ id }) => id === made.id, BACK_WITHIN_MS);
    await bobThere.next("notification", ({ type }) => type === "follow", BACK_WITHIN_MS);
    await annHere.sends(made.id, "welcome");
    await bobThere.next("message", ({ body }) => body === "welcome");
    expect((await annThere.next("session_ended", undefined, BACK_WITHIN_MS)).code).toBe(
      "logged_out",
    );
    await bothSend(happening, "with Redis again");
    await allHeard(happening, "with Redis again");

    // Cleo's session here is all that is left of hers; when it goes she is offline everywhere.
    await happening.cleoHere.disconnects();
    await annHere.next(
      "user_status",
      (it) => it.user_id === cleo.id && it.status === "offline",
      TRUE_WITHIN_MS,
    );
    expect(statusesOf(annHere, bob)).toEqual(["online"]);
    expect(await presenceOver(b, bob, ann)).toBe("online");
  });

  it("[RDS2] a session that ended while nobody could say so is no ghost afterwards", {
    timeout: 120_000,
  }, async () => {
    const { a, b, bob, cleo, annHere, cleoHere, cleoThere, bobThere } = await scene();
    await cluster.redis.dies();
    await cluster.untilAway(a);
    await cluster.untilAway(b);
    await bobThere.disconnects();
    await cleoHere.disconnects();
    await cleoThere.disconnects();
    await cluster.redis.comesBack();
    for (const person of [bob, cleo]) {
      await annHere.next(
        "user_status",
        (it) => it.user_id === person.id && it.status === "offline",
        TRUE_WITHIN_MS + BACK_WITHIN_MS,
      );
    }
    await cluster.untilJoined();
  });

  it("[RDS3] frozen: degraded, sends are acknowledged, all arrives when it goes on", {
    timeout: 120_000,
  }, async () => {
    const happening = await scene();
    const { a, b, annHere, bob } = happening;
    cluster.redis.freezes();
    await cluster.untilAway(a);
    await cluster.untilAway(b);
    await bothSend(happening, "frozen");
    cluster.redis.thaws();
    await cluster.untilJoined();
    await allHeard(happening, "frozen");
    await bothSend(happening, "thawed");
    await allHeard(happening, "thawed");
    await annHere.never("user_status", 6_500, (it) => it.user_id === bob.id);
  });

  it("[RDS6] slow for 1.5 s: no send is refused, and all statuses are right afterwards", {
    timeout: 120_000,
  }, async () => {
    const happening = await scene();
    const { a, b, ann, bob, cleo, annHere, bobThere, cleoThere } = happening;
    await cluster.redis.asks("CLIENT", "PAUSE", "1500", "ALL");
    // Sends are acknowledged, or this throws; cleo changes her status in the middle of it.
    await bothSend(happening, "paused");
    await happening.cleoHere.does("set_status", { status: "away" });
    await cleoThere.disconnects();
    await cluster.untilJoined();
    await allHeard(happening, "paused");
    for (const [host, asking] of [
      [a, ann],
      [b, bob],
    ] as const) {
      await eventually(
        "cleo is away, and the others are online",
        async () =>
          (await presenceOver(host, asking, cleo)) === "away" &&
          (await presenceOver(host, asking, ann)) === "online" &&
          (await presenceOver(host, asking, bob)) === "online",
        TRUE_WITHIN_MS + BACK_WITHIN_MS,
      );
    }
    await eventually(
      "ann and bob were sent it",
      () => statusesOf(annHere, cleo).at(-1) === "away",
      TRUE_WITHIN_MS + BACK_WITHIN_MS,
    );
    await bothSend(happening, "going on");
    await allHeard(happening, "going on");
    expect(statusesOf(annHere, bob)).toEqual(["online"]);
    expect(statusesOf(bobThere, ann).filter((status) => status !== "online")).toEqual([]);
  });

  it("[RDS4] one host cut off for a moment: the others keep its users, and miss nothing", {
    timeout: 120_000,
  }, async () => {
    const happening = await scene();
    const { b, annHere, bob } = happening;
    cluster.wires[1]!.cut();
    await cluster.untilAway(b);
    // What goes to an actor over there waits until it is back, or its lease is over.
    const sending = bothSend(happening, "cut off");
    cluster.wires[1]!.mends();
    await cluster.untilJoined();
    await sending;
    await allHeard(happening, "cut off");
    await annHere.never("user_status", 6_500, (it) => it.user_id === bob.id);
  });

  it.each([
    ["its connections are reset", (wire: Wire) => wire.cut()],
    ["nothing passes any more", (wire: Wire) => wire.goesSilent()],
  ])(
    "[RDS5] one host cut off for long, %s: nobody there is offline for the others, and all is right after",
    {
      timeout: 120_000,
    },
    async (_how, cuts) => {
      const happening = await scene();
      const { a, b, ann, bob, cleo, annHere, bobThere } = happening;
      const others = await manyThere(happening);
      cuts(cluster.wires[1]!);
      const cutAtMs = performance.now();
      await cluster.untilAway(b);
      await bothSend(happening, "apart");
      const isOffline = ({ status }: { status: string }) => status === "offline";
      const leftMs = CUT_MS - (performance.now() - cutAtMs);
      await annHere.never("user_status", leftMs, isOffline);
      expect(bobThere.heard("user_status", isOffline)).toEqual([]);
      // Those who ask receive the same.
      for (const person of [bob, cleo, ...others]) {
        expect(await presenceOver(a, ann, person)).toBe("online");
      }
      cluster.wires[1]!.mends();
      await cluster.untilJoined();
      await allHeard(happening, "apart");
      await annHere.never("user_status", 6_500, isOffline);
      await bobThere.disconnects();
      const isBob = (it: { user_id: string }) => it.user_id === bob.id;
      await annHere.next("user_status", (it) => isBob(it) && isOffline(it), TRUE_WITHIN_MS);
    },
  );

  it("[RDS7] a host that is cut off and then killed: its users are offline within 10 s", {
    timeout: 120_000,
  }, async () => {
    const { b, annHere, bob } = await scene();
    cluster.wires[1]!.cut();
    await cluster.untilAway(b);
    await annHere.never("user_status", 6_000, (it) => it.status === "offline");
    await b.killEverything();
    await annHere.next(
      "user_status",
      (it) => it.user_id === bob.id && it.status === "offline",
      TRUE_WITHIN_MS,
    );
  });

  it("[RDS8] a host that is stopped while it is cut off takes its users with it", {
    timeout: 120_000,
  }, async () => {
    const { b, annHere, bob } = await scene();
    cluster.wires[1]!.cut();
    await cluster.untilAway(b);
    await annHere.never("user_status", 5_000, (it) => it.status === "offline");
    await b.stop();
    await annHere.next(
      "user_status",
      (it) => it.user_id === bob.id && it.status === "offline",
      TRUE_WITHIN_MS,
    );
  });
});
