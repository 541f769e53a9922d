import { createHmac } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { kidOf, secretsOf } from "../../src/config/jwt-secrets.ts";
import { createTokens } from "../../src/edge/auth/tokens.ts";
import type { FamilyId, UserId } from "../../src/protocol/ids.ts";
import { isSealed, sealKey, sealOf } from "../../src/relay/seal.ts";
import { clockShowing } from "../support/fake-clock.ts";

const SECRET = "a secret of the tests, long enough for HS256";
const USER = "42" as UserId;
const FAMILY = "7" as FamilyId;

function tokensAt(time: { nowMs: number }, secrets: [string, ...string[]] = [SECRET]) {
  return createTokens({
    issuer: "troupe",
    audience: "troupe",
    secrets,
    keys: null,
    ttlS: 900,
    maxAgeS: 86_400,
    keepsOwnClaims: false,
    clock: clockShowing(() => time.nowMs),
  });
}

describe("access tokens", () => {
  test("[ROT1] the first secret signs, all verify, and kid tells which one signed", async () => {
    const time = { nowMs: Date.parse("2026-05-01T00:00:00.000Z") };
    const [older, newer] = [SECRET, "another secret of the tests, as long"];
    const before = await tokensAt(time, [older]);
    const after = await tokensAt(time, [newer, older]);
    const later = await tokensAt(time, [newer]);
    const old = (await before.issue(USER, { family: FAMILY, afterMs: null })).token;
    const fresh = (await after.issue(USER, { family: FAMILY, afterMs: null })).token;
    expect(decodeProtectedHeader(old).kid).toBe(kidOf(older));
    expect(decodeProtectedHeader(fresh).kid).toBe(kidOf(newer));
    expect((await after.check(old)).ok).toBe(true);
    expect((await after.check(fresh)).ok).toBe(true);
    expect((await later.check(fresh)).ok).toBe(true);
    expect((await later.check(old)).ok).toBe(false);
    expect((await before.check(fresh)).ok).toBe(false);
  });

  test("[ROT2] a token that names no secret, or another header, is checked by all of them", async () => {
    const time = { nowMs: Date.parse("2026-05-01T00:00:00.000Z") };
    const tokens = await tokensAt(time, ["another secret of the tests, as long", SECRET]);
    const iat = time.nowMs / 1000;
    for (const header of [
      { alg: "HS256", typ: "JWT" },
      { alg: "HS256" },
      { alg: "HS256", typ: "JWT", kid: "unknown" },
    ]) {
      const token = await new SignJWT({ jti: JSON.stringify(header) })
        .setProtectedHeader(header)
        .setSubject("42")
        .setIssuer("troupe")
        .setAudience("troupe")
        .setIssuedAt(iat)
        .setExpirationTime(iat + 60)
        .sign(new TextEncoder().encode(SECRET));
      expect((await tokens.check(token)).ok, JSON.stringify(header)).toBe(true);
    }
  });

  test("[ROT5] hosts that learn of a new secret one after another hear each other", () => {
    const [old, fresh] = ["a".repeat(32), "b".repeat(32)];
    const key = (secrets: string) => sealKey(Buffer.alloc(32, 7), secrets);
    const hears = (reader: string, writer: string) =>
      isSealed(key(reader), "c", "text", sealOf(key(writer), "c", "text"));
    const steps = [old, `${old},${fresh}`, `${fresh},${old}`, fresh];
    for (const [i, before] of steps.entries()) {
      const after = steps[i + 1] ?? before;
      expect([hears(before, after), hears(after, before)], `${before} ${after}`).toEqual([
        true,
        true,
      ]);
    }
    expect(hears(old, fresh)).toBe(false);
  });

  test("[ROT3] a text with commas is a list where every part is long enough for a secret", () => {
    const [one, other] = ["a".repeat(32), "b".repeat(40)];
    expect(secretsOf(`${one}, ${other}`)).toEqual([one, other]);
    expect(secretsOf(`${one},short`)).toEqual([`${one},short`]);
  });

  test("carry the contract's claims, and no two are the same", async () => {
    const time = { nowMs: Date.parse("2026-05-01T00:00:00.500Z") };
    const tokens = await tokensAt(time);
    const first = await tokens.issue(USER, { family: FAMILY, afterMs: null });
    const second = await tokens.issue(USER, { family: FAMILY, afterMs: null });
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
    const { token } = await tokens.issue(USER, { family: FAMILY, afterMs: null });
    expect(tokens.known(token)).toBeUndefined();
    const claims = {
      subject: "42",
      family: "7",
      expiresAtMs: time.nowMs + 900_000,
      issuedAtMs: time.nowMs,
      jti: decodeJwt(token).jti,
      scope: [],
      profile: null,
      own: null,
      endsBy: "exp",
    };
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

  const nowS = Date.parse("2026-05-01T00:00:00.000Z") / 1000;
  const plain = { iss: "troupe", aud: "troupe", sub: "42", iat: nowS, exp: nowS + 60, fam: "7" };
  test.each([
    ["like our own", plain],
    ["an audience that is a list", { ...plain, aud: ["troupe", "other"] }],
    ["another audience", { ...plain, aud: "other" }],
    ["another issuer", { ...plain, iss: "other" }],
    ["no issuer", { ...plain, iss: undefined }],
    ["no subject", { ...plain, sub: undefined }],
    ["a subject that is a number", { ...plain, sub: 42 }],
    ["an empty subject", { ...plain, sub: "" }],
    ["no expiry", { ...plain, exp: undefined }],
    ["an expiry that is a string", { ...plain, exp: `${nowS + 60}` }],
    ["an expiry that is over", { ...plain, exp: nowS }],
    ["an expiry within the tolerance for clocks", { ...plain, exp: nowS - 3 }],
    ["no time of issue", { ...plain, iat: undefined }],
    ["a time of issue that is a string", { ...plain, iat: "yesterday" }],
    ["a time of issue that is to come", { ...plain, iat: nowS + 1_000 }],
    ["a beginning that is to come", { ...plain, nbf: nowS + 1_000 }],
    ["a beginning within the tolerance", { ...plain, nbf: nowS + 3 }],
    ["a beginning that is a string", { ...plain, nbf: "now" }],
    ["a scope", { ...plain, scope: "notify" }],
    ["a list", [plain]],
    ["null", null],
    ["text", "plain"],
    ["no JSON", undefined],
  ])("of %s: known by its HMAC alone or by jose, it is judged alike", async (_what, payload) => {
    const tokens = await tokensAt({ nowMs: nowS * 1000 });
    const json = payload === undefined ? "{" : JSON.stringify(payload);
    const signed = (header: string) => {
      const input = [header, json].map((part) => Buffer.from(part).toString("base64url")).join(".");
      return `${input}.${createHmac("sha256", SECRET).update(input).digest("base64url")}`;
    };
    // jose judges what does not have our own header to the letter.
    const byJose = await tokens.check(signed('{"typ":"JWT","alg":"HS256"}'));
    expect(await tokens.check(signed('{"alg":"HS256","typ":"JWT"}'))).toEqual(byJose);
  });

  test("a signature that differs in one character is refused", async () => {
    const tokens = await tokensAt({ nowMs: Date.now() });
    const { token } = await tokens.issue(USER, { family: FAMILY, afterMs: null });
    const signatureAt = token.lastIndexOf(".") + 1;
    for (let at = signatureAt; at < token.length; at++) {
      const other = token[at] === "A" ? "E" : "A";
      const forged = token.slice(0, at) + other + token.slice(at + 1);
      expect(await tokens.check(forged), forged).toMatchObject({ ok: false });
    }
    expect(await tokens.check(`${token}A`)).toMatchObject({ ok: false });
    expect(await tokens.check(token.slice(0, -1))).toMatchObject({ ok: false });
  });
});
