/**
 * What a member may do in a conversation. It follows from the conversation alone (the members' roles,
 * `permissions`, `settings`, `kind`), so that the actor, both storages, the edge and the
 * client SDK give the same answer. Pure. The SQL function `may_do` says the same inside the
 * committing transaction; test/contract/permissions.test.ts compares the two over the whole table.
 *
 * [PRM1] Roles are ranked: owner > admin > moderator > member > reader. The owner is the member
 *        whom `owner_id` names; a member without a `role` has the role `member`.
 * [PRM2] Each action has a least role: that of `permissions`, else the default of the kind and of
 *        whether the conversation is open to join.
 * [PRM3] A user acts on roles below their own only, and gives roles below their own only. A user
 *        who has left counts as below everybody, a system message as sent by a `member`.
 * [PRM4] Nobody moves a permission to or from a role above their own.
 * [PRM5] A silence ends at its time.
 * [PRM6] Nobody invites to a role above their own.
 */

/** From the highest to the lowest. */
export const ROLES = ["owner", "admin", "moderator", "member", "reader"] as const;
export type Role = (typeof ROLES)[number];

/** What a permission can be set for. */
export const ACTIONS = [
  "send",
  "react",
  "attach",
  "signal",
  "thread",
  "pin",
  "edit_info",
  "add_members",
  "invite",
  "list_members",
  "mention_all",
  "delete_any",
  "silence",
  "ban",
  "remove_members",
  "edit_roles",
  "edit_settings",
] as const;
export type Action = (typeof ACTIONS)[number];

export type Permissions = Partial<Record<Action, Role>>;

/** What the rules read of a conversation; the contract's object has it. */
export interface Ruled {
  kind: string;
  owner_id: string | null;
  settings?: { join?: string; reactions?: string; frozen?: boolean };
  permissions?: Permissions;
}

/** What the rules read of a member. */
export interface RuledMember {
  user_id: string;
  role?: Role;
  silenced_until?: string;
}

const DEFAULTS: Readonly<Record<Action, Role>> = {
  send: "member",
  react: "member",
  attach: "member",
  signal: "member",
  thread: "member",
  pin: "member",
  edit_info: "member",
  add_members: "member",
  invite: "member",
  list_members: "member",
  mention_all: "moderator",
  delete_any: "moderator",
  silence: "moderator",
  ban: "moderator",
  remove_members: "admin",
  edit_roles: "admin",
  edit_settings: "owner",
};

/** In a conversation that everyone may join these are not everyone's. */
const MODERATED_WHERE_OPEN: ReadonlySet<Action> = new Set(["pin", "edit_info", "add_members"]);

const RANKS: Readonly<Record<Role, number>> = {
  owner: 4,
  admin: 3,
  moderator: 2,
  member: 1,
  reader: 0,
};

/** Null, a user who is no member, ranks below everybody. */
export function rankOf(role: Role | null): number {
  return role === null ? -1 : RANKS[role];
}

export function isAtLeast(role: Role | null, least: Role): boolean {
  return rankOf(role) >= RANKS[least];
}

/** [PRM3] Whether `role` may act on somebody of the role `other`, or give that role. */
export function isAbove(role: Role, other: Role | null): boolean {
  return rankOf(role) > rankOf(other);
}

/** The lower of two roles. */
export function lowerOf(one: Role, other: Role): Role {
  return RANKS[one] < RANKS[other] ? one : other;
}

/** [PRM2] What an action needs where `permissions` does not say. */
export function defaultRoleFor({ kind, settings }: Ruled, action: Action): Role {
  const least = DEFAULTS[action];
  const isAudience = kind === "channel" && action !== "react";
  const isOpen = settings?.join === "open" && MODERATED_WHERE_OPEN.has(action);
  return least === "member" && (isAudience || isOpen) ? "moderator" : least;
}

/** [PRM2] */
export function leastRoleFor(conversation: Ruled, action: Action): Role {
  return conversation.permissions?.[action] ?? defaultRoleFor(conversation, action);
}

/** [PRM1] */
export function roleIn({ owner_id }: Pick<Ruled, "owner_id">, member: RuledMember): Role {
  return member.user_id === owner_id ? "owner" : (member.role ?? "member");
}

/** Null: not among the members that the object holds. */
export function roleOf(
  conversation: Ruled & { members: readonly RuledMember[] },
  userId: string,
): Role | null {
  if (conversation.owner_id === userId) return "owner";
  const member = conversation.members.find(({ user_id }) => user_id === userId);
  return member === undefined ? null : roleIn(conversation, member);
}

/** Whether somebody of that role may do it: by the role and by the settings. */
export function roleMayDo(conversation: Ruled, role: Role | null, action: Action): boolean {
  if (!isAtLeast(role, leastRoleFor(conversation, action))) return false;
  const { frozen, reactions } = conversation.settings ?? {};
  if (action === "send" && frozen === true) return isAtLeast(role, "moderator");
  return action !== "react" || reactions !== "off";
}

export function mayDo(
  conversation: Ruled & { members: readonly RuledMember[] },
  userId: string,
  action: Action,
): boolean {
  return roleMayDo(conversation, roleOf(conversation, userId), action);
}

/** [PRM3] An action that concerns somebody else of the role `other`; null: they are no member. */
export function roleMayDoTo(
  conversation: Ruled,
  role: Role | null,
  action: Action,
  other: Role | null,
): boolean {
  return role !== null && roleMayDo(conversation, role, action) && isAbove(role, other);
}

/** [PRM6] Below the inviter's own, or `member` or `reader` where that is not above it. */
export function mayInviteAs(inviter: Role, asked: Role): boolean {
  if (isAbove(inviter, asked)) return true;
  return (asked === "member" || asked === "reader") && rankOf(asked) === rankOf(inviter);
}

/** The role that an invitation gives, as the inviter's role is at its acceptance. */
export function invitedRole(inviter: Role, asked: Role | null): Role {
  return asked !== null && mayInviteAs(inviter, asked) ? asked : lowerOf("member", inviter);
}

/** [PRM4] The actions whose move from `before` to `after` somebody of that role may not make. */
export function forbiddenMoves(role: Role, before: Ruled, after: Ruled): Action[] {
  return ACTIONS.filter((action) => {
    // A change of settings moves defaults by itself; that is no move of a permission.
    if (before.permissions?.[action] === after.permissions?.[action]) return false;
    const moved = [leastRoleFor(before, action), leastRoleFor(after, action)];
    return moved.some((least) => rankOf(least) > rankOf(role));
  });
}

/** [PRM5] Until when the member may not speak; null: they may. */
export function silencedUntil(
  { silenced_until }: Pick<RuledMember, "silenced_until">,
  nowMs: number,
): string | null {
  if (silenced_until === undefined) return null;
  return Date.parse(silenced_until) > nowMs ? silenced_until : null;
}
