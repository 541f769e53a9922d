/**
 * Names inside of sentences. A name that is written from right to left, or that holds characters
 * which set a direction, would otherwise reorder the words around it.
 * https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates
 */

// Characters that embed, override or isolate, and the marks.
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const RIGHT_TO_LEFT =
  /[\u061c\u200f\u202b\u202e\u2067]|[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const FIRST_STRONG_ISOLATE = "\u2068";
const POP_ISOLATE = "\u2069";

/** The name as it is, or between isolates and without characters of its own that set a direction. */
export function isolated(name: string): string {
  const plain = name.replace(DIRECTION, "");
  if (plain === name && !RIGHT_TO_LEFT.test(name)) return name;
  return `${FIRST_STRONG_ISOLATE}${plain}${POP_ISOLATE}`;
}

/** Takes isolates off again, for initials. */
export function withoutDirection(text: string): string {
  return text.replace(DIRECTION, "");
}

/** In a sentence of the server; null: the name is not known. */
export function shownName(name: string | null): string {
  return name === null ? "Somebody" : isolated(name);
}
