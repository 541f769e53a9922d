/**
 * [TKA] A token that Troupe did not give, or gives no more, gets in nowhere: each forgery is tried
 * over HTTP, in a handshake (payload and header), and with `refresh_token` on a live session.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { expectErrorObject, expectRefusal, upTo } from "../support/expectations.ts";
import { confusionsOf, type Forgery, forgeriesOf, hmacToken } from "../support/forgery.ts";
import { Api } from "../support/http.ts";
import { ISSUER_NAME, Issuer, type IssuerKey, issuerKey, signedBy } from "../support/issuer.ts";
import { type Login, PASSWORD, type Person } from "../support/person.ts";
import { type ConnectOptions, Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, JWT_SECRET } from "../support/tokens.ts";

const TRIES = 6;
/** The primary reads an issuer's keys at most every 5 s. */
const ROTATED_WITHIN_MS = 12_000;

/** Every way in, for one token; `live` is a session of the user whom it claims to be. */
async function getsInNowhere(troupe: Troupe, live: Session, forgery: Forgery): Promise<void> {
  const { trick, token, code = "unauthorized" } = forgery;
  const [http, auth, header, refresh_token] = await Promise.all([
    new Api(troupe.url, () => token).get("/api/me").then(({ body }) => body.error?.code),
    handshake(troupe, { token }),
    handshake(troupe, { token, tokenInHeader: true }),
    live.emits("refresh_token", { token }).then(({ error }) => error?.code),
  ]);
  const refreshCode = /subject that nobody has/.test(trick)
    ? "forbidden"
    : token.length > 8192
      ? "invalid_payload"
      : code;
  const found = { http, auth, header, refresh_token };
  const wanted = { http: code, auth: code, header: code, refresh_token: refreshCode };
  expect(found, trick).toEqual(wanted);
}

/** The code of the refusal; "accepted" where there was none. */
function handshake(troupe: Troupe, options: ConnectOptions): Promise<string> {
  return Session.refused(troupe, options).then(
    ({ code }) => code,
    (error: Error) => (error.message.includes("accepted") ? "accepted" : Promise.reject(error)),
  );
}

describe("with tokens of its own", () => {
  const troupe = troupeForFile({ workers: 2 });

  it("[TKA1] no forgery gets in anywhere, and the sessions they were tried on live on", async () => {
    const trap = await Issuer.publishing(await issuerKey("trap"));
    try {
      const ann = await troupe().user("ann");
      const live = await ann.connects();
      const forgeries = forgeriesOf(claimsOf(ann.token), JWT_SECRET, trap.url);
      expect(forgeries.length).toBeGreaterThan(40);
      // The maker of the forgeries can make a good one, so they fail for what is wrong with them.
      const good = hmacToken({ alg: "HS256", typ: "JWT" }, claimsOf(ann.token), JWT_SECRET);
      expect((await new Api(troupe().url, () => good).get("/api/me")).status).toBe(200);
      for (const forgery of forgeries) await getsInNowhere(troupe(), live, forgery);
      expect(trap.asked, "addresses in a token are not visited").toBe(0);
      expect(live.isConnected).toBe(true);
      await live.does("refresh_token", { token: ann.token });
    } finally {
      await trap.goesAway();
    }
  });

  it("[TKA2] a token in the address of a handshake or a call is no token", async () => {
    const ann = await troupe().user("ann");
    const call = await troupe().http.get(`/api/me?access_token=${ann.token}`);
    expectRefusal(call, "unauthorized");
    const poll = `/socket.io/?EIO=4&transport=polling&token=${ann.token}`;
    const opened = await troupe().http.get<string>(poll);
    const sid = /"sid":"([^"]+)"/.exec(opened.text)?.[1];
    const path = `${poll}&sid=${sid}`;
    const text = { "content-type": "text/plain" };
    await troupe().http.post(path, undefined, { raw: "40", headers: text });
    const answer = await troupe().http.get<string>(path);
    expect(answer.text).toMatch(/^44\{.*"unauthorized"/);
  });

  it("[TKA3] a refresh token shown again ends its login: tokens refused, sockets closed", async () => {
    const ann = await troupe().user("ann");
    const other = await ann.signsInAgain();
    const thief = ann.login.refresh_token;
    const live = await troupe().sessionOnEachWorker(ann);
    const spared = await other.connects();
    const refresh = (token: string) =>
      troupe().http.post<Login>("/api/auth/refresh", { refresh_token: token });
    const second = await refresh(thief);
    expect(second.status).toBe(200);
    const third = await refresh(second.body.refresh_token);
    expect(third.status).toBe(200);

    expectRefusal(await refresh(thief), "unauthorized");
    for (const session of live) {
      const ended = await session.next("session_ended", undefined, 1500);
      expect(ended).toMatchObject({ code: "logged_out", reconnect: false });
      await session.untilDisconnected();
    }
    expectRefusal(await refresh(third.body.refresh_token), "unauthorized");
    for (const token of [ann.token, second.body.access_token, third.body.access_token]) {
      for (const _ of upTo(TRIES))
        await getsInNowhere(troupe(), spared, { trick: "family", token });
    }
    expect(spared.isConnected).toBe(true);
    expect((await refresh(other.login.refresh_token)).status).toBe(200);
  });

  it("[TKA4] a refresh token spent at once by many has one successor, which ends with its second use", async () => {
    const ann = await troupe().user("ann");
    const refresh = (token: string) =>
      troupe().http.post<Login>("/api/auth/refresh", { refresh_token: token });
    const answers = await Promise.all(upTo(10).map(() => refresh(ann.login.refresh_token)));
    const next = new Set(answers.map(({ body }) => body.refresh_token));
    expect(next.size).toBe(1);
    const [second] = next;
    const third = await refresh(second!);
    // The thief has the second one and uses it once the owner's third is in use.
    expect((await refresh(third.body.refresh_token)).status).toBe(200);
    expectRefusal(await refresh(second!), "unauthorized");
    expectRefusal(await refresh(third.body.refresh_token), "unauthorized");
  });

  it("[TKA5] what is no username cannot be logged in, and costs no error", async () => {
    for (const username of ["a\u0000b", "\ud800x", "x".repeat(200), "' OR 1=1 --", "__proto__"]) {
      const answer = await troupe().http.post("/api/auth/login", { username, password: PASSWORD });
      expectRefusal(answer, "unauthorized");
    }
  });
});

describe("limits of logins", () => {
  const env = { RATE_LIMITS: "on", RATE_LIMIT_AUTH: "10/s burst 200" };
  const troupe = troupeForFile({ workers: 2, env });

  it("[TKA6] guessing one account's password is stopped, other accounts log in", async () => {
    const [ann, bob] = (await troupe().users("ann", "bob")) as [Person, Person];
    const login = (person: Person, password: string) =>
      troupe().http.post("/api/auth/login", { username: person.user.username, password });
    const guesses = await Promise.all(upTo(60).map((n) => login(ann, `guess number ${n}`)));
    const stopped = guesses.filter(({ status }) => status === 429);
    expect(stopped.length).toBeGreaterThan(20);
    for (const answer of stopped) {
      expect(expectRefusal(answer, "rate_limited").retry_after_ms).toBeGreaterThan(0);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    }
    expectRefusal(await login(ann, PASSWORD), "rate_limited");
    expect((await login(bob, PASSWORD)).status).toBe(200);
  });

  it("[TKA7] one address has so many logins, then waits", async () => {
    const answers = await Promise.all(
      upTo(800).map((n) =>
        troupe().http.post("/api/auth/refresh", { refresh_token: `never given out ${n}` }),
      ),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([401, 429]);
  });
});

describe("with an outside issuer", () => {
  const trusted = { sub: "ann", iss: ISSUER_NAME, aud: "troupe" };
  const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

  async function isAccepted(troupe: Troupe, token: string, tries = TRIES): Promise<boolean> {
    const calls = upTo(tries).map(() => new Api(troupe.url, () => token).get("/api/me"));
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    return statuses.every((status) => status === 200);
  }

  async function isRefused(troupe: Troupe, token: string): Promise<boolean> {
    const calls = upTo(TRIES).map(() => new Api(troupe.url, () => token).get("/api/me"));
    const codes = (await Promise.all(calls)).map(({ body }) => body.error?.code);
    return codes.every((code) => code === "unauthorized");
  }

  it("[TKA8] no confusion of keys, and only public keys count", async () => {
    const [rsa, ec, stranger] = [
      await issuerKey("rsa", "RS256"),
      await issuerKey("ec", "ES256"),
      await issuerKey("rsa", "RS256"),
    ];
    const issuer = await Issuer.publishing(rsa, ec);
    const shared = Buffer.from("a shared secret that an issuer published").toString("base64url");
    issuer.published.push({ kty: "oct", k: shared, kid: "oct", alg: "HS256" });
    const troupe = await startTroupe({ workers: 2, env: { ...issuer.env, JWT_SECRET } });
    try {
      const claims = { ...trusted, exp: inAnHour() };
      const live = await Session.open(troupe, "ann", { token: await signedBy(rsa, trusted) });
      expect(await isAccepted(troupe, await signedBy(ec, trusted))).toBe(true);
      const crossed: IssuerKey = { ...ec, kid: "rsa" };
      const forgeries: Forgery[] = [
        ...confusionsOf(claims, rsa.publicJwk),
        ...confusionsOf(claims, ec.publicJwk),
        { trick: "a stranger's key of that kid", token: await signedBy(stranger, trusted) },
        { trick: "the kid of another key", token: await signedBy(crossed, trusted) },
        {
          trick: "RS512",
          token: await signedBy({ ...rsa, alg: "RS512" }, trusted).catch(() => "x"),
        },
        {
          trick: "a published secret",
          token: hmacToken({ alg: "HS256", kid: "oct" }, claims, Buffer.from(shared, "base64url")),
        },
        {
          trick: "the own secret",
          token: hmacToken({ alg: "HS256", typ: "JWT" }, claims, JWT_SECRET),
        },
        {
          trick: "a kid of another kind",
          token: hmacToken({ alg: "HS256", kid: ["rsa"] }, claims, JWT_SECRET),
        },
        { trick: "a subject over 255", token: await signedBy(rsa, { sub: "x".repeat(256) }) },
        { trick: "a subject with a NUL", token: await signedBy(rsa, { sub: "ann\u0000" }) },
        { trick: "the typ of a logout token", token: await signedBy(rsa, trusted, "logout+jwt") },
      ];
      for (const forgery of forgeries) await getsInNowhere(troupe, live, forgery);
      expect(live.isConnected).toBe(true);
    } finally {
      await troupe.stop();
      await issuer.goesAway();
    }
  });

  it("[TKA9] keys rotate on every worker; a withdrawn key's tokens are refused, known or not", async () => {
    const [old, next] = [await issuerKey("old"), await issuerKey("new", "PS256")];
    const issuer = await Issuer.publishing(old);
    const troupe = await startTroupe({ workers: 2, env: issuer.env });
    try {
      const [token, newer] = [await signedBy(old, trusted), await signedBy(next, trusted)];
      expect(await isAccepted(troupe, token)).toBe(true);
      issuer.published = [old.publicJwk, next.publicJwk];
      await eventually("the new key counts", () => isAccepted(troupe, newer), ROTATED_WITHIN_MS);
      expect(await isAccepted(troupe, token)).toBe(true);

      // What the issuer answers in its bad hours changes nothing.
      const third = await signedBy(await issuerKey("third"), trusted);
      const good = issuer.published;
      issuer.instead = { status: 200, body: '{"keys":[]}' };
      const asked = issuer.asked;
      await eventually(
        "the issuer is asked while it answers nonsense",
        async () => (await isRefused(troupe, third)) && issuer.asked > asked,
        ROTATED_WITHIN_MS,
      );
      expect(await isAccepted(troupe, newer)).toBe(true);
      issuer.instead = null;
      issuer.published = good.slice(1);
      await eventually(
        "the withdrawn key's token is refused",
        async () => (await isRefused(troupe, third)) && (await isRefused(troupe, token)),
        ROTATED_WITHIN_MS,
      );
      expect(await isAccepted(troupe, newer)).toBe(true);

      await issuer.goesAway();
      await troupe.killWorker(0);
      await eventually("two workers serve", () => troupe.pids().workers.length === 2, 15_000);
      expect(await isAccepted(troupe, newer, 20), "a worker born meanwhile has the keys").toBe(
        true,
      );
    } finally {
      await troupe.stop();
    }
  }, 120_000);

  it("[TKA10] a local file of keys, and its rotation", async () => {
    const folder = await mkdtemp(join(tmpdir(), "troupe-keys-"));
    const path = join(folder, "jwks.json");
    const [first, second] = [await issuerKey("1", "EdDSA"), await issuerKey("2", "RS256")];
    await writeFile(path, JSON.stringify({ keys: [first.publicJwk] }));
    const env = { JWT_JWKS_URL: pathToFileURL(path).href, JWT_ISSUER: ISSUER_NAME };
    const troupe = await startTroupe({ workers: 2, env });
    try {
      const [token, newer] = [await signedBy(first, trusted), await signedBy(second, trusted)];
      expect(await isAccepted(troupe, token)).toBe(true);
      expect(await isRefused(troupe, newer)).toBe(true);
      await writeFile(path, JSON.stringify({ keys: [second.publicJwk] }));
      await eventually("the new file counts", () => isAccepted(troupe, newer), ROTATED_WITHIN_MS);
      expect(await isRefused(troupe, token)).toBe(true);
      await rm(path);
      expectErrorObject(await Session.refused(troupe, { token }), "unauthorized");
      expect(await isAccepted(troupe, newer)).toBe(true);
    } finally {
      await troupe.stop();
      await rm(folder, { recursive: true });
    }
  });

  it("[TKA11] while its keys were never had nobody gets in, and everybody once they are", async () => {
    const key = await issuerKey("late");
    const issuer = await Issuer.publishing(key);
    issuer.instead = { status: 500, body: "" };
    const troupe = await startTroupe({ workers: 1, env: issuer.env });
    try {
      const token = await signedBy(key, trusted);
      expectRefusal(await new Api(troupe.url, () => token).get("/api/me"), "unavailable");
      expectErrorObject(await Session.refused(troupe, { token }), "unavailable");
      issuer.instead = null;
      await eventually("the keys are there", () => isAccepted(troupe, token), ROTATED_WITHIN_MS);
    } finally {
      await troupe.stop();
      await issuer.goesAway();
    }
  });
});
