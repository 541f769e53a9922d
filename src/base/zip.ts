/**
 * Writes a zip archive as a stream: no entry is ever in memory as a whole, and no size need be known
 * before. What grows with an archive is its directory, about 150 bytes an entry.
 *
 * [ZIP1] Sizes and offsets are written in their 64-bit form (APPNOTE 6.3, 4.5.3), so that neither 4 GiB
 *        nor 65,535 entries are a bound.
 * [ZIP2] What an entry's source rejects with is what the archive rejects with.
 */
import { pipeline, Readable } from "node:stream";
import { crc32, createDeflateRaw } from "node:zlib";

export interface ZipEntry {
  /** A path with `/`, and unlike every other one of the archive. */
  name: string;
  /** Texts become smaller; pictures and videos do not. */
  isCompressed: boolean;
  bytes: AsyncIterable<Uint8Array>;
}

interface Sums {
  crc: number;
  size: number;
  packed: number;
}

/** APPNOTE 4.4.3: the first version that knows 64-bit sizes. */
const VERSION = 45;
const MADE_ON_UNIX = 3 << 8;
/** Sizes follow the bytes; names are UTF-8. */
const FLAGS = 0x0808;
const STORED = 0;
const DEFLATED = 8;
/** The value is in the 64-bit field. */
const ELSEWHERE = 0xffff_ffff;
const OWN_FILE = (0o100600 << 16) >>> 0;

/** `at` is written as the time of every entry. */
export async function* zipOf(
  entries: AsyncIterable<ZipEntry>,
  at: Date,
): AsyncGenerator<Uint8Array> {
  const stamp = dosTime(at);
  const directory: Buffer[] = [];
  let offset = 0;
  for await (const { name, isCompressed, bytes } of entries) {
    const method = isCompressed ? DEFLATED : STORED;
    const path = Buffer.from(name, "utf8");
    const start = offset;
    const head = localHeader(path, method, stamp);
    yield head;
    const sums: Sums = { crc: 0, size: 0, packed: 0 };
    const summed = withSums(bytes, sums);
    for await (const chunk of isCompressed ? deflated(summed) : summed) {
      sums.packed += chunk.length;
      yield chunk;
    }
    const tail = descriptor(sums);
    yield tail;
    offset += head.length + sums.packed + tail.length;
    directory.push(directoryEntry(path, method, stamp, sums, start));
  }
  const end = Buffer.concat(directory);
  yield end;
  yield ending(directory.length, end.length, offset);
}

async function* withSums(source: AsyncIterable<Uint8Array>, sums: Sums) {
  for await (const chunk of source) {
    sums.crc = crc32(chunk, sums.crc);
    sums.size += chunk.length;
    yield chunk;
  }
}

function deflated(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const deflate = createDeflateRaw();
  // [ZIP2] A fault destroys `deflate` with it, and its reader is the one who throws.
  pipeline(Readable.from(source), deflate, () => undefined);
  return deflate;
}

interface Stamp {
  time: number;
  date: number;
}

/** In UTC. The format has two seconds as its unit and begins with 1980. */
function dosTime(at: Date): Stamp {
  return {
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    date:
      ((Math.max(1980, at.getUTCFullYear()) - 1980) << 9) |
      ((at.getUTCMonth() + 1) << 5) |
      at.getUTCDate(),
  };
}

/** Little-endian fields, one after another. */
class Fields {
  readonly #parts: Buffer[] = [];

  u16(...values: number[]): this {
    for (const value of values) {
      const part = Buffer.alloc(2);
      part.writeUInt16LE(value);
      this.#parts.push(part);
    }
    return this;
  }

  u32(...values: number[]): this {
    for (const value of values) {
      const part = Buffer.alloc(4);
      part.writeUInt32LE(value);
      this.#parts.push(part);
    }
    return this;
  }

  u64(...values: number[]): this {
    for (const value of values) {
      const part = Buffer.alloc(8);
      part.writeBigUInt64LE(BigInt(value));
      this.#parts.push(part);
    }
    return this;
  }

  bytes(more: Buffer): Buffer {
    return Buffer.concat([...this.#parts, more]);
  }

  end(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** APPNOTE 4.3.7 */
function localHeader(path: Buffer, method: number, { time, date }: Stamp): Buffer {
  const wide = new Fields().u16(0x0001, 16).u64(0, 0).end();
  return new Fields()
    .u32(0x0403_4b50)
    .u16(VERSION, FLAGS, method, time, date)
    .u32(0, ELSEWHERE, ELSEWHERE)
    .u16(path.length, wide.length)
    .bytes(Buffer.concat([path, wide]));
}

/** APPNOTE 4.3.9 */
function descriptor({ crc, packed, size }: Sums): Buffer {
  return new Fields().u32(0x0807_4b50, crc).u64(packed, size).end();
}

/** APPNOTE 4.3.12 */
function directoryEntry(
  path: Buffer,
  method: number,
  { time, date }: Stamp,
  { crc, packed, size }: Sums,
  start: number,
): Buffer {
  const wide = new Fields().u16(0x0001, 24).u64(size, packed, start).end();
  return new Fields()
    .u32(0x0201_4b50)
    .u16(VERSION | MADE_ON_UNIX, VERSION, FLAGS, method, time, date)
    .u32(crc, ELSEWHERE, ELSEWHERE)
    .u16(path.length, wide.length, 0, 0, 0)
    .u32(OWN_FILE, ELSEWHERE)
    .bytes(Buffer.concat([path, wide]));
}

/** APPNOTE 4.3.14 to 4.3.16 */
function ending(entries: number, bytes: number, start: number): Buffer {
  return new Fields()
    .u32(0x0606_4b50)
    .u64(44)
    .u16(VERSION | MADE_ON_UNIX, VERSION)
    .u32(0, 0)
    .u64(entries, entries, bytes, start)
    .u32(0x0706_4b50, 0)
    .u64(start + bytes)
    .u32(1)
    .u32(0x0605_4b50)
    .u16(0, 0, 0xffff, 0xffff)
    .u32(ELSEWHERE, ELSEWHERE)
    .u16(0)
    .end();
}
