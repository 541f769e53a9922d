/** Operations, the error table, CORS, and what every HTTP client relies on. */
import http from "node:http";
import { describe, expect, it } from "vitest";
import type { User } from "../../src/protocol/schemas.ts";
import { startTroupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, upTo } from "../support/expectations.ts";
import { RawConnection } from "../support/raw.ts";
import { troupeForFile } from "../support/suite.ts";

const WORKERS = 3;
const BODY_BYTES_MAX = 64 * 1024;
const troupe = troupeForFile({ workers: WORKERS });

describe("operations", () => {
  it("[CTR-OPS1] healthz and readyz answer 200 on every worker", async () => {
    for (const path of ["/healthz", "/readyz"]) {
      const answers = await Promise.all(upTo(WORKERS * 2).map(() => troupe().http.get(path)));
      expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
    }
  });

  it("[CTR-OPS2] metrics are Prometheus text with all workers added up, whichever answers", async () => {
    const ann = await troupe().user("ann");
    await troupe().sessionOnEachWorker(ann);
    await ann.connects();
    const sessions = troupe().sessions.size;
    await eventually("every scrape counts all sessions", async () => {
      const scrapes = await Promise.all(
        upTo(WORKERS * 2).map(() => troupe().http.get<string>("/metrics")),
      );
      return scrapes.every(({ status, headers, text }) => {
        expect(status).toBe(200);
        expect(headers["content-type"]).toMatch(/^text\/plain/);
        expect(text).toMatch(/^# TYPE troupe_sessions gauge$/m);
        return sumOf(text, "troupe_sessions") === sessions;
      });
    });
  });

  it("[CTR-OPS3] metrics count sends of all workers", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const before = sumOf((await troupe().http.get("/metrics")).text, "troupe_sends_total");
    for (const _ of upTo(6)) {
      const group = await ann!.startsGroup(bob!);
      for (const i of upTo(4)) await ann!.posts(group.id, `${i}`);
    }
    const after = sumOf((await troupe().http.get("/metrics")).text, "troupe_sends_total");
    expect(after - before).toBe(24);
  });

  it("[CTR-OPS4] / is the demo page, /docs the guides and the reference, without foreign sources", async () => {
    for (const path of ["/", "/docs", "/docs/quick-start", "/docs/api"]) {
      const page = await troupe().http.get<string>(path);
      expect(page.status).toBe(200);
      expect(page.headers["content-type"]).toMatch(/^text\/html/);
      expect(page.text).toMatch(/<html/i);
      expect(page.text).not.toMatch(/(src|href)="https?:\/\//i);
    }
  });

  it("[CTR-OPS5] of many connections at once each is served, on several workers", async () => {
    const ann = await troupe().user("ann");
    const answers = await Promise.all(upTo(60).map(() => ann.api.get<User>("/api/me")));
    for (const answer of answers) expect(answer.body).toEqual(ann.user);
  });

  it("[CTR-OPS6] a connection is kept alive for the next call", async () => {
    const ann = await troupe().user("ann");
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    const createConnection = agent.createConnection.bind(agent);
    agent.createConnection = (...args) => {
      connections++;
      return createConnection(...args);
    };
    try {
      for (const _ of upTo(5)) {
        expect((await ann.api.get<User>("/api/me", { agent })).body).toEqual(ann.user);
      }
      expect(connections).toBe(1);
    } finally {
      agent.destroy();
    }
  });

  it("[CTR-OPS7] pipelined requests are answered in their order", async () => {
    const raw = await RawConnection.to(troupe().port);
    const head = "HTTP/1.1\r\nHost: x\r\n";
    raw.writes(
      `GET /healthz ${head}\r\nGET /api/nothing ${head}\r\nGET /healthz ${head}Connection: close\r\n\r\n`,
    );
    await raw.untilClosed();
    const statuses = [...raw.received.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
    expect(statuses).toEqual(["200", expect.stringMatching(/^40[14]$/), "200"]);
  });
});

describe("the error table", () => {
  it("[CTR-OPS8] an unknown path under /api is not_found, a wrong method 405 with Allow", async () => {
    const ann = await troupe().user("ann");
    expectRefusal(await ann.api.get("/api/nothing"), "not_found");
    expectRefusal(await ann.api.post("/api/conversations/1/nothing", {}), "not_found");
    for (const [method, path, allowed] of [
      ["DELETE", "/api/me", "GET"],
      ["PUT", "/api/conversations", "POST"],
      ["GET", "/api/conversations/1/read", "PUT"],
    ] as const) {
      const answer = await ann.api.request(method, path);
      expectRefusal(answer, "method_not_allowed");
      expect(answer.headers.allow).toContain(allowed);
    }
    const answer = await troupe().http.get("/api/auth/login");
    expectRefusal(answer, "method_not_allowed");
    expect(answer.headers.allow).toContain("POST");
  });

  it("[CTR-OPS9] a body over 64 KiB is payload_too_large, with or without a length", async () => {
    const ann = await troupe().user("ann");
    const raw = JSON.stringify({ member_ids: [], title: "x".repeat(BODY_BYTES_MAX) });
    expectRefusal(await ann.api.post("/api/conversations", null, { raw }), "payload_too_large");
    const chunked = await RawConnection.to(troupe().port);
    chunked.writes(
      `POST /api/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n` +
        "Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    chunked.writes(`${raw.length.toString(16)}\r\n${raw}\r\n0\r\n\r\n`);
    await chunked.untilClosed();
    expect(chunked.received).toMatch(/^HTTP\/1\.1 413 /);
    expect(chunked.received).toContain("payload_too_large");
  });

  it("[CTR-OPS10] a body that is not JSON is refused by its type or its text", async () => {
    const ann = await troupe().user("ann");
    const post = (raw: string, contentType: string) =>
      ann.api.post("/api/conversations", null, { raw, headers: { "content-type": contentType } });
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      expectRefusal(await post('{"member_ids":["1"]}', type), "unsupported_media_type");
    }
    for (const raw of ["", "{", "[]", "null", '"text"', "1", '{"member_ids":["1"],}', "\u0000"]) {
      expectRefusal(await post(raw, "application/json"), "invalid_payload");
    }
    for (const raw of [
      '{"__proto__":{"member_ids":["1"]}}',
      '{"member_ids":["1"],"__proto__":{}}',
      '{"member_ids":["1"],"constructor":{"prototype":{}}}',
    ]) {
      expectRefusal(await post(raw, "application/json"), "invalid_payload");
    }
    expectRefusal(await ann.api.post("/api/conversations"), "invalid_payload");
    const charset = await post(`{"member_ids":[],"x":1}`, "application/json; charset=utf-8");
    expectRefusal(charset, "invalid_payload");
  });

  it("[CTR-OPS11] malformed ids in paths are invalid_payload", async () => {
    const ann = await troupe().user("ann");
    for (const id of ["0", "-1", "1.5", "abc", "%31%00", "9223372036854775808"]) {
      for (const path of [`/api/conversations/${id}`, `/api/conversations/${id}/messages`]) {
        expectRefusal(await ann.api.get(path), "invalid_payload");
      }
    }
    expectRefusal(await ann.api.get("/api/conversations/1?x=1"), "invalid_payload");
  });
});

describe("CORS", () => {
  const origin = "https://app.example";
  const preflight = (url: typeof troupe, path: string, from = origin) =>
    url().http.request("OPTIONS", path, undefined, {
      headers: {
        origin: from,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,content-type",
      },
    });

  it("[CTR-OPS12] any origin may call, never with credentials", async () => {
    const ann = await troupe().user("ann");
    const allowed = await preflight(troupe, "/api/me");
    expect([200, 204]).toContain(allowed.status);
    expect(["*", origin]).toContain(allowed.headers["access-control-allow-origin"]);
    expect(allowed.headers["access-control-allow-methods"]).toContain("PATCH");
    expect(allowed.headers["access-control-allow-headers"]?.toLowerCase()).toContain(
      "authorization",
    );
    const answers = [
      await ann.api.get("/api/me", { headers: { origin } }),
      await troupe().http.get("/api/me", { headers: { origin } }),
      await troupe().http.get("/socket.io/?EIO=4&transport=polling", { headers: { origin } }),
    ];
    for (const { headers } of [allowed, ...answers]) {
      expect(["*", origin]).toContain(headers["access-control-allow-origin"]);
      expect(headers["access-control-allow-credentials"]).toBeUndefined();
    }
  });

  it("[CTR-OPS13] CORS_ORIGIN narrows it, for HTTP and for sockets", async () => {
    const narrowed = await startTroupe({ workers: 1, env: { CORS_ORIGIN: origin } });
    try {
      for (const path of ["/api/me", "/socket.io/?EIO=4&transport=polling"]) {
        const own = await narrowed.http.get(path, { headers: { origin } });
        expect(own.headers["access-control-allow-origin"]).toBe(origin);
        const foreign = await narrowed.http.get(path, {
          headers: { origin: "https://elsewhere.example" },
        });
        expect(["*", "https://elsewhere.example"]).not.toContain(
          foreign.headers["access-control-allow-origin"],
        );
      }
      const refused = await preflight(() => narrowed, "/api/me", "https://elsewhere.example");
      expect(["*", "https://elsewhere.example"]).not.toContain(
        refused.headers["access-control-allow-origin"],
      );
    } finally {
      await narrowed.stop();
    }
  });
});

/** Sum of a metric's series in a Prometheus text. */
function sumOf(text: string, metric: string): number {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
