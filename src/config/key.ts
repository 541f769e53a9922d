/** The shape of one configuration variable. The variables themselves are in keys.ts and limit-keys.ts. */

/** What became of a variable's text: its value, or a refusal that may name what was found. */
export type Read<T> = { ok: true; value: T } | { ok: false; found?: string };

export interface ConfigKey<T> {
  name: string;
  meaning: string;
  /** "" where the value has none. */
  unit: string;
  /** As one would write it; "" where there is none. */
  default: string;
  /** What would be right, as the end of "should be …". */
  wants: string;
  tooSmall?: string;
  tooLarge?: string;
  /** Never shown, not even when it is wrong. */
  secret?: true;
  /** `text` is trimmed and not empty. `found` replaces the text in the message. */
  read(text: string): Read<T>;
}
