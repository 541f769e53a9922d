/**
 * UploadStore beside S3Files. S3 makes one object of parts that have at least 5 MiB, and clients send
 * what they like. So there are, below `unfinished/KEY/`, in the order in which they are written:
 *
 *   piece-START-END         bytes of the part that is being filled
 *   head                    the first bytes of the file
 *   upload-TAG              the id of the store's own upload in parts
 *   part-NUMBER-TAG-ETAG    empty: this part is in that upload. Its pieces are removed
 *   done-BYTES              empty: the file is whole. It is removed last
 *
 * Where a part begins and ends follows from its number. So a request that was cut off from the
 * cluster and writes late writes the same bytes to the same place, and takes nothing back.
 *
 * [FSS2] The number of bytes that `append` has answered is in the store, whichever process dies.
 */
import { randomUUID } from "node:crypto";
import type { UploadStore } from "../../ports/uploads.ts";
import type { S3Client } from "./s3-client.ts";
import { type Body, bodyOf, Spool } from "./spool.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** With parts that become larger, 10,000 of them, which S3 allows, hold more than 1 TiB. */
const SMALL_PART_BYTES = 8 * MIB;
const SMALL_PARTS_END = 8 * GIB;
const LARGE_PART_BYTES = 128 * MIB;
/** At this many pieces the next one holds what all of them hold. */
const PIECES_MAX = 32;
const HEAD_BYTES = 4_096;
const REMOVED_AT_ONCE = 8;
const DIGITS = 15;
const NOTHING: Body = bodyOf("");

/** Bytes `start` to before `end` of the file, in an object of their own. */
export interface Piece {
  name: string;
  start: number;
  end: number;
}

/** What the names of the objects say. */
export interface Progress {
  names: readonly string[];
  /** The tag of the store's own upload in parts that has come furthest; null: there is none. */
  tag: string | null;
  /** The ETags of the parts that are in it, in order. */
  etags: string[];
  /** Where the part that is being filled begins. */
  base: number;
  pieces: Piece[];
  /** Where the bytes that are there end. */
  end: number;
  /** The size of the file, where it is whole. */
  done: number | null;
}

/** The bytes of the part that begins at `base`. */
export function partBytes(base: number): number {
  return base < SMALL_PARTS_END ? SMALL_PART_BYTES : LARGE_PART_BYTES;
}

const NAME = /^([a-z]+)(?:-(\w+))?(?:-(\w+))?(?:-(.+))?$/;

/** Reads the names of the objects of one upload. */
export function progressOf(names: readonly string[]): Progress {
  const uploads = new Map<string, Map<number, string>>();
  const pieces: Piece[] = [];
  let done: number | null = null;
  for (const name of names) {
    const [, kind, first = "", second = "", third = ""] = NAME.exec(name) ?? [];
    if (kind === "upload" && !uploads.has(first)) uploads.set(first, new Map());
    else if (kind === "piece") pieces.push({ name, start: Number(first), end: Number(second) });
    else if (kind === "done") done = Number(first);
    else if (kind === "part") {
      const parts = uploads.get(second) ?? new Map<number, string>();
      uploads.set(second, parts.set(Number(first), Buffer.from(third, "base64url").toString()));
    }
  }
  let [tag, etags, base]: [string | null, string[], number] = [null, [], 0];
  for (const [each, parts] of uploads) {
    const found = inOrder(parts);
    if (tag !== null && found.length <= etags.length) continue;
    [tag, etags] = [each, found];
  }
  for (const _ of etags) base += partBytes(base);
  let end = base;
  for (let next = furthest(pieces, end); next !== null; next = furthest(pieces, end)) {
    end = next.end;
  }
  return { names, tag, etags, base, pieces, end, done };
}

/** The ETags of the parts from the first up to the first that is missing. */
function inOrder(parts: ReadonlyMap<number, string>): string[] {
  const etags: string[] = [];
  for (let etag = parts.get(1); etag !== undefined; etag = parts.get(etags.length + 1)) {
    etags.push(etag);
  }
  return etags;
}

/** The piece with byte `at` that goes furthest; null: none has it. */
export function furthest(pieces: readonly Piece[], at: number): Piece | null {
  let best: Piece | null = null;
  for (const piece of pieces) {
    if (piece.start > at || piece.end <= at) continue;
    if (best === null || piece.end > best.end) best = piece;
  }
  return best;
}

export class S3Uploads implements UploadStore {
  readonly #client: S3Client;
  readonly #folder: string;

  /** Bytes on their way to the store wait in `folder`. */
  constructor(client: S3Client, folder: string) {
    this.#client = client;
    this.#folder = folder;
  }

  async size(key: string): Promise<number> {
    const { names, done, end } = await this.#progress(key);
    if (names.length === 0) return (await this.#client.bytesOf(key)) ?? 0;
    return done ?? end;
  }

  async append(key: string, at: number, source: AsyncIterable<Uint8Array>): Promise<number> {
    const begun = await this.#progress(key);
    if (begun.done !== null || begun.end !== at) {
      throw new Error(`upload ${key} has come to ${begun.done ?? begun.end}, not to ${at}`);
    }
    let { base, pieces } = begun;
    const { etags } = begun;
    let [tag, uploadId] = [begun.tag, await this.#uploadId(key, begun.tag)];
    /** What the store has of the part, and what has come. */
    let [kept, end] = [at - base, at - base];
    let hasFailed = false;
    const spool = await Spool.open(this.#folder);

    const storePart = async () => {
      await spool.fill(this.#inPieces(key, pieces, base, base + kept), 0);
      if (base === 0) await this.#client.put(recordOf(key, "head"), spool.body(0, HEAD_BYTES));
      if (tag === null || uploadId === null) {
        tag = randomUUID().slice(0, 8);
        uploadId = await this.#client.beginParts(key);
        await this.#client.put(recordOf(key, uploadName(tag)), bodyOf(uploadId));
      }
      const number = etags.length + 1;
      const etag = await this.#client.putPart(key, uploadId, number, spool.body(0, end));
      await this.#client.put(recordOf(key, partName(number, tag, etag)), NOTHING);
      etags.push(etag);
      base += end;
      [kept, end] = [0, 0];
      const superseded = pieces.map(({ name }) => name);
      pieces = [];
      await this.#remove(key, superseded);
    };

    try {
      try {
        for await (const chunk of source) {
          let rest = chunk;
          while (rest.length > 0) {
            const fitting = rest.subarray(0, partBytes(base) - end);
            hasFailed = true;
            await spool.write(fitting, end);
            end += fitting.length;
            rest = rest.subarray(fitting.length);
            if (end === partBytes(base)) await storePart();
            hasFailed = false;
          }
        }
      } finally {
        if (end > kept && !hasFailed) {
          if (pieces.length >= PIECES_MAX) {
            await spool.fill(this.#inPieces(key, pieces, base, base + kept), 0);
            kept = 0;
          }
          const name = pieceName(base + kept, base + end);
          await this.#client.put(recordOf(key, name), spool.body(kept, end));
          if (kept === 0)
            await this.#remove(
              key,
              pieces.map((piece) => piece.name),
            );
        }
      }
    } finally {
      await spool.close();
    }
    return base + end;
  }

  async head(key: string, most: number): Promise<Buffer> {
    const { names, base, end, pieces, done } = await this.#progress(key);
    const isWhole = names.length === 0 || done !== null;
    const source =
      !isWhole && base === 0
        ? this.#inPieces(key, pieces, 0, Math.min(most, end))
        : await this.#client.get(isWhole ? key : recordOf(key, "head"), 0, most - 1);
    const chunks: Uint8Array[] = [];
    for await (const chunk of source ?? []) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async finish(key: string): Promise<void> {
    const progress = await this.#progress(key);
    if (progress.names.length === 0) return;
    if (progress.done === null) {
      await this.#join(key, progress);
      await this.#client.put(recordOf(key, doneName(progress.end)), NOTHING);
    }
    const last = doneName(progress.done ?? progress.end);
    await this.#remove(
      key,
      progress.names.filter((name) => name !== last),
    );
    await this.#remove(key, [last]);
  }

  async drop(key: string): Promise<void> {
    const { names, done } = await this.#progress(key);
    for (const name of done === null ? names : []) {
      if (!name.startsWith("upload-")) continue;
      const uploadId = await this.#client.getText(recordOf(key, name));
      if (uploadId !== null) await this.#client.abortParts(key, uploadId);
    }
    await this.#remove(key, names);
  }

  async #progress(key: string): Promise<Progress> {
    return progressOf(await this.#client.list(recordOf(key, "")));
  }

  async #uploadId(key: string, tag: string | null): Promise<string | null> {
    return tag === null ? null : this.#client.getText(recordOf(key, uploadName(tag)));
  }

  /** Makes the object of the file from its parts and pieces. */
  async #join(key: string, { tag, etags, base, end, pieces }: Progress): Promise<void> {
    const uploadId = await this.#uploadId(key, tag);
    const spool = await Spool.open(this.#folder);
    try {
      await spool.fill(this.#inPieces(key, pieces, base, end), 0);
      const rest = spool.body(0, end - base);
      if (base === 0) {
        await this.#client.put(key, rest);
        return;
      }
      if (uploadId === null) throw new Error(`the record of upload ${key} is gone`);
      const all = [...etags];
      try {
        if (end > base) all.push(await this.#client.putPart(key, uploadId, all.length + 1, rest));
        if (await this.#client.endParts(key, uploadId, all)) return;
      } catch (error) {
        // A request before this one may have got so far; then the store knows the upload no more.
        if ((await this.#client.bytesOf(key)) === end) return;
        throw error;
      }
    } finally {
      await spool.close();
    }
    const bytes = await this.#client.bytesOf(key);
    if (bytes !== end) throw new Error(`the parts of upload ${key} are gone`);
  }

  /** Bytes `from` to before `end` of the file, all of which are in the pieces. */
  async *#inPieces(
    key: string,
    pieces: readonly Piece[],
    from: number,
    end: number,
  ): AsyncIterable<Uint8Array> {
    for (let at = from; at < end; ) {
      const piece = furthest(pieces, at);
      if (piece === null) throw new Error(`byte ${at} of upload ${key} is in no piece`);
      const until = Math.min(end, piece.end);
      const [first, last] = [at - piece.start, until - piece.start - 1];
      const source = await this.#client.get(recordOf(key, piece.name), first, last);
      if (source === null) throw new Error(`${piece.name} of upload ${key} is gone`);
      let left = until - at;
      for await (const chunk of source as AsyncIterable<Buffer>) {
        left -= chunk.length;
        yield chunk;
      }
      if (left !== 0) throw new Error(`${piece.name} of upload ${key} ended early`);
      at = until;
    }
  }

  async #remove(key: string, names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += REMOVED_AT_ONCE) {
      const some = names.slice(at, at + REMOVED_AT_ONCE);
      await Promise.all(some.map((name) => this.#client.remove(recordOf(key, name))));
    }
  }
}

const recordOf = (key: string, name: string) => `unfinished/${key}/${name}`;
const padded = (value: number) => String(value).padStart(DIGITS, "0");
export const pieceName = (start: number, end: number) => `piece-${padded(start)}-${padded(end)}`;
export const uploadName = (tag: string) => `upload-${tag}`;
export const partName = (number: number, tag: string, etag: string) =>
  `part-${String(number).padStart(5, "0")}-${tag}-${Buffer.from(etag).toString("base64url")}`;
export const doneName = (bytes: number) => `done-${bytes}`;
