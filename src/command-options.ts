/**
 * What the commands of the command line take and print, apart from what they do: options read
 * and judged, differences as a table. Called by cli.ts.
 */
import { parseArgs } from "node:util";
import { isId } from "./protocol/ids.ts";
import { SERVICE_SCOPES, type ServiceScope } from "./protocol/route-spec.ts";

export type OptionsResult<T> = { ok: true; options: T } | { ok: false; problem: string };

export interface TokenCommand {
  scopes: ServiceScope[];
  subject: string;
  ttlS: number;
}

const SUBJECT_DEFAULT = "service";
/** Long enough not to be a nuisance, short enough that a lost one ends by itself. */
const TTL_DEFAULT = "30d";
const SUBJECT = /^[\x21-\x7e]{1,100}$/;
const TTL = /^([1-9][0-9]{0,9})([smhd])$/;
const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** Past ten years a token is a password that nobody can change. */
const TTL_MAX_S = 3650 * 86_400;

export function readNoOptions(args: string[]): OptionsResult<null> {
  return args.length === 0 ? { ok: true, options: null } : unknownOption(args[0]!);
}

export function readTokenOptions(args: string[]): OptionsResult<TokenCommand> {
  const text = { type: "string" } as const;
  const parsed = parsedOptions(args, { scope: text, sub: text, ttl: text });
  if (!parsed.ok) return parsed;
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
  const [, count, unit] = (typeof ttl === "string" ? TTL.exec(ttl) : null) ?? [];
  const ttlS = Number(count) * (UNIT_S[unit ?? ""] ?? Number.NaN);
  if (!(ttlS <= TTL_MAX_S)) {
    return refusal("--ttl should be a time like 90s, 15m, 12h or 30d, at most 3650d");
  }
  return { ok: true, options: { scopes: [...new Set(scopes)], subject: sub, ttlS } };
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

/** Columns set to their widest cell, numbers to the right. */
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

function parsedOptions(
  args: string[],
  options: OptionKinds,
): OptionsResult<Record<string, string | boolean | undefined>> {
  try {
    const { values } = parseArgs({ args, options, strict: true, allowPositionals: false });
    return { ok: true, options: values };
  } catch (error) {
    // parseArgs throws TypeErrors whose message is a sentence for whoever typed it.
    if (error instanceof TypeError) return refusal(error.message);
    throw error;
  }
}
