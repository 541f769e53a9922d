/** The search of messages on two hosts, while the one that feeds the index is killed. */
import { afterEach, describe, expect, it } from "vitest";
import type { RouteAnswer } from "../../src/protocol/routes.ts";
import { ClusterOfHosts } from "../support/cluster-of-hosts.ts";
import { eventually } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { whyNoRedis } from "../support/redis.ts";
import { noSocketsLeft } from "../support/suite.ts";

type Page = RouteAnswer<"searchMessages">["body"];

/** A job's lease, and the time that the other host takes to look. */
const FED_WITHIN_MS = 30_000;
const MESSAGES = 60;

let cluster: ClusterOfHosts | undefined;

afterEach(async (context) => {
  if (context.task.result?.state === "fail") console.error(cluster?.logTail());
  await cluster?.discard();
  cluster = undefined;
  await noSocketsLeft();
});

describe.skipIf(whyNoRedis !== null)(`two hosts${whyNoRedis ? `: ${whyNoRedis}` : ""}`, () => {
  it("[SIX7] search the same index, and one feeds it when the other is killed", {
    timeout: 120_000,
  }, async () => {
    // The first is alone for a while, so it has the job.
    cluster = await ClusterOfHosts.start(1, { RATE_LIMIT_SEARCH: "500/s" });
    const [first] = cluster.hosts;
    const [ann, bob] = (await first!.users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    await ann.posts(group.id, "survivor 0");
    const apiOf = (url: string) => new Api(url, () => bob.token);
    const searches = async (api: Api) =>
      expectStatus(await api.get<Page>("/api/search/messages?q=survivor&limit=100"), 200);
    await eventually("the first host feeds the index", async () => {
      return (await searches(apiOf(first!.url))).items.length === 1;
    });
    const second = await cluster.adds({ RATE_LIMIT_SEARCH: "500/s" });
    await cluster.untilJoined();
    const api = apiOf(second.url);
    expect((await searches(api)).items).toHaveLength(1);

    const sender = new Api(second.url, () => ann.token);
    const sent: string[] = ["survivor 0"];
    for (const n of upTo(MESSAGES)) {
      if (n === MESSAGES / 2) await first!.killEverything();
      const body = `survivor ${n + 1}`;
      const path = `/api/conversations/${group.id}/messages`;
      const client_id = ann.nextClientId();
      // While the dead host owns the conversation, sends are refused.
      await eventually(
        "the message is taken",
        async () => {
          const { status } = await sender.post(path, { client_id, body });
          return status === 201 || status === 200;
        },
        FED_WITHIN_MS,
      );
      sent.unshift(body);
    }
    await eventually(
      "the other host feeds the index",
      async () => (await searches(api)).items.length === sent.length,
      FED_WITHIN_MS,
    );
    const page = await searches(api);
    expect(page.items.map(({ message }) => message.body)).toEqual(sent);
    expect(page).toMatchObject({ next_cursor: null, behind_ms: 0 });
  });
});
