import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { build } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  BatchLink,
  createLine,
  type LINK_MARKS,
  type LineEnd,
} from "../../src/runtime/batch-link.ts";
import { decodeAt, eachFrame, encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { eventually } from "../support/eventually.ts";

let near: LineEnd;
let far: LineEnd;
let link: BatchLink;
let stuck: string[];

beforeEach(() => {
  [near, far] = createLine();
  stuck = [];
  link = new BatchLink(near, { frames: () => undefined, stuck: (why) => stuck.push(String(why)) });
});

afterEach(() => {
  near.port.close();
});

const tell = (body: string) => frame(FRAME.tell, { body });

function bodiesOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  const bodies: string[] = [];
  eachFrame(buffer, (at) => bodies.push(decodeAt(buffer, at).body));
  return bodies;
}

/** The far end, batch by batch; `each` may throw. */
function farEnd(
  each: (bodies: string[]) => void,
  failed: (why: Error) => void = (why) => stuck.push(String(why)),
) {
  return new BatchLink(far, { frames: (bytes) => each(bodiesOf(bytes)), stuck: failed });
}

/** What has been posted to a far end that works nothing through. */
function posted(port: MessagePort): string[][] {
  const batches: string[][] = [];
  port.on("message", (batch: Uint8Array) => batches.push(bodiesOf(batch)));
  return batches;
}

test("[LNK1] a lone frame leaves at the end of its turn, and flush lets it leave at once", async () => {
  const heard: string[][] = [];
  farEnd((bodies) => heard.push(bodies));
  link.send(tell("one"));
  link.sendBytes(encode(tell("two")));
  expect(receiveMessageOnPort(far.port), "not before its end").toBeUndefined();
  await eventually("both have come", () => heard.length > 0);
  link.send(tell("three"));
  link.flush();
  const third = receiveMessageOnPort(far.port);
  expect(bodiesOf(third?.message as Uint8Array)).toEqual(["three"]);
  expect(heard).toEqual([["one", "two"]]);
});

test("[LNK2] with two batches not worked through the rest gathers, in order", async () => {
  const batches = posted(far.port);
  for (const name of ["a", "b", "c", "d", "e"]) {
    link.send(tell(name));
    link.flush();
  }
  await eventually("two have come", () => batches.length === 2);
  expect(batches).toEqual([["a"], ["b"]]);
  far.port.removeAllListeners("message");

  // Somebody works them through after all, and says so.
  Atomics.add(far.incoming, 0, 1);
  expect(Atomics.exchange(far.incoming, 1, 0), "the sender has said that it waits").toBe(1);
  const [next] = await Promise.all([once(far.port, "message"), far.port.postMessage(null)]);
  expect(bodiesOf(next[0] as Uint8Array)).toEqual(["c", "d", "e"]);
});

test("[LNK2] whatever two ends say at once, all of it comes, in order", async () => {
  const FRAMES = 3_000;
  const heard: string[] = [];
  const back: string[] = [];
  const [one, other] = createLine();
  const end = (at: LineEnd, into: string[]) =>
    new BatchLink(at, {
      frames: (bytes) => into.push(...bodiesOf(bytes)),
      stuck: (why) => stuck.push(String(why)),
    });
  const here = end(one, back);
  const there = end(other, heard);
  for (let n = 0; n < FRAMES; n++) {
    here.send(tell(`${n}`));
    there.send(tell(`${n}`));
    // Some at once and some with their turn, so that lines fill and empty again.
    if (n % 3 === 0) here.flush();
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const all = Array.from({ length: FRAMES }, (_, n) => `${n}`);
  await eventually("all has come", () => heard.length === FRAMES && back.length === FRAMES);
  expect(heard).toEqual(all);
  expect(back).toEqual(all);
  expect(stuck).toEqual([]);
  one.port.close();
});

test("[LNK3] a side that cannot go on says so once, and takes nothing any more", async () => {
  const seen: string[] = [];
  const reasons: string[] = [];
  farEnd(
    (bodies) => {
      seen.push(...bodies);
      throw new Error("cannot");
    },
    (why) => reasons.push(String(why)),
  );
  const closed = once(near.port, "close");
  for (const name of ["a", "b"]) {
    link.send(tell(name));
    link.flush();
  }
  await closed;
  expect(seen).toEqual(["a"]);
  expect(reasons).toEqual(["Error: cannot"]);
  expect(stuck).toEqual([]);
});

/** Small marks and a short deadline; `changes` is what the owner is asked. */
function pressed(marks: Partial<typeof LINK_MARKS> = {}) {
  const [here, there] = createLine();
  const changes: boolean[] = [];
  const dead: string[] = [];
  const pressedLink = new BatchLink(
    here,
    {
      frames: () => undefined,
      pressure: (isFull) => changes.push(isFull),
      stuck: (why) => dead.push(why.message),
    },
    { highBytes: 10_000, lowBytes: 2_000, deadAfterMs: 300, maxBytes: 1_000_000, ...marks },
  );
  return { here, there, changes, dead, link: pressedLink };
}

const kilobytes = (count: number) => tell("x".repeat(count * 1000));

test("[LPR1] a full line is said once, and once that there is room again", async () => {
  const { here, there, changes, dead, link } = pressed({ deadAfterMs: 60_000 });
  for (let n = 0; n < 30; n++) {
    link.send(kilobytes(1));
    link.flush();
  }
  expect(changes).toEqual([true]);
  expect(link.isFull).toBe(true);
  const other = new BatchLink(there, { frames: () => undefined, stuck: () => undefined });
  await eventually("there is room again", () => changes.length === 2);
  expect(changes).toEqual([true, false]);
  expect([link.queuedBytes, other.queuedBytes, dead]).toEqual([0, 0, []]);
  here.port.close();
});

test("[LPR2] a far end that reads nothing is dead after its deadline, with the reason in words", async () => {
  const { changes, dead, link } = pressed();
  for (let n = 0; n < 30; n++) link.send(kilobytes(1));
  expect(dead).toEqual([]);
  await eventually("it is given up", () => dead.length > 0);
  expect(dead[0]).toMatch(/has read nothing for 300 ms, while \d+ MB wait for it/);
  link.send(kilobytes(1));
  link.flush();
  expect([dead.length, changes]).toEqual([1, [true]]);
});

test("[LPR3] past the bound the line is given up at once", () => {
  const { dead, link } = pressed({ deadAfterMs: 60_000 });
  for (let n = 0; n < 1_100; n++) link.send(kilobytes(1));
  expect(dead).toHaveLength(1);
});

test("[LNK4] an end that holds takes nothing, and then all of it in order", async () => {
  const { here, there, changes, link } = pressed({ deadAfterMs: 60_000 });
  const seen: string[] = [];
  const other = new BatchLink(there, {
    frames: (bytes) => seen.push(...bodiesOf(bytes).map((body) => body.slice(0, 6))),
    stuck: () => undefined,
  });
  other.hold();
  for (let n = 0; n < 30; n++) {
    link.send(tell(`${n}`.padEnd(1_000)));
    link.flush();
  }
  await eventually("the line is full", () => changes.length === 1);
  expect(seen).toEqual([]);
  other.release();
  await eventually("all has come", () => seen.length === 30);
  expect(seen.map(Number)).toEqual(Array.from({ length: 30 }, (_, n) => n));
  expect(changes).toEqual([true, false]);
  here.port.close();
});

test("[LPR1] between two threads, of which one stands still, nothing is lost and nobody ends", async () => {
  const far = await startFarThread();
  const changes: boolean[] = [];
  const echoed: number[] = [];
  const failed: string[] = [];
  const link = new BatchLink(
    far.end,
    {
      frames: (bytes) => echoed.push(...bodiesOf(bytes).map((body) => Number(body.slice(0, 6)))),
      pressure: (isFull) => changes.push(isFull),
      stuck: (why) => failed.push(why.message),
    },
    { highBytes: 1_000_000, lowBytes: 100_000, deadAfterMs: 20_000, maxBytes: 500_000_000 },
  );
  // The other thread blocks in its first batch, as an event loop does that has too much to do.
  far.block();
  let sent = 0;
  while (!link.isFull) {
    link.send(tell(`${sent++}`.padEnd(10_000)));
    if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sent).toBeLessThan(200);
  // Work that had been begun.
  for (let n = 0; n < 100; n++) link.send(tell(`${sent++}`.padEnd(10_000)));
  far.unblock();
  await eventually("all has come back", () => echoed.length === sent);
  expect(echoed).toEqual(Array.from({ length: sent }, (_, n) => n));
  await eventually("there is room", () => changes.at(-1) === false);
  expect(changes).toEqual([true, false]);
  expect(failed).toEqual([]);
  await far.stop();
});

/** A thread with the other end of a line, which sends back what it gets. */
async function startFarThread() {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("../support/fixtures/far-thread.ts", import.meta.url))],
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
  });
  const [end, given] = createLine();
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(built.outputFiles[0]?.text ?? "", {
    eval: true,
    workerData: { end: given, gate },
    transferList: [given.port],
  });
  await once(thread, "online");
  return {
    end,
    block: () => void Atomics.store(gate, 0, 1),
    unblock() {
      Atomics.store(gate, 0, 0);
      Atomics.notify(gate, 0);
    },
    async stop() {
      end.port.close();
      await thread.terminate();
    },
  };
}
