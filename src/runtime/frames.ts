/**
 * Frames: what travels between edges, actor threads, primaries and hosts.
 *
 * [FRM1] Encoded once by its sender, a frame is passed on as bytes; batches are frames in a row.
 * [FRM2] A router reads the fixed header and the short strings, never the body.
 * [FRM3] A length that no frame can have is refused before anything waits for its bytes.
 * [FRM4] Nothing is read past a frame's end: lengths inside a frame that do not fit into it make
 *        it malformed, and reading a malformed frame throws `Malformed` and nothing else.
 *
 * Layout (big endian): u32 length · u8 type · u8 flags · u16 note length · u32 corr ·
 * u32 view · u32 rev · u8 lengths of to, from, key, name, except · 3 spare ·
 * to from key name except (latin1) · note (utf8) · body (utf8, to the end).
 */
import { Malformed } from "../base/errors.ts";

export const FRAME = {
  /** To an actor; wants an answer. `rev` is the milliseconds left to answer. */
  ask: 1,
  /** To an actor; wants no answer. */
  tell: 2,
  /** To the worker that asked; flag `ok` or the body is an error object. */
  answer: 3,
  /** A topic's event; `key` is the topic. */
  event: 4,
  /** Edge → primary: topics to subscribe or unsubscribe (body, one a line). Answered. */
  subscribe: 5,
  unsubscribe: 6,
  /** Primary → worker → thread: the membership view (body). */
  view: 7,
  /** Rare messages between primary and worker; `name` is the message's name, the body is JSON. */
  control: 8,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export const FLAG = {
  /** An answer that carries a value. */
  ok: 1,
  /** Forwarded once already by a worker that was not the owner. */
  forwarded: 2,
  /** An ask that must not activate: answered `null` without an activation. */
  peek: 4,
  /** The receiver is not the owner: the sender should place the actor by a newer view. */
  notOwner: 8,
  /** One op for many actors of one worker: `key` is their kind, the body a `ManyLetters[]`. */
  many: 16,
} as const;

/** One entry of an ask with flag `many`: the same op with the same body for each of these actors. */
export interface ManyLetters {
  body: unknown;
  /** An actor that is not active is not activated and counts as having answered null. */
  isPeek: boolean;
  ids: string[];
}

/** Its answer. An actor that answers null is left out. */
export interface ManyAnswers<A> {
  answers: A[];
  /** Actors that refused, or that another worker owns. */
  undone: string[];
}

export interface Frame {
  type: FrameType;
  flags: number;
  /** Incarnation id of the worker it goes to; "" for the primary, or for every subscriber. */
  to: string;
  /** Incarnation id of the worker it comes from. */
  from: string;
  corr: number;
  /** The sender's view number. */
  view: number;
  rev: number;
  /** Actor address "kind:id", or topic. */
  key: string;
  /** The name of an op, event or order. */
  name: string;
  except: string;
  note: string;
  body: string;
}

const HEADER_BYTES = 28;
/** Where the header has the lengths of to, from, key, name and except. */
const TEXT_LENGTHS_AT = 20;
const TEXT_LENGTHS_END = 25;
/** A longer frame is a bug or an attack. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

const EMPTY: Frame = {
  type: FRAME.control,
  flags: 0,
  to: "",
  from: "",
  corr: 0,
  view: 0,
  rev: 0,
  key: "",
  name: "",
  except: "",
  note: "",
  body: "",
};

export function frame(type: FrameType, fields: Partial<Frame>): Frame {
  return { ...EMPTY, ...fields, type };
}

/** A growing buffer of encoded frames: those that one turn sends to one neighbour. */
export class FrameBatch {
  #bytes = Buffer.allocUnsafe(4096);
  #end = 0;
  #frames = 0;

  get byteLength(): number {
    return this.#end;
  }

  get frames(): number {
    return this.#frames;
  }

  push(f: Frame): void {
    const noteBytes = f.note === "" ? 0 : Buffer.byteLength(f.note);
    const fixed =
      HEADER_BYTES +
      f.to.length +
      f.from.length +
      f.key.length +
      f.name.length +
      f.except.length +
      noteBytes;
    // A UTF-16 unit is at most three bytes of UTF-8: room for the worst case, cut after.
    this.#reserve(fixed + f.body.length * 3);
    const b = this.#bytes;
    const start = this.#end;
    b[start + 4] = f.type;
    b[start + 5] = f.flags;
    b.writeUInt16BE(noteBytes, start + 6);
    b.writeUInt32BE(f.corr, start + 8);
    b.writeUInt32BE(f.view, start + 12);
    b.writeUInt32BE(f.rev, start + 16);
    b[start + 20] = f.to.length;
    b[start + 21] = f.from.length;
    b[start + 22] = f.key.length;
    b[start + 23] = f.name.length;
    b[start + 24] = f.except.length;
    let at = start + HEADER_BYTES;
    at += b.write(f.to, at, "latin1");
    at += b.write(f.from, at, "latin1");
    at += b.write(f.key, at, "latin1");
    at += b.write(f.name, at, "latin1");
    at += b.write(f.except, at, "latin1");
    if (noteBytes > 0) at += b.write(f.note, at, "utf8");
    if (f.body !== "") at += b.write(f.body, at, "utf8");
    b.writeUInt32BE(at - start, start);
    this.#end = at;
    this.#frames++;
  }

  /** Adds frames that are encoded already. */
  pushBytes(bytes: Uint8Array, frames = 1): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
    this.#frames += frames;
  }

  /** Returns the bytes so far in a buffer of their own and empties the batch. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.#end);
    this.#bytes.copy(taken, 0, 0, this.#end);
    this.#end = 0;
    this.#frames = 0;
    // The buffer shrinks after a burst.
    if (this.#bytes.length > 1024 * 1024) this.#bytes = Buffer.allocUnsafe(4096);
    return taken;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#end);
    this.#bytes = grown;
  }
}

export function encode(f: Frame): Buffer {
  const batch = new FrameBatch();
  batch.push(f);
  return batch.take();
}

/**
 * Length of the frame that begins at `at`, of which the first four bytes have arrived. Throws
 * Malformed when no frame has that length.
 */
export function lengthAt(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new Malformed(`frame without a length at ${at}`);
  const length = bytes.readUInt32BE(at);
  if (length < HEADER_BYTES || length > FRAME_BYTES_MAX) {
    throw new Malformed(`frame of ${length} bytes at ${at}`);
  }
  return length;
}

/** Length of the frame that begins at `at` and is there as a whole. Throws Malformed. */
export function wholeLengthAt(bytes: Buffer, at: number): number {
  const length = lengthAt(bytes, at);
  if (at + length > bytes.length) throw new Malformed(`frame cut off at ${bytes.length}`);
  let texts = bytes.readUInt16BE(at + 6);
  for (let n = at + TEXT_LENGTHS_AT; n < at + TEXT_LENGTHS_END; n++) texts += bytes[n] ?? 0;
  if (HEADER_BYTES + texts > length) throw new Malformed(`texts past the frame at ${at}`);
  return length;
}

/** Whether `bytes` are frames in a row, and nothing else. */
export function areWholeFrames(bytes: Buffer): boolean {
  try {
    for (let at = 0; at < bytes.length; ) at += wholeLengthAt(bytes, at);
    return true;
  } catch (error) {
    if (error instanceof Malformed) return false;
    throw error;
  }
}

/** The parts of a frame that routing needs, without decoding the rest. */
export interface FrameHead {
  type: FrameType;
  to: string;
  key: string;
  corr: number;
}

export function headAt(bytes: Buffer, at: number): FrameHead {
  const toBytes = bytes[at + 20]!;
  const keyAt = at + HEADER_BYTES + toBytes + bytes[at + 21]!;
  return {
    type: bytes[at + 4] as FrameType,
    to: bytes.toString("latin1", at + HEADER_BYTES, at + HEADER_BYTES + toBytes),
    key: bytes.toString("latin1", keyAt, keyAt + bytes[at + 22]!),
    corr: bytes.readUInt32BE(at + 8),
  };
}

export function decodeAt(bytes: Buffer, at: number): Frame {
  const end = at + wholeLengthAt(bytes, at);
  let p = at + HEADER_BYTES;
  const text = (length: number) => {
    const value = length === 0 ? "" : bytes.toString("latin1", p, p + length);
    p += length;
    return value;
  };
  const to = text(bytes[at + 20]!);
  const from = text(bytes[at + 21]!);
  const key = text(bytes[at + 22]!);
  const name = text(bytes[at + 23]!);
  const except = text(bytes[at + 24]!);
  const noteEnd = p + bytes.readUInt16BE(at + 6);
  return {
    type: bytes[at + 4] as FrameType,
    flags: bytes[at + 5]!,
    to,
    from,
    corr: bytes.readUInt32BE(at + 8),
    view: bytes.readUInt32BE(at + 12),
    rev: bytes.readUInt32BE(at + 16),
    key,
    name,
    except,
    note: noteEnd === p ? "" : bytes.toString("utf8", p, noteEnd),
    body: noteEnd === end ? "" : bytes.toString("utf8", noteEnd, end),
  };
}

/**
 * Calls `each` with the place and length of every frame of a whole batch. Throws Malformed
 * at bytes that are not a frame.
 */
export function eachFrame(bytes: Buffer, each: (at: number, length: number) => void): void {
  let at = 0;
  while (at < bytes.length) {
    const length = wholeLengthAt(bytes, at);
    each(at, length);
    at += length;
  }
}

/**
 * Like `eachFrame`, where bytes come in from another process or thread, and never throws: a frame
 * whose handler throws is skipped, and everything after a malformed one is dropped. `dropped` is
 * called for both.
 */
export function eachFrameSafely(
  bytes: Buffer,
  each: (at: number, length: number) => void,
  dropped: (reason: "malformed" | "failed", fault: unknown) => void,
): void {
  let at = 0;
  while (at < bytes.length) {
    let length: number;
    try {
      length = wholeLengthAt(bytes, at);
    } catch (fault) {
      dropped("malformed", fault);
      return;
    }
    try {
      each(at, length);
    } catch (fault) {
      dropped(isUnreadable(fault) ? "malformed" : "failed", fault);
    }
    at += length;
  }
}

/** Whether the fault comes from the frame's own text; JSON.parse throws a SyntaxError. */
function isUnreadable(fault: unknown): boolean {
  return fault instanceof Malformed || fault instanceof SyntaxError;
}
