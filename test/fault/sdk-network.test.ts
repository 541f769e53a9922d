/**
 * The client SDK while its network, its token and its server fail: everything that was sent
 * arrives once and in order, and everybody sees the same in the end.
 */
import { afterEach, describe, expect, it } from "vitest";
import { createCaller, online, onMessage } from "../../src/client/index.ts";
import { type OutboxStorage, webOutbox } from "../../src/client/storage.ts";
import type { Message } from "../../src/protocol/schemas.ts";
import { WeakLink } from "../contract/weak-link.ts";
import { eventually } from "../support/eventually.ts";
import type { Person } from "../support/person.ts";
import { SdkClients, type SdkUser, until } from "../support/sdk.ts";
import { serviceTokenOf } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET, resigned } from "../support/tokens.ts";

const troupe = troupeForFile({ workers: 2, env: { RATE_LIMITS: "off" } });
const clients = new SdkClients();
const links = new Set<WeakLink>();

afterEach(async () => {
  clients.closeAll();
  for (const link of links) await link.stop();
  links.clear();
});

const TRANSPORTS = ["websocket", "polling"] as const;

/** A client whose every byte goes over a link of its own. */
async function overLink(
  person: Person,
  transport: (typeof TRANSPORTS)[number],
  storage?: OutboxStorage,
): Promise<{ link: WeakLink; user: SdkUser }> {
  const link = await WeakLink.to(troupe().url);
  links.add(link);
  const url = link.url.replace(/\/$/, "");
  const user = clients.of(person, {
    url,
    transports: [transport],
    ...(storage === undefined ? {} : { storage }),
  });
  return { link, user };
}

async function talk(): Promise<{ ann: Person; bob: Person; id: string }> {
  const [ann, bob] = await troupe().users("ann", "bob");
  const { id } = await ann!.startsDirect(bob!);
  return { ann: ann!, bob: bob!, id };
}

const bodiesOf = (messages: readonly Message[]) => messages.map(({ body }) => body);

describe.each(TRANSPORTS)("a network that fails, over %s", (transport) => {
  it("[SDK20] what is sent without a network goes out later, once and in order", async () => {
    const { ann, bob, id } = await talk();
    const { link, user: a } = await overLink(ann, transport);
    const b = clients.of(bob);
    await Promise.all([a.isOnline(), b.isOnline()]);
    link.close();
    await a.isAway();
    const sendings = ["one", "two", "three"].map((body) => a.client.send(id, body));
    await b.client.send(id, "meanwhile").committed;
    expect(a.client.conversation(id).get()?.outgoing).toHaveLength(3);
    link.open();
    a.client.retryNow();
    const messages = await Promise.all(sendings.map(({ committed }) => committed));
    expect(messages.map(({ seq }) => seq)).toEqual([2, 3, 4]);
    await b.sees("all four", id, (view) => view.messages.length === 4);
    await a.sees("all four", id, (view) => view.messages.length === 4);
    expect(a.bodies(id)).toEqual(["meanwhile", "one", "two", "three"]);
    expect(bodiesOf(await bob.reads(id))).toEqual(a.bodies(id));
  });

  it("[SDK21] an answer that is lost makes no second message", async () => {
    const { ann, bob, id } = await talk();
    const { link, user: a } = await overLink(ann, transport);
    const b = clients.of(bob);
    await Promise.all([a.isOnline(), b.isOnline()]);
    for (const body of ["one", "two", "three"]) {
      link.loseNextAnswer();
      await a.client.send(id, body).committed;
    }
    await b.sees("three messages", id, (view) => view.messages.length === 3);
    expect(bodiesOf(await bob.reads(id))).toEqual(["one", "two", "three"]);
    await a.sees("them, and nothing on its way", id, (view) => {
      return view.messages.length === 3 && view.outgoing.length === 0;
    });
  });

  it("[SDK22] what was missed is there after the return: messages, edits, cursors", async () => {
    const { ann, bob, id } = await talk();
    const { link, user: a } = await overLink(ann, transport);
    await a.isOnline();
    const told: number[] = [];
    onMessage(a.client, ({ seq }) => told.push(seq));
    await a.client.send(id, "hello").committed;
    a.client.open(id);
    link.close();
    await a.isAway();
    for (let n = 0; n < 260; n++) await bob.posts(id, `${n}`);
    const b = clients.of(bob);
    await b.isOnline();
    await b.client.edit(id, 2, "changed");
    b.client.markRead(id, 200);
    await b.sees("that 200 are read", id, ({ readSeq }) => readSeq >= 200);
    link.open();
    a.client.retryNow();
    const view = await a.sees("everything", id, ({ messages }) => messages.length === 261);
    expect(view?.messages[1]?.body).toBe("changed");
    expect(view?.conversation.members.find(({ user_id }) => user_id === bob.id)?.read_seq).toBe(
      261,
    );
    expect(view?.unread).toBe(260);
    expect(told).toEqual(Array.from({ length: 261 }, (_, n) => n + 1));
  });
});

describe("what outlives a client", () => {
  it("[SDK23] unsent messages of a page that is closed are sent by the next one, once", async () => {
    const { ann, bob, id } = await talk();
    const kept = new Map<string, string>();
    const storage = webOutbox(
      {
        get length() {
          return kept.size;
        },
        key: (at) => [...kept.keys()][at] ?? null,
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => kept.set(key, value),
        removeItem: (key) => kept.delete(key),
      },
      ann.id,
    );
    const { link, user: first } = await overLink(ann, "websocket", storage);
    await first.isOnline();
    link.close();
    await first.isAway();
    first.client.send(id, "written in a tunnel");
    first.closes();
    expect(kept.size).toBe(1);
    const second = clients.of(ann, { storage });
    const view = await second.sees("it", id, ({ messages }) => messages.length === 1);
    expect(view?.outgoing).toEqual([]);
    expect(bodiesOf(await bob.reads(id))).toEqual(["written in a tunnel"]);
    await eventually("it is stored no more", () => kept.size === 0);
  });
});

describe("the token's life", () => {
  const inSeconds = (token: string, lifeS: number) =>
    resigned(token, { exp: Math.floor(Date.now() / 1000) + lifeS });

  it("[SDK24] it is renewed in place: one session all along", async () => {
    const { ann, id } = await talk();
    const wanted: (string | null)[] = [];
    const a = clients.of(ann, {
      getToken: ({ stale }) => {
        wanted.push(stale);
        return inSeconds(ann.token, wanted.length === 1 ? 4 : 600);
      },
    });
    await a.isOnline();
    const { sessionId } = a;
    await eventually("another token was asked for", () => wanted.length === 2, 8_000);
    expect(wanted[1]).not.toBeNull();
    const later = until("an end", a.client.connection, ({ is }) => is !== "online", 4_000);
    await expect(later).rejects.toThrow("not within");
    expect(a.sessionId).toBe(sessionId);
    expect((await a.client.send(id, "still here").committed).seq).toBe(1);
  });

  it("[SDK25] where none could be had in time, the next session comes with another", async () => {
    const { ann, id } = await talk();
    let isOut = false;
    const a = clients.of(ann, {
      getToken: ({ stale }) => {
        if (stale === null) return inSeconds(ann.token, 3);
        if (!isOut) throw new Error("the issuer is away");
        return inSeconds(ann.token, 600);
      },
    });
    await a.isOnline();
    const { sessionId } = a;
    await a.isAway();
    isOut = true;
    await a.isOnline();
    expect(a.sessionId).not.toBe(sessionId);
    expect((await a.client.send(id, "back").committed).seq).toBe(1);
  });

  it("[SDK26] without another token the end is final, and says why", async () => {
    const ann = await troupe().user("ann");
    const a = clients.of(ann, { getToken: () => "garbage" });
    await expect(online(a.client)).rejects.toMatchObject({ code: "unauthorized" });
    expect(a.client.connection.get()).toMatchObject({
      is: "closed",
      reason: { by: "refused", code: "unauthorized" },
    });
  });

  it("[SDK27] a login that is ended ends the client, which says so", async () => {
    const ann = await troupe().user("ann");
    const a = clients.of(ann);
    await a.isOnline();
    await troupe().http.post("/api/auth/logout", { refresh_token: ann.login.refresh_token });
    const ended = await until("the end", a.client.connection, ({ is }) => is === "closed");
    expect(ended).toMatchObject({ reason: { by: "server", code: "logged_out" } });
    expect(await online(a.client).catch((error: unknown) => error)).toMatchObject({
      code: "unavailable",
    });
  });

  it("[SDK29] a suspension ends the client, and does not let it back", async () => {
    const ann = await troupe().user("ann");
    const a = clients.of(ann);
    await a.isOnline();
    const token = await serviceTokenOf(JWT_SECRET, ["admin"]);
    const operator = createCaller({ url: troupe().url, token });
    await operator("POST /api/users/:id/suspend", { id: ann.id });
    const { connection } = a.client;
    const ended = await until("the end", connection, ({ is }) => is === "closed");
    expect(ended).toMatchObject({ reason: { by: "server", code: "suspended" } });
    a.client.retryNow();
    const refused = await until(
      "a refusal",
      connection,
      (now) => now.is === "closed" && now.reason.by === "refused",
    );
    expect(refused).toMatchObject({ reason: { code: "forbidden" } });
  });
});

describe("workers that go", () => {
  it("[SDK28] a roll and a kill under load: all arrive once and in order", async () => {
    const { ann, bob, id } = await talk();
    const a = clients.of(ann);
    const b = clients.of(bob);
    await Promise.all([a.isOnline(), b.isOnline()]);
    const sendings: Promise<Message>[] = [];
    const says = async (user: SdkUser, from: number): Promise<void> => {
      for (let n = from; n < from + 60; n++) {
        const { committed } = user.client.send(id, `${user.id} ${n}`);
        sendings.push(committed);
        if (n % 10 === 0) await committed;
      }
    };
    const before = troupe().pids().workers;
    troupe().signal("SIGHUP");
    await Promise.all([says(a, 0), says(b, 0)]);
    await eventually(
      "every worker was replaced",
      () => {
        const { workers } = troupe().pids();
        return workers.length === 2 && !workers.some((pid) => before.includes(pid));
      },
      30_000,
    );
    await troupe().killWorker(0);
    await Promise.all([says(a, 60), says(b, 60)]);
    await Promise.all(sendings);
    for (const user of [a, b]) {
      await user.sees("all of them", id, (view) => view.conversation.last_seq === 240, 30_000);
      await until("being online", user.client.connection, ({ is }) => is === "online", 30_000);
      await user.sees("all of them", id, (view) => view.messages.length === 240, 30_000);
    }
    expect(a.bodies(id)).toEqual(b.bodies(id));
    expect(bodiesOf(await ann.reads(id))).toEqual(a.bodies(id));
    for (const user of [a, b]) {
      const own = a.bodies(id).filter((body) => body.startsWith(`${user.id} `));
      expect(own).toEqual(Array.from({ length: 120 }, (_, n) => `${user.id} ${n}`));
    }
  }, 90_000);
});
