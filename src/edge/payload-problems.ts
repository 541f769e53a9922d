/**
 * Names the problems of a request or a payload, at a cost that the sender cannot choose. TypeBox's
 * own `Errors` always lists every problem, which took up to 45 ms of the edge's thread for one
 * payload of 64 KiB.
 *
 * [PRB1] At most ten problems are named, and the walk stops at the tenth.
 * [PRB2] A value with too many keys or items is refused by that number, before any of them is
 *        validated.
 * [PRB4] A value that has a check of its own (`Type.Refine`) is checked once where it is refused.
 * [PRB3] An object is a plain object, an array a plain array.
 */
import type { TObject, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { TLocalizedValidationError } from "typebox/error";
import { Errors } from "typebox/value";

export interface Problem {
  /** Where, as in `member_ids/0`; "" for the whole. */
  at: string;
  problem: string;
}

/** More would be an echo of the request, not help. */
const PROBLEMS_MAX = 10;
/** Characters of an unknown key that are shown; a sender can make a key as long as the payload. */
const NAME_MAX = 64;

const FORMATS: Readonly<Record<string, string>> = {
  id: "must be an id: a decimal number as a string",
  body: "must be 1–4,000 characters, not all white space, without control characters",
  message_body: "must be at most 4,000 characters, not all white space, without control characters",
  title: "must be 1–80 characters, not all white space, without control characters",
  image_url: "must be an https address of at most 2,048 characters, or that of an own file",
  label: "must be 1–64 characters, not all white space, without control characters",
  notice: "must be 1–500 characters, not all white space, without control characters",
};

/** A schema, as far as the walk goes into it. */
type Node = ObjectNode | ListNode | CheckedNode | ValueNode;
type Inner = ObjectNode | ListNode | CheckedNode;
interface ObjectNode {
  is: "object";
  isNullable: boolean;
  properties: ReadonlyMap<string, Node>;
  required: readonly string[];
  refusesUnknown: boolean;
  /** The properties that may hold objects or lists. */
  inner: readonly [string, Inner][];
}
interface ListNode {
  is: "list";
  isNullable: boolean;
  items: Node;
  isItem(value: unknown): boolean;
  minItems: number;
  maxItems: number;
}
/** An object with a check of its own. */
interface CheckedNode {
  is: "checked";
  /** The problem of the value; null: none. */
  problemOf(value: object): string | null;
}
/** Everything else, also what may be any of several schemas: TypeBox names the problems. */
interface ValueNode {
  is: "value";
  schema: TSchema;
}

export interface ProblemFinder {
  /** The parts that are too large to be validated at all; null: none. */
  excess(value: unknown): Problem[] | null;
  /** The problems of a value that the schema's validator refuses. */
  problems(value: unknown): Problem[];
}

export function createProblemFinder(schema: TObject): ProblemFinder {
  const root = nodeOf(schema);
  return {
    excess(value) {
      const found: Problem[] = [];
      return root.is !== "value" && hasExcess(root, value, "", found) ? found : null;
    },
    problems(value) {
      const found: Problem[] = [];
      explain(root, value, "", found);
      return found;
    },
  };
}

function nodeOf(schema: TSchema): Node {
  const { anyOf } = schema as { anyOf?: TSchema[] };
  const others = anyOf?.filter((one) => (one as { type?: string }).type !== "null") ?? [];
  const isNullable = anyOf !== undefined && anyOf.length === 2 && others.length === 1;
  const node = structureOf(isNullable ? (others[0] as TSchema) : schema, isNullable);
  return node ?? { is: "value", schema };
}

interface Refined {
  "~refine": readonly { check(value: unknown): boolean; error(value: unknown): string | object }[];
}

function structureOf(schema: TSchema, isNullable: boolean): Inner | null {
  if ("~refine" in schema) {
    const [refinement] = (schema as unknown as Refined)["~refine"];
    const error = refinement?.error ?? (() => "");
    return { is: "checked", problemOf: (value) => String(error(value)) || null };
  }
  const { type, properties, items } = schema as {
    type?: string;
    properties?: Record<string, TSchema>;
    items?: TSchema;
  };
  if (type === "object" && properties !== undefined) {
    const nodes = Object.entries(properties).map(
      ([name, property]) => [name, nodeOf(property)] as const,
    );
    const { required, additionalProperties } = schema as {
      required?: string[];
      additionalProperties?: unknown;
    };
    return {
      is: "object",
      isNullable,
      properties: new Map(nodes),
      required: required ?? [],
      refusesUnknown: additionalProperties === false,
      inner: nodes.flatMap(([name, node]) => (node.is === "value" ? [] : [[name, node]])),
    };
  }
  if (type === "array" && items !== undefined && !Array.isArray(items)) {
    const { minItems, maxItems } = schema as { minItems?: number; maxItems?: number };
    const validator = Compile(items);
    return {
      is: "list",
      isNullable,
      items: nodeOf(items),
      isItem: (value) => validator.Check(value),
      minItems: minItems ?? 0,
      maxItems: maxItems ?? Number.MAX_SAFE_INTEGER,
    };
  }
  return null;
}

/** [PRB2] Stops at the first object or list that is too large. */
function hasExcess(node: Inner, value: unknown, at: string, found: Problem[]): boolean {
  if (node.is === "checked") {
    const problem = isPlainObject(value) ? node.problemOf(value) : null;
    if (problem !== null) found.push({ at, problem });
    return problem !== null;
  }
  if (node.is === "list") {
    if (!Array.isArray(value)) return false;
    if (value.length > node.maxItems) {
      found.push(tooManyItems(at, node));
      return true;
    }
    const { items } = node;
    if (items.is === "value") return false;
    return value.some((item, index) => hasExcess(items, item, `${at}/${index}`, found));
  }
  if (!isPlainObject(value)) return false;
  if (node.refusesUnknown) {
    // The names are read once: of thousands of keys, that is most of what a refusal costs.
    const names = Object.keys(value);
    if (names.length > node.properties.size + PROBLEMS_MAX) {
      nameUnknown(node, names, at, found);
      return true;
    }
  }
  return node.inner.some(([name, inner]) => hasExcess(inner, value[name], join(at, name), found));
}

function explain(node: Node, value: unknown, at: string, found: Problem[]): void {
  if (found.length >= PROBLEMS_MAX) return;
  if (node.is === "value") {
    explainValue(node.schema, value, at, found);
  } else if (value === null && node.is !== "checked" && node.isNullable) {
    return;
  } else if (node.is === "checked") {
    // Whatever else could be wrong with it was found as an excess.
    if (!isPlainObject(value)) found.push({ at, problem: "must be object" });
  } else if (node.is === "object") {
    if (isPlainObject(value)) explainObject(node, value, at, found);
    else found.push({ at, problem: "must be object" });
  } else if (!Array.isArray(value)) {
    found.push({ at, problem: "must be array" });
  } else if (value.length > node.maxItems) {
    found.push(tooManyItems(at, node));
  } else if (value.length < node.minItems) {
    found.push({ at, problem: `must not have fewer than ${node.minItems} items` });
  } else {
    for (const [index, item] of value.entries()) {
      if (found.length >= PROBLEMS_MAX) return;
      if (!node.isItem(item)) explain(node.items, item, join(at, String(index)), found);
    }
  }
}

function explainObject(
  node: ObjectNode,
  value: Readonly<Record<string, unknown>>,
  at: string,
  found: Problem[],
): void {
  for (const name of node.required) {
    if (found.length >= PROBLEMS_MAX) return;
    if (!Object.hasOwn(value, name)) found.push({ at: join(at, name), problem: "is missing" });
  }
  for (const [name, property] of node.properties) {
    if (Object.hasOwn(value, name)) explain(property, value[name], join(at, name), found);
  }
  if (node.refusesUnknown) nameUnknown(node, Object.keys(value), at, found);
}

function nameUnknown(
  { properties }: ObjectNode,
  names: readonly string[],
  at: string,
  found: Problem[],
): void {
  for (const name of names) {
    if (found.length >= PROBLEMS_MAX) return;
    if (!properties.has(name)) found.push({ at: join(at, name), problem: "is not known here" });
  }
}

function explainValue(schema: TSchema, value: unknown, at: string, found: Problem[]): void {
  for (const error of Errors(schema, value)) {
    if (found.length >= PROBLEMS_MAX) return;
    const problem = problemOf(error);
    if (problem !== null) found.push({ at, problem });
  }
}

/** In words that a client's author can use. */
function problemOf(error: TLocalizedValidationError): string | null {
  switch (error.keyword) {
    // It repeats what the errors beside it say better.
    case "anyOf":
      return null;
    case "format":
      return FORMATS[error.params.format] ?? error.message;
    case "pattern":
      return "has characters or a length that are not allowed";
    default:
      return error.message;
  }
}

function tooManyItems(at: string, { maxItems }: ListNode): Problem {
  return { at, problem: `must not have more than ${maxItems} items` };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function join(at: string, name: string): string {
  const shown = name.length > NAME_MAX ? `${name.slice(0, NAME_MAX)}…` : name;
  return at === "" ? shown : `${at}/${shown}`;
}
