/** Pushes on two hosts, while the one that pushes is killed. */
import { afterEach, describe, expect, it } from "vitest";
import type { Device } from "../../src/protocol/push.ts";
import { ClusterOfHosts } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { postedTo } from "../support/pushes.ts";
import { Receiver } from "../support/receiver.ts";
import { whyNoRedis } from "../support/redis.ts";
import { noSocketsLeft } from "../support/suite.ts";

/** A job's lease, and the time that a message waits for a session. */
const WITHIN_MS = 60_000;
const READERS = ["bob", "cid", "dan", "eve", "fay", "gus"];

let cluster: ClusterOfHosts | undefined;
let receiver: Receiver | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(cluster?.logTail());
  await cluster?.discard();
  cluster = undefined;
  await receiver?.dies();
  receiver = undefined;
  await noSocketsLeft();
});

describe.skipIf(whyNoRedis !== null)(`two hosts${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  it("[PSH6] each push comes once, though the host that held it is killed", {
    timeout: 180_000,
  }, async () => {
    receiver = await Receiver.start();
    const gateway = receiver;
    const env = { PUSH_URL: gateway.url, RATE_LIMITS: "off" };
    // The first is alone for a while, so it has the job.
    cluster = await ClusterOfHosts.start(1, env);
    const [first] = cluster.hosts;
    const [ann, ...readers] = await first!.users("ann", ...READERS);
    for (const reader of readers) {
      const device = { provider: "fcm", token: reader.id };
      expectStatus(await reader.api.put<Device>("/api/me/devices/phone", device), 200);
    }
    const group = await ann!.startsGroup(...(readers as Person[]));
    const second = await cluster.adds(env);
    await cluster.untilJoined();

    // Sessions that are online keep the pushes back while their host lives.
    for (const reader of readers) await reader.connects();
    await ann!.posts(group.id, "hello");
    await eventually("all are held", async () => {
      const answers = await Promise.all(
        readers.map((reader) => reader.api.get<{ items: { reason: string }[] }>("/api/me/pushes")),
      );
      return answers.every(({ body }) =>
        body.items.some(({ reason }) => reason === "active_session"),
      );
    });
    expect(postedTo(gateway)).toEqual([]);
    await first!.killEverything();

    const ids = readers.map(({ id }) => id).sort();
    await eventually(
      "every reader is pushed",
      () => new Set(postedTo(gateway).map(({ user_id }) => user_id)).size === ids.length,
      WITHIN_MS,
    );
    // The next message shows that the queue has come past the first.
    const sender = new Api(second.url, () => ann!.token);
    const body = { client_id: ann!.nextClientId(), body: "again" };
    const path = `/api/conversations/${group.id}/messages`;
    await eventually(
      "the second is taken",
      async () => {
        const { status } = await sender.post(path, body);
        return status === 201 || status === 200;
      },
      WITHIN_MS,
    );
    const ofSeq = (seq: number) =>
      postedTo(gateway)
        .filter(({ payload }) => payload.seq === seq)
        .map(({ user_id }) => user_id)
        .sort();
    await eventually(
      "every reader is pushed again",
      () => ofSeq(2).length >= ids.length,
      WITHIN_MS,
    );
    expect(ofSeq(1)).toEqual(ids);
    expect(ofSeq(2)).toEqual(ids);
  });
});
