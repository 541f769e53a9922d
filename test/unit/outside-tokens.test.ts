/** Tokens of an outside issuer: whose they are, what they may do, and for how long. */
import { type JWTPayload, SignJWT } from "jose";
import pino from "pino";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import type { ApiDeps } from "../../src/edge/http/api.ts";
import { WordRules } from "../../src/edge/moderation/word-rules.ts";
import type { WordRule } from "../../src/protocol/moderation-routes.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";
import { ISSUER_NAME, type IssuerKey, issuerKey, signedBy } from "../support/issuer.ts";

let key: IssuerKey;
let http: HttpApi;
beforeAll(async () => {
  key = await issuerKey("one");
});
afterEach(() => http?.stop());

async function start(overrides: Partial<ApiDeps> = {}): Promise<void> {
  http = await startHttpApi(
    {
      jwtJwksUrl: "https://issuer.example/keys",
      jwtIssuer: ISSUER_NAME,
      serviceSubjects: ["backoffice", "idle"],
      tokenMaxAgeS: 3_600,
    },
    {
      askIssuerKeys: async () => ({ version: 1, keys: JSON.stringify({ keys: [key.publicJwk] }) }),
      ...overrides,
    },
  );
}

const status = async (method: string, path: string, token: string) =>
  (await http.call(method, path, { token })).status;

describe("an outside issuer's scopes", () => {
  test("[OTK1] a user's token with a service's words stays a user's", async () => {
    await start();
    const victim = await http.call("GET", "/api/me", {
      token: await signedBy(key, { sub: "auth0|victim" }),
    });
    const scopes = ["openid admin", "ops", "notify", "troupe:admin troupe:ops", ["admin"]];
    for (const scope of scopes) {
      const token = await signedBy(key, { sub: "auth0|ann", scope });
      expect(await status("GET", "/api/me", token)).toBe(200);
      expect(await status("POST", `/api/users/${victim.body.id}/suspend`, token)).toBe(403);
      expect(await status("GET", "/api/ops/summary", token)).toBe(403);
    }
  });

  test("[OTK2] a named subject is a program, with the words that name Troupe", async () => {
    await start();
    const user = await http.call("GET", "/api/me", {
      token: await signedBy(key, { sub: "auth0|ann" }),
    });
    const suspend = (token: string) => status("POST", `/api/users/${user.body.id}/suspend`, token);
    const admin = await signedBy(key, { sub: "backoffice", scope: "openid troupe:admin" });
    expect(await suspend(await signedBy(key, { sub: "backoffice", scope: "admin" }))).toBe(403);
    expect(await status("GET", "/api/me", admin)).toBe(403);
    expect(await suspend(admin)).toBe(200);
    expect(await status("GET", "/api/me", await signedBy(key, { sub: "idle" }))).toBe(403);
  });
});

describe("an outside issuer's token", () => {
  const nowS = () => Math.floor(Date.now() / 1000);
  const made = (claims: JWTPayload) =>
    new SignJWT({ sub: "auth0|ann", iss: ISSUER_NAME, aud: "troupe", ...claims })
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT" })
      .sign(key.privateKey);
  const me = async (claims: JWTPayload) => {
    const { status: code, body } = await http.call("GET", "/api/me", { token: await made(claims) });
    return code === 200 ? 200 : body.error.code;
  };

  test("[OTK3] is refused at its greatest age, whatever its exp says", async () => {
    await start();
    const now = nowS();
    const decade = 10 * 365 * 86_400;
    expect(await me({ iat: now - 3_500, exp: now + decade })).toBe(200);
    expect(await me({ iat: now - 3_601, exp: now + decade })).toBe("token_expired");
    expect(await me({ iat: now + 3_600, exp: now + decade })).toBe("unauthorized");
    expect(await me({ exp: now + decade })).toBe("unauthorized");
    expect(await me({ exp: now + 3_500 })).toBe(200);
  });

  test("[OTK3] known to be good, it is refused at that age all the same", async () => {
    await start();
    const now = nowS();
    const token = await made({ iat: now, exp: now + 86_400 });
    const identity = await http.api.auth.verify(token);
    if (!identity.ok) throw new Error(identity.error.code);
    expect(identity.value.expiresAtMs).toBe((now + 3_600) * 1000);
  });

  test("[OTK4] is refused where it says that it is an ID token", async () => {
    await start();
    const now = nowS();
    const times = { iat: now, exp: now + 600 };
    for (const claims of [{ at_hash: "x" }, { c_hash: "x" }, { typ: "ID" }]) {
      expect(await me({ ...times, ...claims })).toBe("unauthorized");
    }
    expect(await me({ ...times, nonce: "some issuers put it into access tokens" })).toBe(200);
  });
});

describe("a refusal of an outside issuer's token", () => {
  const written: Record<string, unknown>[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => void written.push(JSON.parse(line)) },
  );
  const nowS = () => Math.floor(Date.now() / 1000);
  const good = () => ({
    sub: "auth0|ann",
    iss: ISSUER_NAME,
    aud: "troupe",
    iat: nowS(),
    exp: nowS() + 600,
  });
  const signed = (claims: JWTPayload, by = key, header = {}) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: by.alg, kid: by.kid, typ: "JWT", ...header })
      .sign(by.privateKey);
  const without = (claim: keyof ReturnType<typeof good>) => {
    const { [claim]: _, ...rest } = good();
    return rest;
  };

  test("[OTK6] says which claim is wrong, in its details and in the log", async () => {
    await start({ log });
    const stranger = await issuerKey("two");
    const thief = await issuerKey("one");
    const cases: [Promise<string>, Record<string, string>][] = [
      [signed({ ...good(), iss: "https://other.example" }), { claim: "iss" }],
      [signed({ ...good(), aud: ["shop", "mail"] }), { claim: "aud" }],
      [signed(without("aud")), { claim: "aud" }],
      [signed(without("sub")), { claim: "sub" }],
      [signed({ ...good(), sub: "ännchen" }), { claim: "sub" }],
      [signed(without("exp")), { claim: "exp" }],
      [signed({ ...good(), iat: nowS() + 60 }), { claim: "iat" }],
      [signed({ ...without("iat"), exp: nowS() + 4_000 }), { claim: "iat" }],
      [signed({ ...good(), nbf: nowS() + 60 }), { claim: "nbf" }],
      [signed({ ...good(), at_hash: "x" }), { claim: "at_hash" }],
      [signed(good(), key, { typ: "logout+jwt" }), { header: "typ" }],
      [signed(good(), stranger), { header: "kid" }],
      [signed(good(), thief), {}],
      [Promise.resolve("no.token"), {}],
    ];
    for (const [token, wrong] of cases) {
      written.length = 0;
      const answer = await http.call("GET", "/api/me", { token: await token });
      const { code, message, details } = answer.body.error;
      expect([answer.status, code, message]).toEqual([
        401,
        "unauthorized",
        "The access token is not valid.",
      ]);
      expect(details).toEqual({ ...wrong, problem: expect.stringMatching(/\w+ \w+/) });
      const line = { event: "access_refused", act: "GET /api/me", reason: "unauthorized" };
      expect(written).toMatchObject([{ ...line, ...details }]);
      expect(Object.keys(written[0]!)).toEqual(expect.arrayContaining(Object.keys(wrong)));

      written.length = 0;
      await http.api.auth.verify(await token, "connect");
      expect(written).toMatchObject([{ ...line, act: "connect", ...details }]);
    }
  });

  test("[OTK6] says whether exp or the greatest age has passed, and neither is in the log", async () => {
    await start({ log });
    written.length = 0;
    const ends = async (claims: JWTPayload) => {
      const answer = await http.call("GET", "/api/me", { token: await signed(claims) });
      expect(answer.body.error.code).toBe("token_expired");
      return answer.body.error.details.claim;
    };
    expect(await ends({ ...good(), exp: nowS() - 1 })).toBe("exp");
    expect(await ends({ ...good(), exp: nowS() - 100 })).toBe("exp");
    expect(await ends({ ...good(), iat: nowS() - 3_601 })).toBe("iat");
    expect(written).toEqual([]);
  });
});

describe("a new user of an outside issuer", () => {
  const meOf = async (claims: JWTPayload) => {
    const token = await signedBy(key, claims);
    return (await http.call("GET", "/api/me", { token })).body;
  };

  test("[OTK7] has the name and picture of the token, from the first one on", async () => {
    await start();
    const picture = "https://pictures.example/ann.png";
    const ann = { sub: "a|1", name: " Ann Ash ", preferred_username: "Ann.Ash", picture };
    const told = { username: "ann.ash", display_name: "Ann Ash", image_url: picture };
    expect(await meOf(ann)).toMatchObject(told);
    expect(await meOf({ ...ann, name: "Somebody", preferred_username: "else" })).toMatchObject(
      told,
    );
    const second = await meOf({ ...ann, sub: "a|2" });
    expect(second).toMatchObject({ display_name: "Ann Ash" });
    expect(second.username).toMatch(/^user_/);
    expect(await meOf({ sub: "b|1", preferred_username: "bo_b" })).toMatchObject({
      username: "bo_b",
      display_name: "bo_b",
    });
    // Two characters are no username, and still a name.
    const short = await meOf({ sub: "b|2", preferred_username: "bo" });
    expect(short.display_name).toBe("bo");
    expect(short.username).toMatch(/^user_/);
  });

  test("[OTK7] is spared what is no name or picture, and e-mail addresses", async () => {
    await start();
    const odd: JWTPayload[] = [
      { name: 7, preferred_username: ["x"], picture: {} },
      { name: "\u0000 \n", preferred_username: "ann@mail.example", picture: "http://a.example/p" },
      { name: "ann@mail.example", preferred_username: "troupe", picture: "javascript:alert(1)" },
    ];
    for (const [n, claims] of odd.entries()) {
      const { username, display_name, image_url } = await meOf({ sub: `odd|${n}`, ...claims });
      expect(username).toMatch(/^user_[0-9a-f]{16}$/);
      expect(display_name).toBe(n === 2 ? "troupe" : username);
      expect(image_url).toBeUndefined();
    }
    const long = await meOf({ sub: "long", name: "\u{1F600}".repeat(200) });
    expect([...long.display_name]).toHaveLength(80);
  });

  test("[OTK7] is named as the word rules allow", async () => {
    const [mask, refuse]: WordRule[] = [
      { id: "m", match: { words: ["rude"] }, action: "mask" },
      { id: "r", match: { words: ["vile"] }, action: "refuse" },
    ];
    const store = {
      wordRules: async () => ({ rev: 1, rules: [mask!, refuse!] }),
      addReport: () => Promise.reject(new Error("nothing is reported here")),
    };
    const wordRules = new WordRules(store, pino({ level: "silent" }));
    await wordRules.follow(1);
    await start({ wordRules });
    const masked = await meOf({ sub: "m", name: "Rude Ann", preferred_username: "rude" });
    expect(masked).toMatchObject({ display_name: "**** Ann" });
    expect(masked.username).toMatch(/^user_/);
    const refused = await meOf({ sub: "r", name: "Vile Ann", preferred_username: "vile" });
    expect(refused.display_name).toBe(refused.username);
    expect(refused.username).toMatch(/^user_/);
  });
});

describe("the address of the issuer's keys", () => {
  const load = (JWT_JWKS_URL: string) =>
    loadConfig({ JWT_JWKS_URL, DATABASE_URL: "postgres://a@b/c" }).ok;

  test.each([
    ["https://issuer.example/keys", true],
    ["http://127.0.0.1:9000/keys", true],
    ["http://localhost/keys", true],
    ["http://[::1]:9000/keys", true],
    ["http://issuer.example/keys", false],
    ["http://10.0.0.1/keys", false],
    ["http://localhost.example/keys", false],
    ["http://127.0.0.1.example/keys", false],
  ])("[OTK5] plain HTTP is for this machine only: %s", (url, isTaken) => {
    expect(load(url)).toBe(isTaken);
  });
});
