/** [IMJ4] Files that are made ready while their store is away. */
import { describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/log.ts";
import { PREPARE_FILE, prepareJobs } from "../../src/jobs/prepare-files.ts";
import type { PreparedImage, StoredFile } from "../../src/ports/files.ts";
import { asUserId } from "../../src/protocol/schemas.ts";

const FILE: StoredFile = {
  id: "7",
  owner: asUserId("1"),
  shown: {
    id: "7",
    name: "a.png",
    mime: "image/png",
    bytes: 3,
    kind: "image",
    state: "processing",
    url: "~file:7:x",
    created_at: "2026-01-01T00:00:00.000Z",
  },
  thumbBytes: 0,
};
const READY: PreparedImage = {
  is: "ready",
  facts: { width: 1, height: 1, placeholder: "" },
  image: () => bytes(),
  thumb: () => bytes(),
  close: async () => undefined,
};

async function* bytes(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(3);
}
async function* cut(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(1);
  throw new Error("the store has gone");
}

/** Runs the job at its tenth try; answers its end and what was settled. */
async function runs(over: {
  read?: () => Promise<AsyncIterable<Uint8Array> | null>;
  write?: () => Promise<number>;
  prepare?: (source: AsyncIterable<Uint8Array>) => Promise<PreparedImage>;
}) {
  const settled: string[] = [];
  const handlers = prepareJobs({
    table: {
      file: async () => FILE,
      settle: async (_id, { state }) => {
        settled.push(state);
        return true;
      },
    },
    store: {
      read: over.read ?? (async () => bytes()),
      write: over.write ?? (async () => 3),
      remove: async () => undefined,
    },
    links: { mark: (id) => id },
    images: {
      async prepare(source) {
        if (over.prepare !== undefined) return over.prepare(source);
        for await (const _ of source);
        return READY;
      },
    },
    scan: null,
    refresh: async () => true,
    log: createLogger({ level: "silent" }),
  });
  const job = { id: "1", kind: PREPARE_FILE, key: "7", args: {}, attempts: 10 };
  const { signal } = new AbortController();
  const end = await handlers[PREPARE_FILE]!(job, { signal } as never);
  return { end, settled };
}

const away = () => Promise.reject(new Error("the store does not answer"));
const WAITS = { end: { is: "again", inMs: 15_000 }, settled: [] };

describe("a picture", () => {
  test("[IMJ4] waits for a store that cannot be read, breaks off or takes no bytes", async () => {
    expect(await runs({ read: away })).toEqual(WAITS);
    expect(await runs({ read: async () => cut() })).toEqual(WAITS);
    expect(await runs({ write: away })).toEqual(WAITS);
  });

  test("[IMJ4] is ready when the store answers, and refused when it cannot be read itself", async () => {
    expect((await runs({})).settled).toEqual(["ready"]);
    const prepare = () => Promise.reject(new Error("its process ended"));
    expect((await runs({ prepare })).settled).toEqual(["refused"]);
    expect((await runs({ read: async () => null })).settled).toEqual(["refused"]);
  });
});
