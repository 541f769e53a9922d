import { describe, expect, test } from "vitest";
import {
  ACTIONS,
  type Action,
  defaultRoleFor,
  forbiddenMoves,
  isAbove,
  leastRoleFor,
  lowerOf,
  mayDo,
  type Permissions,
  ROLES,
  type Role,
  type Ruled,
  roleMayDo,
  roleMayDoTo,
  roleOf,
  silencedUntil,
} from "../../src/protocol/permissions.ts";

const GROUP: Ruled = { kind: "group", owner_id: "1" };

/** The page's defaults, written out a second time. */
const TABLE: [string, Role][] = [
  ["send react attach signal thread pin edit_info add_members invite list_members", "member"],
  ["mention_all delete_any silence ban", "moderator"],
  ["remove_members edit_roles", "admin"],
  ["edit_settings", "owner"],
];
const EXPECTED = new Map<Action, Role>(
  TABLE.flatMap(([actions, role]) => actions.split(" ").map((it) => [it as Action, role] as const)),
);

describe("permissions", () => {
  test("[PRM2] the defaults are those of the contract, for every action", () => {
    expect([...EXPECTED.keys()].sort()).toEqual([...ACTIONS].sort());
    for (const action of ACTIONS) {
      expect([action, leastRoleFor(GROUP, action)]).toEqual([action, EXPECTED.get(action)]);
    }
  });

  test("[PRM2] where everyone may join, members do not pin, edit or add", () => {
    const open: Ruled = { ...GROUP, settings: { join: "open" } };
    const raised = ACTIONS.filter(
      (action) => leastRoleFor(open, action) !== leastRoleFor(GROUP, action),
    );
    expect(raised).toEqual(["pin", "edit_info", "add_members"]);
    expect(raised.map((action) => leastRoleFor(open, action))).toEqual(
      raised.map(() => "moderator"),
    );
    const said: Ruled = { ...open, permissions: { pin: "member" } };
    expect(leastRoleFor(said, "pin")).toBe("member");
  });

  test("[PRM2] in a channel members react, and do nothing else by default", () => {
    const channel: Ruled = { kind: "channel", owner_id: "1" };
    const members = ACTIONS.filter((action) => roleMayDo(channel, "member", action));
    expect(members).toEqual(["react"]);
    expect(defaultRoleFor(channel, "remove_members")).toBe("admin");
    expect(defaultRoleFor(channel, "edit_settings")).toBe("owner");
  });

  test("[PRM1] a role may do what a lower one may, for every action and every least role", () => {
    for (const action of ACTIONS) {
      for (const least of ROLES) {
        const ruled: Ruled = { ...GROUP, permissions: { [action]: least } as Permissions };
        const able = ROLES.filter((role) => roleMayDo(ruled, role, action));
        expect(able).toEqual(ROLES.slice(0, ROLES.indexOf(least) + 1));
        expect(roleMayDo(ruled, null, action)).toBe(false);
      }
    }
  });

  test("[PRM1] the owner is whom owner_id names, a member without a role a member", () => {
    const conversation = {
      ...GROUP,
      members: [
        { user_id: "1" },
        { user_id: "2" },
        { user_id: "3", role: "moderator" as const },
        { user_id: "4", role: "reader" as const },
      ],
    };
    const roles = ["1", "2", "3", "4", "5"].map((id) => roleOf(conversation, id));
    expect(roles).toEqual(["owner", "member", "moderator", "reader", null]);
    expect(mayDo(conversation, "3", "delete_any")).toBe(true);
    expect(mayDo(conversation, "2", "delete_any")).toBe(false);
    expect(mayDo(conversation, "4", "send")).toBe(false);
    expect(mayDo(conversation, "5", "send")).toBe(false);
  });

  test("[PRM3] one acts on roles below one's own, and on those who have left", () => {
    for (const role of ROLES) {
      for (const other of ROLES) {
        expect(isAbove(role, other)).toBe(ROLES.indexOf(role) < ROLES.indexOf(other));
        const may = roleMayDoTo(GROUP, role, "delete_any", other);
        expect(may).toBe(isAbove(role, other) && roleMayDo(GROUP, role, "delete_any"));
      }
      expect(isAbove(role, null)).toBe(true);
      expect(roleMayDoTo(GROUP, null, "delete_any", role)).toBe(false);
    }
    expect(lowerOf("admin", "member")).toBe("member");
    expect(lowerOf("reader", "member")).toBe("reader");
  });

  test("[PRM4] nobody moves a permission to or from a role above their own", () => {
    const by = (permissions: Permissions): Ruled => ({ ...GROUP, permissions });
    const shared = by({ edit_settings: "admin" });
    const moves = (after: Permissions) =>
      forbiddenMoves("admin", shared, by({ edit_settings: "admin", ...after }));
    expect(moves({ send: "admin" })).toEqual([]);
    expect(moves({ send: "owner", pin: "moderator" })).toEqual(["send"]);
    expect(forbiddenMoves("admin", shared, by({}))).toEqual(["edit_settings"]);
    expect(forbiddenMoves("admin", by({ ban: "owner" }), by({}))).toEqual(["ban"]);
    expect(forbiddenMoves("owner", by({ ban: "owner" }), by({}))).toEqual([]);
  });

  test("[PRM2] a frozen conversation takes sends of moderators, one without reactions none", () => {
    const frozen: Ruled = { ...GROUP, settings: { frozen: true, reactions: "off" } };
    expect(ROLES.filter((role) => roleMayDo(frozen, role, "send"))).toEqual([
      "owner",
      "admin",
      "moderator",
    ]);
    expect(ROLES.filter((role) => roleMayDo(frozen, role, "react"))).toEqual([]);
    expect(roleMayDo(frozen, "member", "pin")).toBe(true);
  });

  test("[PRM5] a silence ends at its time", () => {
    const member = { silenced_until: "2026-01-01T00:00:00.000Z" };
    const endMs = Date.parse(member.silenced_until);
    expect(silencedUntil(member, endMs - 1)).toBe(member.silenced_until);
    expect(silencedUntil(member, endMs)).toBeNull();
    expect(silencedUntil({}, 0)).toBeNull();
  });
});
