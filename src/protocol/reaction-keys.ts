/**
 * The keys of reactions: emoji, or words of the application such as `+1` or `:party:`.
 *
 * [RKY1] A key is normalised to NFC; then it has 1 to 16 code points and at most 64 bytes of UTF-8.
 * [RKY2] It has a visible character, and no white space, control character, `/` or `\`. It does
 *        not consist of dots alone, because it stands in a path.
 * [RKY3] Keys that differ in U+FE0F only are the same key. A message shows the form first used.
 */
import { codePoints } from "./text.ts";

/** Different keys on one message. */
export const REACTION_KEYS_MAX = 20;
/** Reactions that come and go in one change of a message. */
export const REACTION_CHANGES_MAX = 50;
export const LAST_REACTORS_MAX = 5;
const CODE_POINTS_MAX = 16;
const BYTES_MAX = 64;
/** Longer text is refused before it is normalised: NFC makes at most four characters one. */
const UNITS_MAX = 256;

const FORBIDDEN = /[\p{White_Space}\p{Cc}\p{Surrogate}/\\]/u;
const VISIBLE = /\P{Default_Ignorable_Code_Point}/u;
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;
const DOTS = /^\.+$/;
const VARIATION_SELECTOR = /\ufe0f/g;

/** The key in its normal form; null where the text is no key. */
export function reactionKeyOf(text: string): string | null {
  if (text.length === 0 || text.length > UNITS_MAX) return null;
  const key = text.normalize("NFC");
  if (codePoints(key) > CODE_POINTS_MAX || byteLength(key) > BYTES_MAX) return null;
  if (FORBIDDEN.test(key) || !VISIBLE.test(key)) return null;
  return DOTS.test(key.replace(IGNORABLE, "")) ? null : key;
}

/** Of keys that are the same this is equal; it is never shown. */
export function foldedReactionKey(key: string): string {
  return key.replace(VARIATION_SELECTOR, "");
}

/** Of well-formed UTF-16, in UTF-8. This file is also for browsers, which have no Buffer. */
function byteLength(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
