/**
 * What the statements of an export share. Each reads a page by an index, or a bounded part of a table
 * that has none for it, so that none takes long and nobody waits for an export. Lines are made by
 * PostgreSQL and passed on as text.
 */
import type { Database } from "./pool.ts";

/** Lines a statement: 8 MB where each is a message of 16 KiB. */
export const PAGE = 500;
/** Conversations, and posts, that a statement looks into: one look into an index each. */
export const WALKED = 1_000;
/** Messages, comments or files among which a statement looks for what it wants. */
export const SPAN = 5_000;

/** What a text may name, as `:name`. */
export interface Values {
  user: string;
  /** Whether names of the application's own are shown. */
  outside: boolean;
  /** Whether hashes of passwords are. */
  passwords: boolean;
  /** The user as the other lines name them. */
  self: string;
  /** The place of the line before: a number, and in tables with two a first one before it. */
  place: string;
  after: string;
  /** The conversation, and how the other lines name it. */
  id: string;
  ref: string;
}

const TYPES: Readonly<Record<keyof Values, string>> = {
  user: "bigint",
  outside: "boolean",
  passwords: "boolean",
  self: "text",
  place: "bigint",
  after: "bigint",
  id: "bigint",
  ref: "text",
};

export const NO_VALUES: Values = {
  user: "0",
  outside: false,
  passwords: false,
  self: "",
  place: "0",
  after: "0",
  id: "0",
  ref: "",
};

/** How lines name a user or a conversation. */
export const ref = (row: string) =>
  `CASE WHEN :outside AND ${row}.external_id IS NOT NULL THEN ${row}.external_id
    ELSE 'troupe:' || ${row}.id END`;

/** The first message of a conversation that is still served. */
export const keptIn = (id: string) =>
  `(SELECT kept_of(kept) FROM conversations kept WHERE kept.id = ${id})`;

/** An object without the keys that have nothing to say, and with JSON that stays as it is. */
export const object = (keys: string, raw: Readonly<Record<string, string>> = {}) =>
  [
    `left(json_strip_nulls(json_build_object(${keys}))::text, -1)`,
    ...Object.entries(raw).map(([key, json]) => `coalesce(',"${key}":' || (${json})::text, '')`),
    "'}'",
  ].join(" || ");

interface Line {
  place?: string;
  at: string;
  line: string;
}

export async function read<Row extends object>(
  database: Database,
  text: string,
  values: Values,
): Promise<Row[]> {
  const named: (keyof Values)[] = [];
  const replaced = text.replace(
    /(?<!:):(user|outside|passwords|self|place|after|id|ref)\b/g,
    (_, name: keyof Values) => {
      if (!named.includes(name)) named.push(name);
      return `$${named.indexOf(name) + 1}::${TYPES[name]}`;
    },
  );
  return database.read<Row>(
    { text: replaced },
    named.map((name) => values[name]),
  );
}

/** Lines until a page is not full. */
export async function* pages(
  database: Database,
  text: string,
  values: Values,
): AsyncGenerator<string[]> {
  let { place, after } = values;
  for (;;) {
    const rows = await read<Line>(database, text, { ...values, place, after });
    if (rows.length > 0) yield rows.map(({ line }) => line);
    if (rows.length < PAGE) return;
    const last = rows.at(-1)!;
    place = last.place ?? place;
    after = last.at;
  }
}

/** Lines span by span until `end`, where a statement answers the first ones of a span. */
export async function* spans(
  database: Database,
  text: string,
  values: Values,
  span: number,
  end: number,
): AsyncGenerator<string[]> {
  for (let after = 0; after < end; ) {
    const rows = await read<Line>(database, text, { ...values, after: String(after) });
    if (rows.length > 0) yield rows.map(({ line }) => line);
    after = rows.length >= PAGE ? Number(rows.at(-1)!.at) : after + span;
  }
}
