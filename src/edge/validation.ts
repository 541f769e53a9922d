/**
 * Reads what a request or a socket event brings, by its schema: path and query text is
 * turned into the integers and lists that the schema names, then everything is checked by a
 * compiled TypeBox validator. The one mechanism; fastify's own validation is not used.
 */
import type { TObject, TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { ok, type Result, refused } from "../protocol/errors.ts";
import { createProblemFinder, type Problem } from "./payload-problems.ts";

export type Source = "path" | "query" | "body" | "payload";

export type Reader = (value: unknown) => Result<Record<string, unknown>>;

/** A reader for one part of a request. Refuses: invalid_payload, with the problems. */
export function createReader(source: Source, schema: TObject): Reader {
  const validator = Compile(schema);
  const finder = createProblemFinder(schema);
  const isJson = source === "body" || source === "payload";
  const convert = isJson ? null : createConverter(schema);
  return (value) => {
    if (source === "body" && value === undefined) {
      return refused("invalid_payload", "A JSON body is expected.");
    }
    const input = convert === null ? value : convert(value as Record<string, unknown>);
    const excess = finder.excess(input);
    if (excess === null && validator.Check(input)) return ok(input as Record<string, unknown>);
    // The object that fastify makes of an address is no plain one.
    const problems = excess ?? finder.problems(isJson ? input : { ...(input as object) });
    const [first] = problems;
    return refused(
      "invalid_payload",
      first === undefined ? "The request is not valid." : sentence(source, first),
      problems.map((problem) => ({ in: source, ...problem })),
    );
  };
}

function sentence(source: Source, { at, problem }: Problem): string {
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
