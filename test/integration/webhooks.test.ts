/** [WBH] Webhooks as a back end makes them, over two hosts of which one is killed. */
import { afterEach, describe, expect, it } from "vitest";
import type { Webhook } from "../../src/protocol/event-routes.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { startTroupe } from "../support/cluster.ts";
import type { Pulled } from "../support/events.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { createDatabase } from "../support/postgres.ts";
import { Receiver, signatureOf } from "../support/receiver.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const env = { WEBHOOK_ALLOW_PRIVATE: "127.0.0.1", PRESENCE_GRACE_MS: "200" };
const troupe = troupeForFile({ workers: 1, env });
const receivers: Receiver[] = [];

afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.dies();
});

async function newReceiver(): Promise<Receiver> {
  const receiver = await Receiver.start();
  receivers.push(receiver);
  return receiver;
}

const textsOf = ({ events }: Receiver, key: string) =>
  events
    .filter((event) => event.key === key && event.type === "message.created")
    .map(({ data }) => (data as { message: Message }).message.body);

describe("webhooks", () => {
  it("[WBH1] a webhook is made with a secret that is shown once, signs, rotates and is tried out", async () => {
    const { api } = await Service.of(troupe(), "events");
    const receiver = await newReceiver();
    const body = { url: receiver.url, types: ["message.*"] };
    const made = expectStatus(
      await api.post<Webhook & { secret: string }>("/api/webhooks", body),
      201,
    );
    expect(made).toMatchObject({ ...body, batch: false, enabled: true, parked: [], lag_s: 0 });
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const path = `/api/webhooks/${made.id}`;
    expect(expectStatus<Webhook>(await api.get(path), 200)).not.toHaveProperty("secret");

    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    await ann.posts(group.id, "signed");
    await eventually("it arrives", () => receiver.received.length === 1);
    const [first] = receiver.received;
    expect(first!.signatures).toEqual([signatureOf(first!, made.secret)]);
    expect(first!.id).toBe(first!.events[0]!.id);
    expect(Math.abs(first!.timestamp - Date.now() / 1000)).toBeLessThan(60);

    const rotated = expectStatus(
      await api.patch<Webhook & { secret: string }>(path, { rotate_secret: true }),
      200,
    );
    const tested = expectStatus<{ delivered: boolean; status: number }>(
      await api.post(`${path}/test`),
      200,
    );
    expect(tested).toMatchObject({ delivered: true, status: 204 });
    const test = receiver.received.find(({ events }) => events[0]!.type === "webhook.test")!;
    expect(test.signatures).toEqual([
      signatureOf(test, rotated.secret),
      signatureOf(test, made.secret),
    ]);
    await eventually("the delivery is noted", async () => {
      return expectStatus<Webhook>(await api.get(path), 200).last_ok_at !== null;
    });
    expectStatus<unknown>(await api.delete(path), 204);
    expectRefusal(await api.get(path), "not_found");
  });

  it("[WBH2] addresses that are private, without TLS or malformed are refused, and so is the 21st", async () => {
    const { api } = await Service.of(troupe(), "events");
    for (const url of [
      "http://10.0.0.1/",
      "https://10.0.0.1/",
      "https://[::1]/",
      "https://169.254.169.254/latest",
      "https://[::ffff:10.0.0.1]/",
      "http://93.184.216.34/",
      "ftp://127.0.0.1/",
      "https://user:secret@127.0.0.1/",
      "nonsense",
    ]) {
      const answer = await api.post("/api/webhooks", { url, types: ["message.*"] });
      expectRefusal(answer, "invalid_payload");
    }
    const url = "http://127.0.0.1:9/";
    expectRefusal(await api.post("/api/webhooks", { url, types: ["msg.*"] }), "invalid_payload");
    const made: string[] = [];
    for (const _ of upTo(20)) {
      const types = ["report.created"];
      made.push(expectStatus<Webhook>(await api.post("/api/webhooks", { url, types }), 201).id);
    }
    expectRefusal(await api.post("/api/webhooks", { url, types: ["message.*"] }), "conflict");
    for (const id of made) expectStatus<unknown>(await api.delete(`/api/webhooks/${id}`), 204);
  });

  it("[WBH3] a disabled webhook goes on where it stopped, and a replay begins at a cursor", async () => {
    const { api } = await Service.of(troupe(), "events");
    const receiver = await newReceiver();
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const key = `conversation:${group.id}`;
    const { cursor } = expectStatus<{ cursor: string }>(await api.get("/api/events"), 200);
    const made = expectStatus<Webhook>(
      await api.post("/api/webhooks", { url: receiver.url, types: ["message.created"] }),
      201,
    );
    const path = `/api/webhooks/${made.id}`;
    await ann.posts(group.id, "one");
    await eventually("the first arrives", () => textsOf(receiver, key).length === 1);
    await api.patch(path, { enabled: false });
    await ann.posts(group.id, "two");
    await api.patch(path, { enabled: true });
    await eventually("the second arrives", () => textsOf(receiver, key).length === 2);
    expectStatus<unknown>(await api.post(`${path}/replay`, { after: cursor }), 204);
    await eventually("both arrive again", () => textsOf(receiver, key).length === 4);
    expect(textsOf(receiver, key)).toEqual(["one", "two", "one", "two"]);
    expectRefusal(await api.post(`${path}/replay`, { after: "nonsense" }), "invalid_payload");
    await api.delete(path);
  });

  it("[WBH5] presence is sent only where it is named in full", async () => {
    const { api } = await Service.of(troupe(), "events");
    const [named, patterned] = [await newReceiver(), await newReceiver()];
    const ids: string[] = [];
    for (const [receiver, types] of [
      [named, ["user.online", "user.offline"]],
      [patterned, ["user.*"]],
    ] as const) {
      const made = await api.post<Webhook>("/api/webhooks", { url: receiver.url, types });
      ids.push(expectStatus(made, 201).id);
    }
    const ann = await troupe().user("ann");
    const session = await ann.connects();
    await session.disconnects();
    const key = `user:${ann.id}`;
    const seen = ({ events }: Receiver) =>
      events.filter((event) => event.key === key).map(({ type }) => type);
    await eventually("both have arrived", () => seen(named).length === 2);
    expect(seen(named)).toEqual(["user.online", "user.offline"]);
    expect(seen(patterned)).toEqual(["user.created"]);
    for (const id of ids) await api.delete(`/api/webhooks/${id}`);
  });

  it("[EVP1] who hides their presence is told of to services with the scope presence only", async () => {
    const scoped = await Service.of(troupe(), "events", "presence");
    const plain = await Service.of(troupe(), "events");
    const types = ["user.online", "user.offline"];
    const [trusted, other] = [await newReceiver(), await newReceiver()];
    const ids: string[] = [];
    for (const [{ api }, receiver] of [
      [scoped, trusted],
      [plain, other],
    ] as const) {
      const made = expectStatus(
        await api.post<Webhook>("/api/webhooks", { url: receiver.url, types }),
        201,
      );
      expect(made.types).toEqual(types);
      ids.push(made.id);
    }
    const from = expectStatus(await plain.api.get<Pulled>("/api/events?after=now"), 200).cursor;
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    expectStatus<unknown>(await ann.api.patch("/api/me/privacy", { presence: "nobody" }), 200);
    for (const person of [ann, bob]) await (await person.connects()).disconnects();
    const seen = ({ events }: Receiver, { id }: Person) =>
      events.filter(({ key }) => key === `user:${id}`).map(({ type }) => type);
    await eventually("all that it may know has arrived", () =>
      [seen(trusted, ann), seen(trusted, bob), seen(other, bob)].every(
        ({ length }) => length === 2,
      ),
    );
    expect(seen(trusted, ann)).toEqual(types);
    expect(seen(other, ann)).toEqual([]);
    const pulls = async (service: Service) => {
      const path = `/api/events?after=${from}&types=user.online&keys=user:${ann.id}`;
      const { items } = expectStatus(await service.api.get<Pulled>(path), 200);
      return items.map(({ type }) => type);
    };
    expect(await pulls(scoped)).toEqual(["user.online"]);
    expect(await pulls(plain)).toEqual([]);
    const hidden = { url: other.url, types: ["hidden.online"] };
    expectRefusal(await scoped.api.post("/api/webhooks", hidden), "invalid_payload");
    for (const id of ids) await scoped.api.delete(`/api/webhooks/${id}`);
  });

  it("[WBH4] [WHK3] [WHK1] when the host that delivers is killed another goes on, and every key stays in order", async () => {
    const receiver = await newReceiver();
    const database = await createDatabase();
    const options = { workers: 1, databaseUrl: database.url, env };
    const victim = await startTroupe(options);
    const heir = await startTroupe(options);
    try {
      const { api } = await Service.of(victim, "events");
      const body = { url: receiver.url, types: ["message.created"] };
      expectStatus<Webhook>(await api.post("/api/webhooks", body), 201);
      const [ann, bob] = (await heir.users("ann", "bob")) as [Person, Person];
      const groups = await Promise.all(upTo(4).map(() => ann.startsGroup(bob)));
      const send = (n: number) =>
        Promise.all(groups.map(({ id }) => ann.posts(id, String(n).padStart(3, "0"))));
      for (const n of upTo(10)) await send(n);
      await eventually("it has begun", () => receiver.received.length > 0);
      for (const ref of victim.processes()) process.kill(ref.pid, "SIGKILL");
      for (const n of upTo(10)) await send(10 + n);
      for (const { id } of groups) {
        const key = `conversation:${id}`;
        const seen = () => [...new Set(textsOf(receiver, key))];
        await eventually("all have arrived", () => seen().length === 20, 30_000);
        expect(seen()).toEqual([...seen()].sort());
      }
    } finally {
      await Promise.all([victim.discard(), heir.discard()]);
      await database.stop();
    }
  });
});
