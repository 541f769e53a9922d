/**
 * What a file is, by its first bytes and not by what was claimed. Text has no signature: it
 * is recognised as UTF-8, and HTML and SVG, which browsers run, are recognised among it.
 *
 * [SNF1] Executables are known by their bytes whatever they claim to be: programs of Windows, Linux
 *        and macOS, Java classes, WebAssembly, and scripts that begin with `#!`.
 * [SNF4] What a browser records of a voice alone is a sound, though its container is that of films: WebM
 *        without a codec of pictures, MP4 whose tracks are all of sound.
 */
import { isUtf8 } from "node:buffer";

export const UNKNOWN = "application/octet-stream";

interface Signature {
  at?: number;
  /** Latin-1; "?" is any byte. */
  bytes: string;
  mime: string;
}

const SIGNATURES: readonly Signature[] = [
  { bytes: "\x89PNG\r\n\x1a\n", mime: "image/png" },
  { bytes: "\xff\xd8\xff", mime: "image/jpeg" },
  { bytes: "GIF87a", mime: "image/gif" },
  { bytes: "GIF89a", mime: "image/gif" },
  { bytes: "RIFF????WEBP", mime: "image/webp" },
  { bytes: "RIFF????WAVE", mime: "audio/wav" },
  { bytes: "RIFF????AVI ", mime: "video/x-msvideo" },
  { bytes: "II*\0", mime: "image/tiff" },
  { bytes: "MM\0*", mime: "image/tiff" },
  { bytes: "BM????\0\0\0\0", mime: "image/bmp" },
  { bytes: "\0\0\x01\0", mime: "image/x-icon" },
  { at: 4, bytes: "ftypavif", mime: "image/avif" },
  { at: 4, bytes: "ftypavis", mime: "image/avif" },
  { at: 4, bytes: "ftyphei", mime: "image/heic" },
  { at: 4, bytes: "ftyphev", mime: "image/heic" },
  { at: 4, bytes: "ftypmif1", mime: "image/heif" },
  { at: 4, bytes: "ftypM4A", mime: "audio/mp4" },
  { at: 4, bytes: "ftypM4B", mime: "audio/mp4" },
  { at: 4, bytes: "ftypqt  ", mime: "video/quicktime" },
  { at: 4, bytes: "ftyp3g", mime: "video/3gpp" },
  { at: 4, bytes: "ftyp", mime: "video/mp4" },
  { bytes: "ID3", mime: "audio/mpeg" },
  { bytes: "\xff\xfb", mime: "audio/mpeg" },
  { bytes: "\xff\xf3", mime: "audio/mpeg" },
  { bytes: "\xff\xf2", mime: "audio/mpeg" },
  { bytes: "\xff\xf1", mime: "audio/aac" },
  { bytes: "\xff\xf9", mime: "audio/aac" },
  { bytes: "fLaC", mime: "audio/flac" },
  { bytes: "FORM????AIFF", mime: "audio/aiff" },
  { bytes: "#!AMR", mime: "audio/amr" },
  { bytes: "%PDF-", mime: "application/pdf" },
  { bytes: "PK\x05\x06", mime: "application/zip" },
  { bytes: "\x1f\x8b", mime: "application/gzip" },
  { bytes: "BZh", mime: "application/x-bzip2" },
  { bytes: "\xfd7zXZ\0", mime: "application/x-xz" },
  { bytes: "7z\xbc\xaf\x27\x1c", mime: "application/x-7z-compressed" },
  { bytes: "Rar!\x1a\x07", mime: "application/vnd.rar" },
  { bytes: "(\xb5/\xfd", mime: "application/zstd" },
  { at: 257, bytes: "ustar", mime: "application/x-tar" },
  { bytes: "{\\rtf", mime: "application/rtf" },
  { bytes: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", mime: "application/x-cfb" },
  { bytes: "SQLite format 3\0", mime: "application/vnd.sqlite3" },
  { bytes: "wOFF", mime: "font/woff" },
  { bytes: "wOF2", mime: "font/woff2" },
  { bytes: "OTTO", mime: "font/otf" },
  // [SNF1]
  { bytes: "MZ", mime: "application/x-msdownload" },
  { bytes: "\x7fELF", mime: "application/x-executable" },
  { bytes: "\xfe\xed\xfa\xce", mime: "application/x-mach-binary" },
  { bytes: "\xfe\xed\xfa\xcf", mime: "application/x-mach-binary" },
  { bytes: "\xce\xfa\xed\xfe", mime: "application/x-mach-binary" },
  { bytes: "\xcf\xfa\xed\xfe", mime: "application/x-mach-binary" },
  { bytes: "\xca\xfe\xba\xbe", mime: "application/java-vm" },
  { bytes: "\0asm", mime: "application/wasm" },
  { bytes: "#!", mime: "text/x-shellscript" },
];

/** What claims to be an executable, beside what is one by its bytes. */
const EXECUTABLES: ReadonlySet<string> = new Set([
  "application/x-msdownload",
  "application/x-msdos-program",
  "application/x-dosexec",
  "application/vnd.microsoft.portable-executable",
  "application/x-executable",
  "application/x-elf",
  "application/x-pie-executable",
  "application/x-sharedlib",
  "application/x-mach-binary",
  "application/x-msi",
  "application/x-bat",
  "application/x-sh",
  "application/x-csh",
  "application/java-vm",
  "application/java-archive",
  "application/wasm",
  "application/vnd.android.package-archive",
  "text/x-shellscript",
  "text/x-sh",
]);

export function isExecutable(mime: string): boolean {
  return EXECUTABLES.has(mime);
}

/** The MIME type of a file that begins so. `isAll`: these are all of its bytes. */
export function sniff(head: Buffer, isAll: boolean): string {
  const start = head.toString("latin1");
  if (start.startsWith("PK\x03\x04")) return zipType(start);
  if (start.startsWith("\x1aE\xdf\xa3")) {
    if (!start.slice(0, 64).includes("webm")) return "video/x-matroska";
    return isSoundWebm(start) ? "audio/webm" : "video/webm";
  }
  if (start.startsWith("OggS")) {
    return start.includes("\x01video") || start.includes("\x80theora") ? "video/ogg" : "audio/ogg";
  }
  const found = SIGNATURES.find((one) => matches(start, one));
  if (found?.mime === "video/mp4" && isSoundOnly(start)) return "audio/mp4";
  if (found !== undefined) return found.mime;
  return isText(head, isAll) ? textType(start) : UNKNOWN;
}

/**
 * [SNF4] Each track names its codec, `A_…` or `V_…`. All tracks are described before the first cluster;
 * where that is further on, it is not known whether one of pictures follows.
 */
function isSoundWebm(start: string): boolean {
  const tracks = start.slice(0, Math.max(0, start.indexOf("\x1fC\xb6u")));
  return /A_[A-Z]/.test(tracks) && !/V_[A-Z]/.test(tracks);
}

/**
 * [SNF4] Each track says in its `hdlr` box whether it is sound or pictures. All are in the box `moov`;
 * where that is not here as a whole, it is not known.
 */
function isSoundOnly(start: string): boolean {
  const at = start.indexOf("moov") - 4;
  if (at < 0 || at + Buffer.from(start.slice(at, at + 4), "latin1").readUInt32BE() > start.length) {
    return false;
  }
  const handlers = [...start.matchAll(/hdlr[\s\S]{8}([a-z]{4})/g)].map(([, handler]) => handler);
  return handlers.includes("soun") && !handlers.includes("vide");
}

function matches(start: string, { at = 0, bytes }: Signature): boolean {
  if (start.length < at + bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== "?" && start[at + i] !== bytes[i]) return false;
  }
  return true;
}

/** Where the name of a ZIP's first entry begins. */
const ZIP_NAME_AT = 30;
const MIMETYPE = "mimetype";

/** Documents that are packed as ZIP say what they are in their first entries. */
function zipType(start: string): string {
  const named = start.slice(ZIP_NAME_AT, ZIP_NAME_AT + MIMETYPE.length);
  if (named === MIMETYPE) {
    const [type = ""] =
      /^[a-z0-9.+/-]{3,100}/.exec(start.slice(ZIP_NAME_AT + MIMETYPE.length)) ?? [];
    if (type.includes("/")) return type;
  }
  const office = "application/vnd.openxmlformats-officedocument.";
  if (start.includes("word/")) return `${office}wordprocessingml.document`;
  if (start.includes("xl/")) return `${office}spreadsheetml.sheet`;
  if (start.includes("ppt/")) return `${office}presentationml.presentation`;
  if (start.includes("AndroidManifest.xml")) return "application/vnd.android.package-archive";
  if (start.includes("META-INF/MANIFEST.MF")) return "application/java-archive";
  return "application/zip";
}

/** UTF-8 without control characters that no text has. A head may end inside of a character. */
function isText(head: Buffer, isAll: boolean): boolean {
  if (head.some((byte) => byte < 0x20 && !(byte >= 0x07 && byte <= 0x0d) && byte !== 0x1b)) {
    return false;
  }
  if (isUtf8(head)) return true;
  return !isAll && [1, 2, 3].some((cut) => isUtf8(head.subarray(0, head.length - cut)));
}

const HTML =
  /^\s*(?:<!--[\s\S]*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|iframe|style|title|meta|table|div|p|a|img|h[1-6]|br)[\s>/]/i;
const SVG = /<svg[\s>]/i;
const MARKUP = /^(?:\xef\xbb\xbf)?\s*</;

function textType(start: string): string {
  const text = start.replace(/^\xef\xbb\xbf/, "");
  if (!MARKUP.test(text)) return "text/plain";
  if (HTML.test(text)) return "text/html";
  if (SVG.test(text)) return "image/svg+xml";
  return text.trimStart().startsWith("<?xml") ? "application/xml" : "text/plain";
}
