import { scryptSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterEach, describe, expect, test } from "vitest";
import { IssuerKeys } from "../../src/primary/issuer-keys.ts";
import { clockShowing } from "../support/fake-clock.ts";
import { CONFIG, type HttpApi, startHttpApi } from "../support/http-api.ts";
import { ISSUER_NAME, Issuer, type IssuerKey, issuerKey, signedBy } from "../support/issuer.ts";

let http: HttpApi;
afterEach(() => http.stop());

const SECRET = new TextEncoder().encode(CONFIG.jwtSecret ?? "");

function signed(claims: Record<string, unknown>, alg = "HS256"): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return new SignJWT({ iss: "troupe", aud: "troupe", iat: nowS, exp: nowS + 60, ...claims })
    .setProtectedHeader({ alg })
    .sign(SECRET);
}

const PASSWORD = "correct horse";

describe("accounts", () => {
  test("register, log in and be oneself; the username is folded", async () => {
    http = await startHttpApi();
    const made = await http.call("POST", "/api/auth/register", {
      body: { username: "Ada.L", password: PASSWORD, display_name: "Ada ✨" },
    });
    expect(made.status).toBe(201);
    expect(made.body.user).toMatchObject({ username: "ada.l", display_name: "Ada ✨" });
    expect(made.body.expires_in).toBe(900);
    expect(made.headers.get("cache-control")).toBe("no-store");

    const login = await http.call("POST", "/api/auth/login", {
      body: { username: "ADA.l", password: PASSWORD },
    });
    expect(login.status).toBe(200);
    const me = await http.call("GET", "/api/me", { token: login.body.access_token });
    expect(me.body).toEqual(made.body.user);
    expect(me.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  test("a taken username is a conflict, a wrong password and an unknown user are the same", async () => {
    http = await startHttpApi();
    await http.joins("bob");
    const again = await http.call("POST", "/api/auth/register", {
      body: { username: "BOB", password: PASSWORD },
    });
    expect([again.status, again.body.error.code]).toEqual([409, "conflict"]);
    const wrong = await http.call("POST", "/api/auth/login", {
      body: { username: "bob", password: "wrong horse" },
    });
    const nobody = await http.call("POST", "/api/auth/login", {
      body: { username: "nobody", password: "wrong horse" },
    });
    expect(wrong.status).toBe(401);
    expect(nobody.body).toEqual(wrong.body);
  });

  test("a refresh token is spent once; shown again it revokes the whole login", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    const refresh = (token: string) =>
      http.call("POST", "/api/auth/refresh", { body: { refresh_token: token } });
    const second = await refresh(bob.refresh);
    expect(second.status).toBe(200);
    expect((await http.call("GET", "/api/me", { token: second.body.access_token })).status).toBe(
      200,
    );

    const third = await refresh(second.body.refresh_token);
    expect(third.status).toBe(200);
    const reused = await refresh(bob.refresh);
    expect([reused.status, reused.body.error.code]).toEqual([401, "unauthorized"]);
    expect((await refresh(third.body.refresh_token)).status).toBe(401);
    for (const token of [bob.access, second.body.access_token]) {
      const me = await http.call("GET", "/api/me", { token });
      expect([me.status, me.body.error.code]).toEqual([401, "unauthorized"]);
    }
  });

  test("logout ends the login, access token included, and can be repeated", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    expect((await http.call("GET", "/api/me", { token: bob.access })).status).toBe(200);
    for (let round = 0; round < 2; round++) {
      const out = await http.call("POST", "/api/auth/logout", {
        body: { refresh_token: bob.refresh },
      });
      expect([out.status, out.text]).toEqual([204, ""]);
    }
    expect((await http.call("GET", "/api/me", { token: bob.access })).status).toBe(401);
  });

  test("a suspended account cannot log in", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    const account = http.storage.tables.users.get(bob.id);
    if (account === undefined) throw new Error("bob is not there");
    account.suspended = true;
    const body = { username: "bob", password: PASSWORD };
    expect((await http.call("POST", "/api/auth/login", { body })).status).toBe(403);
  });

  test("ten wrong passwords in a minute block the account's logins, not others", async () => {
    // Time stands still: a place comes back every six seconds.
    const atMs = Date.now();
    http = await startHttpApi({}, { clock: clockShowing(() => atMs) });
    await http.joins("bob");
    await http.joins("eve");
    const login = (username: string, password: string) =>
      http.call("POST", "/api/auth/login", { body: { username, password } });
    for (let i = 0; i < 10; i++) expect((await login("bob", "wrong horse")).status).toBe(401);
    const blocked = await login("bob", PASSWORD);
    expect([blocked.status, blocked.body.error.code]).toEqual([429, "rate_limited"]);
    expect(blocked.body.error.retry_after_ms).toBeGreaterThan(0);
    expect(Number(blocked.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await login("eve", PASSWORD)).status).toBe(200);
  });

  test("[PWD5] a login raises a hash that was made with a lower cost, and only then", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    const stored = http.storage.tables.users.get(bob.id);
    if (stored === undefined) throw new Error("bob is not there");
    const strong = stored.passwordHash;
    const salt = Buffer.alloc(16, 7);
    const key = scryptSync(PASSWORD, salt, 32, { N: 1024, r: 8, p: 1 });
    const weak = `scrypt$1024$8$1$${salt.toString("base64url")}$${key.toString("base64url")}`;
    const login = async (password: string) => {
      const body = { username: "bob", password };
      return (await http.call("POST", "/api/auth/login", { body })).status;
    };
    expect(await login(PASSWORD)).toBe(200);
    expect(stored.passwordHash).toBe(strong);
    stored.passwordHash = weak;
    expect(await login("wrong horse")).toBe(401);
    expect(stored.passwordHash).toBe(weak);
    expect(await login(PASSWORD)).toBe(200);
    expect(stored.passwordHash).toMatch(/^scrypt\$16384\$8\$5\$/);
    expect(await login(PASSWORD)).toBe(200);
    expect(await login("wrong horse")).toBe(401);
  });

  test("storage out of reach is unavailable", async () => {
    http = await startHttpApi();
    http.storage.accounts.register = () => Promise.reject(new Error("ECONNREFUSED"));
    const body = { username: "bob", password: PASSWORD };
    const answer = await http.call("POST", "/api/auth/register", { body });
    expect([answer.status, answer.body.error.code]).toEqual([503, "unavailable"]);
  });
});

describe("access tokens", () => {
  test("what is missing, foreign, altered or expired is refused, the last with its own code", async () => {
    http = await startHttpApi();
    const bob = await http.joins("bob");
    const nowS = Math.floor(Date.now() / 1000);
    const [head = "", body = "", mark = ""] = bob.access.split(".");
    const none = Buffer.from('{"alg":"none"}').toString("base64url");
    const other = await new SignJWT({ sub: bob.id, iss: "troupe", aud: "troupe" })
      .setProtectedHeader({ alg: "HS256" })
      .setExpirationTime("1h")
      .sign(new TextEncoder().encode("another secret, long enough for HS256"));
    const bad = [
      "nonsense",
      other,
      `${none}.${body}.`,
      `${head}.${body}.${mark.startsWith("A") ? "B" : "A"}${mark.slice(1)}`,
      await signed({ sub: bob.id }, "HS512"),
      await signed({ sub: bob.id, iss: "somebody" }),
      await signed({ sub: bob.id, aud: "somebody" }),
      await signed({ sub: bob.id, exp: undefined }),
      await signed({ sub: undefined }),
      await signed({ sub: "not an id" }),
      await signed({ sub: "999999" }),
      await signed({ sub: bob.id, nbf: nowS + 60 }),
      "x".repeat(9000),
    ];
    for (const token of bad) {
      const answer = await http.call("GET", "/api/me", { token });
      expect([answer.status, answer.body.error.code], token).toEqual([401, "unauthorized"]);
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
    expect((await http.call("GET", "/api/me")).body.error.code).toBe("unauthorized");
    for (let round = 0; round < 2; round++) {
      const expired = await signed({ sub: bob.id, exp: nowS - 1 });
      const answer = await http.call("GET", "/api/me", { token: expired });
      expect([answer.status, answer.body.error.code]).toEqual([401, "token_expired"]);
    }
    const good = await signed({ sub: bob.id });
    expect((await http.call("GET", "/api/me", { token: good })).status).toBe(200);
  });

  test("a token that was good is refused from the moment it expires", async () => {
    let nowMs = Date.now();
    http = await startHttpApi({}, { clock: clockShowing(() => nowMs) });
    const bob = await http.joins("bob");
    expect((await http.call("GET", "/api/me", { token: bob.access })).status).toBe(200);
    nowMs += CONFIG.accessTokenTtlS * 1000 + 1;
    for (let round = 0; round < 2; round++) {
      const answer = await http.call("GET", "/api/me", { token: bob.access });
      expect(answer.body.error.code).toBe("token_expired");
    }
  });

  test("a service token verifies with its scope and is nobody's user", async () => {
    http = await startHttpApi();
    const token = await signed({ sub: "billing", scope: "notify admin" });
    const identity = await http.api.auth.verify(token);
    expect(identity).toMatchObject({
      ok: true,
      value: { userId: "0", scope: ["notify", "admin"] },
    });
    const me = await http.call("GET", "/api/me", { token });
    expect([me.status, me.body.error.code]).toEqual([403, "forbidden"]);
  });
});

describe("an outside issuer", () => {
  test("its first valid token makes the user; keys rotate, and outlive the issuer's absence", async () => {
    const [first, second] = [await issuerKey("one"), await issuerKey("two")];
    const issuer = await Issuer.publishing(first);
    let nowMs = Date.now();
    const clock = clockShowing(() => nowMs);
    const keys = new IssuerKeys({
      url: issuer.url,
      clock,
      onChange: (set) => http.api.auth.onIssuerKeys(set),
      onFault: () => undefined,
    });
    http = await startHttpApi(
      { jwtJwksUrl: issuer.url, jwtIssuer: ISSUER_NAME },
      { clock, askIssuerKeys: (isNewer) => keys.ask(isNewer) },
    );
    const me = async (key: IssuerKey, sub: string) =>
      http.call("GET", "/api/me", { token: await signedBy(key, { sub }) });

    const [ada, adaAgain] = [await me(first, "ada"), await me(first, "ada")];
    expect(ada.status).toBe(200);
    expect(adaAgain.body.id).toBe(ada.body.id);
    expect(issuer.asked).toBe(1);

    // Unknown key ids ask the issuer again, but not every time.
    expect((await me(second, "bob")).status).toBe(401);
    issuer.published.push(second.publicJwk);
    expect((await me(second, "bob")).status).toBe(401);
    nowMs += 6000;
    expect((await me(second, "bob")).status).toBe(200);
    expect(issuer.asked).toBe(2);

    await issuer.goesAway();
    nowMs += 3_000_000;
    expect((await me(second, "carl")).status).toBe(200);
    keys.close();

    const hs = await signed({ sub: "1", iss: ISSUER_NAME });
    expect((await http.call("GET", "/api/me", { token: hs })).status).toBe(401);
    const body = { username: "ada", password: PASSWORD };
    expect((await http.call("POST", "/api/auth/register", { body })).status).toBe(403);
    expect((await http.call("POST", "/api/auth/login", { body })).status).toBe(403);
  });
});
