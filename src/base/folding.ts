/**
 * Texts as word rules and the search compare them: without case, width, accents and characters that
 * are not seen. `folded` is the fast way for the question whether anything matches; `mapped` also
 * knows of each character of the result where it came from, for masks.
 */

/** Accents: combining marks for any script. The vowel signs of Indic scripts are no accents. */
const ACCENTS = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]/gu;
/** Zero-width spaces and joiners, soft hyphens, direction marks, variation selectors. */
const UNSEEN =
  /\p{Cf}|\u034f|[\u115f\u1160\u3164\uffa0]|[\u17b4\u17b5]|[\u180b-\u180f]|[\ufe00-\ufe0f]/gu;
/** Letters that are not taken apart by normalization. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  æ: "ae",
  œ: "oe",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  ħ: "h",
  ı: "i",
  ς: "σ",
};
const UNTAKEN = /[ßæœøłđðħıς]/gu;

// biome-ignore lint/suspicious/noControlCharactersInRegex: it means ASCII.
const ASCII = /^[\x00-\x7f]*$/;

export function folded(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .toLowerCase()
    .normalize("NFKD")
    .replace(UNSEEN, "")
    .replace(ACCENTS, "")
    .replace(UNTAKEN, (letter) => LETTERS[letter] ?? letter);
}

/** Without unseen characters, else as it is. */
export function seen(text: string): string {
  return ASCII.test(text) ? text : text.replace(UNSEEN, "");
}

/** As names of hosts are compared: without case and width; accents make another host. */
export function asHost(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return seen(text).normalize("NFKC").toLowerCase().replace(/[。｡]/g, ".");
}

export interface Mapped {
  text: string;
  /** The first unit of the character that each UTF-16 unit of `text` came from. */
  from: number[];
}

/** The result of `fold`, character by character. */
export function mapped(text: string, fold: (character: string) => string): Mapped {
  const from: number[] = [];
  let result = "";
  let at = 0;
  for (const character of text) {
    const part = fold(character);
    for (let i = 0; i < part.length; i++) from.push(at);
    result += part;
    at += character.length;
  }
  return { text: result, from };
}
