/**
 * Files: the contract's object, its bounds, and the names that files may have.
 *
 * [FIL1] A name has 1–255 code points, and neither control characters nor what turns the direction
 *        of text; of a path only its last part is kept. One that has nothing left is "file".
 */
import type { Static } from "typebox";
import Type from "typebox";
import { codePoints } from "./text.ts";

export const SIMPLE_UPLOAD_BYTES_MAX = 10 * 1024 * 1024;
export const ATTACHMENTS_MAX = 10;
/** So many of a file's first bytes tell what it is. */
export const SNIFFED_BYTES = 4096;
const NAME_MAX = 255;

export type FileKind = "image" | "video" | "audio" | "file";
export type FileState = "processing" | "ready" | "refused";

const id = Type.String({ format: "id", description: "Decimal id.", examples: ["42"] });

export const FileKindName = Type.Union([
  Type.Literal("image"),
  Type.Literal("video"),
  Type.Literal("audio"),
  Type.Literal("file"),
]);

/** A file as everybody is shown it. */
export const FileObject = Type.Object({
  id,
  name: Type.String(),
  mime: Type.String({ description: "What the bytes are, not what was claimed." }),
  bytes: Type.Integer({ minimum: 0 }),
  kind: FileKindName,
  width: Type.Optional(Type.Integer({ minimum: 1 })),
  height: Type.Optional(Type.Integer({ minimum: 1 })),
  duration_ms: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: "How long a sound or a film plays, where its header says so.",
    }),
  ),
  placeholder: Type.Optional(Type.String({ description: "A thumbhash in base64." })),
  state: Type.Union([Type.Literal("ready"), Type.Literal("processing"), Type.Literal("refused")]),
  url: Type.String({
    description: "Signed and relative; good for one to two times FILE_URL_TTL_S.",
    examples: ["/files/42/k3f0a.5hZ2"],
  }),
  thumb_url: Type.Optional(Type.String({ description: "An image of at most 640 pixels a side." })),
  created_at: Type.String({ format: "time", description: "ISO 8601, UTC, milliseconds." }),
});
export type FileObject = Static<typeof FileObject>;

/** Files that a message is to show, by their ids. */
export const Attachments = Type.Array(
  Type.Object({ file_id: id }, { additionalProperties: false }),
  { maxItems: ATTACHMENTS_MAX, description: "Files that the sender has uploaded." },
);

const CONTROLS = /[\p{Cc}\p{Cs}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;

/** [FIL1] */
export function fileNameOf(text: string): string {
  const last = text.slice(Math.max(text.lastIndexOf("/"), text.lastIndexOf("\\")) + 1);
  const clean = last.replace(CONTROLS, "").trim();
  if (clean === "" || clean === "." || clean === "..") return "file";
  return codePoints(clean) <= NAME_MAX ? clean : shortened(clean);
}

/** The extension is kept. */
function shortened(name: string): string {
  const points = [...name];
  const dot = points.lastIndexOf(".");
  const ending = dot > 0 && points.length - dot <= 16 ? points.slice(dot) : [];
  return [...points.slice(0, NAME_MAX - ending.length), ...ending].join("");
}

/**
 * Pictures that are made ready before anybody is served them: every type that may hold where they
 * were taken.
 */
export function isPrepared(mime: string): boolean {
  return kindOf(mime) === "image" && mime !== "image/bmp";
}

/** Names the thumbnail of a file, in its address and in the store. */
export function thumbOf(id: string): string {
  return `${id}t`;
}

/** Names the bytes of a file that is not ready, in the address that a scanner is given. */
export function unscannedOf(id: string): string {
  return `${id}s`;
}

export function kindOf(mime: string): FileKind {
  // A picture that can run scripts is none that is shown in place.
  if (mime === "image/svg+xml") return "file";
  const [top] = mime.split("/");
  return top === "image" || top === "video" || top === "audio" ? top : "file";
}
