/**
 * [HKI] The application's hooks in process, from outside.
 *
 * [HKI1] A hook allows, replaces or refuses; those of several files run by the files' names.
 * [HKI2] A hook that throws, is late, hangs, eats memory or answers wrongly is HOOK_ON_FAILURE, and
 *        messages that nobody had to ask about go on.
 * [HKI3] HOOK_URL comes after them, with what they replaced.
 * [HKI4] A hook sees what the application had put into the user's token.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HookQuestion } from "../../src/protocol/hooks.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { Service } from "../support/service.ts";
import { resigned } from "../support/tokens.ts";

const ACTORS_DIR = fileURLToPath(new URL("../support/fixtures/hooks", import.meta.url));
const pair = (troupe: Troupe) => troupe.users("ann", "bob") as Promise<[Person, Person]>;
let sends = 0;
const sending = (body: string) => ({ client_id: `${++sends}`, body });

describe("hooks in process", () => {
  let troupe: Troupe;

  beforeAll(async () => {
    troupe = await startTroupe({ workers: 2, env: { ACTORS_DIR, ACTORS_MEMORY_MB: "64" } });
  });
  afterAll(async () => {
    await troupe?.closeSessions();
    await troupe?.stop();
  });

  it("[HKI1] messages and edits are allowed, replaced and refused", async () => {
    const [ann, bob] = await pair(troupe);
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    const plain = expectStatus(await ann.api.post<Message>(path, sending("plain")), 201);
    expect(plain.body).toBe("plain");
    const shouted = expectStatus(await ann.api.post<Message>(path, sending("shout")), 201);
    expect(shouted).toMatchObject({ body: "SHOUT", data: { by: "a", and: "b" } });
    const refused = await ann.api.post(path, sending("refused"));
    expectRefusal(refused, "forbidden");
    expect(refused.body.error).toMatchObject({ message: "Not here.", details: { hook: true } });
    const session = await ann.connects();
    const { message } = await session.does("send_message", {
      conversation_id: group.id,
      ...sending("who"),
    });
    expect(message.data).toMatchObject({
      caller: { user: ann.id, session: session.id, service: null, role: "owner" },
      conversation_id: group.id,
      reply_to_seq: null,
    });
    const edited = await ann.api.patch<Message>(`${path}/${plain.seq}`, { body: "other" });
    expect(expectStatus(edited, 200).body).toBe(`other (edited ${plain.seq})`);
    expectRefusal(await ann.api.patch(`${path}/${plain.seq}`, { body: "refused" }), "forbidden");
    const shop = await Service.of(troupe, "act");
    const acting = { headers: { "troupe-act-as": ann.id } };
    expectStatus<unknown>(await shop.api.post(path, sending("refused"), acting), 201);
  });

  it("[HKI4] the caller has what the application put into the user's token", async () => {
    const [ann, bob] = await pair(troupe);
    const group = await ann.startsGroup(bob);
    const token = await resigned(ann.token, { plan: "gold" });
    const path = `${troupe.url}/api/conversations/${group.id}`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const posts = async (to: string, body: object) =>
      (await fetch(to, { method: "POST", headers, body: JSON.stringify(body) })).json();
    const caller = { user: ann.id, claims: { plan: "gold" } };
    const sent = await posts(`${path}/messages`, sending("who"));
    expect(sent.data).toMatchObject({ caller: { ...caller, session: null } });
    const session = await ann.connects({ token });
    const asked = { conversation_id: group.id, ...sending("who") };
    const { message } = await session.does("send_message", asked);
    expect(message.data).toMatchObject({ caller: { ...caller, session: session.id } });
    const made = await posts(`${troupe.url}/api/conversations`, {
      member_ids: [bob.id],
      title: "who",
    });
    expect(made.data).toMatchObject({ caller });
    await session.does("refresh_token", { token: ann.token });
    const after = await session.does("send_message", { ...asked, ...sending("who") });
    expect(after.message.data?.["caller"]).not.toHaveProperty("claims");
  });

  it("[HKI1] appends, conversations and members likewise", async () => {
    const [ann, bob, cid, eve] = (await troupe.users("ann", "bob", "cid", "eve")) as Person[];
    const group = await ann!.startsGroup(bob!);
    const session = await ann!.connects({ contract: "1.1" });
    const stream = { conversation_id: group.id, ...sending("a "), streaming: true as const };
    const { message } = await session.does("send_message", stream);
    const at = { conversation_id: group.id, seq: message.seq };
    const append = { ...at, offset: 2, text: "bad word" };
    expect(await session.isRefused("append_message", append)).toMatchObject({
      code: "forbidden",
      message: "Not at 2.",
    });
    const replaced = { ...at, offset: 2, text: "replaced" };
    expect(await session.isRefused("append_message", replaced)).toMatchObject({
      code: "unavailable",
    });
    // The end waits for the append before it.
    const [appended, ended] = await Promise.all([
      session.does("append_message", { ...at, offset: 2, text: "good word" }),
      session.does("end_message", { ...at, state: "done" }),
    ]);
    expect(appended).toMatchObject({ length: 11 });
    expect(ended.message.body).toBe("a good word");
    const make = (title: string) =>
      ann!.api.post("/api/conversations", { member_ids: [bob!.id, cid!.id], title });
    expectRefusal(await make("refused"), "forbidden");
    expect(expectStatus<unknown>(await make("marked"), 201)).toMatchObject({
      data: { marked: true },
    });
    const add = (...people: Person[]) =>
      ann!.api.post(`/api/conversations/${group.id}/members`, {
        user_ids: people.map(({ id }) => id),
      });
    expectRefusal(await add(bob!, cid!, eve!), "forbidden");
    expectStatus<unknown>(await add(cid!, eve!), 200);
  });

  it("[HKI2] [HKP1] a hook that fails refuses its message and no other", async () => {
    const [ann, bob] = await pair(troupe);
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    for (const body of ["thrown", "late", "malformed", "nothing", "promise"]) {
      expectRefusal(await ann.api.post(path, sending(body)), "unavailable");
    }
    const many = upTo(30).map((n) => bob.api.post(path, sending(`meanwhile ${n}`)));
    expectRefusal(await ann.api.post(path, sending("loop")), "unavailable");
    for (const answer of await Promise.all(many)) expectStatus<unknown>(answer, 201);
    expectRefusal(await ann.api.post(path, sending("grow")), "unavailable");
    expectStatus<unknown>(await ann.api.post(path, sending("after")), 201);
    // Three in a minute, and this hook fails at once.
    expectRefusal(await ann.api.post(path, sending("loop")), "unavailable");
    expectRefusal(await ann.api.post(path, sending("plain")), "unavailable");
    const after = (await ann.reads(group.id)).find(({ body }) => body === "after");
    const edited = await ann.api.patch<Message>(`${path}/${after?.seq}`, { body: "others go on" });
    expectStatus(edited, 200);
  });
});

describe("hooks in process before HOOK_URL", () => {
  let troupe: Troupe;
  let server: http.Server;
  const asked: HookQuestion[] = [];

  beforeAll(async () => {
    server = http.createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => {
        text += chunk.toString("utf8");
      });
      request.on("end", () => {
        const { events } = JSON.parse(text) as { events: HookQuestion[] };
        asked.push(...events);
        const answers = events.map(({ id, data }) => {
          const { body } = data as { body: string };
          const replaces = body === "SHOUT" ? { action: "replace", body: "SHOUT!" } : null;
          return { id, ...(replaces ?? { action: "allow" }) };
        });
        response.writeHead(200).end(JSON.stringify({ answers }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const HOOK_URL = `http://127.0.0.1:${port}/hook`;
    troupe = await startTroupe({ env: { ACTORS_DIR, HOOK_URL, HOOK_ON_FAILURE: "allow" } });
  });
  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await troupe?.stop();
  });

  it("[HKI3] it is asked about what they let through, as they left it", async () => {
    const [ann, bob] = await pair(troupe);
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    expectRefusal(await ann.api.post(path, sending("refused")), "forbidden");
    const shouted = expectStatus(await ann.api.post<Message>(path, sending("shout")), 201);
    expect(shouted).toMatchObject({ body: "SHOUT!", data: { by: "a", and: "b" } });
    expect(asked).toMatchObject([
      { type: "message.send", actor_id: ann.id, data: { body: "SHOUT", data: { and: "b" } } },
    ]);
  });

  it("[HKI2] with HOOK_ON_FAILURE=allow a failure allows", async () => {
    const [ann, bob] = await pair(troupe);
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    for (const body of ["thrown", "late", "loop"]) {
      expectStatus<unknown>(await ann.api.post(path, sending(body)), 201);
    }
    await eventually("the failures are logged", () => troupe.stderr.includes("beforeSend hangs"));
    expect(troupe.stderr).toContain("a-words.hooks.ts:15:");
  });
});
