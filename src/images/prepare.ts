/**
 * Turns an uploaded picture into the one that is served: upright, without metadata, with a thumbnail and a
 * placeholder. Runs in a process of its own (process.ts), for these bytes are strangers' and their
 * decoders are not written in JavaScript.
 *
 * [IMG1] Nothing of the original's metadata is in the result: every picture is encoded again.
 * [IMG2] Sizes are read from the header and bounded before anything is decoded.
 * [IMG3] Only the decoder of the type that the bytes were recognised as is used.
 */

/** A side of the thumbnail, in pixels. */
export const THUMB_SIDE = 640;
const PIXELS_MAX = 50_000_000;
/** The pictures of an animation together. */
const ANIMATED_PIXELS_MAX = 200_000_000;
const PLACEHOLDER_SIDE = 100;

/** Paths of files: `source` is there, the others are written. */
export interface ImageOrder {
  source: string;
  mime: string;
  image: string;
  thumb: string;
}

export type ImageReport =
  | { is: "ready"; width: number; height: number; placeholder: string }
  | { is: "refused"; why: string }
  /** sharp cannot be loaded on this host. */
  | { is: "missing"; why: string };

/** What is used of sharp. It is an optional dependency, so its own types may not be there. */
interface Sharp {
  (source: string, options: object): Pipeline;
  cache(isOn: boolean): void;
  concurrency(threads: number): void;
  block(of: { operation: string[] }): void;
  unblock(of: { operation: string[] }): void;
}

interface Pipeline {
  metadata(): Promise<{
    format?: string;
    width?: number;
    height?: number;
    pages?: number;
    pageHeight?: number;
    orientation?: number;
  }>;
  autoOrient(): Pipeline;
  resize(width: number, height: number, options: object): Pipeline;
  ensureAlpha(): Pipeline;
  raw(): Pipeline;
  toFormat(format: string, options: object): Pipeline;
  toFile(path: string): Promise<unknown>;
  toBuffer(options: {
    resolveWithObject: true;
  }): Promise<{ data: Buffer; info: { width: number; height: number } }>;
}

type Thumbhash = (width: number, height: number, rgba: Uint8Array) => Uint8Array;

interface Codec {
  /** As sharp names the format of the source. */
  format: string;
  loader: string;
  encode: object;
  mayMove?: true;
}

/** The types that are prepared. `effort` is low: somebody waits for the picture. */
const CODECS: Readonly<Record<string, Codec>> = {
  "image/jpeg": { format: "jpeg", loader: "VipsForeignLoadJpeg", encode: { quality: 88 } },
  "image/png": { format: "png", loader: "VipsForeignLoadPng", encode: { compressionLevel: 6 } },
  "image/webp": {
    format: "webp",
    loader: "VipsForeignLoadWebp",
    encode: { quality: 85, effort: 2 },
    mayMove: true,
  },
  "image/gif": {
    format: "gif",
    loader: "VipsForeignLoadNsgif",
    encode: { effort: 1, reuse: true },
    mayMove: true,
  },
  "image/avif": {
    format: "heif",
    loader: "VipsForeignLoadHeif",
    encode: { quality: 65, effort: 1, compression: "av1" },
  },
  "image/tiff": {
    format: "tiff",
    loader: "VipsForeignLoadTiff",
    encode: { compression: "deflate" },
  },
};

interface Loaded {
  sharp: Sharp;
  thumbhash: Thumbhash;
}

/** Rejects where they cannot be loaded. */
export async function loadCodecs(): Promise<Loaded> {
  const [sharpName, thumbhashName]: string[] = ["sharp", "thumbhash"];
  const { default: sharp } = (await import(sharpName!)) as { default: Sharp };
  const { rgbaToThumbHash } = (await import(thumbhashName!)) as { rgbaToThumbHash: Thumbhash };
  sharp.cache(false);
  sharp.concurrency(1);
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: Object.values(CODECS).map(({ loader }) => loader) });
  return { sharp, thumbhash: rgbaToThumbHash };
}

export async function prepareImage(
  { sharp, thumbhash }: Loaded,
  { source, mime, image, thumb }: ImageOrder,
): Promise<ImageReport> {
  const codec = CODECS[mime];
  if (codec === undefined) return { is: "refused", why: `${mime} cannot be read here` };
  const options = { failOn: "error", limitInputPixels: PIXELS_MAX };
  try {
    const found = await sharp(source, { ...options, limitInputPixels: false }).metadata();
    const { width = 0, pages = 1, orientation = 1 } = found;
    const height = found.pageHeight ?? found.height ?? 0;
    // [IMG3]
    if (found.format !== codec.format) return { is: "refused", why: "it is of another type" };
    const isMoving = codec.mayMove === true && pages > 1;
    const why = whyNot(width, height, pages, isMoving, mime);
    if (why !== null) return { is: "refused", why };
    const whole = isMoving
      ? sharp(source, { ...options, animated: true, limitInputPixels: ANIMATED_PIXELS_MAX })
      : sharp(source, options).autoOrient();
    await whole.toFormat(codec.format, codec.encode).toFile(image);
    const upright = () => sharp(source, options).autoOrient();
    const inside = { fit: "inside", withoutEnlargement: true };
    await upright()
      .resize(THUMB_SIDE, THUMB_SIDE, inside)
      .toFormat("webp", { quality: 80 })
      .toFile(thumb);
    const { data, info } = await upright()
      .resize(PLACEHOLDER_SIDE, PLACEHOLDER_SIDE, inside)
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const hash = thumbhash(info.width, info.height, data);
    const isTurned = !isMoving && orientation >= 5;
    return {
      is: "ready",
      width: isTurned ? height : width,
      height: isTurned ? width : height,
      placeholder: Buffer.from(hash).toString("base64"),
    };
  } catch (error) {
    return { is: "refused", why: error instanceof Error ? error.message : String(error) };
  }
}

/** [IMG2] */
function whyNot(
  width: number,
  height: number,
  pages: number,
  isMoving: boolean,
  mime: string,
): string | null {
  if (width < 1 || height < 1) return "it has no size";
  if (width * height > PIXELS_MAX) return "it has more than 50 million pixels";
  if (width * height * pages > ANIMATED_PIXELS_MAX) return "its pictures have too many pixels";
  // Only the first page would be left.
  if (!isMoving && pages > 1 && mime === "image/tiff") return "it has several pages";
  return null;
}
