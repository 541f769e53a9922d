/**
 * Tokens as an attacker makes them, byte by byte: a JWT library would refuse to. Each forgery is
 * named by the trick it tries.
 */
import { createHmac, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import type { JWK } from "jose";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

type Claims = Record<string, unknown>;
const HASHES: Record<string, string> = { HS256: "sha256", HS384: "sha384", HS512: "sha512" };

/** Signed with an HMAC over `header`, whatever it says. */
export function hmacToken(header: Claims, claims: Claims, key: string | Buffer): string {
  const text = `${encode(header)}.${encode(claims)}`;
  const hash = HASHES[String(header["alg"])] ?? "sha256";
  return `${text}.${createHmac(hash, key).update(text).digest("base64url")}`;
}

function rsaToken(header: Claims, claims: Claims): { token: string; jwk: object } {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = publicKey.export({ format: "jwk" });
  const text = `${encode({ ...header, jwk })}.${encode(claims)}`;
  const mark = sign("sha256", Buffer.from(text), privateKey).toString("base64url");
  return { token: `${text}.${mark}`, jwk };
}

export interface Forgery {
  trick: string;
  token: string;
  /** The contract's error code; `unauthorized` by default. */
  code?: "token_expired";
}

/** Against an issuer that signs with `secret`; `good` are the claims of a token that it gave. */
export function forgeriesOf(good: Claims, secret: string, trapUrl: string): Forgery[] {
  const jwt = { alg: "HS256", typ: "JWT" };
  const nowS = Math.floor(Date.now() / 1000);
  const without = (claim: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim));
  const valid = hmacToken(jwt, good, secret);
  const [head = "", body = "", mark = ""] = valid.split(".");
  const rightly = (trick: string, changes: Claims, header: Claims = jwt): Forgery => ({
    trick,
    token: hmacToken(header, { ...good, ...changes }, secret),
  });
  const lacking = (claim: string): Forgery => ({
    trick: `no ${claim}`,
    token: hmacToken(jwt, without(claim), secret),
  });
  const unsigned = (alg: string): Forgery => ({
    trick: `alg ${alg}`,
    token: `${encode({ alg, typ: "JWT" })}.${body}.`,
  });
  return [
    ...["none", "None", "NONE", "nOnE", ""].map(unsigned),
    { trick: "alg none with a signature", token: `${encode({ alg: "none" })}.${body}.${mark}` },
    { trick: "no alg", token: `${encode({ typ: "JWT" })}.${body}.${mark}` },
    { trick: "no signature", token: `${head}.${body}.` },
    { trick: "two parts", token: `${head}.${body}` },
    { trick: "four parts", token: `${valid}.${mark}` },
    {
      trick: "claims of another",
      token: `${head}.${encode({ ...good, sub: "987654321" })}.${mark}`,
    },
    { trick: "another signature", token: `${head}.${body}.${"A".repeat(43)}` },
    { trick: "a padded signature", token: `${valid}=` },
    { trick: "another secret", token: hmacToken(jwt, good, "another secret of 32 bytes or more") },
    { trick: "an empty secret", token: hmacToken(jwt, good, "") },
    { trick: "the header as secret", token: hmacToken(jwt, good, head) },
    rightly("HS384 with the right secret", {}, { alg: "HS384", typ: "JWT" }),
    rightly("HS512 with the right secret", {}, { alg: "HS512", typ: "JWT" }),
    rightly("RS256 over an HMAC", {}, { alg: "RS256", typ: "JWT" }),
    { trick: "an embedded key", token: rsaToken({ alg: "RS256", typ: "JWT" }, good).token },
    { trick: "a kid of nothing", token: hmacToken({ ...jwt, kid: "/dev/null" }, good, "") },
    {
      trick: "a kid with SQL",
      token: hmacToken({ ...jwt, kid: "x' UNION SELECT 'known" }, good, "known"),
    },
    { trick: "a key address", token: hmacToken({ ...jwt, jku: trapUrl }, good, "known") },
    { trick: "a certificate address", token: hmacToken({ ...jwt, x5u: trapUrl }, good, "known") },
    rightly("an unknown critical header", {}, { ...jwt, crit: ["exp2"], exp2: 1 }),
    rightly("unencoded claims", {}, { ...jwt, crit: ["b64"], b64: false }),
    rightly("the typ of a logout token", {}, { ...jwt, typ: "logout+jwt" }),
    rightly("the typ of a DPoP proof", {}, { ...jwt, typ: "dpop+jwt" }),
    rightly("another issuer", { iss: "somebody" }),
    rightly("a list of issuers", { iss: ["troupe"] }),
    rightly("another audience", { aud: "somebody" }),
    rightly("an audience that begins alike", { aud: "troupe.evil" }),
    rightly("not yet valid", { nbf: nowS + 60 }),
    rightly("an nbf that is text", { nbf: "0" }),
    rightly("an expiry that is text", { exp: String(nowS + 600) }),
    rightly("a subject that is a number", { sub: Number(good["sub"]) }),
    rightly("a subject that is a list", { sub: [good["sub"]] }),
    rightly("the subject of services", { sub: "0" }),
    rightly("a subject with a NUL", { sub: `${String(good["sub"])}\u0000` }),
    rightly("a subject that nobody has", { sub: "999999999" }),
    ...["iss", "aud", "sub", "exp"].map(lacking),
    { ...rightly("expired", { exp: nowS - 1 }), code: "token_expired" },
    { ...rightly("expired long ago", { exp: 1 }), code: "token_expired" },
    {
      trick: "an encrypted token",
      token: `${encode({ alg: "dir", enc: "A256GCM" })}..AAAA.AAAA.AAAA`,
    },
    { trick: "no token at all", token: "bearer" },
    { trick: "more than 8 KiB", token: `${head}.${"A".repeat(9000)}.${mark}` },
  ];
}

/** Key confusion: what is public of `jwk`, taken as the secret of an HMAC. */
export function confusionsOf(good: Claims, jwk: JWK): Forgery[] {
  const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
  const pem = key.export({ format: "pem", type: "spki" }).toString();
  const secrets: [string, string | Buffer][] = [
    ["PEM", pem],
    ["PEM without its last newline", pem.trimEnd()],
    ["DER", key.export({ format: "der", type: "spki" })],
    ["JWK", JSON.stringify(jwk)],
    ["modulus", Buffer.from(String(jwk.n ?? jwk.x), "base64url")],
  ];
  return secrets.flatMap(([form, secret]) =>
    [{ alg: "HS256", kid: jwk.kid }, { alg: jwk.alg, kid: jwk.kid }, { alg: "HS256" }].map(
      (header) => ({
        trick: `the public key as secret, ${form}, ${JSON.stringify(header)}`,
        token: hmacToken({ typ: "JWT", ...header }, good, secret),
      }),
    ),
  );
}
