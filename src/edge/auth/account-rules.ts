/**
 * What may not be a new account's name or password.
 *
 * [ACR1] A password is not one of the 10,000 most common, in any case, and not one repeated
 *        character. That it has 8 to 200 characters is in the schema.
 * [ACR2] Names by which somebody could pass for the service or its staff cannot be registered,
 *        with dots and underscores in them neither.
 * [ACR3] With REGISTRATION=off nobody registers (auth.ts).
 * [ACR4] Accounts made from one address have a limit of their own (RATE_LIMIT_REGISTER).
 */
import { readFileSync } from "node:fs";

const LIST = new URL("common-passwords.txt", import.meta.url);

/** The file's text: 60 KB in one string, read when the first password is chosen. */
let common: string | null = null;

/** The end of a sentence about a password that is refused; null: it may be used. */
export function passwordProblem(password: string): string | null {
  if (new Set(password).size === 1) return "must not be one repeated character";
  // A line of the list holds no control character, so a password cannot match two of them.
  if (!/^[\x21-\x7e]+$/.test(password)) return null;
  common ??= readFileSync(LIST, "latin1");
  return common.includes(`\n${password.toLowerCase()}\n`)
    ? "is one of the most common passwords, which are tried first"
    : null;
}

const RESERVED = new Set(
  (
    "admin administrator admins support system root troupe all here everyone everybody channel " +
    "moderator mod mods staff official security help helpdesk owner operator ops bot service " +
    "superuser sysadmin webmaster postmaster hostmaster abuse noreply info team anonymous nobody " +
    "deleted erased me self null undefined server api"
  ).split(" "),
);

/** `username` is folded already. */
export function isReservedName(username: string): boolean {
  // What erased users are called.
  if (username.startsWith("erased.")) return true;
  return RESERVED.has(username) || RESERVED.has(username.replace(/[._]/g, ""));
}
