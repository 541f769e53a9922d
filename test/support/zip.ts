/** Reads a zip archive by its directory, with the 64-bit fields, as programs that unpack do. */
import { crc32, inflateRawSync } from "node:zlib";

const END = 0x0605_4b50;
const LOCATOR_BYTES = 20;
const END_BYTES = 22;

/** The bytes of each entry by its name. Throws where a sum or a size is not as the directory says. */
export function unzipped(archive: Buffer): Map<string, Buffer> {
  const end = archive.length - END_BYTES;
  if (archive.readUInt32LE(end) !== END) throw new Error("the archive has no end");
  const record = Number(archive.readBigUInt64LE(end - LOCATOR_BYTES + 8));
  const count = Number(archive.readBigUInt64LE(record + 32));
  let at = Number(archive.readBigUInt64LE(record + 48));
  const entries = new Map<string, Buffer>();
  for (let n = 0; n < count; n++) {
    const method = archive.readUInt16LE(at + 10);
    const crc = archive.readUInt32LE(at + 16);
    const nameBytes = archive.readUInt16LE(at + 28);
    const extraBytes = archive.readUInt16LE(at + 30);
    const name = archive.toString("utf8", at + 46, at + 46 + nameBytes);
    const wide = at + 46 + nameBytes + 4;
    const [size, packed, start] = [0, 8, 16].map((by) =>
      Number(archive.readBigUInt64LE(wide + by)),
    ) as [number, number, number];
    const head = 30 + archive.readUInt16LE(start + 26) + archive.readUInt16LE(start + 28);
    const stored = archive.subarray(start + head, start + head + packed);
    const bytes = method === 8 ? inflateRawSync(stored) : stored;
    if (bytes.length !== size || crc32(bytes) !== crc) throw new Error(`${name} is not whole`);
    entries.set(name, bytes);
    at += 46 + nameBytes + extraBytes;
  }
  return entries;
}

/** The objects of an entry that holds one a line. */
export function linesIn(entry: Buffer): Record<string, unknown>[] {
  const lines = entry.toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}
