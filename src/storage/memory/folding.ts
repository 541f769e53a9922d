/** Words for comparing names; the twin of sql/functions/fold_name.sql and name_words.sql. Pure. */

const SPECIAL: Readonly<Record<string, string>> = {
  ...{ ø: "o", ł: "l", đ: "d", ð: "d", ħ: "h", ı: "i", ς: "σ" },
  ...{ ß: "ss", æ: "ae", œ: "oe" },
};

export function folded(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[øłđðħıςßæœ]/g, (letter) => SPECIAL[letter]!);
}

/** Whether each word of `q` begins a word of `text`. */
export function beginsWords(q: string, text: string): boolean {
  const words = wordsOf(text);
  return wordsOf(q).every((asked) => words.some((word) => word.startsWith(asked)));
}

/** Whether each word of `q` begins the username or a word of the display name. */
export function isNamed(
  q: string,
  { username, display_name }: { username: string; display_name: string },
): boolean {
  const own = [username, ...wordsOf(display_name)];
  return folded(q)
    .trim()
    .split(/\s+/)
    .every((asked) => own.some((word) => word.startsWith(asked)));
}

function wordsOf(text: string): string[] {
  return folded(text)
    .split(/[\s!-/:-@[-`{-~]+/)
    .filter((word) => word !== "");
}
