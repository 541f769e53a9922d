/** [ACE] What an application's actors send out, and who calls them. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { troupeForFile } from "../support/suite.ts";
import { resigned } from "../support/tokens.ts";

const ACTORS_DIR = fileURLToPath(new URL("../support/fixtures/actors", import.meta.url));
const troupe = troupeForFile({
  workers: 2,
  env: { ACTORS_DIR, WEBHOOK_ALLOW_PRIVATE: "127.0.0.1", LOG_LEVEL: "fatal" },
});

interface Asked {
  line: string;
  headers: http.IncomingHttpHeaders;
  body: string;
}
const asked: Asked[] = [];
let far: http.Server;
const address = (path: string) => `http://127.0.0.1:${(far.address() as AddressInfo).port}${path}`;

beforeAll(async () => {
  far = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("utf8");
    });
    request.on("end", () => {
      const line = `${request.method} ${request.url}`;
      asked.push({ line, headers: request.headers, body });
      if (request.url === "/away") response.writeHead(302, { location: "/there" }).end();
      else response.writeHead(request.url === "/teapot" ? 418 : 200).end(`hello ${body}`);
    });
  });
  await new Promise<void>((resolve) => far.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  far.closeAllConnections();
  await new Promise((resolve) => far.close(resolve));
});

let made = 0;

async function errand() {
  const [ann] = await troupe().users("ann");
  const one = await ann!.connects();
  const at = { kind: "errand", key: `e${++made}` };
  await one.does("create_actor", { ...at, args: {}, call_id: "make" });
  await one.does("watch_actor", at);
  const calls = (action: string, args?: object, call_id = `c${++made}`) =>
    one.does("call", { ...at, action, ...(args && { args }), call_id });
  const texts = () => one.heard("actor_event").map(({ data }) => (data as { text: string }).text);
  const hears = (text: string) =>
    one.next("actor_event", ({ data }) => (data as { text: string }).text === text);
  return { ann: ann!, one, at, calls, hears, texts };
}

describe("requests", () => {
  it("[ACE1] a request's answer, of whatever status, is a turn of onAnswer", async () => {
    const { calls, hears, at } = await errand();
    await calls("fetch", { request: { url: address("/plain"), headers: { "X-Mine": "1" } } });
    await hears("fetched: 200 hello ");
    await calls("fetch", { request: { url: address("/teapot"), body: { drink: "tea" } } });
    await hears('fetched: 418 hello {"drink":"tea"}');
    await calls("fetch", { request: { url: address("/put"), method: "PUT", body: "a text" } });
    await hears("fetched: 200 hello a text");
    const [plain, teapot, put] = asked.slice(-3);
    expect(plain).toMatchObject({ line: "GET /plain", headers: { "x-mine": "1" } });
    expect(plain!.headers["idempotency-key"]).toMatch(/^actor\.\d+\.\d+$/);
    expect(teapot).toMatchObject({
      line: "POST /teapot",
      headers: { "content-type": "application/json" },
    });
    expect(put).toMatchObject({ line: "PUT /put", headers: { "content-type": "text/plain" } });
    expect(at.kind).toBe("errand");
  });

  it("[ACE2] the rules of outbound addresses hold, and no redirect is followed", async () => {
    const { calls, hears, one, at } = await errand();
    await calls("fetch", { request: { url: "http://127.0.0.2:9/" } });
    await hears("fetched: forbidden");
    await calls("fetch", { request: { url: "https://169.254.169.254/latest" } });
    await hears("fetched: forbidden");
    await calls("fetch", { request: { url: "http://127.0.0.1:1/" } });
    await hears("fetched: unavailable");
    await calls("fetch", { request: { url: address("/away") } });
    await hears("fetched: 302 ");
    expect(asked.map(({ line }) => line)).not.toContain("GET /there");
    const wrong = [
      { url: "ftp://example.org/" },
      { url: "nowhere" },
      { url: address("/"), method: "TRACE" },
      { url: address("/"), headers: { host: "other" } },
      { url: address("/"), headers: { "x-a": "a\r\nb: c" } },
      { url: address("/"), method: "GET", body: "a" },
    ];
    for (const request of wrong) {
      const call = { ...at, action: "fetch", args: { request }, call_id: `c${++made}` };
      expect(await one.isRefused("call", call)).toMatchObject({ code: "internal" });
    }
  });
});

describe("hops", () => {
  it("[ACE3] calls go at most 16 hops, and the last one's caller hears why not further", async () => {
    const { calls, hears, texts } = await errand();
    await calls("relay", { n: 0 });
    await hears("relayed 15: internal");
    expect(texts().filter((text) => text.startsWith("hop"))).toEqual(
      Array.from({ length: 16 }, (_, n) => `hop ${n}`),
    );
  });

  it("[ACE4] answers that ask again end likewise", async () => {
    const { calls, one, at, texts } = await errand();
    await calls("echo");
    // The 16th answer asks once more, and so its turn is lost.
    await one.next("actor_event", ({ rev }) => rev === 15);
    const { rev } = await one.does("call", { ...at, action: "note", call_id: "last" });
    expect(rev).toBe(15);
    expect(texts()).toHaveLength(15);
  });
});

describe("callers", () => {
  it("[ACE5] `caller.claims` has what the application put into the token", async () => {
    const { ann, at, calls } = await errand();
    expect((await calls("whoami")).result).not.toHaveProperty("claims");
    const token = await resigned(ann.token, { plan: "gold", team: { id: 7 } });
    const claimed = await ann.connects({ token });
    const { result } = await claimed.does("call", { ...at, action: "whoami", call_id: "who" });
    expect(result).toMatchObject({ user: ann.id, claims: { plan: "gold", team: { id: 7 } } });
    const response = await fetch(`${troupe().url}/api/actors/errand/${at.key}/whoami`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ call_id: "http" }),
    });
    expect(await response.json()).toMatchObject({
      result: { session: null, claims: { plan: "gold", team: { id: 7 } } },
    });
    await claimed.does("refresh_token", { token: ann.token });
    const after = await claimed.does("call", { ...at, action: "whoami", call_id: "after" });
    expect(after.result).not.toHaveProperty("claims");
  });
});
