/**
 * What it costs to refuse a payload, and what the refusal names. Every schema of every route and
 * event is tried with hostile payloads that are made from the schema itself.
 */
import fc from "fast-check";
import type { TObject, TSchema } from "typebox";
import Type from "typebox";
import { describe, expect, test } from "vitest";
import { createReader, type Source } from "../../src/edge/validation.ts";
import { CLIENT_EVENTS, type ClientEventName } from "../../src/protocol/events.ts";
import type { RouteSpec } from "../../src/protocol/route-spec.ts";
import { ROUTES, type RouteName } from "../../src/protocol/routes.ts";
import { Id, Nullable, Ordinal, Request } from "../../src/protocol/schemas.ts";
import { validOf } from "../support/fuzz-values.ts";

/** The largest HTTP body, and the largest socket frame. */
const PAYLOAD_BYTES_MAX = 64 * 1024;
const SEED = 7;
/**
 * Contract: 1 ms. The fastest of the runs is judged, because other work on the machine can only
 * add to one; the bound leaves room for a slower machine with all its cores busy.
 */
const RUNS = 12;
const REFUSED_WITHIN_MS = 2;

type Part = [name: string, source: Source, schema: TObject];

const PARTS: Part[] = [
  ...(Object.keys(CLIENT_EVENTS) as ClientEventName[]).map(
    (name): Part => [name, "payload", CLIENT_EVENTS[name].payload],
  ),
  ...(Object.keys(ROUTES) as RouteName[]).flatMap((name) => {
    const { body, query, params }: RouteSpec = ROUTES[name];
    const parts: [string, Source, TObject | undefined][] = [
      [name, "body", body],
      [name, "query", query],
      [name, "path", params],
    ];
    return parts.filter((part): part is Part => part[2] !== undefined);
  }),
];
/** Many routes take the same, an id for example. */
const READERS = [...new Map(PARTS.map((part) => [JSON.stringify(part.slice(1)), part])).values()];

const keys = (count: number) => `{${numbers(count, (n) => `"k${n}":1`)}}`;
function numbers(count: number, textOf: (n: number) => string): string {
  return Array.from({ length: count }, (_, n) => textOf(n)).join(",");
}

/** JSON texts for one value, each as large as a payload may be. */
const HUGE = {
  "5,600 keys": keys(5_600),
  "a key of 64,000 characters": `{"${"k".repeat(64_000)}":1}`,
  "a string of 64,000 characters": `"${"x".repeat(64_000)}"`,
  "a string of joined emoji": `"${"👩‍👩‍👧‍👦".repeat(2_500)}"`,
  "a string of combining marks": `"${"e\u0301".repeat(20_000)}"`,
  "a string of lone surrogates": `"${"\\ud800".repeat(10_000)}"`,
  "a list of 32,000 numbers": `[${numbers(31_000, () => "1")}]`,
  "a list of 15,000 ids": `[${numbers(15_000, () => '"1"')}]`,
  "a list of 20,000 objects": `[${numbers(20_000, () => "{}")}]`,
  "lists nested 30,000 deep": `${"[".repeat(30_000)}${"]".repeat(30_000)}`,
  "objects nested 9,000 deep": `${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}`,
  null: "null",
};

/** Hostile payloads for the schema, as JSON texts by what is wrong with them. */
function hostile(schema: TObject): [string, string][] {
  const payloads: [string, string][] = Object.entries(HUGE);
  const valid = validTextOf(schema);
  const unknown = keys(5_500).slice(1);
  payloads.push([
    "5,500 keys more",
    valid === "{}" ? `{${unknown}` : `${valid.slice(0, -1)},${unknown}`,
  ]);
  for (const [name, property] of Object.entries(schema.properties)) {
    for (const [what, text] of Object.entries(HUGE)) {
      payloads.push([`${what} as ${name}`, withProperty(valid, name, text)]);
    }
    for (const [what, text] of hostileLists(property)) {
      payloads.push([`${what} as ${name}`, withProperty(valid, name, text)]);
    }
  }
  return payloads.filter(([, text]) => Buffer.byteLength(text) <= PAYLOAD_BYTES_MAX);
}

/** Full lists of which one item or each is wrong. */
function hostileLists(property: TSchema): [string, string][] {
  const { items, maxItems } = property as { items?: TSchema; maxItems?: number };
  if (items === undefined || maxItems === undefined) return [];
  const right = validTextOf(items);
  const lists: [string, string][] = [];
  for (const [what, wrong] of [...Object.entries(HUGE), ["an empty object", "{}"], ["0", "0"]]) {
    const room = PAYLOAD_BYTES_MAX - 1_000 - Buffer.byteLength(wrong as string);
    const count = Math.min(maxItems - 1, Math.floor(room / (right.length + 1)));
    lists.push([
      `${count} right items, then ${what}`,
      `[${numbers(Math.max(0, count), () => right)}${count > 0 ? "," : ""}${wrong}]`,
    ]);
  }
  lists.push([`${maxItems} wrong items`, `[${numbers(maxItems, () => "-1")}]`]);
  const manyKeys = keys(12);
  const count = Math.min(maxItems, Math.floor(63_000 / (manyKeys.length + 1)));
  lists.push([`${count} items of unknown keys`, `[${numbers(count, () => manyKeys)}]`]);
  return lists;
}

function validTextOf(schema: TSchema): string {
  const [value] = fc.sample(validOf(schema, ["1", "42"]), { numRuns: 1, seed: SEED });
  return JSON.stringify(value);
}

function withProperty(valid: string, name: string, text: string): string {
  const rest = Object.entries(JSON.parse(valid) as Record<string, unknown>)
    .filter(([other]) => other !== name)
    .map(([other, value]) => `,${JSON.stringify(other)}:${JSON.stringify(value)}`);
  return `{${JSON.stringify(name)}:${text}${rest.join("")}}`;
}

/** The fastest of the runs, milliseconds. */
function fastest(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < RUNS && best > REFUSED_WITHIN_MS / 10; n++) {
    const startedMs = performance.now();
    run();
    best = Math.min(best, performance.now() - startedMs);
  }
  return best;
}

describe("what a refusal costs", { timeout: 60_000 }, () => {
  test.each(READERS)("[PRB1, PRB2] %s, %s", (_name, source, schema) => {
    const read = createReader(source, schema);
    for (const [what, text] of hostile(schema)) {
      const value: unknown = JSON.parse(text);
      // Paths and queries are objects of text, whoever sends them.
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        if (source === "path" || source === "query") continue;
      }
      const answer = read(value);
      expect(
        fastest(() => read(value)),
        what,
      ).toBeLessThan(REFUSED_WITHIN_MS);
      if (answer.ok) continue;
      expect(answer.error.code, what).toBe("invalid_payload");
      const problems = answer.error.details as unknown[];
      expect(problems.length, what).toBeGreaterThan(0);
      expect(problems.length, what).toBeLessThanOrEqual(10);
      expect(JSON.stringify(answer.error).length, what).toBeLessThan(4_096);
    }
  });

  test("[PRB2] the names of unknown keys are read once, and no value of theirs", () => {
    const read = createReader("payload", CLIENT_EVENTS.leave_conversation.payload);
    let listed = 0;
    let looked = 0;
    const target = JSON.parse(HUGE["5,600 keys"]) as object;
    const value = new Proxy(target, {
      ownKeys(object) {
        listed++;
        return Reflect.ownKeys(object);
      },
      get(object, key) {
        looked++;
        return Reflect.get(object, key);
      },
    });
    expect(read(value).ok).toBe(false);
    expect([listed, looked]).toEqual([1, 0]);
  });

  test("[PRB2] no item of a list that is too long is looked at", () => {
    const read = createReader("payload", CLIENT_EVENTS.sync.payload);
    let looked = 0;
    const list = new Proxy(
      Array.from({ length: 501 }, () => ({})),
      {
        get(items, key) {
          if (key !== "length") looked++;
          return Reflect.get(items, key);
        },
      },
    );
    expect(problemsIn(read({ conversations: list }))).toEqual([
      ["conversations", "must not have more than 500 items"],
    ]);
    expect(looked).toBe(0);
  });

  test("[PRB2] every list that a request may hold has a bound", () => {
    const unbounded: string[] = [];
    const look = (at: string, schema: TSchema) => {
      const { type, items, maxItems, properties, anyOf } = schema as {
        type?: string;
        items?: TSchema;
        maxItems?: number;
        properties?: Record<string, TSchema>;
        anyOf?: TSchema[];
      };
      if (type === "array" && maxItems === undefined) unbounded.push(at);
      if (items !== undefined) look(`${at}/*`, items);
      for (const one of anyOf ?? []) look(at, one);
      for (const [name, one] of Object.entries(properties ?? {})) look(`${at}/${name}`, one);
    };
    for (const [name, source, schema] of PARTS) look(`${name} ${source}`, schema);
    expect(unbounded).toEqual([]);
  });
});

function problemsIn(answer: ReturnType<ReturnType<typeof createReader>>): [string, string][] {
  if (answer.ok) throw new Error("it was taken");
  return (answer.error.details as { at: string; problem: string }[]).map(({ at, problem }) => [
    at,
    problem,
  ]);
}

describe("what a refusal names", () => {
  const schema = Request({
    id: Id,
    seq: Type.Optional(Ordinal),
    place: Type.Optional(Nullable(Request({ name: Type.String({ maxLength: 5 }) }))),
    items: Type.Optional(Type.Array(Request({ id: Id }), { minItems: 1, maxItems: 20 })),
  });
  const refuses = (value: unknown) => problemsIn(createReader("payload", schema)(value));

  test("[PRB1] all that is wrong, up to ten: what is missing, what is wrong, what is unknown", () => {
    expect(refuses({ seq: 0, x: 1, y: 2 })).toEqual([
      ["id", "is missing"],
      ["seq", "must be >= 1"],
      ["x", "is not known here"],
      ["y", "is not known here"],
    ]);
  });

  test("[PRB1] where it is, in objects and lists", () => {
    const items = [{ id: "1" }, { id: 2 }, {}, { id: "4", x: 1 }];
    expect(refuses({ id: "1", place: { name: "too long" }, items })).toEqual([
      ["place/name", "must not have more than 5 characters"],
      ["items/1/id", "must be string"],
      ["items/2/id", "is missing"],
      ["items/3/x", "is not known here"],
    ]);
    expect(refuses({ id: "1", place: 5, items: [] })).toEqual([
      ["place", "must be object"],
      ["items", "must not have fewer than 1 items"],
    ]);
  });

  test("[PRB1] ten problems of more, in the order of the payload", () => {
    const items = Array.from({ length: 20 }, () => ({ id: "0" }));
    const named = refuses({ id: "1", items });
    expect(named.map(([at]) => at)).toEqual(Array.from({ length: 10 }, (_, n) => `items/${n}/id`));
  });

  test("[PRB2] a long name is cut", () => {
    expect(refuses({ id: "1", ["k".repeat(1_000)]: 1 })).toEqual([
      [`${"k".repeat(64)}…`, "is not known here"],
    ]);
  });

  test.each([
    [Buffer.alloc(60_000)],
    [new Map()],
    [new Date()],
    [[]],
    ["text"],
    [null],
    [undefined],
  ])("[PRB3] %o is no object", (value) => {
    expect(refuses(value)).toEqual([["", "must be object"]]);
    expect(refuses({ id: "1", place: value ?? 5 })).toEqual([["place", "must be object"]]);
  });
});
