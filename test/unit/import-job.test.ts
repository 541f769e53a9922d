/**
 * The job that imports, on a store that keeps what it was asked.
 *
 * [IMP2] An import that has ended is only cleaned up by a later run, which needs neither lines nor file.
 * [IMP5] An import that is given up leaves neither lines nor a file, if only later, and says why.
 * [IMP4] No more than some MiB of a file are staged together.
 */
import { expect, it } from "vitest";
import { IMPORT, importKey } from "../../src/base/import-files.ts";
import { importReaders } from "../../src/edge/import-readers.ts";
import { importJobs } from "../../src/jobs/import.ts";
import type { ImportStore } from "../../src/ports/imports.ts";
import type { HeldJob } from "../../src/ports/jobs.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { linesOf } from "../support/imports.ts";

const COUNTS = { users: 0, conversations: 0, messages: 80 };
const MIB = 1024 * 1024;

class Scene {
  readonly asked: string[] = [];
  readonly staged: number[] = [];
  readonly removed: string[] = [];
  readonly reported: object[] = [];
  /** Null: there is no file any more. */
  text: string | null;
  isOurs = true;
  isStorageBroken = false;
  isStoreAway = false;

  constructor(text: string | null) {
    this.text = text;
  }

  run(progress: object | null = null, attempts = 2) {
    const { asked, staged, removed, reported } = this;
    const note = (name: string) => {
      asked.push(name);
    };
    const store: ImportStore = {
      async begin() {
        note("begin");
        return { id: "1", isGood: false };
      },
      clear: async () => note("clear"),
      stage: async (_id, lines) => {
        if (this.isStorageBroken) throw new Error("no space left on device");
        staged.push(JSON.stringify(lines).length);
      },
      problems: async () => [],
      accept: async () => note("accept"),
      writeUsers: async () => null,
      async *conversations() {
        note("write");
        yield* [];
      },
      writeConversations: async () => 0,
      writeGraph: async () => null,
      counts: async () => COUNTS,
      end: async () => note("end"),
    };
    const text = this.text;
    const handlers = importJobs({
      store,
      files: {
        async read(_key, from, to) {
          if (text === null) return null;
          const bytes = Buffer.from(text).subarray(from, to + 1);
          return (async function* () {
            yield bytes;
          })();
        },
        remove: async (key) => {
          if (this.isStoreAway) throw new Error("the store is away");
          removed.push(key);
        },
      },
      readers: importReaders(),
      clock: new FakeClock(),
    });
    const args = { name: "file", bytes: text?.length ?? 10 };
    const job: HeldJob = { id: "7", kind: IMPORT, key: null, args, attempts, progress };
    return handlers[IMPORT]!(job, {
      signal: new AbortController().signal,
      progress: async (done) => {
        reported.push(done);
        return this.isOurs;
      },
    });
  }
}

const message = (n: number) => ({
  type: "message",
  conversation: "c",
  sender: "u",
  external_id: `m${n}`,
  body: "x".repeat(60_000),
});

it("[IMP2] the outcome is kept before lines and file go, and a later run has it from there", async () => {
  const first = new Scene(linesOf([message(1)]));
  expect(await first.run()).toEqual({ is: "done", result: COUNTS });
  expect(first.asked.at(-1)).toBe("end");
  expect(first.removed).toEqual([importKey("file")]);
  const kept = first.reported.at(-1)!;
  const later = new Scene(null);
  expect(await later.run(kept)).toEqual({ is: "done", result: COUNTS });
  expect(later.asked).toEqual(["begin", "end"]);
  expect(later.removed).toEqual([importKey("file")]);
});

it("[IMP2] a host that has lost the job takes nothing away", async () => {
  const scene = new Scene(linesOf([message(1)]));
  scene.isOurs = false;
  await expect(scene.run()).rejects.toThrow("another host");
  expect(scene.asked).not.toContain("end");
  expect(scene.removed).toEqual([]);
});

it("[IMP4] long lines are staged few at a time", async () => {
  const scene = new Scene(linesOf(Array.from({ length: 300 }, (_, n) => message(n))));
  await scene.run();
  expect(scene.staged.length).toBeGreaterThan(2);
  expect(Math.max(...scene.staged)).toBeLessThan(6 * MIB);
});

it("[IMP5] an import that fails for the last time leaves neither lines nor a file, and says why", async () => {
  const scene = new Scene(linesOf([message(1)]));
  scene.isStorageBroken = true;
  await expect(scene.run(null, 9)).rejects.toThrow("no space left");
  expect([scene.asked.includes("end"), scene.removed]).toEqual([false, []]);
  const error = { code: "internal", message: "no space left on device" };
  expect(await scene.run(null, 10)).toEqual({ is: "failed", error });
  expect([scene.asked.at(-1), scene.removed]).toEqual(["end", [importKey("file")]]);
});

it("[IMP5] while its file cannot be removed the job waits, and then it has failed all the same", async () => {
  const scene = new Scene(linesOf([message(1)]));
  scene.isStorageBroken = true;
  scene.isStoreAway = true;
  const error = { code: "internal", message: "no space left on device" };
  expect(await scene.run(null, 10)).toMatchObject({ is: "retry", error });
  const kept = scene.reported.at(-1)!;
  expect(await scene.run(kept, 11)).toMatchObject({ is: "retry", error });
  scene.isStoreAway = false;
  expect(await scene.run(kept, 12)).toEqual({ is: "failed", error });
  expect(scene.removed).toEqual([importKey("file")]);
});
