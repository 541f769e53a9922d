/** [HKS] HOOK_URL, which is asked before a commit. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HookQuestion } from "../../src/protocol/hooks.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, PASSWORD, type Person } from "../support/person.ts";
import { signatureOf } from "../support/receiver.ts";
import { Service } from "../support/service.ts";

const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const ALL =
  "message.send,message.edit,conversation.create,member.add,user.register,post.create,comment.create";

interface Batch {
  events: HookQuestion[];
  isSigned: boolean;
}
type Answer = { action: string; [key: string]: unknown };

describe("the hook before a commit", () => {
  let troupe: Troupe;
  let server: http.Server;
  const batches: Batch[] = [];
  /** Null: no answer at all. */
  let decide: (question: HookQuestion) => Promise<Answer | null> | Answer | null;
  const allow = () => ({ action: "allow" });

  beforeAll(async () => {
    server = http.createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", async () => {
        const body = Buffer.concat(chunks).toString("utf8");
        const { events } = JSON.parse(body) as Batch;
        const signature = signatureOf(
          {
            id: String(request.headers["webhook-id"]),
            timestamp: Number(request.headers["webhook-timestamp"]),
            signatures: [],
            body,
            events: [],
            atMs: 0,
          },
          SECRET,
        );
        batches.push({ events, isSigned: request.headers["webhook-signature"] === signature });
        const answers: object[] = [];
        for (const question of events) {
          const answer = await decide(question);
          if (answer !== null) answers.push({ id: question.id, ...answer });
        }
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ answers }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    decide = allow;
    const { port } = server.address() as AddressInfo;
    troupe = await startTroupe({
      workers: 2,
      env: {
        HOOK_URL: `http://127.0.0.1:${port}/hook`,
        HOOK_SECRET: SECRET,
        HOOK_EVENTS: ALL,
        HOOK_TIMEOUT_MS: "600",
      },
    });
  });
  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await troupe?.stop();
  });

  const questions = () => batches.flatMap(({ events }) => events);

  it("[HKS1] every kind of call is asked about, signed, and never with a password", async () => {
    const [ann, bob, eve] = (await troupe.users("ann", "bob", "eve")) as [Person, Person, Person];
    const group = await ann.startsGroup(bob);
    const sent = await ann.posts(group.id, "hello");
    const path = `/api/conversations/${group.id}`;
    await ann.api.patch(`${path}/messages/${sent.seq}`, { body: "hello!" });
    await ann.api.post(`${path}/members`, { user_ids: [eve.id] });
    const post = await ann.publishes("a post");
    await bob.comments(post, "a comment");
    const asked = questions();
    expect(new Set(asked.map(({ type }) => type))).toEqual(new Set(ALL.split(",")));
    expect(batches.every(({ isSigned }) => isSigned)).toBe(true);
    expect(JSON.stringify(asked)).not.toContain(PASSWORD);
    const of = (type: string) => asked.filter((each) => each.type === type).at(-1)!;
    expect(of("message.send")).toMatchObject({
      actor_id: ann.id,
      data: { conversation_id: group.id, body: "hello" },
    });
    expect(of("message.edit").data).toMatchObject({ seq: sent.seq, body: "hello!" });
    expect(of("member.add").data).toMatchObject({ conversation_id: group.id, user_ids: [eve.id] });
    expect(of("comment.create").data).toMatchObject({ post_id: post.id, body: "a comment" });
    expect(of("user.register")).toMatchObject({ actor_id: null });
  });

  it("[HKS2] [HOK2] [HOK1] it allows, replaces and refuses; without an answer the call is unavailable", async () => {
    const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    decide = ({ data }) => {
      const { body } = data as { body: string };
      if (body === "bad") return { action: "refuse", message: "Not here." };
      if (body === "nothing") return null;
      if (body === "malformed") return { action: "replace", body: 42 };
      if (body === "late")
        return new Promise((resolve) => setTimeout(() => resolve(allow()), 1500));
      return { action: "replace", body: body.toUpperCase(), data: { checked: true } };
    };
    const path = `/api/conversations/${group.id}/messages`;
    const send = (body: string) => ann.api.post<Message>(path, { client_id: body, body });
    expect(expectStatus(await send("fine"), 201)).toMatchObject({
      body: "FINE",
      data: { checked: true },
    });
    const refused = await ann.api.post(path, { client_id: "bad", body: "bad" });
    expectRefusal(refused, "forbidden");
    expect(refused.body.error).toMatchObject({ message: "Not here.", details: { hook: true } });
    for (const body of ["nothing", "malformed", "late"]) {
      expectRefusal(await ann.api.post(path, { client_id: body, body }), "unavailable");
    }
    expect((await ann.reads(group.id)).map(({ body }) => body)).toEqual(["FINE"]);
    const session = await ann.connects();
    const over = await session.does("send_message", {
      conversation_id: group.id,
      client_id: "socket",
      body: "by socket",
    });
    expect(over.message.body).toBe("BY SOCKET");
    // A message that was sent before is answered, and nobody is asked.
    const before = batches.length;
    expectStatus(await send("fine"), 200);
    expect(batches.length).toBe(before);
    await troupe.closeSessions();
    decide = allow;
  });

  it("[HKS3] [HLD1] a held message holds only later ones of the same sender there", async () => {
    const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
    const [group, other] = [await ann.startsGroup(bob), await ann.startsGroup(bob)];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    decide = async ({ data }) => {
      if ((data as { body: string }).body === "held") await gate;
      return allow();
    };
    const order: string[] = [];
    const send = (person: Person, id: string, body: string) =>
      person.posts(id, body).then((message) => {
        order.push(body);
        return message;
      });
    const held = send(ann, group.id, "held");
    await new Promise<void>((resolve) => {
      const look = () =>
        questions().some(({ data }) => (data as { body?: string }).body === "held")
          ? resolve()
          : setTimeout(look, 5);
      look();
    });
    const later = send(ann, group.id, "later");
    await Promise.all([send(bob, group.id, "of another"), send(ann, other.id, "elsewhere")]);
    expect([...order].sort()).toEqual(["elsewhere", "of another"]);
    release();
    const [first, second] = await Promise.all([held, later]);
    expect(first.seq).toBeLessThan(second.seq);
    decide = allow;
  });

  it("[HKS4] [HLD3] [HLD2] a client_id that is asked for again waits for the same verdict, and services are not asked", async () => {
    const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    const begun = questions().length;
    const answers = await Promise.all(
      upTo(5).map(() => ann.api.post<Message>(path, { client_id: "same", body: "same" })),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const asked = questions().slice(begun);
    expect(asked.filter(({ type }) => type === "message.send").length).toBeLessThanOrEqual(2);
    decide = () => ({ action: "refuse" });
    const shop = await Service.of(troupe, "act");
    const acting = { headers: { "troupe-act-as": ann.id } };
    const sent = await shop.api.post(
      path,
      { client_id: "service", body: "from a service" },
      acting,
    );
    expectStatus<unknown>(sent, 201);
    decide = allow;
  });

  it("[HKS5] questions that wait together are asked together", async () => {
    const [ann, bob] = (await troupe.users("ann", "bob")) as [Person, Person];
    const group = await ann.startsGroup(bob);
    const session = await ann.connects();
    const begun = batches.length;
    await Promise.all(
      upTo(300).map((n) =>
        session.does("send_message", {
          conversation_id: group.id,
          client_id: `${n}`,
          body: `${n}`,
        }),
      ),
    );
    const sizes = batches.slice(begun).map(({ events }) => events.length);
    expect(Math.max(...sizes)).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
    expect((await ann.reads(group.id)).map(({ body }) => body)).toEqual(
      upTo(300).map((n) => `${n}`),
    );
    await troupe.closeSessions();
  });
});
