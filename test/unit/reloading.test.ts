/**
 * Reloads one after the other.
 *
 * [RLN1] A reload that fails for whatever reason is answered, and the next one is made all the same.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RELOADS_DIR, type ReloadNote } from "../../src/base/reload-note.ts";
import type { OpenedExtensions } from "../../src/config/extensions.ts";
import { Reloading } from "../../src/primary/reloading.ts";

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "troupe-reloading-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const opened = (generation: number): OpenedExtensions => ({
  extensions: { generation, dir: "/", bundles: [], namespaces: [], actors: [], hooks: [] },
  close: async () => undefined,
});

async function noted(): Promise<Pick<ReloadNote, "count" | "problem">> {
  const text = await readFile(join(dataDir, RELOADS_DIR, `${process.pid}.json`), "utf8");
  const { count, problem } = JSON.parse(text) as ReloadNote;
  return { count, problem };
}

it("[RLN1] a full disk fails one reload, and the next one is made", async () => {
  const renewed: number[] = [];
  let tries = 0;
  const reloading = new Reloading({
    dataDir,
    current: opened(1),
    async open() {
      tries++;
      if (tries === 1) throw new Error("ENOSPC: no space left on device, mkdtemp");
      return opened(tries);
    },
    async renew({ extensions }) {
      renewed.push(extensions.generation);
      return null;
    },
    log: pino({ level: "silent" }),
  });
  await reloading.start();
  await reloading.reload();
  expect(await noted()).toMatchObject({ count: 1, problem: expect.stringContaining("ENOSPC") });
  await reloading.reload();
  expect(await noted()).toEqual({ count: 2, problem: null });
  expect(renewed).toEqual([2]);
  await reloading.close();
});
