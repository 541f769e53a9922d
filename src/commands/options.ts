/**
 * Options of the command line's commands, read and checked, and the table of `recount`. Called by
 * cli.ts.
 */
import { parseArgs } from "node:util";
import { isId } from "../protocol/ids.ts";
import { SERVICE_SCOPES, type ServiceScope } from "../protocol/route-spec.ts";

export type OptionsResult<T> = { ok: true; options: T } | { ok: false; problem: string };

export interface NewToken {
  scopes: ServiceScope[];
  subject: string;
  ttlS: number;
}

export type TokenCommand =
  | ({ is: "mint" } & NewToken)
  | { is: "list" }
  | { is: "revoke"; jti: string };

const SUBJECT_DEFAULT = "service";
/** Long enough to be practical, short enough that a lost token expires. */
const TTL_DEFAULT = "30d";
const SUBJECT = /^[\x21-\x7e]{1,100}$/;
const JTI = /^[\x21-\x7e]{1,128}$/;
const TTL = /^([1-9][0-9]{0,9})([smhd])$/;
const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** A longer-lived token would be a password that nobody can change. */
const TTL_MAX_S = 3650 * 86_400;

export function readNoOptions(args: string[]): OptionsResult<null> {
  return args.length === 0 ? { ok: true, options: null } : unknownOption(args[0]!);
}

export function readStartOptions(args: string[]): OptionsResult<{ actorsDir: string | null }> {
  const parsed = parsedOptions(args, { actors: { type: "string" } });
  if (!parsed.ok) return parsed;
  const { actors } = parsed.options;
  if (actors === "") return refusal("--actors should name a folder");
  return { ok: true, options: { actorsDir: typeof actors === "string" ? actors : null } };
}

export function readRotateOptions(args: string[]): OptionsResult<{ isOnly: boolean }> {
  const parsed = parsedOptions(args, { only: { type: "boolean" } });
  return parsed.ok ? { ok: true, options: { isOnly: parsed.options["only"] === true } } : parsed;
}

export function readTokenOptions(args: string[]): OptionsResult<TokenCommand> {
  const text = { type: "string" } as const;
  const parsed = parsedOptions(args, {
    scope: text,
    sub: text,
    ttl: text,
    list: { type: "boolean" },
    revoke: text,
  });
  if (!parsed.ok) return parsed;
  const { list, revoke, ...mint } = parsed.options;
  if (list === true || revoke !== undefined) {
    if (Object.keys(mint).length > 0 || (list === true && revoke !== undefined)) {
      return refusal("--list and --revoke stand alone");
    }
    if (list === true) return { ok: true, options: { is: "list" } };
    if (typeof revoke !== "string" || !JTI.test(revoke)) {
      return refusal("--revoke should name a token by its jti, as --list shows it");
    }
    return { ok: true, options: { is: "revoke", jti: revoke } };
  }
  const { scope, sub = SUBJECT_DEFAULT, ttl = TTL_DEFAULT } = parsed.options;

  const words = (typeof scope === "string" ? scope : "").split(/[ ,]+/).filter((word) => word);
  const scopes = words.filter(isServiceScope);
  if (words.length === 0 || scopes.length < words.length) {
    const wanted = SERVICE_SCOPES.join(", ");
    return refusal(`--scope should name what the token may do: one or more of ${wanted}`);
  }
  if (typeof sub !== "string" || !SUBJECT.test(sub) || isId(sub)) {
    return refusal("--sub should name a program: 1–100 visible characters, and not a user's id");
  }
  const ttlS = typeof ttl === "string" ? secondsOf(ttl) : Number.NaN;
  if (!(ttlS <= TTL_MAX_S)) {
    return refusal("--ttl should be a time like 90s, 15m, 12h or 30d, at most 3650d");
  }
  return { ok: true, options: { is: "mint", scopes: [...new Set(scopes)], subject: sub, ttlS } };
}

export function readDoctorOptions(args: string[]): OptionsResult<{ json: boolean }> {
  const parsed = parsedOptions(args, { json: { type: "boolean" } });
  return parsed.ok ? { ok: true, options: { json: parsed.options["json"] === true } } : parsed;
}

export interface DemoCommand {
  /** Null for the server of this configuration. */
  url: string | null;
  people: number;
  forMs: number | null;
  perMinute: number;
  password: string | null;
  yes: boolean;
}

const PEOPLE_MIN = 2;
const PEOPLE_MAX = 12;
const PER_MINUTE_DEFAULT = "60";
/** A demo, not a load test. */
const PER_MINUTE_MAX = 3_000;

export function readDemoOptions(args: string[]): OptionsResult<DemoCommand> {
  const text = { type: "string" } as const;
  const parsed = parsedOptions(args, {
    url: text,
    for: text,
    people: text,
    rate: text,
    password: text,
    yes: { type: "boolean" },
  });
  if (!parsed.ok) return parsed;
  const textOf = (name: string, unset: string): string => {
    const value = parsed.options[name];
    return typeof value === "string" ? value : unset;
  };
  const url = textOf("url", "");
  if (url !== "" && !isServerUrl(url)) {
    return refusal("--url should be the address of a server, like http://localhost:3000");
  }
  const duration = textOf("for", "");
  const forMs = duration === "" ? null : secondsOf(duration) * 1_000;
  if (forMs !== null && !(forMs > 0)) return refusal("--for should be a time like 60s, 10m or 2h");
  const people = Number(textOf("people", String(PEOPLE_MAX)));
  if (!Number.isInteger(people) || people < PEOPLE_MIN || people > PEOPLE_MAX) {
    return refusal(`--people should be a number from ${PEOPLE_MIN} to ${PEOPLE_MAX}`);
  }
  const perMinute = Number(textOf("rate", PER_MINUTE_DEFAULT));
  if (!(perMinute >= 1 && perMinute <= PER_MINUTE_MAX)) {
    return refusal(`--rate should be a number from 1 to ${PER_MINUTE_MAX}`);
  }
  const password = textOf("password", "");
  if (password !== "" && password.length < 8) {
    return refusal("--password should have at least 8 characters");
  }
  return {
    ok: true,
    options: {
      url: url === "" ? null : new URL(url).origin,
      people,
      forMs,
      perMinute,
      password: password === "" ? null : password,
      yes: parsed.options["yes"] === true,
    },
  };
}

function isServerUrl(text: string): boolean {
  return URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
}

/** NaN where it is not a duration. */
export function secondsOf(text: string): number {
  const [, count, unit] = TTL.exec(text) ?? [];
  return Number(count) * (UNIT_S[unit ?? ""] ?? Number.NaN);
}

export function readRecountOptions(args: string[]): OptionsResult<{ mend: boolean }> {
  const parsed = parsedOptions(args, { mend: { type: "boolean" } });
  return parsed.ok ? { ok: true, options: { mend: parsed.options["mend"] === true } } : parsed;
}

export interface Difference {
  what: string;
  id: string;
  stored: number;
  counted: number;
}

/** Columns as wide as their widest cell, numbers aligned right. */
export function differenceTable(differences: readonly Difference[]): string {
  const rows = [
    ["what", "id", "stored", "counted"],
    ...differences.map(({ what, id, stored, counted }) => [
      what,
      id,
      String(stored),
      String(counted),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((i) => Math.max(...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  "),
  );
  return `${lines.join("\n")}\n`;
}

const isServiceScope = (word: string): word is ServiceScope =>
  (SERVICE_SCOPES as readonly string[]).includes(word);

const refusal = (problem: string) => ({ ok: false as const, problem });
const unknownOption = (word: string) => refusal(`unknown option "${word}"`);

type OptionKinds = Record<string, { type: "string" | "boolean" }>;

/** A word that is no option, or an option without its value, is refused with a sentence. */
export function parsedOptions(
  args: string[],
  options: OptionKinds,
): OptionsResult<Record<string, string | boolean | undefined>> {
  try {
    const { values } = parseArgs({ args, options, strict: true, allowPositionals: false });
    return { ok: true, options: values };
  } catch (error) {
    // parseArgs throws a TypeError whose message is a sentence for the person who typed.
    if (error instanceof TypeError) return refusal(error.message);
    throw error;
  }
}
