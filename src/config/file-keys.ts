/** Configuration of files that users upload. Part of CONFIG_KEYS in keys.ts. */
import { isExecutable } from "../base/sniff.ts";
import type { S3Store } from "./file-store-keys.ts";
import type { ConfigKey, Read } from "./key.ts";
import { integer, right, url } from "./readers.ts";

/** What the configuration of files is read into. */
export interface FilesConfig {
  fileBytesMax: number;
  /** Patterns such as `image/*`; null: everything but executables. */
  fileTypes: string[] | null;
  fileQuotaBytes: number;
  importBytesMax: number;
  fileUrlTtlS: number;
  /** Null: no scanner is asked about files. */
  fileHookUrl: string | null;
  /** Null: files are in DATA_DIR. */
  fileStore: S3Store | null;
}

const PATTERN = /^(?:\*|[a-z0-9!#$&^_.+-]+)\/(?:\*|[a-z0-9!#$&^_.+-]+)$/;

function fileTypes(text: string): Read<string[]> {
  const patterns = text.split(",").map((one) => one.trim().toLowerCase());
  const wrong = patterns.find((one) => !PATTERN.test(one));
  return wrong === undefined ? right(patterns) : { ok: false, found: `"${wrong}"` };
}

/** Whether files of this MIME type are taken. An executable has to be named itself. */
export function isTakenType(types: readonly string[] | null, mime: string): boolean {
  if (isExecutable(mime)) return types?.includes(mime) ?? false;
  if (types === null) return true;
  const [top] = mime.split("/");
  return types.some((one) => one === mime || one === "*/*" || one === `${top}/*`);
}

export const FILE_KEYS = {
  fileBytesMax: {
    name: "FILE_BYTES_MAX",
    meaning: "largest file that is taken",
    unit: "bytes",
    default: "104857600",
    wants: "a whole number from 1 to 1099511627776",
    tooSmall: "people cannot send their videos",
    tooLarge: "a few files fill the disk",
    read: integer(1, 1_099_511_627_776),
  },
  fileTypes: {
    name: "FILE_TYPES",
    meaning:
      "types of files that are taken, by what their bytes are; by default all but executables",
    unit: "",
    default: "",
    wants: "a comma list of MIME types such as image/*,application/pdf",
    read: fileTypes,
  },
  fileQuotaBytes: {
    name: "FILE_QUOTA_BYTES",
    meaning: "bytes that the files of one user may take together",
    unit: "bytes",
    default: "5368709120",
    wants: "a whole number from 1 to 999999999999",
    tooSmall: "people have to delete before they can send",
    tooLarge: "one account can fill the disk",
    read: integer(1, 999_999_999_999),
  },
  importBytesMax: {
    name: "IMPORT_BYTES_MAX",
    meaning: "largest body of an import, which waits on the disk until it is written",
    unit: "bytes",
    default: "17179869184",
    wants: "a whole number from 1 to 1099511627776",
    tooSmall: "files have to be cut in pieces before they are imported",
    tooLarge: "one service can fill the disk",
    read: integer(1, 1_099_511_627_776),
  },
  fileUrlTtlS: {
    name: "FILE_URL_TTL_S",
    meaning:
      "how long the address of a file is good at least; it is good for twice as long at most",
    unit: "seconds",
    default: "3600",
    wants: "a whole number from 1 to 604800",
    tooSmall: "pictures of a page that stays open stop loading, and caches are of no use",
    tooLarge: "who was removed can still open what they saw for that long",
    read: integer(1, 604_800),
  },
  fileHookUrl: {
    name: "FILE_HOOK_URL",
    meaning: "address of a scanner that is asked about each file before it is ready",
    unit: "",
    default: "",
    wants: "a URL like https://scanner.example.com/troupe",
    read: url("https:", "http:"),
  },
} as const satisfies Record<string, ConfigKey<unknown>>;
