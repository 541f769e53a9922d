/** What an application's code gives back must be JSON, and a fault has its place. */

import { Faulty } from "./faulty.ts";

/** The place of the first value that JSON does not have; null: there is none. */
export function notJson(value: unknown, place: string, above: object[] = []): string | null {
  switch (typeof value) {
    case "string":
      return value.includes("\u0000") ? `${place} has a NUL` : null;
    case "number":
      return Number.isFinite(value) ? null : `${place} is ${value}`;
    case "boolean":
    case "undefined":
      return null;
    case "object":
      break;
    default:
      return `${place} is a ${typeof value}`;
  }
  if (value === null) return null;
  if (above.includes(value)) return `${place} is a cycle`;
  const inside = [...above, value];
  if (Array.isArray(value)) {
    for (const [n, item] of value.entries()) {
      if (item === undefined) return `${place}[${n}] is undefined`;
      const fault = notJson(item, `${place}[${n}]`, inside);
      if (fault !== null) return fault;
    }
    return null;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return `${place} is a ${value.constructor.name}`;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key.includes("\u0000")) return `a key of ${place} has a NUL`;
    const fault = notJson(item, `${place}.${key}`, inside);
    if (fault !== null) return fault;
  }
  return null;
}

/** [APT2] */
export function jsonText(value: unknown, what: string, bytesMax: number): string {
  const fault = notJson(value, what);
  if (fault !== null) throw new Faulty(fault);
  const text = JSON.stringify(value);
  if (text === undefined) throw new Faulty(`${what} is no JSON value`);
  if (text.length > bytesMax || byteLength(text) > bytesMax) {
    throw new Faulty(`${what} is larger than ${bytesMax / 1024} KiB`);
  }
  return text;
}

const encoder = new TextEncoder();
const byteLength = (text: string) => encoder.encode(text).length;
