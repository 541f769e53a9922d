import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeAt,
  eachFrame,
  encode,
  FRAME,
  FRAME_BYTES_MAX,
  type Frame,
  FrameBatch,
  frame,
  headAt,
  lengthAt,
} from "../../src/runtime/frames.ts";

const header = fc.string({ unit: "binary-ascii", maxLength: 255 });
const text = fc.string({ unit: "grapheme", maxLength: 300 });
const u32 = fc.nat({ max: 0xffffffff });
const frames: fc.Arbitrary<Frame> = fc.record({
  type: fc.constantFrom(...Object.values(FRAME)),
  flags: fc.nat({ max: 255 }),
  to: header,
  from: header,
  corr: u32,
  view: u32,
  rev: u32,
  key: header,
  name: header,
  except: header,
  note: text,
  body: text,
});

describe("a frame", () => {
  test("[FRM1] comes out as it went in", () => {
    fc.assert(
      fc.property(frames, (one) => {
        expect(decodeAt(encode(one), 0)).toEqual(one);
      }),
    );
  });

  test("[FRM1] keeps every kind of text", () => {
    const body = JSON.stringify({ body: "שלום 你好 👩‍👩‍👧‍👦 \u2028 é e\u0301 \u{1d11e}" });
    const one = frame(FRAME.event, { key: "conversations:1", note: body, body });
    expect(decodeAt(encode(one), 0)).toEqual(one);
  });

  test("[FRM2] can be routed without being decoded", () => {
    fc.assert(
      fc.property(frames, ({ ...one }) => {
        const { type, to, key, corr } = one;
        expect(headAt(encode(one), 0)).toEqual({ type, to, key, corr });
      }),
    );
  });
});

describe("a batch", () => {
  test("[FRM1] gives its frames back in order, wherever they stand", () => {
    fc.assert(
      fc.property(fc.array(frames, { maxLength: 20 }), (many) => {
        const batch = new FrameBatch();
        many.forEach((one, n) => {
          if (n % 2 === 0) batch.push(one);
          else batch.pushBytes(encode(one));
        });
        expect(batch.frames).toBe(many.length);
        const bytes = batch.take();
        const decoded: Frame[] = [];
        eachFrame(bytes, (at) => decoded.push(decodeAt(bytes, at)));
        expect(decoded).toEqual(many);
      }),
      { numRuns: 50 },
    );
  });

  test("[FRM1] what was taken does not change with the next", () => {
    const batch = new FrameBatch();
    batch.push(frame(FRAME.tell, { body: "first" }));
    const first = batch.take();
    batch.push(frame(FRAME.tell, { body: "SECOND" }));
    batch.take();
    expect(decodeAt(first, 0).body).toBe("first");
    expect(batch.byteLength).toBe(0);
  });

  test("[FRM1] grows past its first buffer", () => {
    const batch = new FrameBatch();
    const body = "é".repeat(500_000);
    batch.push(frame(FRAME.tell, { body }));
    batch.push(frame(FRAME.tell, { body: "after" }));
    const bytes = batch.take();
    expect(decodeAt(bytes, 0).body).toBe(body);
    expect(decodeAt(bytes, lengthAt(bytes, 0)).body).toBe("after");
  });
});

test.each([0, 27, FRAME_BYTES_MAX + 1, 0xffffffff])(
  "[FRM3] a length of %i is refused",
  (length) => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32BE(length, 0);
    expect(() => lengthAt(bytes, 0)).toThrow(/frame of/);
  },
);
