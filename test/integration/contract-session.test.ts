/** Sessions: the handshake, `ready`, the token's life on an open connection, and the drain. */
import { describe, expect, it } from "vitest";
import { startTroupe } from "../support/cluster.ts";
import { expectErrorObject, expectRefusal, TIME } from "../support/expectations.ts";
import { isPortFree } from "../support/ports.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, resigned } from "../support/tokens.ts";

const TTL_S = 4;
/** Slack for two busy cores. */
const SLACK_MS = 2000;
const troupe = troupeForFile({ workers: 2, env: { ACCESS_TOKEN_TTL_S: String(TTL_S) } });

const inSeconds = (token: string, lifeS: number) =>
  resigned(token, { exp: Math.floor(Date.now() / 1000) + lifeS });
const expiryOf = (token: string) => new Date(claimsOf(token).exp! * 1000).toISOString();

describe("the handshake", () => {
  it.each([
    ["websocket", false],
    ["websocket", true],
    ["polling", false],
    ["polling", true],
  ] as const)("[CTR-SES1] %s with the token in a header: %s", async (transport, tokenInHeader) => {
    const ann = await troupe().user("ann");
    const session = await ann.connects({ transports: [transport], tokenInHeader });
    expect((await session.next("token_expiring")).expires_at).toBe(expiryOf(ann.token));
    expect(session.record.find(({ kind }) => kind === "event")?.name).toBe("ready");
  });

  it.each([
    ["websocket", "1.1", "1.1"],
    ["polling", "1.1", "1.1"],
    ["websocket", "7", "1.1"],
    ["websocket", "1.0", undefined],
    ["websocket", undefined, undefined],
  ] as const)(
    "[CTR-SES11] %s: a session that asks for contract %s speaks %s, as ready says",
    async (transport, contract, spoken) => {
      const ann = await troupe().user("ann");
      const session = await ann.connects({ transports: [transport], contract });
      expect(session.heard("ready")[0]?.contract).toBe(spoken);
    },
  );

  it("[CTR-SES12] what is no version is refused with a sentence", async () => {
    const ann = await troupe().user("ann");
    for (const contract of [1.1, {}, "newest"]) {
      const refused: unknown = await ann.connects({ contract }).catch((error: unknown) => error);
      expect((refused as { data: unknown }).data).toMatchObject({
        code: "invalid_payload",
        message: expect.stringContaining("auth.contract"),
      });
    }
  });

  it("[CTR-SES2] ready is the first of all events and says who, when and until when", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const group = await ann!.startsGroup(bob!);
    const quiet = await bob!.startsGroup(ann!);
    for (const body of ["one", "two"]) await ann!.posts(group.id, body);
    await ann!.posts(direct.id, "hi");
    await bob!.api.put(`/api/conversations/${group.id}/read`, { seq: 1 });
    const session = await bob!.connects();
    const first = session.record.find(({ kind }) => kind === "event")!;
    expect(first.name).toBe("ready");
    expect(session.heard("ready")).toHaveLength(1);
    const ready = session.heard("ready")[0]!;
    expect(ready).toEqual({
      user: bob!.user,
      session_id: expect.stringMatching(/\S/),
      server_time: expect.stringMatching(TIME),
      token_expires_at: expiryOf(bob!.token),
      unread: { notifications: 0, conversations: expect.any(Array) },
    });
    const byId = (a: { conversation_id: string }, b: { conversation_id: string }) =>
      Number(a.conversation_id) - Number(b.conversation_id);
    expect([...ready.unread.conversations].sort(byId)).toEqual([
      { conversation_id: direct.id, last_seq: 1, read_seq: 0, unread_count: 1 },
      { conversation_id: group.id, last_seq: 2, read_seq: 1, unread_count: 1 },
    ]);
    expect(JSON.stringify(ready)).not.toContain(`"${quiet.id}"`);
    expect(Math.abs(Date.parse(ready.server_time) - Date.now())).toBeLessThan(5000);
  });

  it.each(["websocket", "polling"] as const)(
    "[CTR-SES3] over %s a refusal is connect_error with the error object",
    async (transport) => {
      const transports = [transport];
      const ann = await troupe().user("ann");
      const expired = await inSeconds(ann.token, -60);
      for (const [token, code] of [
        [null, "unauthorized"],
        ["", "unauthorized"],
        ["garbage", "unauthorized"],
        [expired, "token_expired"],
      ] as const) {
        const error = await Session.refused(troupe(), { token, transports });
        expectErrorObject(error, code);
      }
    },
  );

  it("[CTR-SES4] each session has its own id", async () => {
    const ann = await troupe().user("ann");
    const sessions = await Promise.all([1, 2, 3, 4].map(() => ann.connects()));
    const ids = sessions.map((session) => session.heard("ready")[0]!.session_id);
    expect(new Set(ids).size).toBe(4);
  });
});

describe("the token's life", () => {
  it("[CTR-SES5] token_expiring comes at once where less than 60 s is left, later else", async () => {
    const ann = await troupe().user("ann");
    const short = await ann.connects();
    expect(await short.next("token_expiring", undefined, SLACK_MS)).toEqual({
      expires_at: expiryOf(ann.token),
    });
    const soon = await ann.connects({ token: await inSeconds(ann.token, 66) });
    const long = await ann.connects({ token: await inSeconds(ann.token, 120) });
    await soon.never("token_expiring", 1000);
    await soon.next("token_expiring", undefined, 6000 + SLACK_MS);
    await long.never("token_expiring", 0);
  });

  it("[CTR-SES6] without a refresh the session ends with its token", async () => {
    const ann = await troupe().user("ann");
    const sessions = [await ann.connects(), await ann.connects({ transports: ["polling"] })];
    const expiresMs = claimsOf(ann.token).exp! * 1000;
    for (const session of sessions) {
      const ended = await session.next("session_ended", undefined, TTL_S * 1000 + SLACK_MS);
      expect(ended.code).toBe("token_expired");
      expect(ended.reconnect).toBe(true);
      await session.untilDisconnected();
      expect(Date.now()).toBeGreaterThan(expiresMs - 500);
      expect(Date.now()).toBeLessThan(expiresMs + SLACK_MS + 500);
    }
    expectRefusal(await ann.api.get("/api/me"), "token_expired");
    expect((await Session.refused(troupe(), { token: ann.token })).code).toBe("token_expired");
  });

  it("[CTR-SES7] refresh_token in place carries the session past its old expiry", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const direct = await ann!.startsDirect(bob!);
    const session = await ann!.connects();
    const { body } = await troupe().http.post<{ access_token: string }>("/api/auth/refresh", {
      refresh_token: ann!.login.refresh_token,
    });
    const longer = await inSeconds(body.access_token, 600);
    const answer = await session.does("refresh_token", { token: longer });
    expect(answer).toEqual({ ok: true, expires_at: expiryOf(longer) });
    await session.never("session_ended", TTL_S * 1000 + 1500);
    expect(session.isConnected).toBe(true);
    expect((await session.sends(direct.id, "still here")).sender_id).toBe(ann!.id);
  });

  it("[CTR-SES8] another user's token is forbidden, a bad one refused; neither changes a thing", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const group = await ann!.startsGroup(bob!);
    const session = await ann!.connects({ token: await inSeconds(ann!.token, 600) });
    const refusals = {
      forbidden: bob!.token,
      unauthorized: "garbage",
      token_expired: await inSeconds(ann!.token, -60),
    } as const;
    for (const [code, token] of Object.entries(refusals)) {
      const error = await session.isRefused("refresh_token", { token });
      expectErrorObject(error, code as keyof typeof refusals);
    }
    for (const payload of [{}, { token: null }, { token: 5 }, { token: "" }]) {
      expectErrorObject(await session.isRefused("refresh_token", payload), "invalid_payload");
    }
    await session.never("session_ended", TTL_S * 1000 + 500);
    expect((await session.sends(group.id, "as before")).sender_id).toBe(ann!.id);
  });

  it("[CTR-SES9] the next connection may come with the next token", async () => {
    const ann = await troupe().user("ann");
    const session = await ann.connects();
    await session.next("session_ended", undefined, TTL_S * 1000 + SLACK_MS);
    await session.untilDisconnected();
    const again = await (await ann.signsInAgain()).connects();
    expect(again.heard("ready")[0]!.user).toEqual(ann.user);
  });
});

describe("the drain", () => {
  it("[CTR-SES10] sessions hear server_draining, each its own figure, then it exits with 0", async () => {
    const draining = await startTroupe({ workers: 2 });
    try {
      const ann = await draining.user("ann");
      const sessions = [
        ...(await draining.sessionOnEachWorker(ann)),
        await ann.connects({ transports: ["polling"] }),
        await ann.connects({ transports: ["polling"] }),
        await ann.connects(),
      ];
      draining.signal("SIGTERM");
      const figures: number[] = [];
      for (const session of sessions) {
        const { reconnect_in_ms } = await session.next("server_draining");
        expect(reconnect_in_ms).toBeGreaterThanOrEqual(0);
        figures.push(reconnect_in_ms);
        await session.untilDisconnected(12_000);
      }
      expect(new Set(figures).size).toBeGreaterThan(1);
      expect(await draining.exited).toEqual({ code: 0, signal: null });
      expect(await isPortFree(draining.port)).toBe(true);
    } finally {
      await draining.stop();
    }
  });
});
