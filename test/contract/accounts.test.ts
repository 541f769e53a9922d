/** AccountStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { UserChange } from "../../src/ports/edge.ts";
import { asUserId } from "../../src/protocol/schemas.ts";
import { ADAPTERS, codeOf, granted, newUsers, type OpenStorage } from "./adapters.ts";

const DAY_MS = 86_400_000;

let roots = 0;
const from = (address = "10.0.0.1", rootHash = `root ${++roots}`) => ({
  rootHash,
  address,
  userAgent: "a test",
});

const UNNAMED = { username: null, displayName: null, imageUrl: null };
const FOR_GOOD = { until: null, reason: null };

describe.each(ADAPTERS)("accounts in $name", ({ open }) => {
  let storage: OpenStorage;
  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  it("[ACC1] a username is taken once, also when two ask at once", async () => {
    const tries = await Promise.all(
      ["Ann", "Anne", "Anna"].map((name) => storage.accounts.register("ann", name, `hash ${name}`)),
    );
    const made = tries.filter((result) => result.ok);
    expect(made).toHaveLength(1);
    const user = made[0]!.value;
    expect(await codeOf(storage.accounts.register("ann", "Again", "h"))).toBe("conflict");
    expect(await storage.accounts.byUsername("ann", "10.0.0.1")).toEqual({
      user,
      passwordHash: `hash ${user.display_name}`,
      suspended: false,
      isKnownAddress: false,
    });
    expect(await storage.accounts.byId(asUserId(user.id))).toEqual(user);
    expect(await storage.queries.user(asUserId(user.id))).toEqual(user);
    expect(await storage.queries.userByName("ann")).toEqual(user);
    expect(await storage.accounts.byUsername("nobody", "10.0.0.1")).toBeNull();
    expect(await storage.queries.userByName("nobody")).toBeNull();
    expect(await storage.accounts.byId(asUserId("999999999"))).toBeNull();
    expect(user.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("[ACC2] a new display name shows everywhere", async () => {
    const [id] = await newUsers(storage, 1);
    const change = { display_name: "Änne" };
    const { user } = await granted(storage.accounts.changeUser(id!, change));
    expect(user.display_name).toBe("Änne");
    expect(await storage.queries.user(id!)).toEqual(user);
    expect(await storage.users.profile(id!)).toEqual(user);
    const unknown = storage.accounts.changeUser(asUserId("999999999"), change);
    expect(await codeOf(unknown)).toBe("not_found");
  });

  it("[ACC20] a user's keys change one by one, null takes one away, and a change that is none says so", async () => {
    const [id] = await newUsers(storage, 1);
    const { accounts } = storage;
    const data = { team: "red", list: [1, null, { a: true }] };
    const first = await granted(
      accounts.changeUser(id!, { image_url: "https://a.example/b.png", data }),
    );
    expect(first).toMatchObject({ changed: true, created: false });
    expect(first.user).toMatchObject({ image_url: "https://a.example/b.png", data });
    expect(await granted(accounts.changeUser(id!, { data }))).toMatchObject({ changed: false });
    const { user } = await granted(accounts.changeUser(id!, { data: null, image_url: null }));
    expect(Object.keys(user).sort()).toEqual(["created_at", "display_name", "id", "username"]);
    expect((await storage.queries.openSession(id!))?.user).toEqual(user);
  });

  it("[ACC21] a username changes once in 30 days, and the old one is kept for its user", async () => {
    const { accounts } = storage;
    const [id, other] = await newUsers(storage, 2);
    const before = (await storage.queries.user(id!))!.username;
    const taken = (await storage.queries.user(other!))!.username;
    expect(await codeOf(accounts.changeUser(id!, { username: taken }))).toBe("conflict");
    const { user } = await granted(accounts.changeUser(id!, { username: `new.${id}` }));
    expect(user.username).toBe(`new.${id}`);
    expect(await codeOf(accounts.changeUser(id!, { username: `newer.${id}` }))).toBe("conflict");
    expect(await codeOf(accounts.register(before, "Thief", "h"))).toBe("conflict");
    expect(await codeOf(accounts.changeUser(other!, { username: before }))).toBe("conflict");
    // The name that it has is no change of name.
    const same = await granted(accounts.changeUser(id!, { username: `new.${id}` }));
    expect(same.changed).toBe(false);
  });

  it("[XUS2] the application's users are made once, also when two ask at once, and updated", async () => {
    const { accounts, queries } = storage;
    const asked = (externalId: string, change: UserChange = {}) => ({ externalId, change });
    const tries = await Promise.all(
      [1, 2, 3].map(() => accounts.putExternal([asked("shop:1", { display_name: "One" })])),
    );
    const made = tries
      .map(([result]) => result!)
      .flatMap((result) => (result.ok ? [result.value] : []));
    expect(new Set(made.map(({ user }) => user.id)).size).toBe(1);
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    const { user } = made[0]!;
    expect(user).toMatchObject({ username: `u${user.id}`, external_id: "shop:1" });
    expect(await queries.idOfExternal("user", "shop:1")).toBe(user.id);
    expect(await queries.idOfExternal("user", "shop:2")).toBeNull();

    const batch = await accounts.putExternal([
      asked("shop:2", { username: "shop.two", trusted: { plan: "gold" } }),
      asked("shop:1", { trusted: { plan: "none" } }),
      asked("shop:3", { username: "shop.two" }),
      asked("shop:2", { display_name: "Two" }),
      asked("shop:1", { username: "shop.two" }),
    ]);
    const shown = batch.map((result) =>
      result.ok ? [result.value.user.external_id, result.value.created] : result.error.code,
    );
    expect(shown).toEqual([
      ["shop:2", true],
      ["shop:1", false],
      "conflict",
      ["shop:2", false],
      "conflict",
    ]);
    const two = (await queries.userByName("shop.two"))!;
    expect(two).toMatchObject({ display_name: "Two", trusted: { plan: "gold" } });
    // A service changes names whenever it likes.
    for (const username of ["shop.ii", "shop.2"]) {
      const [renamed] = await accounts.putExternal([asked("shop:2", { username })]);
      expect(renamed).toMatchObject({ ok: true, value: { user: { username, id: two.id } } });
    }
  });

  it("[XUS3] where somebody has chosen the name that follows from the id another one is found", async () => {
    const [id] = await newUsers(storage, 1);
    const names = Array.from({ length: 6 }, (_, i) => `u${Number(id) + 1 + i}`);
    for (const name of names) await storage.accounts.register(name, name, "h");
    const [made] = await storage.accounts.putExternal([{ externalId: "odd:1", change: {} }]);
    expect(made).toMatchObject({ ok: true, value: { created: true } });
  });

  it("[ACC22] a password that a service sets ends the logins; an outside user has none", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    const family = await accounts.startFamily(id!, `set ${id}`, DAY_MS, from());
    expect(await granted(accounts.setPassword(id!, "another hash"))).toEqual([family]);
    const name = (await storage.queries.user(id!))!.username;
    expect((await accounts.byUsername(name, "10.0.0.1"))?.passwordHash).toBe("another hash");
    const { user: outside } = await accounts.bySubject("iss", "sub|password", UNNAMED);
    expect(await codeOf(accounts.setPassword(asUserId(outside.id), "h"))).toBe("conflict");
    expect(await codeOf(accounts.setPassword(asUserId("999999999"), "h"))).toBe("not_found");
  });

  it("[ACC3] an outside subject is one user, made on first sight, with a username of its own", async () => {
    const seen = await Promise.all(
      [1, 2, 3].map(() => storage.accounts.bySubject("iss", "sub|1", UNNAMED)),
    );
    expect(new Set(seen.map(({ user }) => user.id)).size).toBe(1);
    expect(seen.filter(({ created }) => created)).toHaveLength(1);
    expect(seen[0]!.user.username).toMatch(/^[a-z0-9_.]{3,32}$/);
    const { user: elsewhere } = await storage.accounts.bySubject("iss2", "sub|1", UNNAMED);
    expect(elsewhere.id).not.toBe(seen[0]!.user.id);
    expect(
      (await storage.accounts.byUsername(elsewhere.username, "10.0.0.1"))?.passwordHash,
    ).toBeNull();
  });

  it("[ACC23] an outside subject begins with the wished name and picture, where the name is free", async () => {
    const { accounts } = storage;
    const imageUrl = "https://pictures.example/ann.png";
    const wished = { username: "ann.outside", displayName: "Ann Ash", imageUrl };
    const { user: ann } = await accounts.bySubject("iss", "sub|ann", wished);
    const expected = { username: "ann.outside", display_name: "Ann Ash", image_url: imageUrl };
    expect(ann).toMatchObject(expected);
    const other = { username: "other.name", displayName: "Other", imageUrl: null };
    const again = await accounts.bySubject("iss", "sub|ann", other);
    expect(again).toEqual({ user: ann, created: false });

    const { user: second } = await accounts.bySubject("iss", "sub|ann2", wished);
    expect(second).toMatchObject({ display_name: "Ann Ash", image_url: imageUrl });
    expect(second.username).toMatch(/^user_[0-9a-f]{16}$/);

    // A name that was changed is kept for its user for a while.
    await granted(accounts.changeUser(asUserId(ann.id), { username: "ann.renamed" }));
    const { user: third } = await accounts.bySubject("iss", "sub|ann3", wished);
    expect(third.username).toMatch(/^user_[0-9a-f]{16}$/);
  });

  it("[TOK1] a refresh token is spent once; shown again it ends its login", async () => {
    const [id] = await newUsers(storage, 1);
    const family = await storage.accounts.startFamily(id!, "t1", DAY_MS, from());
    const rotated = await storage.accounts.rotate("t1", "t2", DAY_MS);
    expect(rotated).toMatchObject({ outcome: "rotated", grant: { family, user: { id } } });
    expect(await storage.accounts.rotate("t2", "t3", DAY_MS)).toMatchObject({
      outcome: "rotated",
    });
    expect((await storage.accounts.shutOutWithin(60_000, 0)).families).not.toContain(family);
    expect(await storage.accounts.rotate("t1", "t4", DAY_MS)).toEqual({
      outcome: "reused",
      family,
      userId: id,
    });
    expect(await storage.accounts.rotate("t3", "t5", DAY_MS)).toEqual({ outcome: "unknown" });
    expect(await storage.accounts.rotate("t4", "t5", DAY_MS)).toEqual({ outcome: "unknown" });
    expect((await storage.accounts.shutOutWithin(60_000, 0)).families).toContain(family);
  });

  it("[RFT1] the newest spent token gives its unused successor again, and only that one", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    const family = await accounts.startFamily(id!, "rep1", DAY_MS, from());
    expect(await accounts.rotate("rep1", "rep2", DAY_MS)).toMatchObject({ outcome: "rotated" });
    const repeated = { outcome: "repeated", grant: { family, user: { id } } };
    for (const _ of [1, 2]) {
      expect(await accounts.rotate("rep1", "rep2", DAY_MS)).toMatchObject(repeated);
    }
    expect(await accounts.rotate("rep2", "rep3", DAY_MS)).toMatchObject({ outcome: "rotated" });
    expect(await accounts.rotate("rep1", "rep2", DAY_MS)).toMatchObject({ outcome: "reused" });
    expect(await accounts.rotate("rep3", "rep4", DAY_MS)).toEqual({ outcome: "unknown" });
  });

  it("[RFT1] two that refresh at once both get the same successor", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    await accounts.startFamily(id!, "tabs1", DAY_MS, from());
    const both = await Promise.all([1, 2].map(() => accounts.rotate("tabs1", "tabs2", DAY_MS)));
    expect(both.map(({ outcome }) => outcome).sort()).toEqual(["repeated", "rotated"]);
    expect(await accounts.rotate("tabs2", "tabs3", DAY_MS)).toMatchObject({ outcome: "rotated" });
  });

  it("[RFT2] a token that was pruned ends its login by its root", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    const family = await accounts.startFamily(id!, "pruned", DAY_MS, from("10.0.0.1", "a root"));
    expect(await accounts.revokeByRoot("no root")).toBeNull();
    expect(await accounts.revokeByRoot("a root")).toEqual({ family, userId: id });
    expect(await accounts.revokeByRoot("a root")).toBeNull();
    expect(await accounts.rotate("pruned", "p", DAY_MS)).toEqual({ outcome: "unknown" });
  });

  it("[LGN1] a user's live logins are listed newest first, and ended by their user only", async () => {
    const { accounts } = storage;
    const [id, other] = await newUsers(storage, 2);
    const first = await accounts.startFamily(id!, "lg1", DAY_MS, from("10.0.0.7"));
    const second = await accounts.startFamily(id!, "lg2", DAY_MS, from());
    await accounts.startFamily(id!, "lg3", -1000, from());
    const listed = await accounts.families(id!, null, 10);
    expect(listed.map((login) => login.id)).toEqual([second, first]);
    expect(listed[1]).toMatchObject({ address: "10.0.0.7", user_agent: "a test" });
    expect(listed[1]!.created_at).toMatch(/^\d{4}-\d\d-\d\dT.*\.\d{3}Z$/);
    expect(listed[1]!.last_used_at >= listed[1]!.created_at).toBe(true);
    expect((await accounts.families(id!, second, 10)).map((login) => login.id)).toEqual([first]);
    expect(await accounts.families(id!, null, 1)).toHaveLength(1);
    expect(await accounts.endFamily(other!, first)).toBe(false);
    expect(await accounts.endFamily(id!, first)).toBe(true);
    expect(await accounts.endFamily(id!, first)).toBe(false);
    expect((await accounts.shutOutWithin(60_000, 0)).families).toContain(first);
    expect((await accounts.families(id!, null, 10)).map((login) => login.id)).toEqual([second]);
  });

  it("[LGN2] an address from which the user has logged in is known, also after the logout", async () => {
    const { accounts } = storage;
    const { id, username } = await granted(accounts.register("homely", "H", "hash"));
    await accounts.startFamily(asUserId(id), "home", DAY_MS, from("10.0.0.8"));
    await accounts.revokeByToken("home");
    expect(await accounts.byUsername(username, "10.0.0.8")).toMatchObject({ isKnownAddress: true });
    expect(await accounts.byUsername(username, "10.0.0.9")).toMatchObject({
      isKnownAddress: false,
    });
  });

  it("[PWD6] a change of the password ends the other logins, once", async () => {
    const { accounts } = storage;
    const user = await granted(accounts.register("changer", "C", "old hash"));
    const id = asUserId(user.id);
    const kept = await accounts.startFamily(id, "kept", DAY_MS, from());
    const ended = await accounts.startFamily(id, "ended", DAY_MS, from());
    expect(await accounts.changePassword(id, "wrong hash", "new hash", kept)).toBeNull();
    expect(await accounts.changePassword(id, "old hash", "new hash", kept)).toEqual([ended]);
    expect(await accounts.byUsername("changer", "")).toMatchObject({ passwordHash: "new hash" });
    expect(await accounts.changePassword(id, "new hash", "newest", kept)).toEqual([]);
    expect(await accounts.rotate("kept", "kept 2", DAY_MS)).toMatchObject({ outcome: "rotated" });
    expect(await accounts.rotate("ended", "e", DAY_MS)).toEqual({ outcome: "unknown" });
  });

  it("[TOK2] of two that spend a token at once one wins, and the login ends", async () => {
    const [id] = await newUsers(storage, 1);
    await storage.accounts.startFamily(id!, "race", DAY_MS, from());
    const both = await Promise.all([
      storage.accounts.rotate("race", "race a", DAY_MS),
      storage.accounts.rotate("race", "race b", DAY_MS),
    ]);
    expect(both.map(({ outcome }) => outcome).sort()).toEqual(["reused", "rotated"]);
  });

  it("[TOK3] unknown and expired tokens are refused", async () => {
    const [id] = await newUsers(storage, 1);
    expect(await storage.accounts.rotate("never", "n", DAY_MS)).toEqual({ outcome: "unknown" });
    await storage.accounts.startFamily(id!, "old", -1000, from());
    expect(await storage.accounts.rotate("old", "n", DAY_MS)).toEqual({ outcome: "unknown" });
  });

  it("[SUS1] who is suspended keeps their refresh token, and gets in with it afterwards", async () => {
    const { accounts, queries } = storage;
    const [id, other] = await newUsers(storage, 2);
    await accounts.startFamily(id!, "sus1", DAY_MS, from());
    expect((await accounts.shutOutWithin(0, 60_000)).suspensions).toEqual([]);
    for (const _ of [1, 2]) await granted(accounts.suspend(id!, FOR_GOOD));
    await granted(accounts.suspend(other!, null));
    expect((await accounts.shutOutWithin(0, 60_000)).suspensions).toEqual([
      { user: id, suspended: true },
    ]);
    expect(await queries.openSession(id!)).toMatchObject({ suspended: true });
    expect(await accounts.rotate("sus1", "sus2", DAY_MS)).toEqual({ outcome: "suspended" });
    for (const _ of [1, 2]) await granted(accounts.suspend(id!, null));
    expect((await accounts.shutOutWithin(0, 60_000)).suspensions).toEqual([
      { user: id, suspended: false },
    ]);
    expect(await accounts.rotate("sus1", "sus2", DAY_MS)).toMatchObject({ outcome: "rotated" });
    await granted(accounts.suspend(id!, FOR_GOOD));
    expect(await accounts.rotate("sus1", "sus3", DAY_MS)).toMatchObject({ outcome: "reused" });
    expect(await codeOf(accounts.suspend(asUserId("999999999"), FOR_GOOD))).toBe("not_found");
  });

  it("[SUS1] a refresh is not repeated for who is suspended", async () => {
    const { accounts } = storage;
    const [id] = await newUsers(storage, 1);
    await accounts.startFamily(id!, "susrep1", DAY_MS, from());
    await accounts.rotate("susrep1", "susrep2", DAY_MS);
    await granted(accounts.suspend(id!, FOR_GOOD));
    expect(await accounts.rotate("susrep1", "susrep2", DAY_MS)).toEqual({ outcome: "suspended" });
    await granted(accounts.suspend(id!, null));
    expect(await accounts.rotate("susrep1", "susrep2", DAY_MS)).toMatchObject({
      outcome: "repeated",
    });
  });

  it("[PWD4] a hash is replaced only where it is still the one that was read", async () => {
    const made = await granted(storage.accounts.register("hashed", "Hashed", "old"));
    const id = asUserId(made.id);
    await storage.accounts.rehash(id, "other", "wrong");
    expect((await storage.accounts.byUsername("hashed", "10.0.0.1"))?.passwordHash).toBe("old");
    await storage.accounts.rehash(id, "old", "new");
    expect((await storage.accounts.byUsername("hashed", "10.0.0.1"))?.passwordHash).toBe("new");
  });

  it("[TOK4] a logout by token ends its login only, and may be repeated", async () => {
    const [id] = await newUsers(storage, 1);
    const family = await storage.accounts.startFamily(id!, "phone", DAY_MS, from());
    await storage.accounts.startFamily(id!, "laptop", DAY_MS, from());
    expect(await storage.accounts.revokeByToken("phone")).toEqual({ family, userId: id });
    expect(await storage.accounts.revokeByToken("phone")).toEqual({ family, userId: id });
    expect(await storage.accounts.revokeByToken("none")).toBeNull();
    expect(await storage.accounts.rotate("phone", "p2", DAY_MS)).toEqual({ outcome: "unknown" });
    expect(await storage.accounts.rotate("laptop", "l2", DAY_MS)).toMatchObject({
      outcome: "rotated",
    });
  });
});
