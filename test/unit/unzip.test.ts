/**
 * [UNZ1] An archive that is cut or damaged is a sentence; its entry is never read as something else.
 */
import { expect, it } from "vitest";
import { type ByteSource, entryOf, isZip } from "../../src/base/unzip.ts";
import { zipOf } from "../../src/base/zip.ts";

const TEXT = Array.from({ length: 40 }, (_, n) => `{"type":"user","external_id":"${n}"}`).join(
  "\n",
);

async function archive(isCompressed: boolean): Promise<Buffer> {
  const of = (text: string) =>
    (async function* () {
      yield Buffer.from(text);
    })();
  const entries = (async function* () {
    yield { name: "files/1/a", isCompressed: false, bytes: of("a picture") };
    yield { name: "data.jsonl", isCompressed, bytes: of(TEXT) };
  })();
  const parts: Uint8Array[] = [];
  for await (const part of zipOf(entries, new Date("2026-05-06T07:08:10Z"))) parts.push(part);
  return Buffer.concat(parts);
}

const sourceOf = (bytes: Buffer): ByteSource => ({
  size: bytes.length,
  read: async (from, to) =>
    (async function* () {
      yield bytes.subarray(from, to + 1);
    })(),
});

async function read(bytes: Buffer): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of await entryOf(sourceOf(bytes), "data.jsonl")) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** A text: what the error says. Null: it was read as it is. */
async function outcome(bytes: Buffer): Promise<string | null> {
  try {
    expect(await read(bytes)).toBe(TEXT);
    return null;
  } catch (error) {
    const { message, code = "" } = error as NodeJS.ErrnoException;
    return code.startsWith("Z_") ? "The archive cannot be unpacked." : message;
  }
}

it.each([true, false])("[UNZ1] reads an entry, compressed or not (%s)", async (isCompressed) => {
  const bytes = await archive(isCompressed);
  expect(isZip(bytes)).toBe(true);
  expect(await read(bytes)).toBe(TEXT);
  await expect(entryOf(sourceOf(bytes), "other")).rejects.toThrow("The archive has no other.");
});

it.each([true, false])(
  "[UNZ1] any byte that is wrong is found (compressed: %s)",
  async (packed) => {
    const whole = await archive(packed);
    const odd: string[] = [];
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0xff]) {
        const bytes = Buffer.from(whole);
        bytes[at] = bytes[at]! ^ flip;
        const says = await outcome(bytes);
        if (says !== null && !says.startsWith("The archive ")) odd.push(`${at}: ${says}`);
      }
    }
    expect(odd).toEqual([]);
  },
);

it("[UNZ1] an archive that is cut is a sentence, wherever it is", async () => {
  const whole = await archive(true);
  for (let length = 0; length < whole.length; length++) {
    expect(await outcome(whole.subarray(0, length))).toMatch(/^The archive /);
  }
});
