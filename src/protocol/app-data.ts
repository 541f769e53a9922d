/**
 * The application's own JSON objects, which Troupe keeps or passes on and never reads: `data` of
 * messages, conversations, users, signals.
 *
 * [APD1] An object of at most so many bytes as JSON text in UTF-8.
 * [APD2] Containers are nested at most 6 deep; the object itself is 1.
 * [APD3] Keys have 1–64 code points. Those that change an object's prototype where a client merges
 *        what it received are refused.
 * [APD4] Strings and keys are well-formed and without NUL, which PostgreSQL's JSON cannot hold;
 *        numbers are finite, because JSON cannot write others.
 * [APD5] The walk ends as soon as the object is known to be too large, so that its cost is bounded
 *        by the limit and not by what was sent.
 */
import Type from "typebox";
import { codePoints, isWellFormed } from "./text.ts";

export type AppData = Record<string, unknown>;

/** An application's own type of message or signal. */
export const AppType = Type.String({
  pattern: "^[a-z][a-z0-9_.-]{0,31}$",
  description: "The application's own word: 1–32 of a-z 0-9 _ . -, a letter first.",
});

const DEPTH_MAX = 6;
const KEY_MAX = 64;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** The schema of such an object of at most `bytesMax` bytes. */
export function AppData(bytesMax: number, description = "The application's own JSON object") {
  let last: { value: AppData | null; problem: string | null } = { value: null, problem: null };
  const rules = `at most ${bytesMax / 1024} KiB as JSON text, nested at most ${DEPTH_MAX} deep`;
  return Type.Refine(
    // Not a Type.Record, which would test the name of every key against a pattern.
    Type.Unsafe<AppData>(Type.Object({}, { description: `${description}: ${rules}.` })),
    (value) => problemOf(value) === null,
    (value) => problemOf(value) ?? "",
  );

  /** TypeBox asks up to four times about a value that is refused. */
  function problemOf(value: AppData): string | null {
    if (value !== last.value) last = { value, problem: appDataProblem(value, bytesMax) };
    return last.problem;
  }
}

/** The same in what the server sends. */
export const ShownData = Type.Unsafe<AppData>(
  Type.Object({}, { description: "The application's own JSON object." }),
);

/** What is wrong with it, as it follows the name of the key; null: nothing. */
export function appDataProblem(value: AppData, bytesMax: number): string | null {
  if (Array.isArray(value)) return "must be object";
  const tooLarge = `must not have more than ${bytesMax} bytes as JSON text`;
  /** The least that the text can still have: quotes, separators and one byte a character. */
  let left = bytesMax;
  const problem = walk(value, 1);
  if (problem !== null) return problem;
  return utf8Bytes(JSON.stringify(value)) > bytesMax ? tooLarge : null;

  function walk(inner: unknown, depth: number): string | null {
    left -= 1;
    if (left < 0) return tooLarge;
    if (typeof inner === "string") return ofString(inner);
    if (typeof inner === "number" && !Number.isFinite(inner)) {
      return "holds a number that is too large";
    }
    if (typeof inner !== "object" || inner === null) return null;
    if (depth > DEPTH_MAX) return `must not be nested more than ${DEPTH_MAX} deep`;
    if (Array.isArray(inner)) {
      for (const item of inner) {
        const found = walk(item, depth + 1);
        if (found !== null) return found;
      }
      return null;
    }
    // Each key takes four bytes at least, with its quotes and colon and a value of one character.
    const keys = Object.keys(inner);
    if (keys.length * 4 > left + 4) return tooLarge;
    for (const key of keys) {
      const found = ofKey(key) ?? ofString(key) ?? walk((inner as AppData)[key], depth + 1);
      if (found !== null) return found;
    }
    return null;
  }

  function ofString(text: string): string | null {
    left -= text.length + 2;
    if (left < 0) return tooLarge;
    return text.includes("\u0000") || !isWellFormed(text)
      ? "holds text with a NUL character or half a surrogate pair"
      : null;
  }
}

function ofKey(key: string): string | null {
  if (key === "" || (key.length > KEY_MAX && codePoints(key) > KEY_MAX)) {
    return `must have keys of 1–${KEY_MAX} characters`;
  }
  return FORBIDDEN_KEYS.has(key) ? `must not have the key ${key}` : null;
}

/** Length in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    // The two halves of a surrogate pair are four bytes together.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}
