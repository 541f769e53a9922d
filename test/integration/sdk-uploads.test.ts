/**
 * The SDK's uploads of large files, over a line that breaks.
 *
 * [SDK70] A cut costs no more than the request that it cut; tries without progress are bounded.
 * [SDK71] An upload that is ended is taken back at the server; one that is refused says why.
 */
import { createHash, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
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
