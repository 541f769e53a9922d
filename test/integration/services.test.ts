/** [SVC] Back ends: their tokens, acting for users, and the log of what they changed. */
import { describe, expect, it } from "vitest";
import type { ListPage } from "../../src/ports/social.ts";
import type { Conversation, Message, User } from "../../src/protocol/schemas.ts";
import type { AuditEntry, ServiceToken } from "../../src/protocol/service-routes.ts";
import { eventually } from "../support/eventually.ts";
import { expectErrorObject, expectRefusal, upTo } from "../support/expectations.ts";
import { Api } from "../support/http.ts";
import { expectStatus, type Login, PASSWORD, type Person } from "../support/person.ts";
import { serviceTokenOf } from "../support/service.ts";
import { Session } from "../support/session.ts";
import { troupeForFile } from "../support/suite.ts";
import { claimsOf, JWT_SECRET } from "../support/tokens.ts";

const SECOND_MS = 1_000;
const troupe = troupeForFile({
  workers: 2,
  env: { RATE_LIMITS: "on", RATE_LIMIT_SEND: "1/min burst 2" },
});
const apiWith = (token: string) => new Api(troupe().url, () => token);
const actAs = (who: string) => ({ headers: { "troupe-act-as": who } });
let made = 0;
const newName = () => `app:${process.pid}.${++made}`;

async function backEnd(scopes: Parameters<typeof serviceTokenOf>[1], subject = "shop") {
  const token = await serviceTokenOf(JWT_SECRET, scopes, subject);
  return { token, jti: claimsOf(token).jti!, api: apiWith(token) };
}

describe("service tokens", () => {
  it("[SVC5] a token is known once it was used, and refused everywhere within a second of its end", async () => {
    const admin = await backEnd(["admin"], "operator");
    const shop = await backEnd(["users"]);
    const path = `/api/service-tokens/${shop.jti}`;
    expectRefusal(await admin.api.get(path), "not_found");
    expectStatus<User>(await shop.api.put(`/api/users/external/${newName()}`, {}), 201);
    await eventually("the token is known", async () => (await admin.api.get(path)).status === 200);
    const known = (await admin.api.get<ServiceToken>(path)).body;
    expect(known).toMatchObject({ jti: shop.jti, sub: "shop", scope: "users", revoked_at: null });
    const listed = await admin.api.get<ListPage<ServiceToken>>("/api/service-tokens");
    expect(listed.body.items.map(({ jti }) => jti)).toContain(shop.jti);
    expectRefusal(await shop.api.delete(path), "forbidden");

    expectStatus<unknown>(await admin.api.delete(path), 204);
    await eventually(
      "every worker refuses it",
      async () => {
        const tries = await Promise.all(
          upTo(8).map(() => shop.api.put(`/api/users/external/${newName()}`, {})),
        );
        return tries.every(({ status }) => status === 401);
      },
      SECOND_MS,
    );
    expectStatus<unknown>(await admin.api.delete(path), 204);
    expect((await admin.api.get<ServiceToken>(path)).body.revoked_at).not.toBeNull();
  });

  it("[SVC6] every change of a service is in the log, reads are not, and sends are gathered", async () => {
    const shop = await backEnd(["users", "act", "admin"], `shop.${process.pid}`);
    const name = newName();
    const user = expectStatus<User>(
      await shop.api.put(`/api/users/external/${name}`, { display_name: "Ann", data: { a: 1 } }),
      201,
    );
    const other = await troupe().user("bob");
    const direct = await shop.api.post<Conversation>(
      "/api/conversations",
      { member_ids: [other.id] },
      actAs(user.id),
    );
    for (const n of upTo(5)) {
      const message = { client_id: `c${n}`, body: "hello" };
      const path = `/api/conversations/${direct.body.id}/messages`;
      expectStatus<Message>(await shop.api.post(path, message, actAs(`external:${name}`)), 201);
    }
    await shop.api.get(`/api/users/external:${name}`);
    expectStatus<unknown>(await shop.api.post(`/api/users/external:${name}/revoke`), 204);
    const page = await shop.api.get<ListPage<AuditEntry>>(`/api/audit?actor=shop.${process.pid}`);
    const acts = page.body.items.map(({ act, target, acting_for, changed }) => ({
      act,
      target,
      acting_for,
      changed,
    }));
    expect(acts[0]).toEqual({
      act: "revoke_user",
      target: `user:${user.id}`,
      acting_for: null,
      changed: [],
    });
    expect(acts).toContainEqual({
      act: "put_external_user",
      target: `user:${user.id}`,
      acting_for: null,
      changed: ["data", "display_name"],
    });
    expect(acts).toContainEqual({
      act: "create_conversation",
      target: `conversation:${direct.body.id}`,
      acting_for: user.id,
      changed: ["member_ids"],
    });
    const sends = page.body.items.filter(({ act }) => act === "send_message");
    expect(sends.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(5);
    // A minute may have ended between two of them.
    expect(sends.length).toBeLessThanOrEqual(2);
    const ofUser = await shop.api.get<ListPage<AuditEntry>>(`/api/audit?target=user:${user.id}`);
    expect(ofUser.body.items.map(({ act }) => act)).toEqual(["revoke_user", "put_external_user"]);
  });
});

describe("acting for users", () => {
  it("[SVC7] a user is made once by the application's own name, updated key by key, and shown", async () => {
    const shop = await backEnd(["users"]);
    const name = newName();
    const path = `/api/users/external/${name}`;
    const body = { display_name: "Ann", trusted: { plan: "gold" }, data: { a: { b: 1 } } };
    const first = await shop.api.put<User>(path, body);
    const user = expectStatus(first, 201);
    expect(user).toMatchObject({ ...body, username: `u${user.id}`, external_id: name });
    const second = await shop.api.put<User>(path, { image_url: "https://a.example/ann.png" });
    expect(expectStatus(second, 200)).toMatchObject({
      ...body,
      image_url: "https://a.example/ann.png",
    });
    // A user asked for alone has counts beside.
    expect((await shop.api.get<User>(`/api/users/external:${name}`)).body).toMatchObject(
      second.body,
    );

    const bob = await troupe().user("bob");
    expectRefusal(await bob.api.get(`/api/users/external:${name}`), "not_found");
    const seen = (await bob.api.get<User>(`/api/users/${user.id}`)).body;
    expect(seen).toMatchObject({ trusted: { plan: "gold" } });
    expect(seen).not.toHaveProperty("external_id");
    for (const wrong of [
      { image_url: "http://a.example/x" },
      { trusted: { a: "x".repeat(1024) } },
      { data: [] },
      { unknown: 1 },
    ]) {
      expectRefusal(await shop.api.put(path, wrong), "invalid_payload");
    }
    expectRefusal(await shop.api.put("/api/users/external/.dot", {}), "invalid_payload");
  });

  it("[SVC8] a batch answers each by itself, in order, up to 1 MiB", async () => {
    const shop = await backEnd(["users"]);
    const filler = { text: "x".repeat(4_000) };
    const users: object[] = upTo(97).map(() => ({ external_id: newName(), data: filler }));
    users.splice(1, 0, { external_id: "not a name" }, { display_name: "nobody" });
    users.push({ external_id: newName(), username: (await troupe().user("taken")).user.username });
    const answer = await shop.api.post<{ items: { user?: User; error?: { code: string } }[] }>(
      "/api/users/batch",
      { users },
    );
    const items = expectStatus(answer, 200).items;
    expect(items).toHaveLength(100);
    expect([items[1], items[2]].map((item) => item?.error?.code)).toEqual([
      "invalid_payload",
      "invalid_payload",
    ]);
    expect(items[99]?.error?.code).toBe("conflict");
    const names = [...items.slice(0, 1), ...items.slice(3, 99)].map(
      ({ user }) => user?.external_id,
    );
    expect(names).toEqual(
      [...users.slice(0, 1), ...users.slice(3, 99)].map((user) => Object.values(user)[0]),
    );
    const tooMany = { users: upTo(101).map(() => ({ external_id: newName() })) };
    expectRefusal(await shop.api.post("/api/users/batch", tooMany), "invalid_payload");
    const huge = JSON.stringify({ users: [{ external_id: "x".repeat(1_100_000) }] });
    expect((await shop.api.post("/api/users/batch", undefined, { raw: huge })).status).toBe(413);
  });

  it("[SVC9] a minted token is the user's, and everything from before a revocation ends", async () => {
    const shop = await backEnd(["users"]);
    const name = newName();
    const user = (await shop.api.put<User>(`/api/users/external/${name}`, {})).body;
    const mint = async (body: object = {}) =>
      expectStatus<{ access_token: string; expires_in: number }>(
        await shop.api.post(`/api/users/external:${name}/tokens`, body),
        201,
      );
    const { access_token, expires_in } = await mint();
    expect(expires_in).toBe(900);
    expect((await mint({ ttl_s: 86_400 })).expires_in).toBe(86_400);
    expectRefusal(
      await shop.api.post(`/api/users/${user.id}/tokens`, { ttl_s: 86_401 }),
      "invalid_payload",
    );
    expectRefusal(await shop.api.post("/api/users/999999999/tokens", {}), "not_found");
    const me = await apiWith(access_token).get<User>("/api/me");
    expect(me.body).toMatchObject({ id: user.id, external_id: name });
    const session = await Session.open(troupe(), "minted", { token: access_token });

    expectStatus<unknown>(await shop.api.post(`/api/users/${user.id}/revoke`), 204);
    const next = await mint();
    const ended = await session.next("session_ended", undefined, SECOND_MS);
    expect(ended).toMatchObject({ code: "logged_out", reconnect: false });
    await eventually(
      "every worker refuses the token",
      async () => {
        const tries = await Promise.all(upTo(8).map(() => apiWith(access_token).get("/api/me")));
        return tries.every(({ status }) => status === 401);
      },
      SECOND_MS,
    );
    expectErrorObject(await Session.refused(troupe(), { token: access_token }), "unauthorized");
    // The one that was minted right after the revocation is good on every worker.
    for (const _ of upTo(6))
      expect((await apiWith(next.access_token).get("/api/me")).status).toBe(200);
  });

  it("[SVC10] a service acts for a user within what the user may do, without the user's rate limits", async () => {
    const shop = await backEnd(["act"]);
    const [ann, bob, eve] = (await troupe().users("ann", "bob", "eve")) as [Person, Person, Person];
    const group = await ann.startsGroup(bob);
    const path = `/api/conversations/${group.id}/messages`;
    for (const n of upTo(10)) {
      const sent = await shop.api.post<Message>(
        path,
        { client_id: `s${n}`, body: "hi" },
        actAs(ann.id),
      );
      expect(expectStatus(sent, 201).sender_id).toBe(ann.id);
    }
    expectRefusal(
      await shop.api.post(path, { client_id: "e", body: "hi" }, actAs(eve.id)),
      "not_found",
    );
    expectRefusal(await shop.api.get("/api/me"), "forbidden");
    expect((await shop.api.get<User>("/api/me", actAs(bob.id))).body.id).toBe(bob.id);
    for (const nobody of ["999999999", "external:nobody", "nonsense"]) {
      expectRefusal(await shop.api.get("/api/me", actAs(nobody)), "not_found");
    }
    expectRefusal(await ann.api.get("/api/me", actAs(bob.id)), "forbidden");
    const users = await backEnd(["users"]);
    expectRefusal(await users.api.get("/api/me", actAs(bob.id)), "forbidden");
    const password = { old: PASSWORD, new: "a new long secret" };
    expectRefusal(await shop.api.post("/api/me/password", password, actAs(bob.id)), "forbidden");
    expectRefusal(await shop.api.get("/api/me/logins", actAs(bob.id)), "forbidden");
    expectRefusal(
      await shop.api.post("/api/users/batch", { users: [] }, actAs(bob.id)),
      "forbidden",
    );
    const admin = await backEnd(["admin"]);
    await admin.api.post(`/api/users/${eve.id}/suspend`);
    await eventually(
      "the suspended is refused",
      async () => (await shop.api.get("/api/me", actAs(eve.id))).status === 403,
    );
  });

  it("[SVC11] a password that a service sets is the one that counts, and the logins are over", async () => {
    const shop = await backEnd(["users"]);
    const ann = await troupe().user("ann");
    const path = `/api/users/${ann.id}/password`;
    expectRefusal(await shop.api.post(path, { password: "password1" }), "invalid_payload");
    expectStatus<unknown>(await shop.api.post(path, { password: "quite another secret" }), 204);
    const login = (password: string) =>
      troupe().http.post<Login>("/api/auth/login", { username: ann.user.username, password });
    expectRefusal(await login(PASSWORD), "unauthorized");
    expectStatus(await login("quite another secret"), 200);
    const refreshed = await troupe().http.post("/api/auth/refresh", {
      refresh_token: ann.login.refresh_token,
    });
    expectRefusal(refreshed, "unauthorized");
  });
});

describe("what others see of a user", () => {
  it("[SVC12] a change reaches the own sessions and those who watch, at most once a second", async () => {
    const shop = await backEnd(["users"]);
    const name = newName();
    const user = (await shop.api.put<User>(`/api/users/external/${name}`, {})).body;
    const token = (
      await shop.api.post<{ access_token: string }>(`/api/users/${user.id}/tokens`, {})
    ).body.access_token;
    const [bob, eve] = (await troupe().users("bob", "eve")) as [Person, Person];
    const own = await Session.open(troupe(), "own", { token });
    const watcher = await bob.connects();
    const stranger = await eve.connects();
    await watcher.does("watch_presence", { user_ids: [user.id] });

    for (const n of upTo(5)) {
      await apiWith(token).patch("/api/me", { display_name: `Name ${n}` });
    }
    const isLast = (payload: { display_name: string }) => payload.display_name === "Name 5";
    const seen = await watcher.next("user_updated", isLast);
    expect(seen).not.toHaveProperty("external_id");
    expect(await own.next("user_updated", isLast)).toMatchObject({
      external_id: name,
      id: user.id,
    });
    const events = watcher.record.filter(({ name: event }) => event === "user_updated");
    expect(events.length).toBeLessThanOrEqual(3);
    for (const [i, event] of events.entries()) {
      if (i > 0) expect(event.atMs - events[i - 1]!.atMs).toBeGreaterThan(800);
    }
    expect(stranger.record.some(({ name: event }) => event === "user_updated")).toBe(false);
    // Nothing changed, so nothing is sent.
    await shop.api.put(`/api/users/external/${name}`, { trusted: { plan: "gold" } });
    await watcher.next("user_updated", (payload) => payload.trusted !== undefined);
  });

  it("[SVC13] a username changes once in 30 days", async () => {
    const ann = await troupe().user("ann");
    const username = `renamed.${process.pid}`;
    expect(expectStatus<User>(await ann.api.patch("/api/me", { username }), 200).username).toBe(
      username,
    );
    expectRefusal(await ann.api.patch("/api/me", { username: `${username}.x` }), "conflict");
    const thief = { username: ann.user.username, password: PASSWORD };
    expectRefusal(await troupe().http.post("/api/auth/register", thief), "conflict");
    const bob = await troupe().user("bob");
    expectRefusal(await bob.api.patch("/api/me", { username: "support" }), "conflict");
    expectRefusal(await bob.api.patch("/api/me", { trusted: {} }), "invalid_payload");
  });
});
