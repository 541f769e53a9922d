/** Words for comparing names; the twin of sql/functions/folded_words.sql. Pure. */

const SPECIAL: Readonly<Record<string, string>> = { ø: "o", ł: "l", đ: "d", ı: "i", ß: "ss" };

export function foldedWords(text: string): string[] {
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[øłđıß]/g, (letter) => SPECIAL[letter]!)
    .split(/[\s\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u3000-\u303f]+/)
    .filter((word) => word !== "");
}

/** Whether each word of `q` begins a word of `text`. */
export function beginsWords(q: string, text: string): boolean {
  const words = foldedWords(text);
  return foldedWords(q).every((asked) => words.some((word) => word.startsWith(asked)));
}
