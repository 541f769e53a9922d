/**
 * Values for a schema, as fast-check makes them: valid ones, nearly valid ones (one thing wrong)
 * and hostile ones that care for no schema. Ids come from a pool, so that much of it hits.
 */
import fc from "fast-check";
import type { TSchema } from "typebox";

interface Parts {
  type?: string;
  format?: string;
  pattern?: string;
  const?: unknown;
  anyOf?: TSchema[];
  items?: TSchema;
  properties?: Record<string, TSchema>;
  patternProperties?: Record<string, TSchema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
}

/** Long lists are tried as hostile ones; here they would only be slow. */
const ITEMS_MAX = 6;
const STRING_MAX = 80;

const unit = fc.constantFrom("grapheme", "binary", "grapheme-ascii") as fc.Arbitrary<
  "grapheme" | "binary" | "grapheme-ascii"
>;
const anyText = unit.chain((kind) => fc.string({ unit: kind, maxLength: 40 }));

/** Text that has broken something somewhere. */
const EVIL_TEXTS = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udc00\ud800",
  "\u202e\u2066x",
  "\ufeff",
  "\ufffe\uffff",
  "\u0085\u2028\u2029",
  "e\u0301\u0301\u0301\u0301",
  "👨‍👩‍👧‍👦",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "../../etc/passwd",
  "%00",
  "%2e%2e%2f",
  "' OR 1=1; --",
  "$1",
  "{{7*7}}",
  "<script>alert(1)</script>",
  "9223372036854775807",
  "9223372036854775808",
  "-1",
  "0",
  "01",
  "1e3",
  "NaN",
  "١",
  "x".repeat(257),
  "x".repeat(4001),
  "😀".repeat(4001),
  "x".repeat(20_000),
];
export const evilText = fc.constantFrom(...EVIL_TEXTS);

const EVIL_NUMBERS = [
  0,
  -0,
  -1,
  1.5,
  1e308,
  -1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  2 ** 53 - 1,
  2 ** 63,
  2 ** 64,
];

function nested(depth: number, isList: boolean): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = isList ? [value] : { a: value };
  return value;
}

/** Own keys that an assignment would not make. */
const withKey = (key: string, value: string) => JSON.parse(`{${JSON.stringify(key)}:${value}}`);

export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: evilText },
  { weight: 3, arbitrary: fc.constantFrom(...EVIL_NUMBERS) },
  { weight: 2, arbitrary: fc.constantFrom(null, true, false, [], {}, [[]], [null]) },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      withKey("__proto__", '{"conversation_id":"1","body":"x"}'),
      withKey("constructor", '{"prototype":{"x":1}}'),
      withKey("toString", "1"),
      withKey("toJSON", '"x"'),
      withKey("then", "1"),
      withKey("length", "1e9"),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(10, 100, 500), fc.boolean())
      .map(([depth, isList]) => nested(depth, isList)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(501, 2000, 8000).map((n) => Array.from({ length: n }, () => "1")),
  },
);

const visibleText = (max: number) =>
  fc.string({ unit: "grapheme", minLength: 1, maxLength: max }).map((text) => `${text}.`);

/** The application's own objects, small ones. */
const appData = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,6}$/),
  fc.oneof(fc.integer(), fc.boolean(), fc.constant(null), fc.constant("text")),
  { maxKeys: 4 },
);

/** Values that the schema takes, ids from `ids`. */
export function validOf(schema: TSchema, ids: readonly string[]): fc.Arbitrary<unknown> {
  const parts = schema as unknown as Parts;
  if ("const" in parts) return fc.constant(parts.const);
  if (parts.anyOf !== undefined) return fc.oneof(...parts.anyOf.map((one) => validOf(one, ids)));
  switch (parts.type) {
    case "string":
      return validText(parts, ids);
    case "integer":
    case "number": {
      const { minimum: min = 0, maximum: max = 1000 } = parts;
      const near = fc.integer({ min, max: Math.min(max, min + 5) });
      return fc.oneof({ weight: 5, arbitrary: near }, fc.maxSafeInteger().map(within(min, max)));
    }
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array": {
      const { minItems: minLength = 0, maxItems = ITEMS_MAX } = parts;
      const maxLength = Math.min(maxItems, ITEMS_MAX);
      return fc.array(validOf(parts.items!, ids), { minLength, maxLength });
    }
    case "object": {
      // An application's own object, whose rules are a function.
      if ("~refine" in parts) return fc.constantFrom({}, { a: 1 }, { "ä b": ["x", { c: null }] });
      if (parts.properties === undefined) {
        return fc.dictionary(anyText, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
      }
      if (Object.keys(parts.properties).length === 0) return appData;
      const fields = Object.fromEntries(
        Object.entries(parts.properties).map(([name, each]) => [name, validOf(each, ids)]),
      );
      return fc.record(fields, { requiredKeys: parts.required ?? [] });
    }
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

const within = (min: number, max: number) => (n: number) => Math.min(max, Math.max(min, n));

function validText(parts: Parts, ids: readonly string[]): fc.Arbitrary<string> {
  switch (parts.format) {
    case "id":
      return fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...ids) },
        fc.constantFrom("999999999", "9223372036854775807"),
      );
    case "message_body":
      return fc.oneof({ weight: 4, arbitrary: visibleText(STRING_MAX) }, fc.constant(""));
    case "body":
      return fc.oneof(visibleText(STRING_MAX), fc.constant("😀".repeat(4000)));
    case "note":
      return fc.oneof(visibleText(60), fc.constant(""));
    case "label":
    case "title":
      return visibleText(20);
    case "notice":
      return visibleText(60);
    case "image_url":
      return fc.webUrl({ validSchemes: ["https"], withQueryParameters: true });
    case "time":
      return fc
        .date({ min: new Date(0), max: new Date("9999-01-01"), noInvalidDate: true })
        .map((date) => date.toISOString());
    case "draft":
      return fc.oneof(visibleText(STRING_MAX), fc.constantFrom("", " \t\n"));
    case "moment":
      return fc.constantFrom("1999-12-31T23:59:59.999Z", "2031-01-02T03:04:05.678Z");
    case "locale":
      return fc.constantFrom("en", "de-AT", "zh-Hant-TW");
    case "time_zone":
      return fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu");
    case "reaction_key":
      return fc.constantFrom("👍", "❤\ufe0f", "+1", "e\u0301", "k".repeat(16));
  }
  if (parts.pattern !== undefined) return fc.stringMatching(new RegExp(parts.pattern));
  const { minLength = 0, maxLength = STRING_MAX } = parts;
  return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, STRING_MAX)) });
}

type Change = (value: Record<string, unknown>, key: string, bad: unknown) => void;

const CHANGES: Change[] = [
  (value, key) => delete value[key],
  (value, key, bad) => {
    value[key] = bad;
  },
  (value, key) => {
    value[key] = [value[key]];
  },
  (value, key) => {
    value[key] = typeof value[key] === "string" ? Number(value[key]) : JSON.stringify(value[key]);
  },
  (value, key, bad) => {
    value[`${key}_`] = bad;
  },
  (value, _key, bad) => {
    Object.defineProperty(value, "__proto__", { value: bad, enumerable: true });
  },
  (value, key) => {
    value[key.toUpperCase()] = value[key];
  },
];

/** One thing is wrong with it, as a rule. */
export function nearlyOf(schema: TSchema, ids: readonly string[]): fc.Arbitrary<unknown> {
  const { type, properties = {} } = schema as unknown as Parts;
  const keys = Object.keys(properties);
  if (type !== "object" || keys.length === 0) return hostile;
  return fc
    .tuple(validOf(schema, ids), fc.constantFrom(...keys), fc.constantFrom(...CHANGES), hostile)
    .map(([value, key, change, bad]) => {
      const copy = { ...(value as Record<string, unknown>) };
      change(copy, key, bad);
      return copy;
    });
}

/** Mostly valid: what is refused at the door tests only the door. */
export function fuzzOf(schema: TSchema, ids: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 5, arbitrary: validOf(schema, ids) },
    { weight: 4, arbitrary: nearlyOf(schema, ids) },
    { weight: 2, arbitrary: hostile },
  );
}

/** JSON text of the value, or what is left of it after an accident. */
export function textOf(value: unknown): fc.Arbitrary<string | Buffer> {
  const text = JSON.stringify(value) ?? "";
  const accidents: (string | Buffer)[] = [
    text.slice(0, -1),
    `${text}}`,
    `\ufeff${text}`,
    text.replace("{", '{"a":1,"a":2,'),
    text.replace(":", ":1e999999,"),
    Buffer.concat([Buffer.from(text), Buffer.from([0xc3, 0x28])]),
    Buffer.from(text, "utf16le"),
    `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
    `"${"x".repeat(65_536)}"`,
  ];
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant(text) },
    { weight: 3, arbitrary: fc.constantFrom(...accidents) },
  );
}

/** Bytes with some changed, lost, doubled or put in. */
export function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  const edit = fc.record({
    at: fc.nat({ max: bytes.length }),
    how: fc.constantFrom("set", "cut", "insert", "double", "end"),
    with: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  });
  return fc.array(edit, { maxLength: 4 }).map((edits) => {
    let now = bytes;
    for (const { at, how, with: put } of edits) {
      const [before, after] = [now.subarray(0, at), now.subarray(at)];
      if (how === "set") now = Buffer.concat([before, put, after.subarray(put.length)]);
      else if (how === "cut") now = Buffer.concat([before, after.subarray(put.length)]);
      else if (how === "insert") now = Buffer.concat([before, put, after]);
      else if (how === "double") now = Buffer.concat([before, after, after.subarray(0, 200)]);
      else now = Buffer.from(before);
    }
    return now;
  });
}
