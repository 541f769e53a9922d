/** Files: what bytes are, which types are taken, names, addresses, ranges. */
import { describe, expect, it } from "vitest";
import { FileLinks } from "../../src/base/file-links.ts";
import { sniff, UNKNOWN } from "../../src/base/sniff.ts";
import { isTakenType } from "../../src/config/file-keys.ts";
import { disposition, rangeOf } from "../../src/edge/http/server/downloads.ts";
import { fileNameOf, kindOf } from "../../src/protocol/files.ts";
import { FakeClock } from "../support/fake-clock.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");

describe("what a file is", () => {
  it.each([
    ["\x89PNG\r\n\x1a\n", "image/png"],
    ["\xff\xd8\xff\xe0", "image/jpeg"],
    ["RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"],
    ["\0\0\0\x18ftypmp42", "video/mp4"],
    ["%PDF-1.7\n\xe2\xe3", "application/pdf"],
    ["MZ\x90\0", "application/x-msdownload"],
    ["\x7fELF\x02", "application/x-executable"],
    ["#!/bin/sh\nrm", "text/x-shellscript"],
    ["  <!DOCTYPE html><p>", "text/html"],
    ["<?xml version='1.0'?>\n<svg xmlns='x'/>", "image/svg+xml"],
    ["just text\n", "text/plain"],
    ["a\0b", UNKNOWN],
    ["\xff\xfe\xfd", UNKNOWN],
  ])("[SNF2] %j", (start, mime) => {
    expect(sniff(bytes(start), true)).toBe(mime);
  });

  it("[SNF4] a recording of a voice is a sound in the containers of films, too", () => {
    const webm = "\x1aE\xdf\xa3\x9fB\x82\x84webm\x18S\x80g";
    const cluster = "\x1fC\xb6u\x01";
    const kind = (text: string) => sniff(bytes(text), false);
    expect(kind(`${webm}\x86\x86A_OPUS${cluster}`)).toBe("audio/webm");
    expect(kind(`${webm}\x86\x86A_OPUS\x86\x85V_VP8${cluster}`)).toBe("video/webm");
    expect(kind(`${webm}\x86\x85V_VP9${cluster}`)).toBe("video/webm");
    // Others of the tracks may be described further on.
    expect(kind(`${webm}\x86\x86A_OPUS`)).toBe("video/webm");
    const box = (name: string, content: string) =>
      `${String.fromCharCode(0, 0, 0, content.length + 8)}${name}${content}`;
    const track = (handler: string) => box("trak", box("hdlr", `${"\0".repeat(8)}${handler}`));
    const start = box("ftyp", "iso5");
    expect(kind(start + box("moov", track("soun")))).toBe("audio/mp4");
    expect(kind(start + box("moov", track("soun") + track("vide")))).toBe("video/mp4");
    expect(kind((start + box("moov", track("soun") + track("vide"))).slice(0, -40))).toBe(
      "video/mp4",
    );
    expect(kind(start)).toBe("video/mp4");
  });

  it("[SNF3] text that is cut inside of a character is text", () => {
    const head = Buffer.from("ä".repeat(10)).subarray(0, 19);
    expect([sniff(head, false), sniff(head, true)]).toEqual(["text/plain", UNKNOWN]);
  });

  it("[SNF1] executables are taken only where they are named", () => {
    const exe = "application/x-msdownload";
    expect(isTakenType(null, exe)).toBe(false);
    expect(isTakenType(["*/*"], exe)).toBe(false);
    expect(isTakenType([exe], exe)).toBe(true);
    expect(isTakenType(null, "application/zip")).toBe(true);
    expect(isTakenType(["image/*"], "image/png")).toBe(true);
    expect(isTakenType(["image/*"], "text/plain")).toBe(false);
  });

  it("an SVG is no picture that is shown in place", () => {
    expect([kindOf("image/svg+xml"), kindOf("image/png"), kindOf("audio/mpeg")]).toEqual([
      "file",
      "image",
      "audio",
    ]);
  });
});

it("[FIL1] names are the last part of a path, without what turns text round, and short", () => {
  expect(fileNameOf("../../etc/passwd")).toBe("passwd");
  expect(fileNameOf("C:\\photos\\cat.jpg")).toBe("cat.jpg");
  expect(fileNameOf("a\u202egpj.exe\r\n")).toBe("agpj.exe");
  expect([fileNameOf(""), fileNameOf(".."), fileNameOf("a/")]).toEqual(["file", "file", "file"]);
  const long = fileNameOf(`${"😀".repeat(300)}.jpeg`);
  expect([[...long].length, long.endsWith("😀.jpeg")]).toEqual([255, true]);
});

it("[DWN3] names in headers are ASCII, with the name itself beside it", () => {
  expect(disposition("inline", "cat.jpg")).toBe('inline; filename="cat.jpg"');
  expect(disposition("attachment", 'ä"\\(1).txt')).toBe(
    "attachment; filename=\"___(1).txt\"; filename*=UTF-8''%C3%A4%22%5C%281%29.txt",
  );
});

it("[DWN2] a range is one part of the file, or beyond it, or no range", () => {
  expect(rangeOf("bytes=0-0", 10)).toEqual([0, 0]);
  expect(rangeOf("bytes=5-", 10)).toEqual([5, 9]);
  expect(rangeOf("bytes=-3", 10)).toEqual([7, 9]);
  expect(rangeOf("bytes=-30", 10)).toEqual([0, 9]);
  expect(rangeOf("bytes=2-99", 10)).toEqual([2, 9]);
  expect([rangeOf("bytes=10-", 10), rangeOf("bytes=-0", 10)]).toEqual(["beyond", "beyond"]);
  for (const none of [undefined, "bytes=3-2", "bytes=0-1,3-4", "bytes=-", "items=0-1"]) {
    expect(rangeOf(none, 10)).toBeNull();
  }
});

describe("addresses", () => {
  const clock = new FakeClock();
  const of = (key: string) =>
    new FileLinks({ key: Buffer.from(key), ttlS: 100, basePath: "/chat", clock });
  const links = of("one");
  const tokenOf = (address: string) => address.slice(address.lastIndexOf("/") + 1);

  it("[FLK1] are the same for all in a period, and good in it and the next", () => {
    const address = links.address("7");
    expect(address).toMatch(/^\/chat\/files\/7\/[\w.-]+$/);
    expect(of("one").address("7")).toBe(address);
    const token = tokenOf(address);
    const goodForS = links.goodForS("7", token);
    expect(goodForS > 100 && goodForS <= 200).toBe(true);
    expect(links.goodForS("8", token)).toBe(0);
    expect(of("two").goodForS("7", token)).toBe(0);
    clock.stepWall(goodForS * 1000 - 1000);
    expect(links.goodForS("7", token)).toBe(1);
    clock.stepWall(1000);
    expect(links.goodForS("7", token)).toBe(0);
    expect(links.address("7")).not.toBe(address);
  });

  it("[FLK2] stand in the place of marks, and of nothing that only looks like one", () => {
    const text = `{"url":"${links.mark("7")}","thumb_url":"${links.mark("7")}/thumb"}`;
    const address = links.address("7");
    expect(links.in(text)).toBe(`{"url":"${address}","thumb_url":"${address}/thumb"}`);
    const forged = `{"url":"${of("two").mark("7")}"}`;
    expect(links.in(forged)).toBe(forged);
  });
});
