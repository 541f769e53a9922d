/** A channel over two hosts while Redis is out of one host's reach: what waits, and what is kept. */
import { afterEach, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import type { Troupe } from "../support/cluster.ts";
import { ClusterOfHosts, connectsTo } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { revTrail } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { whyNoRedis } from "../support/redis.ts";
import { noSocketsLeft } from "../support/suite.ts";

const BACK_WITHIN_MS = 20_000;
const NEW = { contract: "1.1" };

let cluster: ClusterOfHosts;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(cluster.logTail());
  await cluster.discard();
  await noSocketsLeft();
});

describe.skipIf(whyNoRedis !== null)(`two hosts${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  it("[CHF1] watchers on both receive each change once and in order, also those made while Redis was cut", {
    timeout: 120_000,
  }, async () => {
    cluster = await ClusterOfHosts.start(2);
    const [a, b] = cluster.hosts as [Troupe, Troupe];
    const [ann, bob, eve] = (await a.users("ann", "bob", "eve")) as [Person, Person, Person];
    const body = { kind: "channel", title: "News", settings: { join: "open" } };
    const made = await ann.api.post<Conversation>("/api/conversations", body);
    const { id } = expectStatus(made, 201);
    for (const who of [bob, eve]) {
      expectStatus(await who.api.post<Conversation>(`/api/conversations/${id}/join`), 200);
    }
    const here = await ann.connects(NEW);
    const there = await connectsTo(b, bob, NEW);
    const passive = await connectsTo(b, eve, NEW);
    for (const session of [here, there]) {
      await session.does("join_conversation", { conversation_id: id });
    }
    for (const session of [here, there]) {
      const told = ({ watching }: { watching: number }) => watching === 2;
      await session.next("occupancy", told, BACK_WITHIN_MS);
    }
    await here.sends(id, "before");
    await there.next("message", ({ body: text }) => text === "before", BACK_WITHIN_MS);

    cluster.wires[0]!.cut();
    await cluster.untilAway(a);
    for (let n = 1; n <= 5; n++) await here.sends(id, `cut ${n}`);
    cluster.wires[0]!.mends();
    await cluster.untilJoined();

    await there.next("message", ({ body: text }) => text === "cut 5", BACK_WITHIN_MS);
    await here.sends(id, "after");
    await there.next("message", ({ body: text }) => text === "after", BACK_WITHIN_MS);
    expect(revTrail(there, id).violations).toEqual([]);
    const texts = there.heard("message").map(({ body: text }) => text);
    expect(texts).toEqual(["before", ...[1, 2, 3, 4, 5].map((n) => `cut ${n}`), "after"]);
    await eventually(
      "the member who does not watch has received where the channel stands",
      () => passive.heard("conversation_activity").some(({ last_seq }) => last_seq === 7),
      BACK_WITHIN_MS,
    );
    expect(passive.heard("message")).toEqual([]);

    // One who is removed on one host hears no more on the other.
    expectStatus(await ann.api.delete(`/api/conversations/${id}/members/${bob.id}`), 204);
    await here.sends(id, "without bob");
    await passive.next("conversation_activity", ({ last_seq }) => last_seq === 8, BACK_WITHIN_MS);
    expect(there.heard("message", ({ body: text }) => text === "without bob")).toEqual([]);
  });
});
