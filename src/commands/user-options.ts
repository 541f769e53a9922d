/** The options of `troupe user`, read and checked. */
import { parseArgs } from "node:util";
import type { ErasureMode } from "../ports/erasures.ts";
import type { OptionsResult } from "./options.ts";

export type UserCommand =
  | { is: "create"; username: string; displayName: string | null; isPiped: boolean }
  | { is: "password"; username: string; isPiped: boolean }
  | { is: "suspend"; username: string; until: string | null; reason: string | null }
  | { is: "restore"; username: string }
  | { is: "delete"; username: string; messages: ErasureMode }
  | { is: "export"; username: string; path: string }
  | { is: "list"; isSuspendedOnly: boolean };

const USERNAME = /^[a-z0-9_.]{3,32}$/;
const ACTS = ["create", "password", "suspend", "restore", "delete", "export", "list"] as const;
const refusal = (problem: string) => ({ ok: false as const, problem });

export function readUserOptions(args: string[]): OptionsResult<UserCommand> {
  const [word = "", ...rest] = args;
  const act = ACTS.find((one) => one === word);
  if (act === undefined) return refusal(`user wants one of ${ACTS.join(", ")}`);
  let parsed: ReturnType<typeof parsedOf>;
  try {
    parsed = parsedOf(rest);
  } catch (error) {
    // parseArgs says which option it does not know.
    return refusal(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  const { name, until, reason, suspended, messages, out } = values;
  const isPiped = values["password-stdin"] === true;
  const unfit = Object.keys(values).find((option) => !ALLOWED[act].includes(option));
  if (unfit !== undefined) return refusal(`user ${act} takes no --${unfit}`);
  if (act === "list") {
    if (positionals.length > 0) return refusal("user list takes no name");
    return { ok: true, options: { is: "list", isSuspendedOnly: suspended === true } };
  }
  const username = positionals[0]?.toLowerCase() ?? "";
  if (positionals.length !== 1 || !USERNAME.test(username)) {
    return refusal(`user ${act} wants one username: 3 to 32 of a-z 0-9 _ .`);
  }
  switch (act) {
    case "create":
      return { ok: true, options: { is: act, username, displayName: name ?? null, isPiped } };
    case "suspend": {
      const end = until === undefined ? null : new Date(until);
      if (end !== null && Number.isNaN(end.getTime())) {
        return refusal("--until should be a time such as 2027-01-31T12:00:00Z");
      }
      const terms = { until: end?.toISOString() ?? null, reason: reason ?? null };
      return { ok: true, options: { is: act, username, ...terms } };
    }
    case "password":
      return { ok: true, options: { is: act, username, isPiped } };
    case "delete":
      if (messages !== "keep" && messages !== "erase") {
        return refusal("user delete wants --messages keep or --messages erase");
      }
      return { ok: true, options: { is: act, username, messages } };
    case "export":
      return { ok: true, options: { is: act, username, path: out ?? `${username}.zip` } };
    case "restore":
      return { ok: true, options: { is: act, username } };
  }
}

const ALLOWED: Readonly<Record<(typeof ACTS)[number], readonly string[]>> = {
  create: ["name", "password-stdin"],
  password: ["password-stdin"],
  suspend: ["until", "reason"],
  restore: [],
  delete: ["messages"],
  export: ["out"],
  list: ["suspended"],
};

function parsedOf(args: string[]) {
  const text = { type: "string" } as const;
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: text,
      until: text,
      reason: text,
      messages: text,
      out: text,
      suspended: { type: "boolean" },
      "password-stdin": { type: "boolean" },
    },
  });
}
