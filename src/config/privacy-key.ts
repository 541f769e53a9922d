/** The variable PRIVACY_DEFAULTS. Part of CONFIG_KEYS in keys.ts. */
import {
  PRIVACY_CHOICES,
  PRIVACY_DEFAULTS,
  PRIVACY_KEYS,
  type Privacy,
} from "../protocol/privacy.ts";
import type { ConfigKey, Read } from "./key.ts";
import { right, wrong } from "./readers.ts";

/** The choices, in the order of PRIVACY_KEYS. */
function read(text: string): Read<Privacy> {
  const words = text.split(",").map((word) => word.trim().toLowerCase());
  if (words.length !== PRIVACY_KEYS.length) return wrong;
  const chosen: Record<string, string | boolean> = {};
  for (const [n, key] of PRIVACY_KEYS.entries()) {
    const choice = PRIVACY_CHOICES[key].find((one) => String(one) === words[n]);
    if (choice === undefined) return { ok: false, found: `"${words[n]}" for ${key}` };
    chosen[key] = choice;
  }
  return right(chosen as unknown as Privacy);
}

export const PRIVACY_KEY = {
  name: "PRIVACY_DEFAULTS",
  meaning: `what holds for users who have not chosen themselves: ${PRIVACY_KEYS.join(", ")}`,
  unit: "",
  default: Object.values(PRIVACY_DEFAULTS).join(", "),
  wants: "six words in that order, such as contacts, nobody, true, everyone, contacts, false",
  read,
} satisfies ConfigKey<Privacy>;
