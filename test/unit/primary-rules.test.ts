import { describe, expect, test } from "vitest";
import { BACK_OFF, RESTED, stepBackOff } from "../../src/primary/back-off.ts";
import { type Member, Membership, membersOf } from "../../src/primary/membership.ts";
import { maybeRequest, routeOf } from "../../src/primary/request-head.ts";
import { stepWorker, type WorkerState } from "../../src/primary/worker-state.ts";
import { monotonic } from "../../src/protocol/time.ts";
import type { View } from "../../src/runtime/view.ts";

const SID = "AbCdEfGhIjKlMnOpQr_-";
const OTHER = "0123456789abcdefghij";

const head = (target: string, ...headers: string[]) =>
  [`GET ${target} HTTP/1.1`, "Host: x", ...headers].join("\r\n");
const post = (target: string, ...headers: string[]) =>
  [`POST ${target} HTTP/1.1`, "Host: x", ...headers].join("\r\n");
const polling = (sid: string) => `/socket.io/?EIO=4&transport=polling&sid=${sid}`;

describe("where a request belongs", () => {
  test.each([
    ["/", "api"],
    ["/api/posts?sid=AAAAAAAAAAAAAAAAAAAA", "api"],
    ["/socket.io", "api"],
    ["/x/socket.io/?EIO=4", "api"],
    ["http://x/socket.io/?EIO=4", "api"],
    ["/socket.io/?EIO=4&transport=websocket", "engine"],
    ["/socket.io/?EIO=4&transport=polling&sid=", "engine"],
    ["/socket.io/?EIO=4&sid=short", "engine"],
    ["/socket.io/?EIO=4#sid=AAAAAAAAAAAAAAAAAAAA", "engine"],
  ])("[FD2] %s goes to any worker's %s", (target, to) => {
    expect(routeOf(head(target))).toEqual({ to });
  });

  test.each([
    ["/chat/socket.io/?EIO=4&transport=websocket", "engine"],
    ["/socket.io/?EIO=4&transport=websocket", "engine"],
    ["/chats/socket.io/?EIO=4&transport=websocket", "api"],
    ["/chat", "api"],
    ["/chat?x=1", "api"],
  ])("[FD2] with the prefix /chat, %s goes to any worker's %s", (target, to) => {
    expect(routeOf(head(target), "/chat")).toEqual({ to });
  });

  test("[FD5] a session's poll and upgrade go through sticky, a body in its tunnel", () => {
    const session = { to: "session", sid: SID, via: "sticky" };
    expect(routeOf(head(polling(SID)))).toEqual({ ...session, tunnelled: false });
    expect(routeOf(head(polling(SID), "Connection: Upgrade", "Upgrade: websocket"))).toEqual({
      ...session,
      tunnelled: false,
    });
    expect(routeOf(post(polling(SID), "Content-Length: 5"))).toEqual({
      ...session,
      tunnelled: true,
    });
  });

  test.each([
    ["another parameter's sid first", post(`/socket.io/?xsid=${OTHER}&sid=${SID}`)],
    ["an encoded sid", head(`/socket.io/?sid=%41${SID.slice(1)}`)],
    ["a path that looks like one", head(`/socket.io/sid=${OTHER}?sid=${SID}`)],
    ["a GET with a length", head(polling(SID), "Content-Length: 0")],
    ["a length in a cookie of a GET", head(polling(SID), "Cookie: a=content-length:5")],
    ["an upgrade with a body", post(polling(SID), "upgrade : websocket", "Content-Length: 1")],
  ])("[FD6] what sticky would get wrong goes straight to the owner: %s", (_, text) => {
    expect(routeOf(text)).toEqual({ to: "session", sid: SID, via: "direct", tunnelled: false });
  });

  test("[FD6] a cookie comes after the query and does not matter", () => {
    const route = routeOf(head(polling(SID), `Cookie: connect.sid=${OTHER}`));
    expect(route).toMatchObject({ sid: SID, via: "sticky" });
    expect(routeOf(head("/socket.io/?EIO=4", `Cookie: connect.sid=${OTHER}`))).toEqual({
      to: "engine",
    });
  });

  test.each([
    "",
    "GET /",
    "GET  / HTTP/1.1",
    "GET / HTTP/1.2",
    "G(T / HTTP/1.1",
    "GET /\tHTTP/1.1",
  ])("[FD3] %j is refused", (text) => {
    expect(routeOf(text).to).toBe("refused");
  });

  test("[FD3] garbage is known by its first bytes, a slow request is not taken for it", () => {
    for (const text of ["G", "GET", "GET ", "GET /", "\r\n", "\r\nPO", "M-SEARCH * "]) {
      expect(maybeRequest(Buffer.from(text))).toBe(true);
    }
    for (const bytes of ["\x16\x03\x01", "\0", "{}", `${"A".repeat(40)} /`, " GET /"]) {
      expect(maybeRequest(Buffer.from(bytes, "latin1"))).toBe(false);
    }
  });
});

describe("how long a dead worker's place stays empty", () => {
  test("[SUP1] first at once, then 100 ms doubling to 10 s; a healthy life begins anew", () => {
    let backOff = RESTED;
    const delays: number[] = [];
    for (let i = 0; i < 10; i++) {
      const step = stepBackOff(backOff, 0);
      backOff = step.backOff;
      delays.push(step.delayMs);
    }
    expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    const healthy = stepBackOff(backOff, BACK_OFF.healthyMs);
    expect(healthy.delayMs).toBe(0);
    expect(stepBackOff(healthy.backOff, 0).delayMs).toBe(100);
  });
});

describe("the life of a worker", () => {
  const starting: WorkerState = { phase: "starting", sinceMs: monotonic(0) };

  test("[SUP1] its ways from start to end", () => {
    const online = stepWorker(starting, "online_reported", monotonic(10));
    expect(online).toEqual({ phase: "online", sinceMs: 10 });
    const draining = stepWorker(online, "drain_ordered", monotonic(20));
    const drained = stepWorker(draining, "drained_reported", monotonic(30));
    expect(drained).toEqual({ phase: "draining", sinceMs: 20, drained: true });
    expect(stepWorker(drained, "lost", monotonic(40))).toEqual({
      phase: "gone",
      sinceMs: 40,
      ordered: true,
      servedMs: 0,
    });
    expect(stepWorker(online, "lost", monotonic(40))).toMatchObject({
      ordered: false,
      servedMs: 30,
    });
  });

  test("[SUP1] what comes too late changes nothing, and nobody comes back", () => {
    const gone = stepWorker(starting, "lost", monotonic(5));
    for (const event of ["online_reported", "drain_ordered", "drained_reported", "lost"] as const) {
      expect(stepWorker(gone, event, monotonic(9))).toBe(gone);
    }
    const draining = stepWorker(starting, "drain_ordered", monotonic(5));
    expect(stepWorker(draining, "online_reported", monotonic(9))).toBe(draining);
    expect(stepWorker(starting, "drained_reported", monotonic(9))).toBe(starting);
  });
});

describe("the membership view", () => {
  const member = (
    n: number,
    phase: Member["phase"] = "online",
    incarnation = `h.${n}.1`,
  ): Member => ({
    ref: { incarnation, slot: `h/${n}` },
    phase,
  });

  test("[VIEW1] sorted by slot; who drains owns nothing more, but is not gone", () => {
    expect(membersOf([member(2), member(0), member(1, "draining")], false)).toEqual({
      workers: [
        { incarnation: "h.0.1", slot: "h/0" },
        { incarnation: "h.2.1", slot: "h/2" },
      ],
      draining: ["h.1.1"],
    });
  });

  test("[VIEW2] the number rises with each change, and only then", () => {
    const announced: View[] = [];
    const membership = new Membership((view) => announced.push(view), "h");
    membership.update([member(0)], false);
    membership.update([member(0)], false);
    membership.update([member(1), member(0)], false);
    membership.update([member(0), member(1)], false);
    // A roll: the next life comes, then the old one goes.
    membership.update([member(0), member(0, "online", "h.0.9"), member(1)], false);
    membership.update([member(0, "draining"), member(0, "online", "h.0.9"), member(1)], false);
    membership.update([member(0, "online", "h.0.9"), member(1)], false);
    expect(announced.map((view) => view.number)).toEqual([1, 2, 3, 4, 5]);
    expect(announced.at(-1)?.workers.map((worker) => worker.incarnation)).toEqual([
      "h.0.9",
      "h.1.1",
    ]);
  });

  test("[VIEW3] when the whole host stops, actors stay where they are to the end", () => {
    const announced: View[] = [];
    const membership = new Membership((view) => announced.push(view), "h");
    membership.update([member(0), member(1)], false);
    membership.update([member(0, "draining"), member(1)], true);
    membership.update([member(0, "draining"), member(1, "draining")], true);
    expect(announced).toHaveLength(1);
    membership.update([member(1, "draining")], true);
    expect(announced.at(-1)?.workers).toEqual([{ incarnation: "h.1.1", slot: "h/1" }]);
  });
});
