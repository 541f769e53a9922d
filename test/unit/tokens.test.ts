import { decodeJwt, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { createTokens } from "../../src/edge/tokens.ts";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";

const SECRET = "a secret of the tests, long enough for HS256";
const USER = "42" as UserId;
const FAMILY = "7" as FamilyId;

function tokensAt(time: { nowMs: number }) {
  return createTokens({
    issuer: "troupe",
    audience: "troupe",
    secret: SECRET,
    keys: null,
    ttlS: 900,
    clock: { nowMs: () => time.nowMs, after: () => () => undefined },
  });
}

describe("access tokens", () => {
  test("carry the contract's claims, and no two are the same", async () => {
    const time = { nowMs: Date.parse("2026-05-01T00:00:00.500Z") };
    const tokens = await tokensAt(time);
    const first = await tokens.issue(USER, FAMILY);
    const second = await tokens.issue(USER, FAMILY);
    expect(first.expiresInS).toBe(900);
    const claims = decodeJwt(first.token);
    const iat = Date.parse("2026-05-01T00:00:00.000Z") / 1000;
    expect(claims).toMatchObject({
      sub: "42",
      iss: "troupe",
      aud: "troupe",
      iat,
      exp: iat + 900,
      fam: "7",
    });
    expect(claims.jti).not.toBe(decodeJwt(second.token).jti);
  });

  test("are known after one check, until they expire to the millisecond", async () => {
    const time = { nowMs: Date.parse("2026-05-01T00:00:00.000Z") };
    const tokens = await tokensAt(time);
    const { token } = await tokens.issue(USER, FAMILY);
    expect(tokens.known(token)).toBeUndefined();
    const claims = { subject: "42", family: "7", expiresAtMs: time.nowMs + 900_000, scope: [] };
    expect(await tokens.check(token)).toEqual({ ok: true, value: claims });
    time.nowMs += 899_999;
    expect(tokens.known(token)).toEqual({ ok: true, value: claims });
    time.nowMs += 1;
    expect(tokens.known(token)).toMatchObject({ ok: false, error: { code: "token_expired" } });
    expect(tokens.known(token)).toBeUndefined();
    expect(await tokens.check(token)).toMatchObject({
      ok: false,
      error: { code: "token_expired" },
    });
  });

  test("scope is read as a string of words or a list", async () => {
    const tokens = await tokensAt({ nowMs: Date.now() });
    for (const scope of ["notify  admin", ["notify", "admin", 3]]) {
      const token = await new SignJWT({ sub: "billing", scope })
        .setProtectedHeader({ alg: "HS256" })
        .setIssuer("troupe")
        .setAudience("troupe")
        .setExpirationTime("1h")
        .sign(new TextEncoder().encode(SECRET));
      expect(await tokens.check(token)).toMatchObject({ value: { scope: ["notify", "admin"] } });
    }
  });

  test("what is no token is refused, never thrown", async () => {
    const tokens = await tokensAt({ nowMs: Date.now() });
    for (const token of ["", ".", "..", "a.b.c", "\u0000", "e30.e30.e30", "x".repeat(10_000)]) {
      expect(await tokens.check(token)).toMatchObject({
        ok: false,
        error: { code: "unauthorized" },
      });
      expect(tokens.known(token)).toBeUndefined();
    }
  });
});
