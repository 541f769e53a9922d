/** [FSS2] How far an upload has come, from the names of its objects in an S3-compatible store. */
import { describe, expect, test } from "vitest";
import {
  doneName,
  partBytes,
  partName,
  pieceName,
  progressOf,
  uploadName,
} from "../../src/storage/files/s3-uploads.ts";

const MIB = 1024 * 1024;
const PART = 8 * MIB;

describe("the progress of an upload", () => {
  test("[FSS2] nothing is there", () => {
    expect(progressOf([])).toMatchObject({ base: 0, end: 0, tag: null, done: null, etags: [] });
  });

  test("[FSS2] pieces count as far as they join, whichever of them overlap", () => {
    const joined = [pieceName(0, 10), pieceName(5, 30), pieceName(5, 12), pieceName(30, 31)];
    expect(progressOf(joined).end).toBe(31);
    expect(progressOf([...joined, pieceName(40, 50)]).end).toBe(31);
    expect(progressOf([pieceName(1, 10)]).end).toBe(0);
  });

  test("[FSS2] parts count up to the first that is missing", () => {
    const names = [uploadName("t1"), partName(1, "t1", '"a-b"'), partName(3, "t1", '"c"')];
    expect(progressOf(names)).toMatchObject({ tag: "t1", base: PART, end: PART, etags: ['"a-b"'] });
    const more = [...names, partName(2, "t1", '"b"'), pieceName(3 * PART, 3 * PART + 7)];
    expect(progressOf(more)).toMatchObject({ base: 3 * PART, end: 3 * PART + 7 });
    expect(progressOf(more).etags).toEqual(['"a-b"', '"b"', '"c"']);
  });

  test("[FSS2] a second upload in parts that was begun late changes nothing", () => {
    const names = [uploadName("aa"), uploadName("zz"), partName(1, "zz", '"a"')];
    expect(progressOf(names)).toMatchObject({ tag: "zz", base: PART });
  });

  test("[FSS2] a file that is whole has the size that is written down", () => {
    expect(progressOf([doneName(12), pieceName(0, 3)]).done).toBe(12);
  });

  test("[FSS4] the 10,000 parts that S3 allows hold the largest file, each of at least 5 MiB", () => {
    let at = 0;
    let parts = 0;
    for (; at < 1024 * 1024 * MIB; parts++) {
      expect(partBytes(at)).toBeGreaterThanOrEqual(5 * MIB);
      at += partBytes(at);
    }
    expect(parts).toBeLessThanOrEqual(10_000);
  });
});
