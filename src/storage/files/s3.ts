/**
 * FileStore in a bucket of an S3-compatible store, which several hosts share. An object appears there
 * whole or not at all.
 *
 * [FSS1] When `write` has resolved, the store has acknowledged all bytes. One that rejects leaves what
 *        was there before.
 */
import { Readable } from "node:stream";
import type { FileStore } from "../../ports/files.ts";
import type { S3Client } from "./s3-client.ts";
import { Spool } from "./spool.ts";

/** A write of fewer bytes is one request. S3 allows 10,000 parts, and 5 GiB in one request. */
const PART_BYTES = 64 * 1024 * 1024;

export class S3Files implements FileStore {
  readonly missing = null;
  readonly #client: S3Client;
  readonly #folder: string;

  /** Bytes on their way to the store wait in `folder`. */
  constructor(client: S3Client, folder: string) {
    this.#client = client;
    this.#folder = folder;
  }

  async write(key: string, source: AsyncIterable<Uint8Array>): Promise<number> {
    const spool = await Spool.open(this.#folder);
    const etags: string[] = [];
    let uploadId: string | null = null;
    let [before, end] = [0, 0];

    const storePart = async () => {
      uploadId ??= await this.#client.beginParts(key);
      const body = spool.body(0, end);
      etags.push(await this.#client.putPart(key, uploadId, etags.length + 1, body));
      before += end;
      end = 0;
    };

    try {
      for await (const chunk of source) {
        await spool.write(chunk, end);
        end += chunk.length;
        if (end >= PART_BYTES) await storePart();
      }
      if (uploadId === null) await this.#client.put(key, spool.body(0, end));
      else {
        if (end > 0) await storePart();
        if (!(await this.#client.endParts(key, uploadId, etags))) {
          throw new Error(`the parts of ${key} are gone`);
        }
      }
      return before + end;
    } catch (fault) {
      if (uploadId !== null) await this.#client.abortParts(key, uploadId).catch(() => undefined);
      throw fault;
    } finally {
      await spool.close();
    }
  }

  async read(key: string, from: number, to: number): Promise<AsyncIterable<Uint8Array> | null> {
    if (to >= from) return this.#client.get(key, from, to);
    return (await this.#client.bytesOf(key)) === null ? null : Readable.from([]);
  }

  async remove(key: string): Promise<void> {
    await this.#client.remove(key);
  }

  async tidy(): Promise<void> {
    // An interrupted write leaves no object. Parts that nobody ends go by a rule of the bucket.
  }
}
