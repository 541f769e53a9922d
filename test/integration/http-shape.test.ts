/** What every HTTP answer has in common: shapes, statuses, headers, and what is not HTTP at all. */

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { REFUSALS } from "../../src/protocol/errors.ts";
import { ROUTES } from "../../src/protocol/routes.ts";
import { clockShowing } from "../support/fake-clock.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";

let http: HttpApi;
afterEach(() => http.stop());

/** Sends bytes as they are; resolves with all that comes back until the server closes. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.write(bytes);
  });
}

function unreached(): void {
  throw new Error("nobody asked yet");
}

describe("errors", () => {
  test("an unknown address is 404 and a wrong method 405 with Allow, with and without a token", async () => {
    http = await startHttpApi();
    for (const path of [
      "/api/nothing",
      "/api",
      "/nothing",
      "/api/users/1/2/3",
      "/api/auth/loginx",
    ]) {
      const answer = await http.call("GET", path);
      expect([answer.status, answer.body.error.code], path).toEqual([404, "not_found"]);
    }
    const wrong = await http.call("PUT", "/api/conversations/1", { headers: {} });
    expect([wrong.status, wrong.body.error.code]).toEqual([405, "method_not_allowed"]);
    expect(wrong.headers.get("allow")).toBe("GET, HEAD, PATCH, DELETE, OPTIONS");
    expect((await http.call("GET", "/api/auth/login")).status).toBe(405);
    expect((await http.call("POST", "/healthz")).status).toBe(405);
    expect((await http.call("PUT", "/docs/api")).status).toBe(405);
  });

  test("every route that wants a token says 401 before it looks at anything else", async () => {
    http = await startHttpApi();
    for (const [name, route] of Object.entries(ROUTES)) {
      if (!route.token) continue;
      const path = route.path.replaceAll(/:\w+/g, "not-an-id");
      const answer = await http.call(route.method, path, {
        ...(route.method === "GET" ? {} : { body: "{broken" }),
      });
      expect([answer.status, answer.body.error.code], name).toEqual([401, "unauthorized"]);
    }
  });

  test("a body that cannot be used is refused, and the connection lives on", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    const post = (body: string | undefined, headers: Record<string, string> = {}) =>
      http.call("POST", "/api/conversations", { token: bob.access, body, headers });
    const cases: [string, Awaited<ReturnType<typeof post>>, number, string][] = [
      ["no body", await post(undefined), 400, "invalid_payload"],
      ["empty", await post(""), 400, "invalid_payload"],
      ["broken", await post("{"), 400, "invalid_payload"],
      ["null", await post("null"), 400, "invalid_payload"],
      ["list", await post("[]"), 400, "invalid_payload"],
      ["text", await post('"hi"'), 400, "invalid_payload"],
      ["proto", await post('{"member_ids":["2"],"__proto__":{"x":1}}'), 400, "invalid_payload"],
      ["constructor", await post('{"member_ids":["2"],"constructor":{}}'), 400, "invalid_payload"],
      [
        "too large",
        await post(JSON.stringify({ title: "x".repeat(70_000) })),
        413,
        "payload_too_large",
      ],
      ["1 MB", await post("x".repeat(1_000_000)), 413, "payload_too_large"],
      [
        "form",
        await post("a=1", { "content-type": "application/x-www-form-urlencoded" }),
        415,
        "unsupported_media_type",
      ],
      [
        "text type",
        await post("{}", { "content-type": "text/plain" }),
        415,
        "unsupported_media_type",
      ],
      ["no sense", await post("{}", { "content-type": "nonsense" }), 415, "unsupported_media_type"],
      ["gzip", await post("{}", { "content-encoding": "gzip" }), 415, "unsupported_media_type"],
    ];
    for (const [name, answer, status, code] of cases) {
      expect([name, answer.status, answer.body?.error?.code]).toEqual([name, status, code]);
      expect(answer.headers.get("connection"), name).not.toBe("close");
    }
    const bytes = new Uint8Array([0x22, 0xff, 0x22]);
    const answer = await fetch(`${http.url}/api/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: bytes,
    });
    expect(answer.status).toBe(400);
    // Just at the limit is read.
    const title = "x".repeat(64 * 1024 - '{"title":""}'.length);
    expect((await post(`{"title":"${title}"}`)).status).toBe(400);
  });

  test("what is not HTTP, too long or cut off gets the error shape and a closed connection", async () => {
    http = await startHttpApi();
    const long = await raw(
      http.port,
      `GET / HTTP/1.1\r\nhost: x\r\nx: ${"a".repeat(20_000)}\r\n\r\n`,
    );
    expect(long).toMatch(/^HTTP\/1\.1 413 /);
    const nonsense = await raw(http.port, "\u0001\u0002nonsense\r\n\r\n");
    expect(nonsense).toMatch(/^HTTP\/1\.1 400 /);
    for (const answer of [long, nonsense]) {
      const body = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4));
      expect(body.error.message).toBeTypeOf("string");
    }
    const badUrl = await raw(
      http.port,
      "GET /api/users/%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    expect(badUrl).toMatch(/^HTTP\/1\.1 400 /);
    expect(badUrl).toContain('"invalid_payload"');
  });

  test("a bug answers internal and says nothing about itself", async () => {
    http = await startHttpApi(
      {},
      {
        gateway: {
          ask: () => {
            throw new TypeError("secret detail");
          },
          peek: () => Promise.resolve(REFUSALS.unavailable),
        },
      },
    );
    const bob = await http.joins("bob");
    const body = { member_ids: ["2"] };
    const answer = await http.call("POST", "/api/conversations", { token: bob.access, body });
    expect([answer.status, answer.body.error.code]).toEqual([500, "internal"]);
    expect(answer.text).not.toContain("secret");
  });
});

describe("CORS", () => {
  test("any origin, no credentials; a preflight lets the token header through", async () => {
    http = await startHttpApi();
    const preflight = await http.call("OPTIONS", "/api/conversations/1/messages/2", {
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    expect([preflight.status, preflight.text]).toEqual([204, ""]);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      expect(preflight.headers.get("access-control-allow-methods")).toContain(method);
    }
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
    const refused = await http.call("GET", "/api/me", {
      headers: { origin: "https://app.example" },
    });
    expect(refused.headers.get("access-control-allow-origin")).toBe("*");
    expect(refused.headers.get("access-control-expose-headers")).toContain("retry-after");
  });

  test("metrics, health and what is not there carry no CORS header", async () => {
    http = await startHttpApi();
    const headers = { origin: "https://app.example", "access-control-request-method": "GET" };
    for (const path of ["/metrics", "/healthz", "/readyz", "/elsewhere"]) {
      for (const method of ["GET", "OPTIONS"]) {
        const answer = await http.call(method, path, { headers });
        const names = [...answer.headers.keys()].filter((name) =>
          name.startsWith("access-control"),
        );
        expect(names, `${method} ${path}`).toEqual([]);
      }
    }
  });

  test("CORS_ORIGIN narrows it", async () => {
    http = await startHttpApi({ corsOrigin: ["https://app.example"] });
    const from = (origin: string) => http.call("GET", "/api/me", { headers: { origin } });
    const ours = await from("https://app.example");
    expect(ours.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(ours.headers.get("vary")).toBe("Origin");
    expect(
      (await from("https://evil.example")).headers.get("access-control-allow-origin"),
    ).toBeNull();
  });
});

describe("operations and pages", () => {
  test("alive and ready, and not ready with the reasons", async () => {
    const reasons: string[] = [];
    http = await startHttpApi({}, { ready: () => [...reasons] });
    expect((await http.call("GET", "/healthz?probe=1")).status).toBe(200);
    expect((await http.call("GET", "/readyz")).body).toEqual({ status: "ready" });
    reasons.push("no actors placed");
    http.storage.queries.ping = () => Promise.reject(new Error("ECONNREFUSED"));
    const answer = await http.call("GET", "/readyz");
    expect(answer.status).toBe(503);
    expect(answer.body).toEqual({
      status: "unavailable",
      reasons: ["no actors placed", "the database does not answer"],
    });
  });

  test("metrics are Prometheus text; HEAD is GET without its body", async () => {
    http = await startHttpApi(
      {},
      {
        host: {
          health: () => Promise.reject(new Error("away")),
          metrics: () => Promise.reject(new Error("away")),
        },
      },
    );
    await http.call("GET", "/api/me");
    const answer = await http.call("GET", "/metrics");
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.text).toContain('http_requests_total{route="/api/me",status="401"} 1');
    const head = await http.call("HEAD", "/healthz");
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("the reference page has every route, asks nobody else, and is revalidated by ETag", async () => {
    http = await startHttpApi();
    const docs = await http.call("GET", "/docs/api");
    expect(docs.status).toBe(200);
    for (const { method, path } of Object.values(ROUTES)) {
      const anchor = `${method}${path}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
      expect(docs.text).toContain(`id="${anchor}"`);
      expect(docs.text).toContain(`<code>${path}</code>`);
    }
    expect(docs.text).not.toMatch(
      /(src|href)="https?:|<script(?! type="module" src="\/docs\/docs\.js"><\/script>)|style=/,
    );
    expect(docs.headers.get("content-security-policy")).toContain("script-src 'self'");
    const etag = docs.headers.get("etag") ?? "";
    const again = await http.call("GET", "/docs/api", { headers: { "if-none-match": etag } });
    expect(again.status).toBe(304);
  });
});

describe("the built page", () => {
  test("is served with its assets from memory, and only what is a web file", async () => {
    const webRoot = await mkdtemp(join(tmpdir(), "troupe-web-"));
    await mkdir(join(webRoot, "icons"));
    await writeFile(join(webRoot, "index.html"), "<!doctype html><title>t</title>");
    await writeFile(join(webRoot, "app.js"), "export {};");
    await writeFile(join(webRoot, "icons", "a.svg"), "<svg/>");
    await writeFile(join(webRoot, "secret.env"), "x");
    http = await startHttpApi({}, { webRoot: `${webRoot}/` });
    await rm(webRoot, { recursive: true });
    const types = await Promise.all(
      ["/", "/app.js", "/icons/a.svg"].map(async (path) => {
        const answer = await http.call("GET", path);
        return [answer.status, answer.headers.get("content-type")];
      }),
    );
    expect(types).toEqual([
      [200, "text/html; charset=utf-8"],
      [200, "text/javascript; charset=utf-8"],
      [200, "image/svg+xml"],
    ]);
    for (const path of ["/secret.env", "/index.html", "/../package.json", "/%2e%2e/package.json"]) {
      expect((await http.call("GET", path)).status).toBe(404);
    }
  });
});

test("[WPG1] guides name the running port, and the page where accounts are an outside issuer's", async () => {
  const webRoot = await mkdtemp(join(tmpdir(), "troupe-web-"));
  await mkdir(join(webRoot, "docs"));
  await writeFile(join(webRoot, "index.html"), '<!doctype html><html lang="en"><title>t</title>');
  await writeFile(join(webRoot, "docs", "sdk.html"), "<p>curl http://localhost:3000/healthz</p>");
  const own = { webRoot: `${webRoot}/` };
  http = await startHttpApi({ port: 8123 }, own);
  expect((await http.call("GET", "/docs/sdk")).text).toContain("http://localhost:8123/healthz");
  expect((await http.call("GET", "/docs/api")).text).not.toContain("localhost:3000");
  expect((await http.call("GET", "/")).text).not.toContain("data-accounts");
  await http.stop();
  http = await startHttpApi({ jwtJwksUrl: "https://issuer.example/keys" }, own);
  expect((await http.call("GET", "/")).text).toContain('<html data-accounts="outside" lang="en">');
  await rm(webRoot, { recursive: true });
});

describe("connections", () => {
  test("a JSON type without a body is no error where none is wanted", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    http.answers.set("remove_member", { ok: true, value: {} });
    const answer = await http.call("DELETE", "/api/conversations/1/members/2", {
      token: bob.access,
      headers: { "content-type": "application/json" },
    });
    expect(answer.status).toBe(204);
  });

  test("a connection is kept for many requests, and pipelined ones are answered in order", async () => {
    http = await startHttpApi();
    const answers = await raw(
      http.port,
      "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" +
        "GET /api/me HTTP/1.1\r\nhost: x\r\n\r\n" +
        "GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1])).toEqual([
      "200",
      "401",
      "404",
    ]);
  });

  test("requests for /socket.io/ go to the engine", async () => {
    http = await startHttpApi(
      {},
      { engine: (request, response) => response.end(`engine: ${request.url}`) },
    );
    expect((await http.call("GET", "/socket.io/?EIO=4&sid=abc")).text).toBe(
      "engine: /socket.io/?EIO=4&sid=abc",
    );
    expect((await http.call("GET", "/healthz")).status).toBe(200);
  });

  test("closing ends idle connections at once and lets a running request end", async () => {
    let started: (finish: () => void) => void = unreached;
    const running = new Promise<() => void>((resolve) => {
      started = resolve;
    });
    http = await startHttpApi(
      {},
      {
        presence: {
          statuses: () => new Promise((resolve) => started(() => resolve([]))),
        },
      },
    );
    const bob = await http.joins("bob");
    const idle = connect(http.port, "127.0.0.1");
    const idleClosed = new Promise((resolve) => idle.once("close", resolve));
    idle.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise((resolve) => idle.once("data", resolve));

    const answered = new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(`${http.url}/api/presence?user_ids=1`, {
        headers: { authorization: `Bearer ${bob.access}` },
      });
      request.on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on("error", reject);
      request.end();
    });
    const finish = await running;
    const closed = http.api.close(5000);
    await idleClosed;
    finish();
    expect(await answered).toBe(200);
    await closed;
  });
});

describe("limits", () => {
  test("a user's calls and an address' logins are limited, unless RATE_LIMITS is off", async () => {
    // Time stands still, so that no bucket refills however slow the machine is.
    const atMs = Date.now();
    http = await startHttpApi({}, { clock: clockShowing(() => atMs) });
    const bob = await http.joins("bob");
    let last = await http.call("GET", "/api/me", { token: bob.access });
    for (let i = 0; i < 1_500 && last.status === 200; i++) {
      last = await http.call("GET", "/api/me", { token: bob.access });
    }
    expect(last.status).toBe(429);
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
    const refresh = () =>
      http.call("POST", "/api/auth/refresh", { body: { refresh_token: "none" } });
    let answer = await refresh();
    for (let i = 0; i < 1_500 && answer.status === 401; i++) answer = await refresh();
    expect([answer.status, answer.body.error.code]).toEqual([429, "rate_limited"]);
    await http.stop();

    http = await startHttpApi({ rateLimits: false });
    for (let i = 0; i < 350; i++) {
      const free = await http.call("POST", "/api/auth/refresh", {
        body: { refresh_token: "none" },
      });
      expect(free.status).toBe(401);
    }
  });
});
