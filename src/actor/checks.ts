/** Whether a value fits a schema, and the places where it does not. */
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";

export type Check = (value: unknown) => { at: string; problem: string }[];

export function checkOf(schema: TSchema): Check {
  const validator = Compile(schema);
  return (value) => {
    const unknown = unknownKey(schema, value, "");
    if (unknown !== null) return [{ at: unknown, problem: "is not known here" }];
    if (validator.Check(value)) return [];
    return [...validator.Errors(value)].map(({ instancePath, message }) => ({
      at: instancePath.replaceAll("/", "."),
      problem: message,
    }));
  };
}

export const noArgs: Check = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [{ at: "", problem: "should be an object" }];
  }
  const [key] = Object.keys(value);
  return key === undefined ? [] : [{ at: `.${key}`, problem: "is not known here" }];
};

interface ObjectParts {
  type?: string;
  properties?: Record<string, TSchema>;
  patternProperties?: object;
  additionalProperties?: unknown;
  items?: TSchema;
}

/** The place of the first key that the schema does not name. */
function unknownKey(schema: TSchema, value: unknown, at: string): string | null {
  const parts = schema as ObjectParts;
  if (Array.isArray(value)) {
    if (parts.items === undefined || Array.isArray(parts.items)) return null;
    for (const [n, item] of value.entries()) {
      const found = unknownKey(parts.items, item, `${at}.${n}`);
      if (found !== null) return found;
    }
    return null;
  }
  if (typeof value !== "object" || value === null || parts.properties === undefined) return null;
  const isOpen = parts.additionalProperties !== undefined || parts.patternProperties !== undefined;
  for (const [key, item] of Object.entries(value)) {
    const known = Object.hasOwn(parts.properties, key) ? parts.properties[key] : undefined;
    if (known === undefined) {
      if (isOpen) continue;
      return `${at}.${key}`;
    }
    const found = unknownKey(known, item, `${at}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
