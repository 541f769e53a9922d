/**
 * Reads one entry of a zip archive whose bytes can be read from anywhere: its directory first, which is
 * at its end, then the entry's own bytes as a stream. The 64-bit form is read, too.
 *
 * [UNZ1] An archive that is cut or damaged is a sentence, at the latest where the entry ends and its sum
 *        is not the one that was written. No entry is ever in memory as a whole.
 */
import { pipeline, Readable } from "node:stream";
import { crc32, createInflateRaw } from "node:zlib";

/** Bytes `from` to `to`, both included. */
export interface ByteSource {
  size: number;
  read(from: number, to: number): Promise<AsyncIterable<Uint8Array>>;
}

const END_BYTES = 22;
const COMMENT_MAX = 65_535;
const END = 0x0605_4b50;
const LOCATOR = 0x0706_4b50;
const LOCATOR_BYTES = 20;
const ENTRY = 0x0201_4b50;
const LOCAL = 0x0403_4b50;
const LOCAL_BYTES = 30;
const ELSEWHERE = 0xffff_ffff;
/** Some hundred thousand entries. */
const DIRECTORY_BYTES_MAX = 128 * 1024 * 1024;

const DAMAGED = "The archive is damaged.";

interface Entry {
  method: number;
  crc: number;
  packed: number;
  start: number;
}

export function isZip(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 4)).equals(Buffer.from("PK\x03\x04", "latin1"));
}

/** The bytes of the entry of that name. Throws an Error whose message says what is wrong. */
export async function entryOf(
  source: ByteSource,
  name: string,
): Promise<AsyncIterable<Uint8Array>> {
  const entry = await find(source, name).catch((error: unknown) => {
    // A length in it leads out of it.
    throw error instanceof RangeError ? new Error(DAMAGED) : error;
  });
  const local = await bytesAt(source, entry.start, LOCAL_BYTES);
  if (local.readUInt32LE(0) !== LOCAL) throw new Error(DAMAGED);
  const from = entry.start + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (entry.packed === 0) return summed(Readable.from([]), entry.crc);
  const packed = await source.read(from, from + entry.packed - 1);
  if (entry.method === 0) return summed(packed, entry.crc);
  if (entry.method !== 8) throw new Error("The archive is packed in a way that is not read here.");
  const inflate = createInflateRaw();
  // A fault destroys `inflate` with it, and its reader is the one who throws.
  pipeline(Readable.from(packed), inflate, () => undefined);
  return summed(inflate, entry.crc);
}

async function* summed(
  bytes: AsyncIterable<Uint8Array>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  let sum = 0;
  for await (const chunk of bytes) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  if (sum !== expected) throw new Error(DAMAGED);
}

async function find(source: ByteSource, wanted: string): Promise<Entry> {
  const tailBytes = Math.min(source.size, END_BYTES + COMMENT_MAX + LOCATOR_BYTES);
  const tail = await bytesAt(source, source.size - tailBytes, tailBytes);
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error("The archive is cut: it has no end.");
  let bytes = tail.readUInt32LE(end + 12);
  let start = tail.readUInt32LE(end + 16);
  const locator = end - LOCATOR_BYTES;
  if (locator >= 0 && tail.readUInt32LE(locator) === LOCATOR) {
    const wide = await bytesAt(source, Number(tail.readBigUInt64LE(locator + 8)), 56);
    bytes = Number(wide.readBigUInt64LE(40));
    start = Number(wide.readBigUInt64LE(48));
  }
  if (bytes > DIRECTORY_BYTES_MAX) throw new Error("The archive has too many files.");
  const directory = await bytesAt(source, start, bytes);
  for (let at = 0; at + 46 <= directory.length; ) {
    if (directory.readUInt32LE(at) !== ENTRY) throw new Error(DAMAGED);
    const nameBytes = directory.readUInt16LE(at + 28);
    const extraBytes = directory.readUInt16LE(at + 30);
    const name = directory.toString("utf8", at + 46, at + 46 + nameBytes);
    if (name === wanted) return entryAt(directory, at, nameBytes, extraBytes);
    at += 46 + nameBytes + extraBytes + directory.readUInt16LE(at + 32);
  }
  throw new Error(`The archive has no ${wanted}.`);
}

function entryAt(directory: Buffer, at: number, nameBytes: number, extraBytes: number): Entry {
  const size = directory.readUInt32LE(at + 24);
  let packed = directory.readUInt32LE(at + 20);
  let start = directory.readUInt32LE(at + 42);
  const extras = at + 46 + nameBytes;
  for (let extra = extras; extra + 4 <= extras + extraBytes; ) {
    const bytes = directory.readUInt16LE(extra + 2);
    if (directory.readUInt16LE(extra) === 0x0001) {
      let wide = extra + 4;
      const next = () => {
        wide += 8;
        return Number(directory.readBigUInt64LE(wide - 8));
      };
      if (size === ELSEWHERE) next();
      if (packed === ELSEWHERE) packed = next();
      if (start === ELSEWHERE) start = next();
    }
    extra += 4 + bytes;
  }
  const crc = directory.readUInt32LE(at + 16);
  return { method: directory.readUInt16LE(at + 10), crc, packed, start };
}

async function bytesAt(source: ByteSource, from: number, count: number): Promise<Buffer> {
  if (from < 0 || from + count > source.size) throw new Error("The archive is cut.");
  if (count === 0) return Buffer.alloc(0);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await source.read(from, from + count - 1)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
