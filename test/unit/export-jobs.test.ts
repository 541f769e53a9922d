/** [EXP] The job that exports, without a database and a disk. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { EXPORT, EXPORT_KEPT_MS, exportKey } from "../../src/base/export-files.ts";
import { exportJobs } from "../../src/jobs/export.ts";
import type { JobHandlers, JobRun } from "../../src/jobs/runner.ts";
import type { ExportedFile, ExportStore } from "../../src/ports/exports.ts";
import type { HeldJob, NewJob } from "../../src/ports/jobs.ts";
import { linesIn, unzipped } from "../support/zip.ts";

const FILE: ExportedFile = {
  id: "5",
  name: "a/b?.txt",
  mime: "text/plain",
  bytes: 4,
  created_at: "2026-01-01T00:00:00.000Z",
};

/** A store of files in memory, and a store of exports whose answers the tests set. */
class Scene {
  readonly kept = new Map<string, Buffer>([["5", Buffer.from("text")]]);
  readonly added: NewJob[] = [];
  isThere = true;
  isErasing = false;
  older: string[] = [];
  files: ExportedFile[] = [FILE];
  readonly handlers: JobHandlers;

  constructor() {
    const scene = this;
    const store: ExportStore = {
      isThere: async () => scene.isThere,
      async *lines() {
        yield ['{"type":"user"}', '{"type":"privacy"}'];
        yield ['{"type":"message"}'];
      },
      async *files() {
        yield scene.files;
      },
      jobs: async () => [],
      olderJobs: async () => scene.older,
      isErasing: async () => scene.isErasing,
    };
    this.handlers = exportJobs({
      store,
      files: {
        async write(key, source) {
          const parts: Uint8Array[] = [];
          for await (const part of source) parts.push(part);
          const whole = Buffer.concat(parts);
          scene.kept.set(key, whole);
          return whole.length;
        },
        async read(key, from, to) {
          const found = scene.kept.get(key)?.subarray(from, to + 1);
          return found === undefined
            ? null
            : (async function* () {
                yield found;
              })();
        },
        async remove(key) {
          scene.kept.delete(key);
        },
      },
      queue: {
        async add(job) {
          scene.added.push(job);
          return "99";
        },
      },
      basePath: "/chat",
      clock: systemClock,
    });
  }

  run({ attempts = 1, ...run }: Partial<JobRun> & { attempts?: number } = {}) {
    const args = { thing: { is: "user", id: "7" }, namesOutside: false };
    const job: HeldJob = { id: "12", kind: EXPORT, key: "user 7 user:7", args, attempts };
    const { signal } = new AbortController();
    return this.handlers[EXPORT]!(job, { signal, progress: async () => true, ...run });
  }
}

describe("the job that exports", () => {
  it("[EXP3] keeps one archive for a day, and says where it is", async () => {
    const scene = new Scene();
    scene.older = ["11"];
    scene.kept.set(exportKey("11"), Buffer.from("an older one"));
    const before = Date.now();
    const end = await scene.run();
    const archive = scene.kept.get(exportKey("12"))!;
    const result = {
      url: "/chat/api/exports/12",
      bytes: archive.length,
      lines: 4,
      files: 1,
      expires_at: expect.any(String),
    };
    expect(end).toEqual({ is: "done", result });
    const { expires_at } = (end as { result: { expires_at: string } }).result;
    expect(Date.parse(expires_at) - before).toBeGreaterThanOrEqual(EXPORT_KEPT_MS);
    expect(scene.kept.has(exportKey("11"))).toBe(false);
    const entries = unzipped(archive);
    expect([...entries.keys()]).toEqual(["data.jsonl", "files/5/a_b_.txt"]);
    expect(linesIn(entries.get("data.jsonl")!).at(-1)).toEqual({
      type: "file",
      ...FILE,
      path: "files/5/a_b_.txt",
    });

    const [removal] = scene.added;
    expect(removal).toMatchObject({ inMs: EXPORT_KEPT_MS, key: "12" });
    const due: HeldJob = {
      id: "99",
      kind: removal!.kind,
      key: "12",
      args: removal!.args,
      attempts: 1,
    };
    const { signal } = new AbortController();
    await scene.handlers[removal!.kind]!(due, { signal, progress: async () => true });
    expect(scene.kept.has(exportKey("12"))).toBe(false);
  });

  it("[EXP1] leaves out a file whose bytes are gone", async () => {
    const scene = new Scene();
    scene.kept.delete("5");
    expect(await scene.run()).toMatchObject({ is: "done", result: { files: 0 } });
    expect(unzipped(scene.kept.get(exportKey("12"))!).size).toBe(1);
  });

  it("[EXP4] leaves nothing of a time in which a user was erased, and tries again", async () => {
    const scene = new Scene();
    scene.isErasing = true;
    expect(await scene.run()).toMatchObject({ is: "retry" });
    expect(scene.kept.has(exportKey("12"))).toBe(false);
    expect(await scene.run({ attempts: 20 })).toMatchObject({ is: "failed" });
    expect(scene.added).toEqual([]);
    scene.isThere = false;
    expect(await scene.run()).toMatchObject({ is: "failed", error: { code: "not_found" } });
  });

  it("[EXP2] ends without a result when another host has the job", async () => {
    const scene = new Scene();
    await expect(scene.run({ progress: async () => false })).rejects.toThrow("another host's");
    await expect(scene.run({ signal: AbortSignal.abort() })).rejects.toThrow("another host's");
    expect(scene.kept.has(exportKey("12"))).toBe(false);
    expect(scene.added).toEqual([]);
  });
});
