/**
 * The settings and permissions of a conversation, as schemas. See permissions.ts for the rules.
 */
import Type from "typebox";
import { ACTIONS, type Action, ROLES, type Role } from "./permissions.ts";

const SLOW_MODE_S_MAX = 21_600;
const RETENTION_S_MIN = 3_600;
const RETENTION_S_MAX = 315_360_000;

/** Literals as one schema. */
const oneOf = <T extends string>(...values: T[]) =>
  Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))));

export const RoleName = oneOf<Role>(...ROLES);

export const SETTING_PARTS = {
  join: oneOf("invite", "open"),
  history: oneOf("all", "joined"),
  reactions: oneOf("many", "one", "off"),
  slow_mode_s: Type.Integer({ minimum: 0, maximum: SLOW_MODE_S_MAX }),
  system_messages: oneOf("none", "members", "all"),
  retention_s: Type.Integer({ minimum: RETENTION_S_MIN, maximum: RETENTION_S_MAX }),
  frozen: Type.Boolean(),
};

export const PERMISSION_PARTS = Object.fromEntries(
  ACTIONS.map((action) => [action, RoleName]),
) as Record<Action, typeof RoleName>;

/** What a setting is where the conversation does not say; `retention_s` is without one. */
export const SETTING_DEFAULTS: Readonly<Record<string, unknown>> = {
  join: "invite",
  history: "all",
  reactions: "many",
  slow_mode_s: 0,
  system_messages: "none",
  frozen: false,
};

type Optionals<T extends Record<string, Type.TSchema>> = { [K in keyof T]: Type.TOptional<T[K]> };

/** The same properties, each of which may be left out. */
export const partly = <T extends Record<string, Type.TSchema>>(parts: T) =>
  Object.fromEntries(
    Object.entries(parts).map(([key, schema]) => [key, Type.Optional(schema)]),
  ) as unknown as Optionals<T>;

export const Settings = Type.Object(partly(SETTING_PARTS), {
  description: "Only what differs from the defaults.",
});
export const Permissions = Type.Object(partly(PERMISSION_PARTS), {
  description: "The least role of an action, where it differs from the default.",
});

/** A patch in which a setting that says the default is removed instead. */
export function normalPatch<T extends { settings?: object }>(patch: T): T {
  if (patch.settings === undefined) return patch;
  const settings = Object.fromEntries(
    Object.entries(patch.settings).map(([key, value]) => [
      key,
      value === SETTING_DEFAULTS[key] ? null : value,
    ]),
  );
  return { ...patch, settings };
}
