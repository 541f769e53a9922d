/** Accounts and tokens, as the wire contract says them. */
import { describe, expect, it } from "vitest";
import type { User } from "../../src/protocol/schemas.ts";
import { eventually } from "../support/eventually.ts";
import { expectRefusal, ID, TIME } from "../support/expectations.ts";
import { type Login, PASSWORD } from "../support/person.ts";
import { Session } from "../support/session.ts";
import { SHARED_WORKERS } from "../support/shared-troupe.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, resigned, unsigned } from "../support/tokens.ts";

const WORKERS = SHARED_WORKERS;
const REVOKED_WITHIN_MS = 1000;
const troupe = troupeForFile({ shared: true });

let names = 0;
const freshName = () => `person_${++names}_${Date.now().toString(36)}`;
const register = (body: object) => troupe().http.post<Login>("/api/auth/register", body);
const login = (username: string, password = PASSWORD) =>
  troupe().http.post<Login>("/api/auth/login", { username, password });
const refresh = (refresh_token: string) =>
  troupe().http.post<Login>("/api/auth/refresh", { refresh_token });
const logout = (refresh_token: string) => troupe().http.post("/api/auth/logout", { refresh_token });
const meWith = (token: string) =>
  troupe().http.get<User>("/api/me", { headers: { authorization: `Bearer ${token}` } });

/** One call on each worker and a few more: connections are handed out in turn. */
const meOnEveryWorker = (token: string) =>
  Promise.all(Array.from({ length: WORKERS * 2 }, () => meWith(token)));

describe("registering and signing in", () => {
  it("[CTR-ACC1] register answers 201 with the user and both tokens", async () => {
    const username = freshName();
    const answer = await register({ username, password: PASSWORD, display_name: "Ann O’Nym 🎭" });
    expect(answer.status, answer.text).toBe(201);
    expect(Object.keys(answer.body).sort()).toEqual([
      "access_token",
      "expires_in",
      "refresh_token",
      "user",
    ]);
    expect(answer.body.user).toEqual({
      id: expect.stringMatching(ID),
      username,
      display_name: "Ann O’Nym 🎭",
      created_at: expect.stringMatching(TIME),
    });
  });

  it("[CTR-ACC2] access tokens are JWTs with sub, iss, aud, iat, exp and jti", async () => {
    const { body } = await register({ username: freshName(), password: PASSWORD });
    const claims = claimsOf(body.access_token);
    expect(claims).toMatchObject({ sub: body.user.id, iss: "troupe", aud: "troupe" });
    expect(claims.jti).toEqual(expect.stringMatching(/\S/));
    expect(claims.exp! - claims.iat!).toBe(900);
    expect(body.expires_in).toBeGreaterThan(890);
    expect(body.expires_in).toBeLessThanOrEqual(900);
  });

  it("[CTR-ACC3] a username is folded to lower case and unique", async () => {
    const username = freshName();
    const first = await register({ username: username.toUpperCase(), password: PASSWORD });
    expect(first.status, first.text).toBe(201);
    expect(first.body.user.username).toBe(username);
    expectRefusal(await register({ username, password: PASSWORD }), "conflict");
    const signedIn = await login(username.toUpperCase());
    expect(signedIn.status).toBe(200);
    expect(signedIn.body.user).toEqual(first.body.user);
  });

  it("[CTR-ACC4] of many registering one name at once, one gets it", async () => {
    const username = freshName();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => register({ username, password: PASSWORD })),
    );
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
  });

  it.each([
    ["a short username", { username: "ab" }],
    ["a long username", { username: "a".repeat(33) }],
    ["a username with a space", { username: "an n" }],
    ["a username with a dash", { username: "an-n" }],
    ["a username with an umlaut", { username: "änne" }],
    ["a username that is a number", { username: 12345 }],
    ["no username", { username: undefined }],
    ["a short password", { password: "1234567" }],
    ["a long password", { password: "p".repeat(201) }],
    ["a password that is null", { password: null }],
    ["an empty display name", { display_name: "" }],
    ["a display name of white space", { display_name: " \u00a0\u3000" }],
    ["a display name of 81 code points", { display_name: "🎭".repeat(81) }],
    ["a display name with a control character", { display_name: "a\u0007b" }],
    ["an unknown key", { admin: true }],
  ])("[CTR-ACC5] register refuses %s", async (_, change) => {
    expectRefusal(
      await register({ username: freshName(), password: PASSWORD, ...change }),
      "invalid_payload",
    );
  });

  it("[CTR-ACC6] the limits themselves are allowed", async () => {
    const atMost = await register({
      username: `${freshName()}${"x".repeat(32)}`.slice(0, 32),
      password: "pq".repeat(100),
      display_name: "🎭".repeat(80),
    });
    expect(atMost.status, atMost.text).toBe(201);
    const atLeast = await register({
      username: `a.${(names % 36).toString(36)}`,
      password: "q7w2e9zx",
      display_name: "x",
    });
    expect(atLeast.status, atLeast.text).toBe(201);
  });

  it("[CTR-ACC7] a wrong password and an unknown name are refused alike", async () => {
    const ann = await troupe().user("ann");
    const wrong = expectRefusal(await login(ann.user.username, "not the password"), "unauthorized");
    const unknown = expectRefusal(await login(freshName()), "unauthorized");
    expect(unknown).toEqual(wrong);
  });
});

describe("refreshing and signing out", () => {
  it("[CTR-ACC8] refresh answers the same as login with new tokens", async () => {
    const ann = await troupe().user("ann");
    const answer = await refresh(ann.login.refresh_token);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.user).toEqual(ann.user);
    expect(answer.body.refresh_token).not.toBe(ann.login.refresh_token);
    expect(answer.body.access_token).not.toBe(ann.login.access_token);
    expect((await meWith(answer.body.access_token)).body).toEqual(ann.user);
  });

  it("[CTR-ACC9] a spent refresh token used again revokes the whole family", async () => {
    const ann = await troupe().user("ann");
    const other = await ann.signsInAgain();
    const second = (await refresh(ann.login.refresh_token)).body;
    const third = (await refresh(second.refresh_token)).body;
    expectRefusal(await refresh(ann.login.refresh_token), "unauthorized");
    expectRefusal(await refresh(third.refresh_token), "unauthorized");
    await refusedEverywhere(third.access_token);
    expect((await meWith(other.token)).status).toBe(200);
    expect((await refresh(other.login.refresh_token)).status).toBe(200);
  });

  it("[CTR-ACC10] one refresh token used by several at once gives all the same next one", async () => {
    const ann = await troupe().user("ann");
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => refresh(ann.login.refresh_token)),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const next = new Set(answers.map(({ body }) => body.refresh_token));
    expect(next.size).toBe(1);
    expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(4);
    expect((await refresh([...next][0]!)).status).toBe(200);
    expectRefusal(await refresh(ann.login.refresh_token), "unauthorized");
  });

  it("[CTR-ACC11] logout answers 204 and ends that login everywhere within a second", async () => {
    const ann = await troupe().user("ann");
    const other = await ann.signsInAgain();
    expect((await meOnEveryWorker(ann.token)).map((answer) => answer.status)).not.toContain(401);
    const answer = await logout(ann.login.refresh_token);
    expect(answer.status, answer.text).toBe(204);
    expect(answer.text).toBe("");
    await refusedEverywhere(ann.token);
    expectRefusal(await refresh(ann.login.refresh_token), "unauthorized");
    const refusal = await Session.refused(troupe(), { token: ann.token });
    expect(refusal.code).toBe("unauthorized");
    expect((await meOnEveryWorker(other.token)).every(({ status }) => status === 200)).toBe(true);
  });

  it("[CTR-ACC12] logout closes the live sockets of that login on every worker", async () => {
    const ann = await troupe().user("ann");
    const other = await (await ann.signsInAgain()).connects();
    const sessions = await troupe().sessionOnEachWorker(ann);
    await logout(ann.login.refresh_token);
    for (const session of sessions) {
      const ended = await session.next("session_ended", undefined, 2000);
      expect(ended).toMatchObject({ code: "logged_out", message: expect.stringMatching(/\S/) });
      expect(typeof ended.reconnect).toBe("boolean");
      await session.untilDisconnected(2000);
    }
    await other.never("session_ended", 300);
    expect(other.isConnected).toBe(true);
  });

  it("[CTR-ACC13] a refresh token that never was is unauthorized", async () => {
    expectRefusal(await refresh("never-given-out"), "unauthorized");
    expectRefusal(await troupe().http.post("/api/auth/refresh", {}), "invalid_payload");
    expectRefusal(await troupe().http.post("/api/auth/logout", { x: 1 }), "invalid_payload");
  });

  async function refusedEverywhere(token: string): Promise<void> {
    await eventually(
      "the access token is refused on every worker",
      async () => (await meOnEveryWorker(token)).every(({ status }) => status === 401),
      REVOKED_WITHIN_MS,
    );
    for (const answer of await meOnEveryWorker(token)) expectRefusal(answer, "unauthorized");
  }
});

describe("access tokens", () => {
  it("[CTR-ACC14] only tokens signed here, for here and in time are accepted", async () => {
    const ann = await troupe().user("ann");
    // The tool that makes the bad ones makes a good one, too.
    expect((await meWith(await resigned(ann.token, { jti: "another" }))).status).toBe(200);
    const nowS = Math.floor(Date.now() / 1000);
    const bad = {
      "signed with another secret": await resigned(ann.token, {}, "x".repeat(48)),
      unsigned: unsigned(ann.token),
      "of another issuer": await resigned(ann.token, { iss: "elsewhere" }),
      "for another audience": await resigned(ann.token, { aud: "elsewhere" }),
      "without an expiry": await resigned(ann.token, { exp: undefined }),
      "without a subject": await resigned(ann.token, { sub: undefined }),
      "of a subject that is no user id": await resigned(ann.token, { sub: "root" }),
      "cut short": ann.token.slice(0, -4),
      garbage: "garbage",
    };
    for (const [what, token] of Object.entries(bad)) {
      const answer = await meWith(token);
      expect(answer.status, what).toBe(401);
      expectRefusal(answer, "unauthorized");
      const refusal = await Session.refused(troupe(), { token });
      expect(refusal.code, what).toBe("unauthorized");
    }
    const expired = await resigned(ann.token, { iat: nowS - 1000, exp: nowS - 100 });
    expectRefusal(await meWith(expired), "token_expired");
    expect((await Session.refused(troupe(), { token: expired })).code).toBe("token_expired");
  });

  it.each([
    ["GET", "/api/me"],
    ["PATCH", "/api/me"],
    ["GET", "/api/users/1"],
    ["GET", "/api/users?username=ann"],
    ["POST", "/api/conversations"],
    ["GET", "/api/conversations"],
    ["GET", "/api/conversations/1"],
    ["PATCH", "/api/conversations/1"],
    ["POST", "/api/conversations/1/members"],
    ["DELETE", "/api/conversations/1/members/1"],
    ["GET", "/api/conversations/1/messages"],
    ["POST", "/api/conversations/1/messages"],
    ["PATCH", "/api/conversations/1/messages/1"],
    ["DELETE", "/api/conversations/1/messages/1"],
    ["PUT", "/api/conversations/1/read"],
    ["GET", "/api/presence?user_ids=1"],
  ])("[CTR-ACC15] %s %s wants a token", async (method, path) => {
    expectRefusal(await troupe().http.request(method, path), "unauthorized");
    const basic = { headers: { authorization: "Basic YTpi" } };
    expectRefusal(await troupe().http.request(method, path, undefined, basic), "unauthorized");
  });
});

describe("people", () => {
  it("[CTR-ACC16] one reads and renames oneself", async () => {
    const ann = await troupe().user("ann");
    expect((await ann.api.get("/api/me")).body).toEqual(ann.user);
    const renamed = await ann.api.patch("/api/me", { display_name: "Ann the Second" });
    expect(renamed.status, renamed.text).toBe(200);
    expect(renamed.body).toEqual({ ...ann.user, display_name: "Ann the Second" });
    expect((await ann.api.get("/api/me")).body).toEqual(renamed.body);
    for (const bad of [{ display_name: "" }, { display_name: 7 }, { username: "no" }]) {
      expectRefusal(await ann.api.patch("/api/me", bad), "invalid_payload");
    }
  });

  it("[CTR-ACC17] others are found by id and by username", async () => {
    const [ann, bob] = await troupe().users("ann", "bob");
    const counts = {
      follower_count: 0,
      following_count: 0,
      post_count: 0,
      followed_by_me: false,
    };
    expect((await ann!.api.get(`/api/users/${bob!.id}`)).body).toEqual({ ...bob!.user, ...counts });
    const name = bob!.user.username;
    expect((await ann!.api.get(`/api/users?username=${name}`)).body).toEqual(bob!.user);
    expectRefusal(await ann!.api.get("/api/users/9223372036854775807"), "not_found");
    expectRefusal(await ann!.api.get("/api/users?username=nobody.at.all"), "not_found");
  });

  it.each([
    "/api/users/0",
    "/api/users/01",
    "/api/users/-1",
    "/api/users/abc",
    "/api/users/1.5",
    "/api/users/9223372036854775808",
    "/api/users/%00",
    "/api/users",
    "/api/users?username=",
    "/api/users?username=ann&x=1",
    "/api/users?name=ann",
    "/api/me?x=1",
  ])("[CTR-ACC18] GET %s is invalid_payload", async (path) => {
    const ann = await troupe().user("ann");
    expectRefusal(await ann.api.get(path), "invalid_payload");
  });
});
