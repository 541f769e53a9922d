/** Tokens of an outside issuer: whose they are, what they may do, and for how long. */
import { type JWTPayload, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/config.ts";
import { type HttpApi, startHttpApi } from "../support/http-api.ts";
import { ISSUER_NAME, type IssuerKey, issuerKey, signedBy } from "../support/issuer.ts";

let key: IssuerKey;
let http: HttpApi;
beforeAll(async () => {
  key = await issuerKey("one");
});
afterEach(() => http?.stop());

async function start(): Promise<void> {
  http = await startHttpApi(
    {
      jwtJwksUrl: "https://issuer.example/keys",
      jwtIssuer: ISSUER_NAME,
      serviceSubjects: ["backoffice", "idle"],
      tokenMaxAgeS: 3_600,
    },
    {
      askIssuerKeys: async () => ({ version: 1, keys: JSON.stringify({ keys: [key.publicJwk] }) }),
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
