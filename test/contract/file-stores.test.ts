/** FileStore and UploadStore: what a folder and an S3-compatible store both keep. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { checkFileStore } from "../../src/commands/doctor/files.ts";
import { type FileStores, openFileStores } from "../../src/storage/files/open.ts";
import { S3Client } from "../../src/storage/files/s3-client.ts";
import { doneName, pieceName } from "../../src/storage/files/s3-uploads.ts";
import { ObjectStore } from "../support/s3.ts";

const MIB = 1024 * 1024;

let s3: ObjectStore;
let folder: string;
const opened: FileStores[] = [];

beforeAll(async () => {
  s3 = await ObjectStore.start();
  folder = await mkdtemp(join(tmpdir(), "troupe-file-stores-"));
});
afterAll(async () => {
  for (const one of opened) one.close();
  await s3?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const STORES = {
  "a folder": () => open(null),
  "an S3-compatible store": () => open(s3.address),
};

function open(address: ObjectStore["address"] | null): FileStores {
  const options = { s3: address, dataDir: folder, hasOtherHosts: false, clock: systemClock };
  const stores = openFileStores(options);
  opened.push(stores);
  return stores;
}

async function* chunks(bytes: Buffer, size = 64 * 1024): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* cutAfter(bytes: Buffer): AsyncIterable<Uint8Array> {
  yield* chunks(bytes);
  throw new Error("the client has gone");
}

async function all(source: AsyncIterable<Uint8Array> | null): Promise<Buffer | null> {
  if (source === null) return null;
  const found: Uint8Array[] = [];
  for await (const chunk of source) found.push(chunk);
  return Buffer.concat(found);
}

const hash = (bytes: Buffer | null) =>
  bytes === null ? null : createHash("sha256").update(bytes).digest("hex");

describe.each(Object.entries(STORES))("%s", (name, openStore) => {
  const key = (id: number) => `${name === "a folder" ? 1 : 2}${id}`;
  let { store, uploads } = {} as FileStores;
  beforeAll(() => {
    ({ store, uploads } = openStore());
  });

  it("[FST1] gives back what was written, whole and in ranges", async () => {
    const bytes = randomBytes(3 * MIB + 17);
    expect(await store.write(key(1), chunks(bytes))).toBe(bytes.length);
    expect(hash(await all(await store.read(key(1), 0, bytes.length - 1)))).toBe(hash(bytes));
    expect(await all(await store.read(key(1), 5, 9))).toEqual(bytes.subarray(5, 10));
    expect((await all(await store.read(key(1), 5, bytes.length + 99)))?.length).toBe(
      bytes.length - 5,
    );
    await store.remove(key(1));
    await store.remove(key(1));
    expect(await store.read(key(1), 0, 9)).toBeNull();
  });

  it("[FST1] nothing is left of a write that was cut, and the file before it stays", async () => {
    const before = randomBytes(1000);
    await store.write(key(2), chunks(before));
    await expect(store.write(key(2), cutAfter(randomBytes(MIB)))).rejects.toThrow("has gone");
    expect(await all(await store.read(key(2), 0, 999))).toEqual(before);
    await expect(store.write(key(3), cutAfter(randomBytes(MIB)))).rejects.toThrow("has gone");
    expect(await store.read(key(3), 0, 9)).toBeNull();
  });

  it("[FST3] an upload grows by parts of any size, also over cuts, and is whole at the end", async () => {
    const bytes = randomBytes(19 * MIB + 5);
    const ends = [1, 2, 4096, MIB, 9 * MIB, 9 * MIB + 1, 19 * MIB, bytes.length];
    expect(await uploads.size(key(4))).toBe(0);
    let at = 0;
    for (const end of ends) {
      expect(await uploads.append(key(4), at, chunks(bytes.subarray(at, end)))).toBe(end);
      expect(await uploads.size(key(4))).toBe(end);
      const head = await uploads.head(key(4), 4096);
      expect(head).toEqual(bytes.subarray(0, Math.min(end, 4096)));
      at = end;
    }
    expect(await store.read(key(4), 0, 9)).toBeNull();
    await uploads.finish(key(4));
    await uploads.finish(key(4));
    expect(await uploads.size(key(4))).toBe(bytes.length);
    expect(await uploads.head(key(4), 4096)).toEqual(bytes.subarray(0, 4096));
    expect(hash(await all(await store.read(key(4), 0, bytes.length - 1)))).toBe(hash(bytes));
    await uploads.drop(key(4));
    expect((await all(await store.read(key(4), 0, 1)))?.length).toBe(2);
  });

  it("[FST3] what came before a refusal is kept, and dropped on demand", async () => {
    const bytes = randomBytes(9 * MIB);
    await expect(uploads.append(key(5), 0, cutAfter(bytes))).rejects.toThrow("has gone");
    expect(await uploads.size(key(5))).toBe(bytes.length);
    await uploads.drop(key(5));
    expect(await uploads.size(key(5))).toBe(0);
    expect(await uploads.append(key(5), 0, chunks(bytes.subarray(0, 9)))).toBe(9);
    await uploads.drop(key(5));
    await uploads.drop(key(5));
  });

  it("[FST3] many small parts become a file", async () => {
    const bytes = randomBytes(100);
    for (let at = 0; at < 100; at++) {
      expect(await uploads.append(key(6), at, chunks(bytes.subarray(at, at + 1)))).toBe(at + 1);
    }
    await uploads.finish(key(6));
    expect(await all(await store.read(key(6), 0, 99))).toEqual(bytes);
  });
});

describe("an S3-compatible store", () => {
  it("[FSS2] a request that was cut off and writes late takes nothing back", async () => {
    const { store, uploads } = open(s3.address);
    const client = new S3Client(s3.address, systemClock);
    const bytes = randomBytes(50_000);
    await uploads.append("71", 0, chunks(bytes.subarray(0, 10_000)));
    await uploads.append("71", 10_000, chunks(bytes.subarray(10_000, 40_000)));
    // The one before had begun at the same byte and got less far.
    const late = bytes.subarray(10_000, 15_000);
    await client.put(`unfinished/71/${pieceName(10_000, 15_000)}`, {
      bytes: late.length,
      open: () => Readable.from([late]),
    });
    expect(await uploads.size("71")).toBe(40_000);
    await uploads.append("71", 40_000, chunks(bytes.subarray(40_000)));
    await uploads.finish("71");
    expect(await all(await store.read("71", 0, 49_999))).toEqual(bytes);
    client.close();
  });

  it("[FSS2] a process that is killed while it makes the file whole leaves work for the next", async () => {
    const { store, uploads } = open(s3.address);
    const client = new S3Client(s3.address, systemClock);
    const bytes = randomBytes(9 * MIB);
    await uploads.append("72", 0, chunks(bytes));
    const names = await client.list("unfinished/72/");
    // The parts were joined, and the process died before it wrote that down.
    const [uploadName = ""] = names.filter((one) => one.startsWith("upload-"));
    const uploadId = await client.getText(`unfinished/72/${uploadName}`);
    const [part = ""] = names.filter((one) => one.startsWith("part-"));
    const etag = Buffer.from(part.split("-").slice(3).join("-"), "base64url").toString();
    const rest = bytes.subarray(8 * MIB);
    const body = { bytes: rest.length, open: () => Readable.from([rest]) };
    const second = await client.putPart("72", uploadId ?? "", 2, body);
    expect(await client.endParts("72", uploadId ?? "", [etag, second])).toBe(true);
    expect(await uploads.size("72")).toBe(bytes.length);
    await uploads.finish("72");
    expect(await client.list("unfinished/72/")).toEqual([]);
    expect(hash(await all(await store.read("72", 0, bytes.length - 1)))).toBe(hash(bytes));
    // It died while it removed what is needed no more.
    await client.put(`unfinished/72/${doneName(bytes.length)}`, {
      bytes: 0,
      open: () => Readable.from([]),
    });
    expect(await uploads.size("72")).toBe(bytes.length);
    await uploads.finish("72");
    expect(await client.list("unfinished/72/")).toEqual([]);
    client.close();
  });

  it("[FSS1] a file of more than one part is whole, and a cut leaves the one before", async () => {
    const { store } = open(s3.address);
    const bytes = randomBytes(70 * MIB);
    expect(await store.write("77", chunks(bytes, MIB))).toBe(bytes.length);
    expect(hash(await all(await store.read("77", 0, bytes.length - 1)))).toBe(hash(bytes));
    await expect(store.write("77", cutAfter(randomBytes(65 * MIB)))).rejects.toThrow("has gone");
    expect(hash(await all(await store.read("77", 0, bytes.length - 1)))).toBe(hash(bytes));
  });

  it("[FSS1] an upload of many parts leaves no listeners behind", async () => {
    const { store, uploads } = open(s3.address);
    const bytes = randomBytes(96 * MIB + 1);
    const warnings: string[] = [];
    const warned = (warning: Error) => warnings.push(warning.name);
    process.on("warning", warned);
    try {
      await uploads.append("78", 0, chunks(bytes, MIB));
      await uploads.finish("78");
      expect(hash(await all(await store.read("78", 0, bytes.length - 1)))).toBe(hash(bytes));
    } finally {
      process.off("warning", warned);
    }
    expect(warnings).toEqual([]);
  });

  it("[FSS1] bytes on their way have no name on the disk", async () => {
    const { store } = open(s3.address);
    let seen: string[] | null = null;
    async function* looking() {
      yield randomBytes(1000);
      seen = await readdir(join(folder, "spool"));
    }
    await store.write("73", looking());
    expect(seen).toEqual([]);
  });

  it("[FSS3] while the store is away, writes and reads reject, and go on afterwards", async () => {
    const { store, uploads } = open(s3.address);
    const bytes = randomBytes(1000);
    await store.write("74", chunks(bytes));
    await uploads.append("75", 0, chunks(bytes));
    s3.wire.cut();
    try {
      expect(await checkFileStore(s3.address)).toMatchObject({ check: "files", state: "fail" });
      await expect(store.write("76", chunks(bytes))).rejects.toThrow();
      await expect(store.read("74", 0, 9)).rejects.toThrow();
      await expect(uploads.append("75", 1000, chunks(bytes))).rejects.toThrow();
    } finally {
      s3.wire.mends();
    }
    expect(await checkFileStore(s3.address)).toMatchObject({ check: "files", state: "ok" });
    expect(await all(await store.read("74", 0, 999))).toEqual(bytes);
    expect(await store.read("76", 0, 9)).toBeNull();
    expect(await uploads.size("75")).toBe(1000);
  });
});
