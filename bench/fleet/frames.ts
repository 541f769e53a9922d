/**
 * WebSocket frames as a load generator needs them: masked text out, and in without a copy of
 * anything: a scanner hands on where each payload begins and ends. Text frames whole in one
 * frame, as Troupe and socket.io send them; what it does not know it skips.
 */
import { randomBytes } from "node:crypto";

const TEXT = 0x81;
const OPCODE = 0x0f;
const MASKED = 0x80;

/** One mask a process: masks protect proxies, not secrets, and the server pays the same. */
const MASK = randomBytes(4);

/** A text frame from a client. */
export function clientFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const head = bytes < 126 ? 6 : bytes < 65_536 ? 8 : 14;
  const frame = Buffer.allocUnsafe(head + bytes);
  frame[0] = TEXT;
  if (head === 6) frame[1] = MASKED | bytes;
  else if (head === 8) {
    frame[1] = MASKED | 126;
    frame.writeUInt16BE(bytes, 2);
  } else {
    frame[1] = MASKED | 127;
    frame.writeBigUInt64BE(BigInt(bytes), 2);
  }
  MASK.copy(frame, head - 4);
  frame.write(text, head, "utf8");
  for (let i = 0; i < bytes; i++) frame[head + i] = frame[head + i]! ^ MASK[i & 3]!;
  return frame;
}

/** Scans the frames of one connection; keeps the bytes of an incomplete frame. */
export class FrameScanner {
  readonly #onText: (bytes: Buffer, from: number, to: number) => void;
  #rest: Buffer | null = null;

  constructor(onText: (bytes: Buffer, from: number, to: number) => void) {
    this.#onText = onText;
  }

  /** `bytes` may be used again by the caller afterwards: what stays is copied. */
  push(bytes: Buffer): void {
    const all = this.#rest === null ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    while (all.length - at >= 2) {
      let length = all[at + 1]! & 0x7f;
      let from = at + 2;
      if (length === 126) {
        if (all.length - at < 4) break;
        length = all.readUInt16BE(at + 2);
        from = at + 4;
      } else if (length === 127) {
        if (all.length - at < 10) break;
        length = Number(all.readBigUInt64BE(at + 2));
        from = at + 10;
      }
      if (from + length > all.length) break;
      if ((all[at]! & OPCODE) === 1) this.#onText(all, from, from + length);
      at = from + length;
    }
    if (at === all.length) this.#rest = null;
    else this.#rest = Buffer.from(all.subarray(at));
  }
}
