/**
 * A temporary file that has no name, so it is gone with the process that wrote it. What comes from a
 * client waits in it until its length is known, so that memory stays flat however many upload.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { writeAll } from "./disk-paths.ts";

const CHUNK_BYTES = 64 * 1024;

export class Spool {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(folder: string): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, randomUUID());
    const file = await open(path, "wx+", 0o600);
    try {
      await rm(path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new Spool(file);
  }

  /** Writes at this position. */
  async write(chunk: Uint8Array, position: number): Promise<void> {
    await writeAll(this.#file, chunk, position);
  }

  /** Writes all of the source from this position on; resolves to the position after it. */
  async fill(source: AsyncIterable<Uint8Array>, position: number): Promise<number> {
    let end = position;
    for await (const chunk of source) {
      await this.write(chunk, end);
      end += chunk.length;
    }
    return end;
  }

  /** The bytes from `from` to before `end`, which can be read again and again until `close`. */
  body(from: number, end: number): Body {
    return {
      bytes: end - from,
      open: () => Readable.from(this.#chunks(from, end), { highWaterMark: 1 }),
    };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** A stream of the file's own would leave a listener on it each time. */
  async *#chunks(from: number, end: number): AsyncIterable<Uint8Array> {
    for (let at = from; at < end; ) {
      const room = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
      const { bytesRead } = await this.#file.read(room, 0, room.length, at);
      if (bytesRead === 0) throw new Error("a temporary file has lost its end");
      yield room.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}

/** Bytes that a request sends; `open` is called once for each try. */
export interface Body {
  bytes: number;
  open(): Readable;
}

export function bodyOf(text: string): Body {
  const bytes = Buffer.from(text);
  return { bytes: bytes.length, open: () => Readable.from([bytes]) };
}
