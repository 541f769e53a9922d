/** AccountStore: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asUserId } from "../../src/protocol/schemas.ts";
import { ADAPTERS, codeOf, granted, newUsers, type OpenStorage } from "./adapters.ts";

const DAY_MS = 86_400_000;

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
    expect(await storage.accounts.byUsername("ann")).toEqual({
      user,
      passwordHash: `hash ${user.display_name}`,
      suspended: false,
    });
    expect(await storage.accounts.byId(asUserId(user.id))).toEqual(user);
    expect(await storage.queries.user(asUserId(user.id))).toEqual(user);
    expect(await storage.queries.userByName("ann")).toEqual(user);
    expect(await storage.accounts.byUsername("nobody")).toBeNull();
    expect(await storage.queries.userByName("nobody")).toBeNull();
    expect(await storage.accounts.byId(asUserId("999999999"))).toBeNull();
    expect(user.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it("[ACC2] a new display name shows everywhere", async () => {
    const [id] = await newUsers(storage, 1);
    const renamed = await granted(storage.accounts.rename(id!, "Änne"));
    expect(renamed.display_name).toBe("Änne");
    expect(await storage.queries.user(id!)).toEqual(renamed);
    expect(await codeOf(storage.accounts.rename(asUserId("999999999"), "x"))).toBe("not_found");
  });

  it("[ACC3] an outside subject is one user, made on first sight, with a username of its own", async () => {
    const seen = await Promise.all([1, 2, 3].map(() => storage.accounts.bySubject("iss", "sub|1")));
    expect(new Set(seen.map((user) => user.id)).size).toBe(1);
    expect(seen[0]!.username).toMatch(/^[a-z0-9_.]{3,32}$/);
    const elsewhere = await storage.accounts.bySubject("iss2", "sub|1");
    expect(elsewhere.id).not.toBe(seen[0]!.id);
    expect((await storage.accounts.byUsername(elsewhere.username))?.passwordHash).toBeNull();
  });

  it("[TOK1] a refresh token is spent once; shown again it ends its login", async () => {
    const [id] = await newUsers(storage, 1);
    const family = await storage.accounts.startFamily(id!, "t1", DAY_MS);
    const rotated = await storage.accounts.rotate("t1", "t2", DAY_MS);
    expect(rotated).toMatchObject({ outcome: "rotated", grant: { family, user: { id } } });
    expect(await storage.accounts.rotate("t2", "t3", DAY_MS)).toMatchObject({
      outcome: "rotated",
    });
    expect(await storage.accounts.revokedWithin(60_000)).not.toContain(family);
    expect(await storage.accounts.rotate("t1", "t4", DAY_MS)).toEqual({
      outcome: "reused",
      family,
      userId: id,
    });
    expect(await storage.accounts.rotate("t3", "t5", DAY_MS)).toEqual({ outcome: "unknown" });
    expect(await storage.accounts.rotate("t4", "t5", DAY_MS)).toEqual({ outcome: "unknown" });
    expect(await storage.accounts.revokedWithin(60_000)).toContain(family);
  });

  it("[TOK2] of two that spend a token at once one wins, and the login ends", async () => {
    const [id] = await newUsers(storage, 1);
    await storage.accounts.startFamily(id!, "race", DAY_MS);
    const both = await Promise.all([
      storage.accounts.rotate("race", "race a", DAY_MS),
      storage.accounts.rotate("race", "race b", DAY_MS),
    ]);
    expect(both.map(({ outcome }) => outcome).sort()).toEqual(["reused", "rotated"]);
  });

  it("[TOK3] unknown and expired tokens are refused", async () => {
    const [id] = await newUsers(storage, 1);
    expect(await storage.accounts.rotate("never", "n", DAY_MS)).toEqual({ outcome: "unknown" });
    await storage.accounts.startFamily(id!, "old", -1000);
    expect(await storage.accounts.rotate("old", "n", DAY_MS)).toEqual({ outcome: "unknown" });
  });

  it("[SUS1] who is suspended keeps their refresh token, and gets in with it afterwards", async () => {
    const { accounts, queries } = storage;
    const [id, other] = await newUsers(storage, 2);
    await accounts.startFamily(id!, "sus1", DAY_MS);
    expect(await accounts.suspensionsWithin(60_000)).toEqual([]);
    for (const _ of [1, 2]) await granted(accounts.suspend(id!, true));
    await granted(accounts.suspend(other!, false));
    expect(await accounts.suspensionsWithin(60_000)).toEqual([{ user: id, suspended: true }]);
    expect(await queries.openSession(id!)).toMatchObject({ suspended: true });
    expect(await accounts.rotate("sus1", "sus2", DAY_MS)).toEqual({ outcome: "suspended" });
    for (const _ of [1, 2]) await granted(accounts.suspend(id!, false));
    expect(await accounts.suspensionsWithin(60_000)).toEqual([{ user: id, suspended: false }]);
    expect(await accounts.rotate("sus1", "sus2", DAY_MS)).toMatchObject({ outcome: "rotated" });
    await granted(accounts.suspend(id!, true));
    expect(await accounts.rotate("sus1", "sus3", DAY_MS)).toMatchObject({ outcome: "reused" });
    expect(await codeOf(accounts.suspend(asUserId("999999999"), true))).toBe("not_found");
  });

  it("[PWD4] a hash is replaced only where it is still the one that was read", async () => {
    const made = await granted(storage.accounts.register("hashed", "Hashed", "old"));
    const id = asUserId(made.id);
    await storage.accounts.rehash(id, "other", "wrong");
    expect((await storage.accounts.byUsername("hashed"))?.passwordHash).toBe("old");
    await storage.accounts.rehash(id, "old", "new");
    expect((await storage.accounts.byUsername("hashed"))?.passwordHash).toBe("new");
  });

  it("[TOK4] a logout by token ends its login only, and may be repeated", async () => {
    const [id] = await newUsers(storage, 1);
    const family = await storage.accounts.startFamily(id!, "phone", DAY_MS);
    await storage.accounts.startFamily(id!, "laptop", DAY_MS);
    expect(await storage.accounts.revokeByToken("phone")).toEqual({ family, userId: id });
    expect(await storage.accounts.revokeByToken("phone")).toEqual({ family, userId: id });
    expect(await storage.accounts.revokeByToken("none")).toBeNull();
    expect(await storage.accounts.rotate("phone", "p2", DAY_MS)).toEqual({ outcome: "unknown" });
    expect(await storage.accounts.rotate("laptop", "l2", DAY_MS)).toMatchObject({
      outcome: "rotated",
    });
  });
});
