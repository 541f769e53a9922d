/**
 * Reads what a request or a socket event brings, by its schema: path and query text is
 * turned into the integers and lists that the schema names, then everything is checked by a
 * compiled TypeBox validator. The one mechanism; fastify's own validation is not used.
 */
import type { TObject, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import type { TLocalizedValidationError } from "typebox/error";
import { ok, type Result, refused } from "../protocol/errors.ts";

export type Source = "path" | "query" | "body" | "payload";

export interface Problem {
  in: Source;
  /** Where, as in `member_ids/0`; "" for the whole. */
  at: string;
  problem: string;
}

export type Reader = (value: unknown) => Result<Record<string, unknown>>;

/** More would be an echo of the request, not help. */
const PROBLEMS_MAX = 10;

const FORMATS: Readonly<Record<string, string>> = {
  id: "must be an id: a decimal number as a string",
  body: "must be 1–4,000 characters, not all white space, without control characters",
  title: "must be 1–80 characters, not all white space, without control characters",
  notice: "must be 1–500 characters, not all white space, without control characters",
};

/** A reader for one part of a request. Refuses: invalid_payload, with the problems. */
export function createReader(source: Source, schema: TObject): Reader {
  const validator = Compile(schema);
  const isJson = source === "body" || source === "payload";
  const convert = isJson ? null : createConverter(schema);
  return (value) => {
    if (source === "body" && value === undefined) {
      return refused("invalid_payload", "A JSON body is expected.");
    }
    const input = convert === null ? value : convert(value as Record<string, unknown>);
    if (validator.Check(input)) return ok(input as Record<string, unknown>);
    const tooLong = tooLongList(schema, input);
    const problems =
      tooLong === null ? problemsOf(source, validator.Errors(input)) : [{ in: source, ...tooLong }];
    const first = problems[0];
    return refused(
      "invalid_payload",
      first === undefined ? "The request is not valid." : sentence(first),
      problems,
    );
  };
}

/** Found first: to list what is wrong in each of 30,000 items takes tens of milliseconds. */
function tooLongList(schema: TObject, input: unknown): { at: string; problem: string } | null {
  if (typeof input !== "object" || input === null) return null;
  for (const [at, property] of Object.entries(schema.properties)) {
    const { maxItems } = property as TSchema & { maxItems?: number };
    const list = (input as Record<string, unknown>)[at];
    if (maxItems !== undefined && Array.isArray(list) && list.length > maxItems) {
      return { at, problem: `must not have more than ${maxItems} items` };
    }
  }
  return null;
}

/** What is wrong, in words a client's author can use. */
export function problemsOf(source: Source, errors: TLocalizedValidationError[]): Problem[] {
  const problems: Problem[] = [];
  for (const error of errors) {
    if (problems.length === PROBLEMS_MAX) break;
    const at = error.instancePath.slice(1).replaceAll("~1", "/").replaceAll("~0", "~");
    switch (error.keyword) {
      case "boolean":
        problems.push({ in: source, at, problem: "is not known here" });
        break;
      // Both repeat what the errors beside them say better.
      case "additionalProperties":
      case "anyOf":
        break;
      case "required":
        for (const name of error.params.requiredProperties) {
          problems.push({
            in: source,
            at: at === "" ? name : `${at}/${name}`,
            problem: "is missing",
          });
        }
        break;
      case "format":
        problems.push({ in: source, at, problem: FORMATS[error.params.format] ?? error.message });
        break;
      case "pattern":
        problems.push({
          in: source,
          at,
          problem: "has characters or a length that are not allowed",
        });
        break;
      default:
        problems.push({ in: source, at, problem: error.message });
    }
  }
  return problems;
}

function sentence({ in: source, at, problem }: Problem): string {
  return `${source}${at === "" ? "" : `: ${at}`} ${problem}.`;
}

const INTEGER = /^(?:0|-?[1-9][0-9]{0,15})$/;

type Convert = (text: unknown) => unknown;

/** Text that does not read as its type stays text, for the validator to refuse. */
function toInteger(text: unknown): unknown {
  return typeof text === "string" && INTEGER.test(text) ? Number(text) : text;
}

function toList(text: unknown): unknown {
  return typeof text === "string" ? text.split(",") : text;
}

function createConverter(schema: TObject) {
  const converts: [string, Convert][] = [];
  for (const [name, property] of Object.entries(schema.properties)) {
    const type = (property as TSchema & { type?: string }).type;
    if (type === "integer") converts.push([name, toInteger]);
    else if (type === "array") converts.push([name, toList]);
  }
  return (value: Record<string, unknown>) => {
    for (const [name, convert] of converts) {
      const text = value[name];
      if (text !== undefined) value[name] = convert(text);
    }
    return value;
  };
}
