/** The checks of a call to an application's actor, for sockets and HTTP, before it is passed on. */
import { createHash } from "node:crypto";
import { APP_BYTES_MAX, type AppCaller } from "../protocol/app-actors.ts";
import { ok, type Result, refused } from "../protocol/errors.ts";

const TOO_LARGE = refused("invalid_payload", "The args are larger than 16 KiB.", [
  { in: "payload", at: "args", problem: "is larger than 16 KiB" },
]);

type Claims = AppCaller["claims"] | null;

/** A user as the caller of an actor; `session` is null over HTTP. */
export function userCaller(user: string, session: string | null, claims: Claims): AppCaller {
  return { user, session, service: null, ...(claims != null && { claims }) };
}

export function checkedArgs(args: object): Result<null> {
  return Buffer.byteLength(JSON.stringify(args)) > APP_BYTES_MAX ? TOO_LARGE : ok(null);
}

/** The hash of a call: a repeat has the same one, also with its keys in another order. */
export function callHash(action: string, args: unknown): string {
  const text = JSON.stringify([action, args], (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(text).digest("base64url");
}
