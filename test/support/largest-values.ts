/**
 * The largest value that a schema of the contract takes: every list is full, and every text is as
 * long in bytes as it may be. The schemas do not say which keys exclude each other; see Keeps.
 */
import fc from "fast-check";
import type { TSchema } from "typebox";
import { exampleOf } from "../../src/protocol/examples.ts";
import { partsOf } from "../../src/protocol/published.ts";

const EMOJI = "😀";
const ITEMS_MAX = 1_000;
const CHARS_MAX = 16_000;
const DATA_CHARS = 4_000;
const DAY_MS = 86_400_000;

/** Ids for a property by its name, as many as there are; they come in turn. */
export type IdsFor = (name: string) => readonly string[];

const LONGEST: Readonly<Record<string, () => string>> = {
  body: () => EMOJI.repeat(4000),
  message_body: () => EMOJI.repeat(4000),
  draft: () => EMOJI.repeat(4000),
  title: () => EMOJI.repeat(80),
  label: () => EMOJI.repeat(64),
  notice: () => EMOJI.repeat(500),
  image_url: () => `https://cdn.example.com/${"a".repeat(2000)}`,
  reaction_key: () => EMOJI.repeat(16),
  time: () => new Date(Date.now() + DAY_MS).toISOString(),
  locale: () => "en-GB",
  time_zone: () => "America/Argentina/ComodRivadavia",
  moment: () => new Date(Date.now() + DAY_MS).toISOString(),
};

/** Whether a key that may be left out is there. */
export type Keeps = (key: string) => boolean;

/** `name` and `nth`: of the property, and its place in a list. */
export function largestOf(
  schema: TSchema,
  idsFor: IdsFor,
  keeps: Keeps,
  name = "",
  nth = 0,
): unknown {
  const parts = partsOf(schema);
  if (parts.const !== undefined) return parts.const;
  if (parts.anyOf !== undefined) {
    const values = parts.anyOf.map((one) => largestOf(one, idsFor, keeps, name, nth));
    const sizes = values.map((value) => JSON.stringify(value)?.length ?? 0);
    return values[sizes.indexOf(Math.max(...sizes))];
  }
  switch (parts.type) {
    case "string":
      return largestText(schema, idsFor, name, nth);
    case "integer":
    case "number":
      return name === "limit" ? (parts.maximum ?? 1) : Math.max(parts.minimum ?? 0, 1);
    case "boolean":
      return true;
    case "array": {
      const count = Math.min(parts.maxItems ?? 10, ITEMS_MAX);
      const items = Array.from({ length: count }, (_, i) =>
        parts.items === undefined ? null : largestOf(parts.items, idsFor, keeps, name, i),
      );
      return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
    }
    case "object": {
      const properties = Object.entries(parts.properties ?? {});
      if (properties.length === 0) return { text: "x".repeat(DATA_CHARS) };
      const required = parts.required ?? [];
      return Object.fromEntries(
        properties
          .filter(([key]) => required.includes(key) || keeps(key))
          .map(([key, one]) => [key, largestOf(one, idsFor, keeps, key, nth)]),
      );
    }
    default:
      return null;
  }
}

function largestText(schema: TSchema, idsFor: IdsFor, name: string, nth: number): string {
  const { format, pattern, maxLength } = partsOf(schema);
  if (format === "id") {
    const ids = idsFor(name);
    return ids[nth % ids.length]!;
  }
  const longest = format === undefined ? undefined : LONGEST[format];
  if (longest !== undefined) return longest();
  if (pattern !== undefined) {
    const example = exampleOf(schema, true, name);
    if (typeof example === "string" && new RegExp(pattern).test(example)) return example;
    return fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: 1, seed: 1 })[0]!;
  }
  return "x".repeat(Math.min(maxLength ?? 200, CHARS_MAX));
}
