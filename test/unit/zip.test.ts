/** [ZIP] Archives that are written as a stream. */
import { describe, expect, it } from "vitest";
import { type ZipEntry, zipOf } from "../../src/base/zip.ts";
import { unzipped } from "../support/zip.ts";

const AT = new Date("2026-05-06T07:08:10Z");

async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
}

async function written(entries: AsyncIterable<ZipEntry>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of zipOf(entries, AT)) parts.push(part);
  return Buffer.concat(parts);
}

describe("a streamed zip", () => {
  it("[ZIP1] holds what was written, compressed or not, with its sums and sizes", async () => {
    const long = "a line of text\n".repeat(100_000);
    const archive = await written(
      (async function* () {
        yield { name: "data.jsonl", isCompressed: true, bytes: chunks(long, "the end") };
        yield { name: "files/7/föto.png", isCompressed: false, bytes: chunks("\u0000png") };
        yield { name: "files/8/empty", isCompressed: false, bytes: chunks() };
      })(),
    );
    expect(archive.length).toBeLessThan(long.length / 10);
    const entries = unzipped(archive);
    expect([...entries.keys()]).toEqual(["data.jsonl", "files/7/föto.png", "files/8/empty"]);
    expect(entries.get("data.jsonl")!.toString()).toBe(`${long}the end`);
    expect(entries.get("files/7/föto.png")!.toString()).toBe("\u0000png");
    expect(entries.get("files/8/empty")!.length).toBe(0);
  });

  it("[ZIP1] is valid without entries", async () => {
    async function* nothing(): AsyncGenerator<ZipEntry> {
      yield* [];
    }
    expect(unzipped(await written(nothing()))).toEqual(new Map());
  });

  it.each([true, false])("[ZIP2] rejects as its source does (compressed: %s)", async (packed) => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("so far");
      throw new Error("the disk is gone");
    }
    const entries = (async function* () {
      yield { name: "one", isCompressed: packed, bytes: broken() };
    })();
    await expect(written(entries)).rejects.toThrow("the disk is gone");
  });
});
