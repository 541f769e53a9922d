/** The durations of sounds and films, by headers that are made here byte by byte. */
import { describe, expect, it } from "vitest";
import { durationMsOf, type MediaBytes } from "../../src/base/media-duration.ts";
import { noteDuration } from "../../src/edge/http/server/noted-duration.ts";
import type { FileStore, MediaFacts } from "../../src/ports/files.ts";
import { FakeClock } from "../support/fake-clock.ts";

const u32 = (n: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
const u32le = (n: number) => Buffer.from(u32(n)).reverse();
const text = (value: string) => Buffer.from(value, "latin1");
const zeros = (length: number) => Buffer.alloc(length);

function bytesOf(whole: Buffer): MediaBytes & { most: number } {
  const source = {
    size: whole.length,
    most: 0,
    async read(at: number, length: number) {
      const found = whole.subarray(at, at + length);
      source.most += found.length;
      return found;
    },
  };
  return source;
}
const msOf = (mime: string, ...parts: Buffer[]) =>
  durationMsOf(mime, bytesOf(Buffer.concat(parts)));

function wav(dataLength: number, data: Buffer): Buffer {
  const format = Buffer.concat([zeros(8), u32le(8_000), zeros(4)]);
  return Buffer.concat([
    ...[text("RIFF"), u32le(0), text("WAVE"), text("LIST"), u32le(3), zeros(4)],
    ...[text("fmt "), u32le(16), format, text("data"), u32le(dataLength), data],
  ]);
}

const box = (name: string, ...content: Buffer[]) => {
  const inner = Buffer.concat(content);
  return Buffer.concat([u32(inner.length + 8), text(name), inner]);
};
const mvhd = (scale: number, duration: number) =>
  box("mvhd", zeros(12), u32(scale), u32(duration), zeros(80));

/** An EBML element; its size takes eight bytes. */
const element = (id: string, ...content: Buffer[]) => {
  const inner = Buffer.concat(content);
  return Buffer.concat([
    Buffer.from(id, "hex"),
    Buffer.from([1, 0, 0, 0]),
    u32(inner.length),
    inner,
  ]);
};
const ebml = element("1a45dfa3", zeros(10));
const block = (id: string, at: number) => element(id, Buffer.from([0x81, at >> 8, at & 0xff, 0]));
const simple = (at: number) => block("a3", at);

/** A frame of MPEG 1, layer III, 128 kbit/s, 44,100 Hz, stereo. */
const FRAME = Buffer.from([0xff, 0xfb, 0x90, 0x00]);

describe("durations", () => {
  it("[DUR1] WAV: by the length of its data, or by the file's where a recording was not ended", async () => {
    expect(await msOf("audio/wav", wav(12_000, zeros(12_000)))).toBe(1_500);
    expect(await msOf("audio/wav", wav(0, zeros(4_000)))).toBe(500);
    expect(await msOf("audio/wav", wav(0xffffffff, zeros(4_000)))).toBe(500);
  });

  it("[DUR1] FLAC and Ogg: by their samples", async () => {
    // 44,100 Hz in 20 bits, then 88,200 samples in 36.
    const info = Buffer.from([0x0a, 0xc4, 0x42, 0xf0, ...u32(88_200)]);
    expect(await msOf("audio/flac", text("fLaC"), zeros(4), zeros(10), info, zeros(20))).toBe(
      2_000,
    );
    const page = (granule: number, content: Buffer) => {
      const at = Buffer.alloc(8);
      at.writeBigInt64LE(BigInt(granule));
      return Buffer.concat([text("OggS"), zeros(2), at, zeros(12), content]);
    };
    const opus = Buffer.concat([text("OpusHead"), Buffer.from([1, 1, 0x38, 0x01]), u32le(48_000)]);
    const voice = [page(0, opus), page(48_000, zeros(100)), page(144_312, zeros(9))];
    expect(await msOf("audio/ogg", ...voice)).toBe(3_000);
    const vorbis = Buffer.concat([text("\x01vorbis"), zeros(5), u32le(22_050)]);
    expect(await msOf("audio/ogg", page(0, vorbis), page(33_075, zeros(9)))).toBe(1_500);
    expect(await msOf("audio/ogg", page(0, text("Speex   ")), page(1_000, zeros(9)))).toBeNull();
  });

  it("[DUR1] MP3: by the number of its frames, or by its constant bit rate", async () => {
    const tag = Buffer.concat([text("ID3"), Buffer.from([4, 0, 0, 0, 0, 1, 0])]);
    const xing = Buffer.concat([FRAME, zeros(32), text("Xing"), u32(1), u32(1_000), zeros(100)]);
    expect(await msOf("audio/mpeg", tag, zeros(128), xing)).toBe(26_122);
    expect(await msOf("audio/mpeg", FRAME, zeros(15_996), text("TAG"), zeros(125))).toBe(1_000);
  });

  it("[DUR1] MP4: wherever its header stands, in fragments too, and AVI", async () => {
    const start = box("ftyp", text("isom"));
    const film = [start, box("mdat", zeros(200_000)), box("moov", mvhd(600, 1_500))];
    const source = bytesOf(Buffer.concat(film));
    expect(await durationMsOf("video/mp4", source)).toBe(2_500);
    expect(source.most).toBeLessThan(1_000);
    const mehd = box("mehd", zeros(4), u32(4_200));
    expect(await msOf("audio/mp4", start, box("moov", mvhd(600, 0), box("mvex", mehd)))).toBe(
      7_000,
    );
    expect(await msOf("audio/mp4", start, box("moov", mvhd(600, 0)))).toBeNull();
    const avi = [text("RIFF"), zeros(4), text("AVI LIST"), zeros(4), text("hdrlavih"), zeros(4)];
    const rest = [u32le(40_000), zeros(12), u32le(50), zeros(20)];
    expect(await msOf("video/x-msvideo", ...avi, ...rest)).toBe(2_000);
  });

  it("[DUR2] WebM: by its header, or by its last block", async () => {
    const scale = element("2ad7b1", u32(1_000_000));
    const named = element("4489", Buffer.from([0x45, 0x9c, 0x40, 0x00]));
    const header = element("1549a966", scale, named);
    expect(await msOf("video/webm", ebml, element("18538067", header))).toBe(5_000);
    const cluster = (at: number, ...blocks: Buffer[]) =>
      element("1f43b675", element("e7", u32(at)), ...blocks);
    const unnamed = element("1549a966", scale);
    const group = element("a0", block("a1", 260));
    const recording = [cluster(0, simple(0), simple(60)), cluster(9_000, simple(20), group)];
    // What a browser records has no size of its segment, for it does not know it.
    const open = Buffer.from("1853806701ffffffffffffff", "hex");
    expect(await msOf("video/webm", ebml, open, unnamed, ...recording)).toBe(9_260);
  });

  it("[DUR1] nonsense has no duration, whatever is cut off", async () => {
    expect(await msOf("audio/wav", wav(4_000, zeros(0)))).toBeNull();
    expect(await msOf("video/mp4", box("moov", mvhd(0, 10)))).toBeNull();
    expect(await msOf("video/mp4", box("moov", mvhd(1, 4_000_000)))).toBeNull();
    expect(await msOf("text/plain", text("hello"))).toBeNull();
    const whole = {
      "audio/wav": wav(4_000, zeros(40)),
      "audio/mpeg": Buffer.concat([FRAME, zeros(32), text("Xing"), u32(1), u32(10)]),
      "video/mp4": Buffer.concat([box("ftyp"), box("moov", mvhd(600, 600))]),
      "video/webm": Buffer.concat([ebml, element("18538067", element("1549a966", zeros(3)))]),
      "audio/flac": Buffer.concat([text("fLaC"), zeros(40)]),
      "audio/ogg": Buffer.concat([text("OggS"), zeros(24), text("OpusHead"), zeros(4)]),
    };
    for (const [mime, bytes] of Object.entries(whole)) {
      for (let end = 0; end < bytes.length; end++) {
        const ms = await msOf(mime, bytes.subarray(0, end));
        expect(ms === null || ms > 0, `${mime} ${end}`).toBe(true);
      }
    }
  });

  it("[DUR3] a store that does not answer holds no upload for longer than three seconds", async () => {
    const clock = new FakeClock();
    const noted: MediaFacts[] = [];
    const whole = wav(4_000, zeros(4_000));
    const filesThat = (read: FileStore["read"]) => ({
      store: { read },
      table: { note: async (_id: string, facts: MediaFacts) => void noted.push(facts) },
    });
    const file = { id: "1", bytes: whole.length, mime: "audio/wav" };
    const hung = noteDuration(
      file,
      filesThat(() => new Promise(() => undefined)),
      clock,
    );
    await clock.advance(3_000);
    await hung;
    await noteDuration(
      file,
      filesThat(() => Promise.reject(new Error("away"))),
      clock,
    );
    expect(noted).toEqual([]);
    const parts = async (from: number, to: number) =>
      (async function* () {
        yield whole.subarray(from, to + 1);
      })();
    await noteDuration(
      file,
      filesThat((_key, from, to) => parts(from, to)),
      clock,
    );
    expect(noted).toEqual([{ duration_ms: 500 }]);
  });
});
