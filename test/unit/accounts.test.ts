/** Accounts over the HTTP API of one edge, with storage in memory. */
import pino from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../src/config/limit-keys.ts";
import { createAccessLog } from "../../src/edge/auth/access-log.ts";
import { createRefreshTokens } from "../../src/edge/auth/refresh-tokens.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";

const PASSWORD = "correct horse";

let http: HttpApi | undefined;
afterEach(() => http?.stop());

async function start(...given: Parameters<typeof startHttpApi>): Promise<HttpApi> {
  http = await startHttpApi(...given);
  return http;
}

const call = (method: string, path: string, token: string, body?: object) =>
  http!.call(method, path, { token, ...(body !== undefined && { body }) });
const post = (path: string, body: object) => http!.call("POST", `/api/auth/${path}`, { body });

describe("registration", () => {
  const register = (username: string, password = PASSWORD) =>
    post("register", { username, password });

  test("[ACR1] a common password and a repeated character are refused by name", async () => {
    await start();
    for (const password of ["password", "Iloveyou", "zzzzzzzz"]) {
      const answer = await register("ann", password);
      expect([answer.status, answer.body.error.code]).toEqual([400, "invalid_payload"]);
      expect(answer.body.error.details).toMatchObject([{ in: "body", at: "password" }]);
    }
    expect((await register("ann")).status).toBe(201);
  });

  test("[ACR2] reserved names are taken", async () => {
    await start();
    for (const name of ["admin", "Administrator", "support", "system", "root", "troupe", "all"]) {
      const answer = await register(name);
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 409, "conflict"]);
    }
    for (const name of ["here", "everyone", "a.d.m.i.n", "_root_"]) {
      expect([name, (await register(name)).status]).toEqual([name, 409]);
    }
    expect((await register("administer")).status).toBe(201);
  });

  test("[ACR3] REGISTRATION=off forbids it, and logins go on", async () => {
    await start({ registration: false });
    const answer = await register("ann");
    expect([answer.status, answer.body.error.code]).toEqual([403, "forbidden"]);
    expect((await post("login", { username: "ann", password: PASSWORD })).status).toBe(401);
  });

  test("[ACR4] an address makes so many accounts, then waits; its logins do not", async () => {
    const limits = { ...DEFAULT_LIMITS, register: { perS: 0.001, burst: 2 } };
    await start({ limits });
    expect((await register("ann")).status).toBe(201);
    expect((await register("bob")).status).toBe(201);
    const refused = await register("eve");
    expect([refused.status, refused.body.error.code]).toEqual([429, "rate_limited"]);
    expect(refused.body.error.retry_after_ms).toBeGreaterThan(0);
    expect((await post("login", { username: "ann", password: PASSWORD })).status).toBe(200);
  });
});

describe("refresh tokens", () => {
  const tokens = createRefreshTokens("one secret");

  test("[RFT1] the next one follows from the spent one and the secret, and from nothing less", () => {
    const first = tokens.first();
    const next = tokens.after(first);
    expect(createRefreshTokens("one secret").after(tokens.read(first.text))).toEqual(next);
    expect(createRefreshTokens("another").after(first).hash).not.toBe(next.hash);
    expect(tokens.after(next).hash).not.toBe(next.hash);
    expect(tokens.after(tokens.first()).hash).not.toBe(next.hash);
  });

  test("[RFT2] all tokens of a login have its root, and no others", () => {
    const first = tokens.first();
    expect(tokens.after(tokens.after(first)).rootHash).toBe(first.rootHash);
    expect(tokens.first().rootHash).not.toBe(first.rootHash);
    for (const text of ["", "x", "A".repeat(43), `${"A".repeat(63)}=`, "ü".repeat(64)]) {
      expect(tokens.read(text).rootHash).toBeNull();
    }
    const old = tokens.read("A".repeat(43));
    expect(tokens.after(old)).toMatchObject({ rootHash: null });
  });

  const refresh = (refresh_token: string) => post("refresh", { refresh_token });

  test("[RFT1] a lost answer is answered again, with the same refresh token", async () => {
    await start();
    const ann = await http!.joins("ann");
    const both = await Promise.all([refresh(ann.refresh), refresh(ann.refresh)]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const [one, other] = both.map(({ body }) => body);
    expect(one.refresh_token).toBe(other.refresh_token);
    expect(one.access_token).not.toBe(other.access_token);
    expect((await call("GET", "/api/me", other.access_token)).status).toBe(200);
    expect((await refresh(one.refresh_token)).status).toBe(200);
    // The successor is used now: whoever shows the first one has stolen it, or was robbed.
    expect((await refresh(ann.refresh)).status).toBe(401);
    expect((await refresh(one.refresh_token)).status).toBe(401);
    expect(http!.revoked.size).toBe(1);
  });

  test("[RFT1] after 10 s a spent token ends its login, though its successor is unused", async () => {
    let atMs = 1_000_000;
    await start();
    const ann = await http!.joins("ann");
    Object.assign(http!.storage.tables, { nowMs: () => atMs });
    for (const token of http!.storage.tables.tokens.values()) token.expiresAtMs = 1e15;
    expect((await refresh(ann.refresh)).status).toBe(200);
    atMs += 9_999;
    expect((await refresh(ann.refresh)).status).toBe(200);
    atMs += 1;
    expect((await refresh(ann.refresh)).status).toBe(401);
    expect(http!.revoked.size).toBe(1);
  });

  test("[RFT2] a spent token that was pruned still ends its login", async () => {
    await start();
    const ann = await http!.joins("ann");
    const next = (await refresh(ann.refresh)).body;
    const { tokens: stored } = http!.storage.tables;
    for (const [hash, token] of stored) if (token.spentAtMs !== null) stored.delete(hash);
    expect((await refresh(ann.refresh)).status).toBe(401);
    expect(http!.revoked.size).toBe(1);
    expect((await refresh(next.refresh_token)).status).toBe(401);
  });
});

describe("a user's logins", () => {
  const login = async (username: string, password = PASSWORD) =>
    (await post("login", { username, password })).body;

  test("[LGN1] are listed, newest first, and ended one by one", async () => {
    await start();
    const ann = await http!.joins("ann");
    const phone = await login("ann");
    const { body } = await call("GET", "/api/me/logins", ann.access);
    expect(body).toMatchObject({
      items: [
        { current: false, address: "127.0.0.1" },
        { current: true, address: "127.0.0.1" },
      ],
      next_cursor: null,
    });
    const first = (await call("GET", "/api/me/logins?limit=1", phone.access_token)).body;
    expect(first.items).toMatchObject([{ id: body.items[0].id, current: true }]);
    const rest = `/api/me/logins?limit=1&cursor=${first.next_cursor}`;
    expect((await call("GET", rest, ann.access)).body.items).toMatchObject([{ current: true }]);
    expect((await call("GET", "/api/me/logins?cursor=x", ann.access)).status).toBe(400);

    const bob = await http!.joins("bob");
    const path = `/api/me/logins/${body.items[0].id}`;
    expect((await call("DELETE", path, bob.access)).status).toBe(404);
    expect((await call("DELETE", path, ann.access)).status).toBe(204);
    expect((await call("DELETE", path, ann.access)).status).toBe(404);
    expect((await call("GET", "/api/me", phone.access_token)).status).toBe(401);
    expect((await post("refresh", { refresh_token: phone.refresh_token })).status).toBe(401);
    expect((await call("GET", "/api/me", ann.access)).status).toBe(200);
  });

  test("[PWD6] a new password ends the others, and the old one is no good", async () => {
    await start();
    const ann = await http!.joins("ann");
    const phone = await login("ann");
    const change = (old: string, password: string) =>
      call("POST", "/api/me/password", ann.access, { old, new: password });
    const wrong = await change("not this one", "a new secret");
    expect([wrong.status, wrong.body.error.code]).toEqual([403, "forbidden"]);
    expect((await change(PASSWORD, "password1")).body.error.details).toMatchObject([{ at: "new" }]);
    expect((await change(PASSWORD, "short")).status).toBe(400);
    expect((await change(PASSWORD, "a new secret")).status).toBe(204);
    expect((await call("GET", "/api/me", phone.access_token)).status).toBe(401);
    expect((await call("GET", "/api/me", ann.access)).status).toBe(200);
    expect((await post("refresh", { refresh_token: ann.refresh })).status).toBe(200);
    expect((await post("login", { username: "ann", password: PASSWORD })).status).toBe(401);
    const again = await post("login", { username: "ann", password: "a new secret" });
    expect(again.status).toBe(200);
  });

  test("[PWD7] a stolen access token does not let its holder guess the password for ever", async () => {
    const limits = { ...DEFAULT_LIMITS, login: { perS: 0.001, burst: 2 } };
    await start({ limits });
    const ann = await http!.joins("ann");
    const body = { old: "a guess", new: "a new secret" };
    const statuses = [];
    for (const _ of [1, 2, 3]) {
      statuses.push((await call("POST", "/api/me/password", ann.access, body)).status);
    }
    expect(statuses).toEqual([403, 403, 429]);
  });
});

describe("the log of access", () => {
  function lines() {
    const written: Record<string, unknown>[] = [];
    const to = { write: (line: string) => void written.push(JSON.parse(line)) };
    return { written, log: pino({ level: "info" }, to) };
  }

  test("[ACL2] has logins and refusals with user, address and reason, and no secret", async () => {
    const { written, log } = lines();
    await start({}, { log });
    const headers = { "user-agent": "u".repeat(5_000) };
    const ann = await http!.joins("ann");
    const secret = "a wrong password";
    const body = { username: "ann", password: secret };
    await http!.call("POST", "/api/auth/login", { body, headers });
    await post("login", { username: "a typed secret", password: secret });
    await post("refresh", { refresh_token: "never given" });
    await post("logout", { refresh_token: ann.refresh });
    await call("GET", "/api/ops/summary", ann.access);
    const seen = written.map(({ event, user_id, address, reason }) => [
      event,
      user_id,
      address,
      reason,
    ]);
    expect(seen).toEqual([
      ["registered", ann.id, "127.0.0.1", undefined],
      ["login_refused", ann.id, "127.0.0.1", "unauthorized"],
      ["login_refused", undefined, "127.0.0.1", "unauthorized"],
      ["refresh_refused", undefined, "127.0.0.1", "unknown"],
      ["logout", ann.id, undefined, undefined],
      ["access_refused", undefined, "127.0.0.1", "unauthorized"],
    ]);
    expect(written[1]!["user_agent"]).toBe("u".repeat(200));
    const text = JSON.stringify(written);
    for (const hidden of [secret, "a typed secret", "never given", PASSWORD]) {
      expect(text).not.toContain(hidden);
    }
  });

  test("[ACL1] is bounded, and says how many lines it left out", async () => {
    const clock = new FakeClock();
    const { written, log } = lines();
    const access = createAccessLog(log, clock);
    for (let i = 0; i < 10_000; i++) access.note({ event: "login_refused", address: "10.0.0.1" });
    expect(written).toHaveLength(200);
    await clock.advance(1_000);
    access.note({ event: "login_refused", address: "10.0.0.1" });
    expect(written[200]).toMatchObject({ event: "login_refused", left_out: 9_800 });
  });
});
