/**
 * How long a sound or a film plays, as its own header says: WAV, FLAC, MP3, Ogg (Opus and Vorbis), MP4
 * and its kin, WebM and Matroska, AVI. Nothing is decoded, and what is read is bounded.
 *
 * [DUR1] A header that says nothing, nonsense or more than 1,000 hours gives no duration.
 * [DUR2] What a browser recorded has no duration in its header; that of a WebM recording is the time of
 *        its last block.
 */

/** The bytes of a file. */
export interface MediaBytes {
  size: number;
  /** At most `length` bytes from `at`; fewer where the file ends. */
  read(at: number, length: number): Promise<Buffer>;
}

const HEAD_BYTES = 64 * 1024;
const TAIL_BYTES = 1024 * 1024;
/** Boxes, chunks or elements that are looked at before the file is given up. */
const STEPS_MAX = 200;
const LONGEST_MS = 1_000 * 3_600_000;

type Reader = (bytes: MediaBytes) => Promise<number | null>;

const READERS: Readonly<Record<string, Reader>> = {
  "audio/wav": wavMs,
  "audio/flac": flacMs,
  "audio/mpeg": mp3Ms,
  "audio/ogg": oggMs,
  "video/ogg": oggMs,
  "audio/mp4": mp4Ms,
  "video/mp4": mp4Ms,
  "video/quicktime": mp4Ms,
  "video/3gpp": mp4Ms,
  "audio/webm": matroskaMs,
  "video/webm": matroskaMs,
  "video/x-matroska": matroskaMs,
  "video/x-msvideo": aviMs,
};

export function mayLast(mime: string): boolean {
  return Object.hasOwn(READERS, mime);
}

/** [DUR1] Null: it is not known. Rejects only where the bytes cannot be read. */
export async function durationMsOf(mime: string, bytes: MediaBytes): Promise<number | null> {
  let ms: number | null;
  try {
    ms = (await READERS[mime]?.(bytes)) ?? null;
  } catch (fault) {
    // The header names a place behind the end of what was read.
    if (fault instanceof RangeError) return null;
    throw fault;
  }
  const whole = Math.round(ms ?? 0);
  return whole > 0 && whole <= LONGEST_MS ? whole : null;
}

async function wavMs(bytes: MediaBytes): Promise<number | null> {
  let bytesPerS = 0;
  let at = 12;
  for (let step = 0; step < STEPS_MAX && at + 8 <= bytes.size; step++) {
    const chunk = await bytes.read(at, 24);
    const name = chunk.toString("latin1", 0, 4);
    const length = chunk.readUInt32LE(4);
    if (name === "fmt ") bytesPerS = chunk.readUInt32LE(16);
    // A recording that was not ended says 0, or the most that fits.
    if (name === "data") {
      const left = bytes.size - at - 8;
      return ((length === 0 ? left : Math.min(length, left)) / bytesPerS) * 1000;
    }
    at += 8 + length + (length % 2);
  }
  return null;
}

async function aviMs(bytes: MediaBytes): Promise<number | null> {
  const head = await bytes.read(0, 64);
  if (head.toString("latin1", 24, 28) !== "avih") return null;
  return (head.readUInt32LE(32) * head.readUInt32LE(48)) / 1000;
}

async function flacMs(bytes: MediaBytes): Promise<number | null> {
  const head = await bytes.read(0, 42);
  // The first block is STREAMINFO: 20 bits of rate, 3 of channels, 5 of depth, 36 of samples.
  if ((head.readUInt8(4) & 0x7f) !== 0) return null;
  const rate = head.readUIntBE(18, 3) >> 4;
  const samples = (head.readUInt8(21) & 0x0f) * 2 ** 32 + head.readUInt32BE(22);
  return (samples / rate) * 1000;
}

const MP3_KBIT_1 = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MP3_KBIT_2 = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const MP3_RATES = [44_100, 48_000, 32_000];
const ID3V1_BYTES = 128;

async function mp3Ms(bytes: MediaBytes): Promise<number | null> {
  const start = await bytes.read(0, 10);
  let from = 0;
  if (start.toString("latin1", 0, 3) === "ID3") {
    // Seven bits a byte.
    const [a = 0, b = 0, c = 0, d = 0] = start.subarray(6, 10);
    from = 10 + ((a & 0x7f) << 21) + ((b & 0x7f) << 14) + ((c & 0x7f) << 7) + (d & 0x7f);
  }
  const head = await bytes.read(from, HEAD_BYTES);
  const at = frameIn(head);
  if (at === null) return null;
  const version = (head.readUInt8(at + 1) >> 3) & 3;
  const isOne = version === 3;
  const rate = MP3_RATES[(head.readUInt8(at + 2) >> 2) & 3]! / (isOne ? 1 : version === 2 ? 2 : 4);
  const kbit = (isOne ? MP3_KBIT_1 : MP3_KBIT_2)[head.readUInt8(at + 2) >> 4]!;
  const samples = isOne ? 1152 : 576;
  const isMono = head.readUInt8(at + 3) >> 6 === 3;
  const side = isOne ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const frames = framesNamed(head, at, side);
  if (frames !== null) return ((frames * samples) / rate) * 1000;
  return ((bytes.size - from - at - (await id3v1Bytes(bytes))) * 8) / kbit;
}

/** Where the first frame of layer III begins. */
function frameIn(head: Buffer): number | null {
  for (let at = 0; at + 4 <= head.length; at++) {
    const [sync = 0, kind = 0, rates = 0] = head.subarray(at, at + 3);
    const isFrame = sync === 0xff && (kind & 0xe6) === 0xe2 && ((kind >> 3) & 3) !== 1;
    const bitrate = rates >> 4;
    if (isFrame && bitrate > 0 && bitrate < 15 && ((rates >> 2) & 3) < 3) return at;
  }
  return null;
}

/** Where the bit rate varies, the first frame says how many there are. */
function framesNamed(head: Buffer, at: number, side: number): number | null {
  const xing = at + 4 + side;
  const name = head.toString("latin1", xing, xing + 4);
  if ((name === "Xing" || name === "Info") && (head.readUInt32BE(xing + 4) & 1) === 1) {
    return head.readUInt32BE(xing + 8);
  }
  const vbri = at + 36;
  if (head.toString("latin1", vbri, vbri + 4) === "VBRI") return head.readUInt32BE(vbri + 14);
  return null;
}

async function id3v1Bytes(bytes: MediaBytes): Promise<number> {
  if (bytes.size < ID3V1_BYTES) return 0;
  const tail = await bytes.read(bytes.size - ID3V1_BYTES, 3);
  return tail.toString("latin1") === "TAG" ? ID3V1_BYTES : 0;
}

const OPUS_RATE = 48_000;

async function oggMs(bytes: MediaBytes): Promise<number | null> {
  const head = await bytes.read(0, 512);
  let rate = OPUS_RATE;
  let skipped = 0;
  const opus = head.indexOf("OpusHead", 0, "latin1");
  const vorbis = head.indexOf("\x01vorbis", 0, "latin1");
  if (opus >= 0) skipped = head.readUInt16LE(opus + 10);
  else if (vorbis >= 0) rate = head.readUInt32LE(vorbis + 12);
  else return null;
  const from = Math.max(0, bytes.size - HEAD_BYTES * 2);
  const tail = await bytes.read(from, bytes.size - from);
  const page = tail.lastIndexOf("OggS", undefined, "latin1");
  if (page < 0) return null;
  return ((Number(tail.readBigInt64LE(page + 6)) - skipped) / rate) * 1000;
}

interface Box {
  name: string;
  /** Where its content is. */
  from: number;
  to: number;
}

async function* boxesIn(bytes: MediaBytes, start: number, end: number): AsyncGenerator<Box> {
  let at = start;
  for (let step = 0; step < STEPS_MAX && at + 8 <= end; step++) {
    const head = await bytes.read(at, 16);
    const short = head.readUInt32BE(0);
    const length = short === 1 ? Number(head.readBigUInt64BE(8)) : short === 0 ? end - at : short;
    if (length < 8) return;
    const from = at + (short === 1 ? 16 : 8);
    yield { name: head.toString("latin1", 4, 8), from, to: Math.min(end, at + length) };
    at += length;
  }
}

async function mp4Ms(bytes: MediaBytes): Promise<number | null> {
  for await (const moov of boxesIn(bytes, 0, bytes.size)) {
    if (moov.name !== "moov") continue;
    let scale = 0;
    let duration = 0;
    for await (const box of boxesIn(bytes, moov.from, moov.to)) {
      if (box.name === "mvhd") {
        const head = await bytes.read(box.from, 32);
        const isLong = head.readUInt8(0) === 1;
        scale = head.readUInt32BE(isLong ? 20 : 12);
        duration = isLong ? Number(head.readBigUInt64BE(24)) : head.readUInt32BE(16);
      } else if (box.name === "mvex" && duration === 0) {
        duration = (await fragmentsLast(bytes, box)) ?? 0;
      }
    }
    return (duration / scale) * 1000;
  }
  return null;
}

/** A film in fragments says its duration beside them. */
async function fragmentsLast(bytes: MediaBytes, mvex: Box): Promise<number | null> {
  for await (const { name, from } of boxesIn(bytes, mvex.from, mvex.to)) {
    if (name !== "mehd") continue;
    const head = await bytes.read(from, 12);
    return head.readUInt8(0) === 1 ? Number(head.readBigUInt64BE(4)) : head.readUInt32BE(4);
  }
  return null;
}

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const CLUSTER = 0x1f43b675;
const CLUSTER_BYTES = Buffer.from([0x1f, 0x43, 0xb6, 0x75]);
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;

interface Element {
  id: number;
  from: number;
  to: number;
}

/** The element at a place; null: there is none that is whole enough to be read. */
function elementAt(text: Buffer, at: number): Element | null {
  const first = text[at];
  if (first === undefined || first === 0) return null;
  const idBytes = Math.clz32(first) - 23;
  const sizeAt = at + idBytes;
  const sizeFirst = text[sizeAt];
  if (idBytes > 4 || sizeFirst === undefined || sizeFirst === 0) return null;
  const sizeBytes = Math.clz32(sizeFirst) - 23;
  const from = sizeAt + sizeBytes;
  if (from > text.length) return null;
  let size = sizeFirst & (0xff >> sizeBytes);
  let isUnknown = size === 0xff >> sizeBytes;
  for (let i = 1; i < sizeBytes; i++) {
    const byte = text[sizeAt + i]!;
    size = size * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  const to = isUnknown ? Number.MAX_SAFE_INTEGER : from + size;
  return { id: text.readUIntBE(at, idBytes), from, to };
}

function* elementsIn(text: Buffer, start: number, end: number): Generator<Element> {
  for (let at = start; at < Math.min(end, text.length); ) {
    const element = elementAt(text, at);
    if (element === null) return;
    yield element;
    at = element.to;
  }
}

async function matroskaMs(bytes: MediaBytes): Promise<number | null> {
  const head = await bytes.read(0, HEAD_BYTES);
  const segment = [...elementsIn(head, 0, head.length)].find(({ id }) => id === SEGMENT);
  if (elementAt(head, 0)?.id !== EBML || segment === undefined) return null;
  let nsPerUnit = 1_000_000;
  for (const { id, from, to } of elementsIn(head, segment.from, segment.to)) {
    if (id === CLUSTER) break;
    if (id !== INFO) continue;
    let units: number | null = null;
    for (const info of elementsIn(head, from, to)) {
      if (info.id === SCALE) nsPerUnit = head.readUIntBE(info.from, info.to - info.from);
      else if (info.id === DURATION) {
        const isLong = info.to - info.from === 8;
        units = isLong ? head.readDoubleBE(info.from) : head.readFloatBE(info.from);
      }
    }
    if (units !== null) return (units * nsPerUnit) / 1_000_000;
  }
  const units = await lastBlockOf(bytes);
  return units === null ? null : (units * nsPerUnit) / 1_000_000;
}

/** [DUR2] */
async function lastBlockOf(bytes: MediaBytes): Promise<number | null> {
  const from = Math.max(0, bytes.size - TAIL_BYTES);
  const tail = await bytes.read(from, bytes.size - from);
  const cluster = tail.lastIndexOf(CLUSTER_BYTES);
  const opened = cluster < 0 ? null : elementAt(tail, cluster);
  if (opened === null) return null;
  let began: number | null = null;
  let last = 0;
  const note = (block: Element) => {
    // The number of its track, then its time after the cluster's.
    const track = Math.clz32(tail[block.from] ?? 0) - 23;
    last = Math.max(last, tail.readInt16BE(block.from + track));
  };
  for (const part of elementsIn(tail, opened.from, opened.to)) {
    if (part.id === TIMESTAMP) began = tail.readUIntBE(part.from, part.to - part.from);
    else if (part.id === SIMPLE_BLOCK) note(part);
    else if (part.id === BLOCK_GROUP) {
      for (const block of elementsIn(tail, part.from, part.to)) if (block.id === BLOCK) note(block);
    }
  }
  return began === null ? null : began + last;
}
