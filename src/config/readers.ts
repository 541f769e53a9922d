/** How the texts of configuration variables are read. Used by keys.ts and its parts. */
import { type AddressRule, parseAddressRules } from "../base/networks.ts";
import type { Read } from "./key.ts";

export const right = <T>(value: T): Read<T> => ({ ok: true, value });
export const wrong: Read<never> = { ok: false };

export function integer(min: number, max: number): (text: string) => Read<number> {
  return (text) => {
    if (!/^\d{1,12}$/.test(text)) return wrong;
    const value = Number(text);
    return value >= min && value <= max ? right(value) : wrong;
  };
}

export function onOff(text: string): Read<boolean> {
  const word = text.toLowerCase();
  if (["on", "true", "1", "yes"].includes(word)) return right(true);
  return ["off", "false", "0", "no"].includes(word) ? right(false) : wrong;
}

/** The URL without credentials and without anything after the path, so that it may be shown. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return "something that is not a URL";
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

export function url(...protocols: string[]): (text: string) => Read<string> {
  return (text) => {
    if (!URL.canParse(text)) return { ok: false, found: shownUrl(text) };
    const { protocol, hostname, searchParams } = new URL(text);
    // A PostgreSQL URL may name its host, or a socket's folder, in the query.
    const hosted = hostname !== "" || searchParams.has("host");
    if (protocols.includes(protocol) && hosted) return right(text);
    return { ok: false, found: shownUrl(text) };
  };
}

export function oneOf<T extends string>(...words: T[]): (text: string) => Read<T> {
  return (text) => {
    const word = words.find((one) => one === text.toLowerCase());
    return word === undefined ? wrong : right(word);
  };
}

export function addressRules(text: string): Read<AddressRule[]> {
  const rules = parseAddressRules(text);
  return "wrong" in rules ? { ok: false, found: `"${rules.wrong}"` } : right(rules.rules);
}
