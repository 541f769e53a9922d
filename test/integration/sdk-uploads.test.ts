/**
 * The SDK's uploads of large files, over a line that breaks.
 *
 * [SDK70] A cut costs no more than the request that it cut; tries without progress are bounded.
 * [SDK71] An upload that is ended is taken back at the server; one that is refused says why.
 * [SDK72] Where a browser keeps nothing for a page, a large file is uploaded all the same.
 * [SDK73] A blob that is no chosen file is never taken for another one.
 */
import { createHash, randomBytes } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { TroupeError } from "../../src/client/error.ts";
import { type Progress, upload } from "../../src/client/files.ts";
import { createTokens } from "../../src/client/tokens.ts";
import type { FileObject } from "../../src/protocol/files.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";
import { breakingLine } from "../support/tus.ts";

const MIB = 1024 * 1024;
const troupe = troupeForFile({ workers: 2, env: { FILE_BYTES_MAX: String(40 * MIB) } });

const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const uploader = ({ token }: Person, url: string) => ({ url, tokens: createTokens(() => token) });
const blobOf = (bytes: Buffer) => new Blob([new Uint8Array(bytes)]);

const ownStore = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
afterEach(() => {
  if (ownStore === undefined) Reflect.deleteProperty(globalThis, "localStorage");
  else Object.defineProperty(globalThis, "localStorage", ownStore);
});

it("[SDK70] a large file goes on through cuts and the kill of a worker, and is whole", async () => {
  const ann = await troupe().user("ann");
  const bytes = randomBytes(24 * MIB);
  const line = await breakingLine(new URL(troupe().url), 5 * MIB, 4);
  const progress: Progress[] = [];
  let killed: Promise<number> | null = null;
  try {
    const file = await upload(uploader(ann, line.url), blobOf(bytes), {
      name: "Lärm.bin",
      onProgress(one) {
        progress.push(one);
        if (one.sent >= 8 * MIB) killed ??= troupe().killWorker(0);
      },
    });
    expect(line.cuts()).toBe(4);
    await killed;
    expect(file).toMatchObject({ name: "Lärm.bin", bytes: bytes.length, state: "ready" });
    expect(progress.at(-1)).toEqual({ sent: bytes.length, total: bytes.length });
    const { body } = await ann.api.get<FileObject>(`/api/files/${file.id}`);
    const there = await fetch(new URL(body.url, troupe().url));
    expect(hash(Buffer.from(await there.arrayBuffer()))).toBe(hash(bytes));
  } finally {
    await line.close();
  }
  await troupe().untilReady();
}, 90_000);

it("[SDK71] an upload that is ended is taken back, and one that is refused says why", async () => {
  const ben = await troupe().user("ben");
  const end = new AbortController();
  let seen = 0;
  const ended = upload(uploader(ben, troupe().url), blobOf(randomBytes(24 * MIB)), {
    signal: end.signal,
    onProgress({ sent }) {
      seen = sent;
      if (sent > 0) end.abort();
    },
  });
  await expect(ended).rejects.toMatchObject({ name: "TroupeError", code: "gone" });
  expect(seen).toBeGreaterThan(0);
  expect(seen).toBeLessThan(24 * MIB);
  const refused = upload(uploader(ben, troupe().url), blobOf(Buffer.alloc(41 * MIB)));
  await expect(refused).rejects.toBeInstanceOf(TroupeError);
  await expect(refused).rejects.toMatchObject({ code: "payload_too_large" });
});

it("[SDK72] a large file is uploaded where the page's storage is closed, or full", async () => {
  const cid = await troupe().user("cid");
  const full = {
    getItem: () => null,
    setItem() {
      throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
    },
    removeItem: () => undefined,
  };
  const stores = [
    () => full,
    () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    },
  ];
  for (const get of stores) {
    Object.defineProperty(globalThis, "localStorage", { configurable: true, get });
    const bytes = randomBytes(11 * MIB);
    const file = await upload(uploader(cid, troupe().url), new File([blobOf(bytes)], "a.bin"));
    expect(file).toMatchObject({ bytes: bytes.length });
  }
});

it("[SDK73] two blobs of one size that are uploaded at a time are two files", async () => {
  const dan = await troupe().user("dan");
  const kept = new Map<string, string>();
  const store = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, id: string) => kept.set(key, id),
    removeItem: (key: string) => kept.delete(key),
  };
  Object.defineProperty(globalThis, "localStorage", { configurable: true, value: store });
  const [one, other] = [randomBytes(12 * MIB), randomBytes(12 * MIB)];
  const to = uploader(dan, troupe().url);
  const second: Promise<FileObject>[] = [];
  const first = await upload(to, blobOf(one), {
    onProgress() {
      if (second.length === 0) second.push(upload(to, blobOf(other)));
    },
  });
  const made = [first, ...(await Promise.all(second))];
  expect(made).toHaveLength(2);
  for (const [n, { id }] of made.entries()) {
    const { body } = await dan.api.get<FileObject>(`/api/files/${id}`);
    const there = await fetch(new URL(body.url, troupe().url));
    expect(hash(Buffer.from(await there.arrayBuffer()))).toBe(hash([one, other][n]!));
  }
}, 90_000);
