import { Duplex, duplexPair } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { decodeAt, eachFrame, encode, FRAME, frame } from "../../src/runtime/frames.ts";
import { Pipe } from "../../src/runtime/pipe.ts";
import { eventually } from "../support/eventually.ts";
import { settled } from "../support/fake-clock.ts";

const opened: Pipe[] = [];

afterEach(() => {
  for (const pipe of opened.splice(0)) pipe.close("test over");
});

class End {
  readonly heard: string[] = [];
  readonly closed: string[] = [];
  readonly pipe: Pipe;

  constructor(stream: Duplex) {
    this.pipe = new Pipe(stream, {
      frames: (bytes) => {
        eachFrame(bytes, (at) => this.heard.push(decodeAt(bytes, at).body));
      },
      closed: (reason) => this.closed.push(reason),
    });
    opened.push(this.pipe);
  }
}

const tell = (body: string) => frame(FRAME.tell, { body });

test("[PIP1] frames arrive whole and in order, ready-made ones too", async () => {
  const [left, right] = duplexPair();
  const [a, b] = [new End(left), new End(right)];
  a.pipe.send(tell("1"));
  a.pipe.sendBytes(encode(tell("2")));
  a.pipe.send(tell("3"));
  await settled();
  expect(b.heard).toEqual(["1", "2", "3"]);
});

test("[PIP1] wherever the stream cuts, frames are put together again", async () => {
  const [left, right] = duplexPair();
  const b = new End(right);
  const bodies = ["", "é".repeat(40), "x".repeat(3_000), "last"];
  const bytes = Buffer.concat(bodies.map((body) => encode(tell(body))));
  for (let at = 0; at < bytes.length; at += 7) {
    left.write(bytes.subarray(at, at + 7));
    if (at % 70 === 0) await settled();
  }
  await settled();
  expect(b.heard).toEqual(bodies);
});

test("[PIP2] what one turn says is one write", async () => {
  const writes: number[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      writes.push(chunk.length);
      done();
    },
  });
  const a = new End(stream);
  for (let n = 0; n < 100; n++) a.pipe.send(tell(String(n)));
  expect(writes).toEqual([]);
  await settled();
  expect(writes).toHaveLength(1);
});

test("[PIP3] a neighbour that breaks the rules is cut off, once", async () => {
  const [left, right] = duplexPair();
  const b = new End(right);
  left.write(Buffer.from([0, 0, 0, 1, 9, 9, 9, 9]));
  await settled();
  expect(b.closed).toHaveLength(1);
  expect(b.closed[0]).toMatch(/frame of 1 bytes/);
});

test("[PIP3] the other side's end is told once, and sending then does nothing", async () => {
  const [left, right] = duplexPair();
  const b = new End(right);
  left.end();
  await settled();
  expect(b.closed).toHaveLength(1);
  b.pipe.close("again");
  expect(b.closed).toHaveLength(1);
  b.pipe.send(tell("into the void"));
  await settled();
  expect(b.pipe.queuedBytes).toBe(0);
});

test("[PIP4] a full pipe is said once, and once that there is room again", async () => {
  const writes: (() => void)[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => void writes.push(done),
  });
  const changes: boolean[] = [];
  const pipe = new Pipe(
    stream,
    {
      frames: () => undefined,
      pressure: (isFull) => changes.push(isFull),
      closed: () => undefined,
    },
    { highBytes: 10_000, lowBytes: 2_000, deadAfterMs: 60_000, maxBytes: 1_000_000 },
  );
  opened.push(pipe);
  for (let n = 0; n < 20; n++) {
    pipe.send(tell("x".repeat(1_000)));
    await settled();
  }
  expect([changes, pipe.isFull]).toEqual([[true], true]);
  while (writes.length > 0) {
    writes.shift()?.();
    await settled();
  }
  expect([changes, pipe.isFull, pipe.queuedBytes]).toEqual([[true, false], false, 0]);
});

test("[PIP3] [LPR2] a neighbour that does not read is given up after its deadline", async () => {
  const stream = new Duplex({
    read: () => undefined,
    write: () => {
      // Never done: the other side reads nothing.
    },
  });
  const closed: string[] = [];
  const pipe = new Pipe(
    stream,
    { frames: () => undefined, closed: (reason) => closed.push(reason) },
    { highBytes: 10_000, lowBytes: 2_000, deadAfterMs: 300, maxBytes: 1_000_000 },
  );
  opened.push(pipe);
  for (let n = 0; n < 20; n++) pipe.send(tell("x".repeat(1_000)));
  await settled();
  expect(closed).toEqual([]);
  await eventually("it is given up", () => closed.length > 0);
  expect(closed[0]).toMatch(/has read nothing for 300 ms/);
});
