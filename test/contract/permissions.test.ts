/** Roles, settings and what follows from them: one suite for both storages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationCall } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import { ACTIONS, isAtLeast, ROLES, type Role } from "../../src/protocol/permissions.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import {
  ADAPTERS,
  everyChange,
  granted,
  newDirect,
  newGroup,
  newUsers,
  type OpenStorage,
  say,
} from "./adapters.ts";

describe.each(ADAPTERS)("roles in $name", ({ open }) => {
  let storage: OpenStorage;
  /** One of each role, then two who are in no group. */
  let people: Record<Role | "stranger" | "other", UserId>;
  let group: ConversationId;

  beforeAll(async () => {
    storage = await open();
    const ids = await newUsers(storage, 7);
    const names = [...ROLES, "stranger", "other"] as const;
    people = Object.fromEntries(names.map((name, n) => [name, ids[n]])) as typeof people;
  });
  afterAll(() => storage?.close());

  const calls = async (...made: ConversationCall[]) => {
    const { outcomes } = await storage.conversations.change(group, made);
    return outcomes.map((one) => (one.ok ? one.value.changed : one.error.code));
  };
  const call = async (made: ConversationCall) => (await calls(made))[0];
  const now = async () => (await storage.conversations.load(group)) as Conversation;
  const roles = async () =>
    Object.fromEntries((await now()).members.map(({ user_id, role }) => [user_id, role]));

  const freshGroup = async () => {
    const { owner, admin, moderator, member, reader } = people;
    group = await newGroup(storage, [owner, admin, moderator, member, reader]);
    const given = (["admin", "moderator", "reader"] as const).map(
      (role): ConversationCall => ({ by: owner, does: "member", userId: people[role], role }),
    );
    expect(await calls(...given)).toEqual([true, true, true]);
    return group;
  };

  it("[ROL1] every action takes its least role, whatever it is set to", async () => {
    await freshGroup();
    const made = (action: string, by: UserId): ConversationCall | null => {
      switch (action) {
        case "edit_info":
          return { by, does: "update", data: { n: 1 } };
        case "edit_settings":
          return { by, does: "update", settings: { slow_mode_s: 5 } };
        case "add_members":
          return { by, does: "add", userIds: [by] };
        case "ban":
          return { by, does: "unban", userId: people.other };
        case "edit_roles":
          return { by, does: "member", userId: people.stranger, role: "reader" };
        case "silence":
          return { by, does: "member", userId: people.stranger, silenced_until: null };
        case "remove_members":
          return { by, does: "remove", userId: people.stranger };
        default:
          return null;
      }
    };
    const { owner } = people;
    for (const action of ACTIONS) {
      if (made(action, owner) === null) continue;
      for (const least of ROLES) {
        await call({ by: owner, does: "update", permissions: { [action]: least } });
        for (const role of ROLES) {
          const outcome = await call(made(action, people[role])!);
          // Nobody gives a role that is not below their own.
          const isLowest = action === "edit_roles" && role === "reader";
          const expected = isAtLeast(role, least) && !isLowest;
          expect([action, least, role, outcome !== "forbidden"]).toEqual([
            action,
            least,
            role,
            expected,
          ]);
        }
      }
      await call({ by: owner, does: "update", permissions: { [action]: null } });
    }
  });

  it("[ROL2] one acts on roles below one's own, and gives roles below one's own", async () => {
    await freshGroup();
    await call({ by: people.owner, does: "update", permissions: { edit_roles: "reader" } });
    for (const role of ROLES) {
      for (const target of ROLES) {
        for (const given of ROLES.filter((one) => one !== "owner")) {
          const by = people[role];
          const outcome = await call({ by, does: "member", userId: people[target], role: given });
          const rank = (one: Role) => ROLES.indexOf(one);
          const may = rank(role) < rank(target) && rank(role) < rank(given);
          expect([role, target, given, outcome !== "forbidden"]).toEqual([
            role,
            target,
            given,
            may,
          ]);
          if (outcome !== true) continue;
          await call({ by: people.owner, does: "member", userId: people[target], role: target });
        }
      }
    }
  });

  it("[ROL3] the owner alone gives ownership away, and becomes admin, as one change", async () => {
    await freshGroup();
    const { owner, admin, member } = people;
    expect(await call({ by: admin, does: "member", userId: member, role: "owner" })).toBe(
      "forbidden",
    );
    const before = await now();
    expect(await call({ by: owner, does: "member", userId: admin, role: "owner" })).toBe(true);
    const after = await now();
    expect(after).toMatchObject({ owner_id: admin, rev: before.rev + 1 });
    expect(await roles()).toMatchObject({ [admin]: undefined, [owner]: "admin" });
    expect(after.meta_rev).toBe(before.meta_rev);
    const told = (await everyChange(storage, group)).map(({ body }) => JSON.parse(body));
    expect(told.slice(-2)).toEqual([before, after]);
  });

  it("[ROL4] a leaving owner is followed by the highest role, then by the longest standing", async () => {
    await freshGroup();
    const { owner, admin, moderator, member, reader } = people;
    const before = await now();
    expect(await call({ by: owner, does: "remove", userId: owner })).toBe(true);
    expect((await now()).owner_id).toBe(admin);
    await call({ by: admin, does: "remove", userId: admin });
    expect((await now()).owner_id).toBe(moderator);
    await call({ by: moderator, does: "remove", userId: moderator });
    expect((await now()).owner_id).toBe(member);
    await call({ by: member, does: "remove", userId: member });
    expect(await now()).toMatchObject({ owner_id: reader, members: [{ user_id: reader }] });
    expect(await roles()).toEqual({ [reader]: undefined });
    const told = (await everyChange(storage, group)).map(({ body }) => JSON.parse(body));
    expect(told.find(({ rev }) => rev === before.rev)).toEqual(before);
  });

  it("[ROL5] objects merge by key, null removes, and what says the default is left out", async () => {
    await freshGroup();
    const by = people.owner;
    const update = (patch: object) => call({ by, does: "update", ...patch });
    expect(await update({ data: { a: 1, b: [1.5, "x"] }, image_url: "https://a.example/b" })).toBe(
      true,
    );
    expect(await update({ data: { b: null, c: {} }, settings: { frozen: true } })).toBe(true);
    expect(await now()).toMatchObject({
      data: { a: 1, c: {} },
      settings: { frozen: true },
      image_url: "https://a.example/b",
    });
    const { rev, meta_rev } = await now();
    expect(meta_rev).toBe(rev);
    expect(await update({ data: { a: 1 }, settings: { frozen: true, join: "invite" } })).toBe(
      false,
    );
    expect((await now()).rev).toBe(rev);
    expect(
      await update({
        data: null,
        image_url: null,
        settings: { frozen: false },
        permissions: { send: "member", pin: "admin" },
      }),
    ).toBe(true);
    const after = await now();
    expect(after).toMatchObject({ permissions: { pin: "admin" }, meta_rev: rev + 1 });
    for (const key of ["data", "image_url", "settings"]) expect(after).not.toHaveProperty(key);
    // Open to join, `pin` is a moderator's by default.
    await update({ permissions: { pin: "moderator" }, settings: { join: "open" } });
    expect(await now()).not.toHaveProperty("permissions");
    const big = { x: "y".repeat(2_100) };
    expect(await calls({ by, does: "update", data: { one: big } })).toEqual([true]);
    expect(await calls({ by, does: "update", data: { two: big } })).toEqual(["invalid_payload"]);
    const told = (await everyChange(storage, group)).map(({ body }) => JSON.parse(body));
    expect(told.at(-1)).toEqual(await now());
    expect(told.find((one) => one.rev === after.rev)).toEqual(after);
    expect(told.map((one) => one.rev)).toEqual(told.map((_, n) => n + 1));
  });

  it("[ROL6] if_rev is the rev of the last change of this kind, in one batch too", async () => {
    await freshGroup();
    const { owner, admin, member } = people;
    const { rev } = await now();
    expect(
      await calls(
        { by: owner, does: "update", title: "One", if_rev: 1 },
        { by: admin, does: "update", title: "Two", if_rev: 1 },
        { by: member, does: "update", title: "Three", if_rev: rev + 1 },
      ),
    ).toEqual([true, "conflict", true]);
    const changed = await now();
    expect(changed).toMatchObject({ title: "Three", meta_rev: rev + 1 });
    const stale = await storage.conversations.change(group, [
      { by: owner, does: "update", data: { a: 1 }, if_rev: 1 },
    ]);
    expect(stale.outcomes[0]).toMatchObject({
      error: { code: "conflict", details: { meta_rev: rev + 1 } },
    });
    await call({ by: owner, does: "member", userId: member, role: "reader" });
    expect((await now()).meta_rev).toBe(rev + 1);
  });

  it("[ROL7] nobody moves a permission to or from a role above their own", async () => {
    await freshGroup();
    const { owner, admin } = people;
    await call({ by: owner, does: "update", permissions: { edit_settings: "admin" } });
    const by = admin;
    expect(await call({ by, does: "update", permissions: { ban: "admin" } })).toBe(true);
    expect(await call({ by, does: "update", permissions: { ban: "owner" } })).toBe("forbidden");
    await call({ by: owner, does: "update", permissions: { ban: "owner" } });
    expect(await call({ by, does: "update", permissions: { ban: "admin" } })).toBe("forbidden");
    expect(await call({ by, does: "update", permissions: { ban: null } })).toBe("forbidden");
    expect(await call({ by, does: "update", permissions: { edit_settings: null } })).toBe(
      "forbidden",
    );
  });

  it("[ROL8] data of a member is theirs, silence is from above and ends at its time", async () => {
    await freshGroup();
    const { owner, admin, moderator, member } = people;
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect(await call({ by: member, does: "member", userId: member, data: { seat: 4 } })).toBe(
      true,
    );
    expect(await call({ by: owner, does: "member", userId: member, data: {} })).toBe("forbidden");
    expect(await call({ by: null, does: "member", userId: member, data: { row: 2 } })).toBe(true);
    const silence = (by: UserId, userId: UserId, silenced_until: string | null) =>
      call({ by, does: "member", userId, silenced_until });
    expect(await silence(moderator, member, until)).toBe(true);
    expect(await silence(moderator, admin, until)).toBe("forbidden");
    expect(await silence(member, member, null)).toBe("forbidden");
    const found = (await now()).members.find(({ user_id }) => user_id === member);
    expect(found).toEqual({
      user_id: member,
      delivered_seq: 0,
      read_seq: 0,
      data: { seat: 4, row: 2 },
      silenced_until: until,
    });
    expect(await silence(moderator, member, new Date(Date.now() - 1_000).toISOString())).toBe(true);
    const tooMuch = { text: "x".repeat(505) };
    const own = { by: member, does: "member", userId: member } as const;
    expect(await call({ ...own, data: tooMuch })).toBe("invalid_payload");
    expect(await call({ ...own, data: null })).toBe(true);
    expect((await roles())[member]).toBeUndefined();
    const told = (await everyChange(storage, group)).map(({ body }) => JSON.parse(body));
    expect(told.at(-1)).toEqual(await now());
  });

  it("[ROL9] a direct conversation has data, and neither roles nor title", async () => {
    const { owner, other, stranger } = people;
    group = await newDirect(storage, [owner, other]);
    const by = owner;
    expect(await call({ by, does: "update", data: { topic: "x" } })).toBe(true);
    expect(await call({ by, does: "update", title: "A title" })).toBe("conflict");
    expect(await call({ by, does: "update", permissions: { send: "owner" } })).toBe("conflict");
    expect(await call({ by, does: "member", userId: other, role: "admin" })).toBe("conflict");
    expect(await call({ by, does: "delete" })).toBe("conflict");
    expect(await call({ by, does: "ban", userId: other, until: null, reason: null })).toBe(
      "conflict",
    );
    expect(await call({ by: stranger, does: "update", data: {} })).toBe("not_found");
  });

  it("[ROL10] the last sends are known by their age, and a sent message by its client_id", async () => {
    const { owner, admin, stranger } = people;
    await freshGroup();
    const { message } = await granted(say(storage, group, owner, "one"));
    const ages = await storage.conversations.lastSends(group, 60_000);
    expect([...ages.keys()]).toEqual([owner]);
    expect(ages.get(owner)).toBeLessThan(30_000);
    expect(await storage.conversations.lastSends(group, 0)).toEqual(new Map());
    expect(await storage.conversations.sent(group, owner, "one")).toEqual(message);
    expect(await storage.conversations.sent(group, admin, "one")).toBeNull();
    expect(await storage.conversations.sent(group, stranger, "two")).toBeNull();
  });
});
