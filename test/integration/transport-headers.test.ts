/** What answers tell browsers: policies on pages and API, and who may call from where. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { within } from "../support/eventually.ts";
import { RawConnection } from "../support/raw.ts";
import { noSocketsLeft } from "../support/suite.ts";

const APP = "https://app.example";
const ELSEWHERE = "https://elsewhere.example";
const POLL = "/socket.io/?EIO=4&transport=polling";

let troupe: Troupe;
beforeAll(async () => {
  troupe = await startTroupe({ workers: 1, env: { CORS_ORIGIN: `${APP},https://b.example` } });
});
afterAll(async () => {
  await troupe.stop();
  await noSocketsLeft();
});

describe("security headers", () => {
  test.each([
    ["a call without a token", "/api/me"],
    ["an address that is not there", "/api/nothing"],
    ["a malformed address", "/api/%zz"],
    ["operations", "/healthz"],
    ["metrics", "/metrics"],
    ["a poll", POLL],
    ["a poll that is refused", "/socket.io/?EIO=4&transport=polling&sid=short"],
  ])("[SEC1] %s: nothing to guess, load or frame", async (_, path) => {
    const { headers } = await troupe.http.get(path);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["content-security-policy"]).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers["strict-transport-security"]).toBeUndefined();
  });

  test.each(["/", "/docs"])(
    "[SEC2] the page %s runs its own files and nothing inline",
    async (path) => {
      const { headers, text } = await troupe.http.get<string>(path);
      const policy = new Map(
        String(headers["content-security-policy"])
          .split(";")
          .map((part) => part.trim().split(/ (.*)/s) as [string, string]),
      );
      expect(policy.get("default-src")).toBe("'self'");
      for (const kind of ["script-src", "style-src"]) expect(policy.get(kind)).toBe("'self'");
      expect(policy.get("frame-ancestors")).toBe("'none'");
      expect(policy.get("object-src")).toBe("'none'");
      expect(policy.get("base-uri")).toBe("'none'");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["referrer-policy"]).toBe("no-referrer");
      // The policy would break them silently.
      expect(text).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/i);
      expect(text).not.toMatch(/<style|\sstyle="|\son\w+="/i);
    },
  );

  test("[SEC1] the front door's own refusals too", async () => {
    const wire = await RawConnection.to(troupe.port);
    wire.writes("hello there\r\n\r\n");
    await wire.untilClosed();
    expect(wire.received).toMatch(/^X-Content-Type-Options: nosniff\r$/m);
  });
});

describe("CORS_ORIGIN", () => {
  const preflight = (path: string, origin: string) =>
    troupe.http.request("OPTIONS", path, undefined, {
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });

  test.each(["/api/conversations", POLL])("[COR1] preflight of %s", async (path) => {
    const allowed = await preflight(path, APP);
    expect([200, 204]).toContain(allowed.status);
    expect(allowed.headers["access-control-allow-origin"]).toBe(APP);
    expect(allowed.headers["access-control-allow-methods"]).toContain("POST");
    expect(allowed.headers.vary).toMatch(/origin/i);
    const foreign = await preflight(path, ELSEWHERE);
    expect(foreign.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("[COR2] a poll from elsewhere is refused, from the list and from nowhere it is served", async () => {
    const polls = async (origin?: string) =>
      (await troupe.http.get(POLL, origin === undefined ? {} : { headers: { origin } })).status;
    expect(await polls(ELSEWHERE)).toBe(403);
    expect(await polls("null")).toBe(403);
    expect(await polls(APP)).toBe(200);
    expect(await polls("https://b.example")).toBe(200);
    expect(await polls()).toBe(200);
  });

  test("[COR2] a page of this server's own is served, whatever the list says", async () => {
    const origin = `http://127.0.0.1:${troupe.port}`;
    expect((await troupe.http.get(POLL, { headers: { origin } })).status).toBe(200);
    const other = `http://127.0.0.1:${troupe.port + 1}`;
    expect((await troupe.http.get(POLL, { headers: { origin: other } })).status).toBe(403);
  });

  test("[COR3] a WebSocket handshake, which no preflight guards, likewise", async () => {
    const opens = (origin: string) =>
      within(
        "the handshake is answered",
        new Promise<number>((resolve) => {
          const url = `ws://127.0.0.1:${troupe.port}/socket.io/?EIO=4&transport=websocket`;
          const ws = new WebSocket(url, { origin });
          // "unexpected-response" has said what there is to say.
          ws.on("error", () => undefined);
          ws.once("open", () => {
            ws.terminate();
            resolve(101);
          });
          ws.once("unexpected-response", (request, response) => {
            resolve(response.statusCode ?? 0);
            request.destroy();
          });
        }),
      );
    expect(await opens(ELSEWHERE)).toBe(403);
    expect(await opens(APP)).toBe(101);
  });
});
