/**
 * Roles, removals, bans, joins and ownership in any order and any batches, held against a model that
 * is written from the contract's page and not from the code. One suite for both storages.
 *
 * [RBP1] Every call has the outcome that the page says, and nobody holds a role, a membership or the
 *        ownership that the page does not give them.
 * [RBP2] A reader that follows the changes by their events has the members, roles and owner that storage has.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConversationCall } from "../../actors/ports.ts";
import type { ConversationId, UserId } from "../../src/protocol/ids.ts";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { ADAPTERS, everyChange, newGroup, newUsers, type OpenStorage } from "./adapters.ts";

const USERS = 6;
const ROLES = ["owner", "admin", "moderator", "member", "reader"] as const;
type Role = (typeof ROLES)[number];
const rank = (role: Role | null) => (role === null ? -1 : 4 - ROLES.indexOf(role));

/** A call by places of users. */
type Asked =
  | { does: "role"; by: number; of: number; role: Role }
  | { does: "remove" | "ban" | "unban" | "add"; by: number; of: number }
  | { does: "join"; by: number }
  | { does: "open"; by: number; isOpen: boolean };

const place = fc.nat(USERS - 1);
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({
    does: fc.constant("role" as const),
    by: place,
    of: place,
    role: fc.constantFrom(...ROLES),
  }),
  fc.record({
    does: fc.constantFrom("remove" as const, "ban" as const, "unban" as const, "add" as const),
    by: place,
    of: place,
  }),
  fc.record({ does: fc.constant("join" as const), by: place }),
  fc.record({ does: fc.constant("open" as const), by: place, isOpen: fc.boolean() }),
);

class Model {
  /** In the order in which they joined. */
  readonly roles = new Map<number, Role>();
  readonly banned = new Set<number>();
  readonly left = new Set<number>();
  isOpen = false;

  constructor(members: number) {
    for (let n = 0; n < members; n++) this.roles.set(n, n === 0 ? "owner" : "member");
  }

  roleOf(user: number): Role | null {
    return this.roles.get(user) ?? null;
  }

  /** The outcome that the page says; what it allows is done. */
  does(call: Asked): "ok" | "forbidden" | "not_found" {
    const own = this.roleOf(call.by);
    if (call.does === "join") {
      if (own !== null) return "ok";
      if (this.banned.has(call.by) || !this.isOpen) return "not_found";
      this.#comes(call.by);
      return "ok";
    }
    if (own === null) return "not_found";
    const isAtLeast = (role: Role) => rank(own) >= rank(role);
    if (call.does === "open") {
      if (!isAtLeast("owner")) return "forbidden";
      this.isOpen = call.isOpen;
      return "ok";
    }
    const { of } = call;
    const other = this.roleOf(of);
    const isAbove = rank(own) > rank(other);
    switch (call.does) {
      case "role":
        if (call.role === "owner" ? !isAtLeast("owner") : !isAtLeast("admin")) return "forbidden";
        if (call.role !== "owner" && (!isAbove || rank(call.role) >= rank(own))) return "forbidden";
        if (other === null) return "not_found";
        if (call.role === "owner" && of !== call.by) this.roles.set(call.by, "admin");
        if (call.role !== "owner" || of !== call.by) this.roles.set(of, call.role);
        return "ok";
      case "remove":
        if (of === call.by) this.left.add(of);
        else if (!isAtLeast("admin") || !isAbove) return "forbidden";
        if (other === null) return "not_found";
        this.#goes(of);
        return "ok";
      case "ban":
        if (!isAtLeast("moderator") || !isAbove) return "forbidden";
        this.banned.add(of);
        this.#goes(of);
        return "ok";
      case "unban":
        if (!isAtLeast("moderator")) return "forbidden";
        this.banned.delete(of);
        return "ok";
      case "add":
        if (!isAtLeast(this.isOpen ? "moderator" : "member")) return "forbidden";
        if (other !== null) return "ok";
        if (this.banned.has(of) || this.left.has(of)) return "forbidden";
        this.#comes(of);
        return "ok";
    }
  }

  #comes(user: number): void {
    this.left.delete(user);
    this.roles.set(user, "member");
  }

  #goes(user: number): void {
    const wasOwner = this.roleOf(user) === "owner";
    this.roles.delete(user);
    if (!wasOwner) return;
    const highest = Math.max(...[...this.roles.values()].map(rank));
    const heir = [...this.roles].find(([, role]) => rank(role) === highest);
    if (heir !== undefined) this.roles.set(heir[0], "owner");
  }
}

describe.each(ADAPTERS)("roles and bans in $name", ({ open }) => {
  let storage: OpenStorage;
  beforeAll(async () => {
    storage = await open();
  });
  afterAll(() => storage?.close());

  it("[RBP1] [RBP2] nobody holds or does what the page forbids, in any order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(asked, { minLength: 1, maxLength: 4 }), { maxLength: 25 }),
        async (batches) => {
          const ids = await newUsers(storage, USERS);
          const group = await newGroup(storage, ids.slice(0, 4));
          const model = new Model(4);
          for (const batch of batches) {
            const expected = batch.map((call) => model.does(call));
            const calls = batch.map((call) => callOf(call, ids));
            const { outcomes } = await storage.conversations.change(group, calls);
            const found = outcomes.map((one) => (one.ok ? "ok" : one.error.code));
            expect(found).toEqual(expected);
            expect(rolesIn(await loaded(group))).toEqual(expectedRoles(model, ids));
          }
          // [RBP2]
          const now = await loaded(group);
          const events = await everyChange(storage, group, 1);
          const last = events.findLast(({ name }) => name === "conversation_updated");
          if (last !== undefined) {
            expect(rolesIn(JSON.parse(last.body) as Conversation)).toEqual(rolesIn(now));
            expect(last.rev).toBe(now.rev);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  const loaded = async (id: ConversationId) =>
    (await storage.conversations.load(id)) as Conversation;
});

/** Owner, and the role of each member. */
function rolesIn({ owner_id, members }: Conversation): object {
  const roles = members.map(({ user_id, role }) => [
    user_id,
    user_id === owner_id ? "owner" : (role ?? "member"),
  ]);
  return { owner_id, roles: Object.fromEntries(roles) };
}

function expectedRoles({ roles }: Model, ids: readonly UserId[]): object {
  const owner = [...roles].find(([, role]) => role === "owner")?.[0];
  return {
    owner_id: owner === undefined ? null : ids[owner],
    roles: Object.fromEntries([...roles].map(([user, role]) => [ids[user], role])),
  };
}

function callOf(call: Asked, ids: readonly UserId[]): ConversationCall {
  const by = ids[call.by]!;
  switch (call.does) {
    case "role":
      return { by, does: "member", userId: ids[call.of]!, role: call.role };
    case "remove":
    case "unban":
      return { by, does: call.does, userId: ids[call.of]! };
    case "ban":
      return { by, does: "ban", userId: ids[call.of]!, until: null, reason: null };
    case "add":
      return { by, does: "add", userIds: [ids[call.of]!] };
    case "join":
      return { by, does: "join" };
    case "open":
      return { by, does: "update", settings: { join: call.isOpen ? "open" : "invite" } };
  }
}
