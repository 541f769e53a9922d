/**
 * A request that carries bytes, in Node.
 *
 * [TRF1] A transfer lasts as long as bytes leave, however long that is; only silence ends it.
 */
import { createServer } from "node:http";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { transfer } from "../../src/client/transfer.ts";
import { listening } from "../support/ports.ts";

const MIB = 1024 * 1024;
/** More than the buffers of a connection hold. */
const BYTES = 24 * MIB;

const STEP = 6 * MIB;

let read: ((most: number) => void) | null = null;
let answers = true;
let hasEnded = false;
const server = createServer((request, response) => {
  let bytes = 0;
  let upTo = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= upTo) request.pause();
  });
  request.pause();
  read = (most) => {
    upTo += most;
    request.resume();
  };
  request.on("end", () => {
    hasEnded = true;
    if (answers) response.end(String(bytes));
  });
});
let url: string;

beforeEach(async () => {
  read = null;
  hasEnded = false;
  url = `http://127.0.0.1:${await listening(server)}/`;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

it("[TRF1] a part may take longer than a minute while its bytes leave, and then only silence ends it", async () => {
  let sent = 0;
  let told: () => void = () => undefined;
  const done = transfer({
    method: "POST",
    url,
    headers: {},
    body: new Blob([new Uint8Array(BYTES)]),
    onSent: (bytes) => {
      sent = bytes;
      told();
    },
  });
  const moves = () => new Promise<void>((resolve) => (told = resolve));
  await moves();
  await vi.waitUntil(() => read !== null);
  // Nearly a minute, again and again, with some bytes between.
  for (let minutes = 0; minutes < 3; minutes++) {
    vi.advanceTimersByTime(50_000);
    const before = sent;
    const moved = moves();
    read?.(STEP);
    await moved;
    expect(sent).toBeGreaterThan(before);
  }
  read?.(BYTES);
  expect(await done).toMatchObject({ ok: true, value: { text: String(BYTES) } });
  expect(sent).toBe(BYTES);
});

it("[TRF1] an answer that does not come ends it after a minute", async () => {
  answers = false;
  const done = transfer({ method: "POST", url, headers: {}, body: new Blob(["hello"]) });
  await vi.waitUntil(() => read !== null);
  read?.(BYTES);
  await vi.waitUntil(() => hasEnded);
  await vi.advanceTimersByTimeAsync(61_000);
  expect(await done).toMatchObject({ ok: false, error: { code: "unavailable" } });
});
