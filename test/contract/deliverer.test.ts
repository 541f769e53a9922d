/**
 * [WHK] The deliverer of a webhook on a real log and with real receivers, with a clock of its own
 * for the tries: receivers that refuse, hang, redirect, close half-way, die and come back.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createLogger } from "../../src/base/log.ts";
import { Deliverer, type DeliveryTimes } from "../../src/jobs/webhooks/deliverer.ts";
import { Addresses } from "../../src/outbound/addresses.ts";
import { Outbound } from "../../src/outbound/request.ts";
import type { Webhook } from "../../src/protocol/event-routes.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { type ActorStorage, createActorPorts } from "../../src/storage/postgres/actor-ports.ts";
import { createEdgePorts, type EdgeStorage } from "../../src/storage/postgres/edge-ports.ts";
import { eventually } from "../support/eventually.ts";
import { administer, createDatabase, type TestDatabase } from "../support/postgres.ts";
import { Receiver } from "../support/receiver.ts";
import { granted } from "./adapters.ts";

const log = createLogger({ level: "silent" });
const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const TIMES: Partial<DeliveryTimes> = {
  lookMs: 20,
  requestMs: 400,
  retryMs: [50, 100],
  triesMax: 4,
};

describe("the deliverer of a webhook", () => {
  let database: TestDatabase;
  let edge: EdgeStorage;
  let actors: ActorStorage;
  let receiver: Receiver;
  let users: UserId[];
  let webhook: Webhook;
  const outbound = new Outbound(new Addresses(["127.0.0.0/8"]));
  const running: { stop(): Promise<void> }[] = [];

  beforeAll(async () => {
    database = await createDatabase();
    edge = createEdgePorts(database.url);
    actors = createActorPorts(database.url);
    users = [];
    for (const name of ["ann", "bob"]) {
      users.push((await granted(edge.accounts.register(name, name, "h"))).id as UserId);
    }
    await edge.events.begin();
  });
  beforeEach(async () => {
    receiver = await Receiver.start();
    webhook = (await edge.webhooks.create({
      url: receiver.url,
      types: ["message.*"],
      isBatch: false,
      secret: SECRET,
      madeBy: "test",
    }))!;
    return async () => {
      for (const each of running.splice(0)) await each.stop();
      await edge.webhooks.remove(webhook.id);
      await receiver.dies();
    };
  });
  afterAll(async () => {
    outbound.close();
    await actors.close();
    await edge.close();
    await database.stop();
  });

  function delivers(times: Partial<DeliveryTimes> = {}): { stop(): Promise<void> } {
    const abort = new AbortController();
    const deliverer = new Deliverer({
      id: webhook.id,
      queue: edge.webhooks,
      post: outbound.post,
      clock: systemClock,
      log,
      times: { ...TIMES, ...times },
    });
    const ended = deliverer.run(abort.signal);
    const run = {
      stop() {
        abort.abort();
        return ended;
      },
    };
    running.push(run);
    return run;
  }

  async function newGroup(): Promise<ConversationId> {
    const made = await granted(actors.ports.conversations.create("group", users[0]!, users, "G"));
    return made.conversation.id as ConversationId;
  }

  async function says(id: ConversationId, ...bodies: string[]): Promise<void> {
    for (const body of bodies) {
      await granted(
        actors.ports.conversations.append({
          conversationId: id,
          senderId: users[0]!,
          clientId: body,
          body,
          replyToSeq: null,
        }),
      );
    }
  }

  const bodiesOf = (id: ConversationId) =>
    receiver.events
      .filter(({ key }) => key === `conversation:${id}`)
      .map(({ data }) => (data as { message: Message }).message.body);

  it("[WHK4] a key that is refused is tried again under the same id and in order, others go on", async () => {
    const [bad, good] = [await newGroup(), await newGroup()];
    let refusals = 2;
    receiver.answers = ({ events }, response) => {
      const isBad = events[0]!.key === `conversation:${bad}`;
      response.writeHead(isBad && refusals-- > 0 ? 500 : 200).end("done");
    };
    delivers();
    await says(bad, "one", "two", "three");
    await says(good, "a", "b");
    await eventually(
      "all have arrived",
      () => bodiesOf(bad).length === 5 && bodiesOf(good).length === 2,
    );
    expect(bodiesOf(bad)).toEqual(["one", "one", "one", "two", "three"]);
    expect(bodiesOf(good)).toEqual(["a", "b"]);
    const ids = receiver.received
      .filter(({ events }) => (events[0]!.data as { message: Message }).message.body === "one")
      .map(({ id }) => id);
    expect(new Set(ids).size).toBe(1);
    await eventually("nothing is left", async () => {
      const { lag_s, failing_since } = (await edge.webhooks.webhook(webhook.id))!;
      return lag_s === 0 && failing_since === null;
    });
  });

  it("[WHK5] what hangs, redirects, or closes half-way has failed, and goes on when it is well", async () => {
    const group = await newGroup();
    const ways: Receiver["answers"][] = [
      () => undefined,
      (_, response) => response.writeHead(302, { location: receiver.url }).end(),
      (_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("half");
        setTimeout(() => response.destroy(), 20);
      },
      (_, response) => response.writeHead(200).end("x".repeat(200_000)),
    ];
    receiver.answers = (received, response, request) =>
      (ways.shift() ?? (() => response.writeHead(200).end()))(received, response, request);
    delivers({ triesMax: 10 });
    await says(group, "one", "two");
    await eventually("both have arrived", () => bodiesOf(group).includes("two"));
    // A long answer is a good one: the rest of it is not read.
    expect(bodiesOf(group)).toEqual(["one", "one", "one", "one", "two"]);
  });

  it("[WHK6] after the last try a key is parked, what comes after waits, and unpark goes on in order", async () => {
    const [bad, good] = [await newGroup(), await newGroup()];
    let isWell = false;
    receiver.answers = ({ events }, response) =>
      response.writeHead(isWell || events[0]!.key !== `conversation:${bad}` ? 200 : 503).end();
    delivers();
    await says(bad, "one", "two");
    const key = `conversation:${bad}`;
    const shown = async () => (await edge.webhooks.webhook(webhook.id))!;
    await eventually("the key is parked", async () => (await shown()).parked.includes(key));
    expect(bodiesOf(bad)).toEqual(["one", "one", "one", "one"]);
    expect((await shown()).failing_since).not.toBeNull();
    await says(bad, "three");
    await says(good, "a");
    await eventually("the other goes on", () => bodiesOf(good).length === 1);
    expect((await shown()).lag_s).toBeGreaterThan(0);
    expect(bodiesOf(bad)).toHaveLength(4);
    isWell = true;
    expect(await edge.webhooks.unpark(webhook.id, "conversation:999")).toBe(0);
    expect(await edge.webhooks.unpark(webhook.id, null)).toBe(1);
    await eventually("all have arrived", () => bodiesOf(bad).length === 7);
    expect(bodiesOf(bad).slice(4)).toEqual(["one", "two", "three"]);
    expect(await shown()).toMatchObject({ parked: [], failing_since: null });
  });

  it("[WHK7] Retry-After is waited for, and 410 disables", async () => {
    const group = await newGroup();
    let answered = 0;
    receiver.answers = (_, response) => {
      answered++;
      if (answered === 1) response.writeHead(429, { "retry-after": "1" }).end();
      else response.writeHead(410).end();
    };
    const run = delivers();
    await says(group, "one", "two");
    await eventually(
      "it is disabled",
      async () => !(await edge.webhooks.webhook(webhook.id))!.enabled,
    );
    const [first, second] = receiver.received;
    expect(second!.atMs - first!.atMs).toBeGreaterThan(900);
    await run.stop();
    // Enabled again it goes on where it stopped.
    receiver.answers = (_, response) => response.writeHead(200).end();
    await edge.webhooks.change(webhook.id, { isEnabled: true });
    delivers();
    await eventually("the rest arrives", () => bodiesOf(group).includes("two"));
    expect(bodiesOf(group).slice(2)).toEqual(["one", "two"]);
  });

  it("[WHK8] a batch holds up to 100 events of one key, and is the same when it is tried again", async () => {
    await edge.webhooks.change(webhook.id, { isBatch: true });
    const group = await newGroup();
    const bodies = Array.from({ length: 150 }, (_, n) => `m${n}`);
    await says(group, ...bodies);
    let refusals = 1;
    receiver.answers = (_, response) => {
      if (refusals-- > 0) void says(group, "later").then(() => response.writeHead(500).end());
      else response.writeHead(200).end();
    };
    delivers();
    await eventually("all have arrived", () => bodiesOf(group).includes("later"));
    const [first, again] = receiver.received;
    expect(first!.events).toHaveLength(100);
    expect(again!.body).toBe(first!.body);
    expect(first!.id).toBe(first!.events[0]!.id);
    expect(bodiesOf(group).slice(100)).toEqual([...bodies, "later"]);
  });

  it("[WHK9] a receiver that dies and comes back misses nothing, and a replay sends again", async () => {
    const before = (await edge.events.state()).end;
    const group = await newGroup();
    const run = delivers({ triesMax: 100 });
    await says(group, "one");
    await eventually("the first has arrived", () => bodiesOf(group).length === 1);
    await receiver.dies();
    await says(group, "two", "three");
    await eventually("it fails", async () => {
      return (await edge.webhooks.webhook(webhook.id))!.failing_since !== null;
    });
    // Another host takes over meanwhile.
    await run.stop();
    delivers({ triesMax: 100 });
    await receiver.comesBack();
    await eventually("all have arrived", () => bodiesOf(group).length === 3);
    expect(bodiesOf(group)).toEqual(["one", "two", "three"]);
    expect(await edge.webhooks.replay(webhook.id, before)).toBe(true);
    await eventually("all have arrived again", () => bodiesOf(group).length === 6);
    expect(bodiesOf(group).slice(3)).toEqual(["one", "two", "three"]);
  });

  it("[EVL3] old events go, but for those that a webhook has not been sent", async () => {
    const group = await newGroup();
    receiver.answers = (_, response) => response.writeHead(500).end();
    delivers({ triesMax: 1 });
    await says(group, "kept");
    const key = `conversation:${group}`;
    await eventually("the key is parked", async () =>
      (await edge.webhooks.webhook(webhook.id))!.parked.includes(key),
    );
    const before = (await edge.events.state()).oldest;
    await administer(database.url, "UPDATE event_log SET at = at - interval '8 days'");
    expect(await edge.events.upkeep(7, true)).toBe(true);
    const all = { types: null, keys: null };
    expect(await edge.events.read(before, all, 10)).toBeNull();
    const { oldest, end } = await edge.events.state();
    expect(oldest.pos).toBe(end.pos);
    receiver.answers = (_, response) => response.writeHead(200).end();
    await edge.webhooks.unpark(webhook.id, key);
    await eventually("it arrives all the same", () => bodiesOf(group).length === 2);
  });
});
