/**
 * The contract's text rules. Text that passes is stored and sent exactly as it came.
 *
 * [TXT1] Lengths are counted in code points.
 * [TXT2] Text is well-formed Unicode.
 * [TXT3] Tab and newline are the only control characters allowed.
 * [TXT4] White space alone is no text.
 */

export const BODY_MAX = 4000;
export const TITLE_MAX = 80;
export const LABEL_MAX = 64;
/** The sentence of a notification that a service sends. */
export const NOTICE_MAX = 500;
export const NOTE_MAX = 1_000;
/** What messages are searched for. */
export const QUESTION_MAX = 200;

// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is this rule's job
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
const CONTROLS = new RegExp(CONTROL, "g");
/** Not all white space: at least one character outside Unicode's White_Space property. */
const VISIBLE = /\P{White_Space}/u;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** [TXT2] */
export function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Length in Unicode code points (a surrogate pair counts once). */
export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        count--;
        i++;
      }
    }
  }
  return count;
}

/** Whether `text` is one that its writer may go on with: as isText, but it may show nothing yet. */
export function isDraft(text: string, max: number): boolean {
  return text.length <= max * 2 && (text.trim() === "" ? isBlank(text, max) : isText(text, max));
}

function isBlank(text: string, max: number): boolean {
  return text.length <= max && !CONTROL.test(text);
}

/** Whether `text` may be appended to a message: of its characters, and maybe none. */
export function isPiece(text: string): boolean {
  return !CONTROL.test(text) && isWellFormed(text);
}

/** `text` without the characters that no text may have. */
export function withoutControls(text: string): string {
  return CONTROL.test(text) ? text.replace(CONTROLS, "") : text;
}

/** Whether `text` holds 1 to `max` code points, is well formed, visible and free of controls. */
export function isText(text: string, max: number): boolean {
  if (text.length === 0 || text.length > max * 2) return false;
  if (text.length > max && codePoints(text) > max) return false;
  return !CONTROL.test(text) && VISIBLE.test(text) && isWellFormed(text);
}
