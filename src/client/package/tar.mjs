/**
 * A package as npm packs it, always the same bytes for the same files: a lockfile keeps its hash.
 */
import { gzipSync } from "node:zlib";

const BLOCK = 512;
/** npm's own date of every file in a package. */
const MODIFIED_S = Date.UTC(1985, 9, 26, 8, 15) / 1000;

/** `files`: path → bytes, under the folder `package/`. */
export function tarball(files) {
  const blocks = [];
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    blocks.push(header(`package/${path}`, bytes.length), bytes);
    blocks.push(Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  blocks.push(Buffer.alloc(2 * BLOCK));
  return gzipSync(Buffer.concat(blocks), { level: 9 });
}

/** The header of a plain file in the format "ustar". */
function header(path, size) {
  const block = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(path) > 100) throw new Error(`${path} is too long for a tar header.`);
  const octal = (value, length) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  block.write(path, 0);
  block.write(octal(0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(MODIFIED_S, 12), 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\0" + "00", 257);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
