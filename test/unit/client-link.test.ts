/** The SDK's connection: when it comes back, with which token, and when it does not. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { backOffMs } from "../../src/client/back-off.ts";
import { createLink, type Link } from "../../src/client/link.ts";
import type { SocketHandlers } from "../../src/client/ports.ts";
import type { ConnectionState } from "../../src/client/state.ts";
import { createTokens } from "../../src/client/tokens.ts";
import { refused } from "../../src/protocol/errors.ts";
import type { ServerPayload } from "../../src/protocol/events.ts";
import { FakeClock } from "../support/fake-clock.ts";

let clock: FakeClock;
let handlers: SocketHandlers;
let link: Link;
/** Tokens that a connection was opened with. */
let opened: string[];
let asked: { event: string; payload: unknown }[];
let states: ConnectionState[];
let tokensGiven: number;
let nextToken: () => string;

beforeEach(() => {
  clock = new FakeClock();
  opened = [];
  asked = [];
  states = [];
  tokensGiven = 0;
  nextToken = () => `token ${++tokensGiven}`;
  link = createLink({
    ports: {
      clock,
      random: () => 0.5,
      url: "",
      newClientId: () => "1",
      call: async () => refused("unavailable", "none"),
      makeSocket(given) {
        handlers = given;
        return {
          open: (token) => opened.push(token),
          close: () => undefined,
          ask: (event, payload, _, take) => {
            asked.push({ event, payload });
            take(refused("unavailable", "none"));
          },
        };
      },
    },
    tokens: createTokens(() => nextToken()),
    onState: (state) => states.push(state),
    onReady: async () => undefined,
    onEvent: () => undefined,
  });
});

afterEach(() => {
  link.close();
  expect(clock.pending, "timers left").toBe(0);
});

const says = <E extends "ready" | "server_draining" | "session_ended" | "token_expiring">(
  name: E,
  payload: ServerPayload<E>,
) => handlers.onEvent(name, payload);

async function comesOnline(): Promise<void> {
  link.start();
  await clock.advance(0);
  await isReady();
}

async function isReady(): Promise<void> {
  says("ready", {
    user: { id: "1", username: "ann", display_name: "Ann", created_at: "" },
    session_id: `s${opened.length}`,
    server_time: new Date(clock.nowMs()).toISOString(),
    token_expires_at: "",
    unread: { notifications: 0, conversations: [] },
  });
  await clock.advance(0);
  expect(states.at(-1)).toEqual({ is: "online", sessionId: `s${opened.length}` });
}

describe("the way back", () => {
  it("[SDK30] is spread over a ceiling that doubles, up to a limit", () => {
    expect([0, 1, 2, 10].map((attempt) => backOffMs(attempt, 0.999))).toEqual([
      499, 999, 1998, 14985,
    ]);
    expect(backOffMs(5, 0)).toBe(50);
  });

  it("[SDK31] after a lost connection it is tried again, later each time, until it is back", async () => {
    await comesOnline();
    handlers.onClosed("transport close");
    expect(states.at(-1)).toMatchObject({
      is: "waiting",
      attempt: 0,
      reason: { by: "network", detail: "transport close" },
      retryAtMs: clock.nowMs() + 250,
    });
    await clock.advance(249);
    expect(opened).toHaveLength(1);
    await clock.advance(1);
    expect(opened).toHaveLength(2);
    handlers.onRefused(null, "refused");
    expect(states.at(-1)).toMatchObject({ retryAtMs: clock.nowMs() + 500 });
    await clock.advance(500);
    await isReady();
    handlers.onClosed("again");
    expect(states.at(-1)).toMatchObject({ attempt: 0, retryAtMs: clock.nowMs() + 250 });
  });

  it("[SDK32] a draining server's moment is kept, also when it closes before", async () => {
    await comesOnline();
    says("server_draining", { reconnect_in_ms: 1_700 });
    await clock.advance(200);
    handlers.onClosed("transport close");
    expect(states.at(-1)).toMatchObject({ is: "waiting", retryAtMs: clock.nowMs() + 1_500 });
    await clock.advance(1_499);
    expect(opened).toHaveLength(1);
    await clock.advance(1);
    expect(opened).toHaveLength(2);
    await isReady();
    says("server_draining", { reconnect_in_ms: 300 });
    await clock.advance(300);
    expect(opened, "it leaves by itself").toHaveLength(3);
  });

  it("[SDK33] session_ended without a return is final until somebody asks", async () => {
    await comesOnline();
    says("session_ended", { code: "suspended", message: "No.", reconnect: false });
    handlers.onClosed("io server disconnect");
    await clock.advance(60_000);
    expect(opened).toHaveLength(1);
    const reason = { by: "server", code: "suspended", message: "No." };
    expect(states.at(-1)).toEqual({ is: "closed", reason });
    link.retryNow();
    await clock.advance(0);
    expect(opened).toHaveLength(2);
  });

  it("[SDK34] a server that never says ready is left", async () => {
    link.start();
    await clock.advance(20_000);
    expect(states.at(-1)?.is).toBe("waiting");
    await clock.advance(250);
    expect(opened).toHaveLength(2);
  });

  it("[SDK35] a limit's moment is kept", async () => {
    link.start();
    await clock.advance(0);
    handlers.onRefused({ code: "rate_limited", message: "Slow.", retry_after_ms: 7_000 }, "");
    expect(states.at(-1)).toMatchObject({ retryAtMs: clock.nowMs() + 7_000 });
  });
});

describe("the token", () => {
  it("[SDK36] is kept over reconnects, and another asked for when the server wants one", async () => {
    await comesOnline();
    handlers.onClosed("lost");
    await clock.advance(250);
    expect(opened).toEqual(["token 1", "token 1"]);
    handlers.onRefused({ code: "token_expired", message: "Old." }, "");
    await clock.advance(250);
    await clock.advance(1_000);
    expect(opened.slice(2)).toEqual(["token 2"]);
  });

  it("[SDK37] is renewed ahead of its end; a short one not at once, or it would never stop", async () => {
    await comesOnline();
    const expiresInMs = (ms: number) => new Date(clock.nowMs() + ms).toISOString();
    says("token_expiring", { expires_at: expiresInMs(10_000) });
    await clock.advance(4_999);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toEqual([{ event: "refresh_token", payload: { token: "token 2" } }]);
    await clock.advance(2_500);
    expect(asked, "again, for it was not answered").toHaveLength(2);
  });

  it.each([2 * 3_600_000, -2 * 3_600_000])(
    "[CLK60] is renewed in time where this machine's clock is set by %i ms",
    async (stepMs) => {
      await comesOnline();
      const expires_at = new Date(clock.nowMs() + 10_000).toISOString();
      clock.stepWall(stepMs);
      says("token_expiring", { expires_at });
      await clock.advance(4_999);
      expect(asked).toEqual([]);
      await clock.advance(1);
      expect(asked).toHaveLength(1);
    },
  );

  it("[CLK60] is renewed where the server's clock was set back since the session began", async () => {
    await comesOnline();
    says("token_expiring", { expires_at: new Date(clock.nowMs() - 3_600_000).toISOString() });
    await clock.advance(30_000);
    expect(asked).toEqual([{ event: "refresh_token", payload: { token: "token 2" } }]);
  });

  it("[CLK61] is asked for at once when it is refused as expired after a long outage", async () => {
    await comesOnline();
    handlers.onClosed("lost");
    for (let n = 0; n < 6; n++) {
      await clock.advance(15_000);
      handlers.onRefused(null, "no route");
    }
    await clock.advance(15_000);
    const before = opened.length;
    handlers.onRefused({ code: "token_expired", message: "Old." }, "");
    await clock.advance(0);
    expect(opened.slice(before)).toEqual(["token 2"]);
    await isReady();
  });

  it("[CLK61] is asked for after a wait when the one just asked for is refused as well", async () => {
    link.start();
    await clock.advance(0);
    handlers.onRefused({ code: "token_expired", message: "Old." }, "");
    await clock.advance(0);
    for (let n = 1; n <= 3; n++) {
      expect(opened).toHaveLength(n + 1);
      handlers.onRefused({ code: "token_expired", message: "Old." }, "");
      await clock.advance(0);
      const waitMs = backOffMs(n - 1, 0.5);
      expect(states.at(-1)).toMatchObject({ retryAtMs: clock.nowMs() + waitMs });
      expect(opened, "not at once").toHaveLength(n + 1);
      await clock.advance(waitMs);
    }
    expect(opened).toEqual(["token 1", "token 2", "token 3", "token 4", "token 5"]);
  });

  it("[SDK38] the same token again means that there is no other: the end", async () => {
    nextToken = () => "the only one";
    link.start();
    await clock.advance(0);
    handlers.onRefused({ code: "unauthorized", message: "No." }, "");
    await clock.advance(0);
    expect(states.at(-1)).toMatchObject({ is: "closed", reason: { code: "unauthorized" } });
  });
});
