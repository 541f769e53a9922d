/**
 * The string formats that the schemas name, registered with TypeBox once, on import.
 * Everything that compiles a schema imports this first (schemas.ts does).
 */
import Format from "typebox/format";
import { utf8Bytes } from "./app-data.ts";
import { isId } from "./ids.ts";
import { reactionKeyOf } from "./reaction-keys.ts";
import {
  BODY_MAX,
  isDraft,
  isPiece,
  isText,
  LABEL_MAX,
  NOTE_MAX,
  NOTICE_MAX,
  QUESTION_MAX,
  TITLE_MAX,
} from "./text.ts";

const IMAGE_URL_MAX = 2048;
const PIECE_BYTES_MAX = 4 * 1024;
/** With a host, and without a name and password, which do not belong into a picture's address. */
const HTTPS_ADDRESS = /^https:\/\/[^\s/?#\\@:]+(?::\d{1,5})?(?:[/?#][^\s\\]*)?$/i;
/** The path of a file of Troupe's own. */
const OWN_FILE = /^\/(?:[\w.~-]{1,60}\/){0,8}files\/\d{1,18}\/[\w.-]{1,40}$/;

Format.Set("id", isId);
/** Message, post and comment bodies: 1–4,000 code points. */
Format.Set("body", (value) => isText(value, BODY_MAX));
Format.Set("message_body", (value) => value === "" || isText(value, BODY_MAX));
/** Titles and display names: 1–80 code points. */
Format.Set("title", (value) => isText(value, TITLE_MAX));
/** An application's own name of something: 1–64 code points. */
Format.Set("label", (value) => isText(value, LABEL_MAX));
/** What messages are searched for: 1–200 code points. */
Format.Set("question", (value) => isText(value, QUESTION_MAX));
/** The sentence of a notification: 1–500 code points. */
Format.Set("note", (value) => value === "" || isText(value, NOTE_MAX));
Format.Set("notice", (value) => isText(value, NOTICE_MAX));
/** A draft: at most 4,000 code points, white space alone and nothing at all included. */
Format.Set("draft", (value) => isDraft(value, BODY_MAX));
/** What is appended to a streamed message: at most 4 KiB of UTF-8, and maybe nothing. */
Format.Set(
  "piece",
  (value) =>
    value.length <= PIECE_BYTES_MAX && utf8Bytes(value) <= PIECE_BYTES_MAX && isPiece(value),
);
/** A time that a client gives: of the contract's form, and one that exists. */
Format.Set("moment", (value) => {
  const atMs = Date.parse(value);
  return !Number.isNaN(atMs) && new Date(atMs).toISOString() === value;
});
Format.Set(
  "time",
  (value) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value) && !Number.isNaN(Date.parse(value)),
);
/** A language tag that Intl knows the form of. */
Format.Set("locale", isLocale);
/** A time zone that Intl knows. */
Format.Set("time_zone", isTimeZone);
/** An https address that a browser can load a picture from, or the path of an own file. */
Format.Set("image_url", (value) => isImageUrl(value) || OWN_FILE.test(value));

export function isImageUrl(value: string): boolean {
  return isText(value, IMAGE_URL_MAX) && HTTPS_ADDRESS.test(value);
}
/** Before it is normalised: see reactionKeyOf. */
Format.Set("reaction_key", (value) => reactionKeyOf(value) !== null);

function isLocale(value: string): boolean {
  try {
    return value.length <= 64 && Intl.getCanonicalLocales(value).length === 1;
  } catch {
    // RangeError: it has not the form of a tag.
    return false;
  }
}

function isTimeZone(value: string): boolean {
  try {
    // An offset such as +02:00 is none of the database's names.
    return /^[A-Za-z]/.test(value) && new Intl.DateTimeFormat("en", { timeZone: value }) !== null;
  } catch {
    // RangeError: there is no such zone.
    return false;
  }
}
