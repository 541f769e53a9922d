/**
 * Behind proxies and balancers, from outside: a path prefix (BASE_PATH), metrics on a port of their
 * own (METRICS_PORT) and behind a token (METRICS_TOKEN), and a host that says that it will leave
 * before it closes its port (DRAIN_DELAY_MS).
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { SdkUser, until } from "../support/sdk.ts";

const BASE = "/chat/live";
const TOKEN = "a-token-of-the-scraper";
const DRAIN_DELAY_MS = 2_500;

let troupe: Troupe;
let metricsUrl: string;
const clients = new Set<SdkUser>();

beforeAll(async () => {
  const metricsPort = await freePort();
  metricsUrl = `http://127.0.0.1:${metricsPort}`;
  troupe = await startTroupe({
    env: {
      BASE_PATH: BASE,
      METRICS_PORT: String(metricsPort),
      METRICS_TOKEN: TOKEN,
      DRAIN_DELAY_MS: String(DRAIN_DELAY_MS),
    },
  });
});

afterAll(async () => {
  for (const { client } of clients) client.close();
  await troupe.stop();
});

async function read(path: string): Promise<{ status: number; text: string; url: string }> {
  const response = await fetch(troupe.url + path);
  return { status: response.status, text: await response.text(), url: response.url };
}

test.each(["websocket", "polling"] as const)(
  "[BAS1] two people talk below the prefix, over %s",
  async (transport) => {
    const [ann, ben] = await troupe.users("ann", "ben");
    const options = { url: `${troupe.url}${BASE}/`, transports: [transport] };
    const annsClient = new SdkUser(clients, ann!, options);
    const bensClient = new SdkUser(clients, ben!, options);
    await Promise.all([annsClient.isOnline(), bensClient.isOnline()]);
    const conversation = await annsClient.client.api("POST /api/conversations", {
      kind: "direct",
      member_ids: [ben!.id],
    });
    annsClient.client.send(conversation.id, "below a prefix");
    await until("the message", bensClient.client.conversations, (views) =>
      JSON.stringify([...views]).includes("below a prefix"),
    );
  },
);

test("[BAS2] every address in the pages lies below the prefix and is there", async () => {
  for (const page of [BASE, `${BASE}/`, `${BASE}/docs`, `${BASE}/docs/sdk`, `${BASE}/ops`]) {
    const { status, text } = await read(page);
    expect(status, page).toBe(200);
    const local = [...text.matchAll(/(?:href|src)="(\/[^"#]*)/g)].map((match) => match[1]!);
    expect(local.length, page).toBeGreaterThan(0);
    for (const address of new Set(local)) {
      expect(address, page).toMatch(new RegExp(`^${BASE}/`));
      expect((await read(address)).status, address).toBe(200);
    }
  }
});

test("[BAS3] the published contract and the client's package name the prefix", async () => {
  const openApi = JSON.parse((await read(`${BASE}/api/openapi.json`)).text);
  expect(openApi.servers).toEqual([{ url: BASE }]);
  const asyncApi = JSON.parse((await read(`${BASE}/api/asyncapi.json`)).text);
  expect(asyncApi.servers.plain.pathname).toBe(`${BASE}/socket.io`);
  const client = await read(`${BASE}/sdk/troupe-client.tgz`);
  expect(client.status).toBe(200);
  expect(new URL(client.url).pathname).toMatch(new RegExp(`^${BASE}/sdk/troupe-client-`));
});

test("[BAS4] a proxy may take the prefix off, and what only begins alike is not the prefix", async () => {
  expect((await read("/readyz")).status).toBe(200);
  expect((await read(`${BASE}s/readyz`)).status).toBe(404);
});

test("[MET10] metrics have a port of their own, and want their token there", async () => {
  expect((await read("/metrics")).status).toBe(404);
  expect((await fetch(`${metricsUrl}/metrics`)).status).toBe(401);
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect(
    (await fetch(`${metricsUrl}/metrics`, { headers: { authorization: "Bearer no" } })).status,
  ).toBe(401);
  const answer = await fetch(`${metricsUrl}/metrics`, { headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.has("access-control-allow-origin")).toBe(false);
  const text = await answer.text();
  expect(text).toContain("troupe_workers_online 2");
  expect(text).toContain('worker="');
  expect((await fetch(`${metricsUrl}/api/openapi.json`, { headers })).status).toBe(404);
});

test("[DRN10] readyz answers 503 for DRAIN_DELAY_MS while everything still works", async () => {
  const [cat, dan] = await troupe.users("cat", "dan");
  const session = await cat!.connects();
  const startedAt = performance.now();
  troupe.signal("SIGTERM");
  await eventually("readyz says 503", async () => (await read("/readyz")).status === 503);
  const another = await dan!.connects();
  const made = await dan!.api.post("/api/conversations", {
    kind: "direct",
    member_ids: [cat!.id],
  });
  expect(made.status).toBe(201);
  expect(session.isConnected && another.isConnected).toBe(true);
  expect(performance.now() - startedAt).toBeLessThan(DRAIN_DELAY_MS);
  const exit = await within("it exits", troupe.exited, 25_000);
  expect(exit.code).toBe(0);
  expect(performance.now() - startedAt).toBeGreaterThan(DRAIN_DELAY_MS - 50);
});
