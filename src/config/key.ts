/** The type of one configuration variable. The variables are in keys.ts and limit-keys.ts. */

/**
 * The result of reading a variable's text: its value, or a refusal that may name the text found.
 */
export type Read<T> = { ok: true; value: T } | { ok: false; found?: string };

export interface ConfigKey<T> {
  name: string;
  meaning: string;
  /** "" where the value has none. */
  unit: string;
  /** The default as an operator would write it; "" where there is none. */
  default: string;
  /** Valid values, as the end of the sentence "should be …". */
  wants: string;
  tooSmall?: string;
  tooLarge?: string;
  /** The value is never shown, not even when it is wrong. */
  secret?: true;
  /** `text` is trimmed and not empty. `found` replaces the text in the message. */
  read(text: string): Read<T>;
}
