/**
 * One outgoing Socket.IO packet.
 *
 * [PKT1] Over long-polling it is text, which engine.io encodes itself.
 * [PKT2] Over WebSocket it is a ready frame in one buffer (socket.io writes header and payload
 *        apart).
 * [PKT3] It is encoded once, however many sockets it goes to.
 * [PKT4] An event that version 1 of the contract does not know has a translation for its sessions,
 *        or is not for them. The translation is encoded only where such a session is sent it.
 */
import { isSince11, type Translation } from "../../protocol/contract.ts";

/** A packet of a client; see packet-decoder.ts. */
export interface ClientPacket {
  type: number;
  /** The acknowledgement that the client wants. */
  id?: number;
  data: unknown;
}

export class Packet {
  /** Socket.IO text, e.g. `2["message",{…}]`. */
  readonly text: string;
  #frame: Buffer | null = null;
  /** Undefined: all sessions receive the packet itself. */
  readonly #former: Packet | null | undefined;

  constructor(text: string, former?: Packet | null) {
    this.text = text;
    this.#former = former;
  }

  /**
   * An event of the main namespace. `body` is the payload's JSON text. `former`: what sessions of
   * version 1 receive in the place of an event that they do not know; by default nothing.
   */
  static event(name: string, body: string, former: Translation | null = null): Packet {
    const text = `2["${name}",${body}]`;
    if (!isSince11(name)) return new Packet(text);
    return new Packet(text, former && Packet.event(former.name, former.body));
  }

  /** The acknowledgement of the client's packet `id`. `body` is the answer's JSON text. */
  static ack(id: number, body: string): Packet {
    return new Packet(`3${id}[${body}]`);
  }

  /** [PKT4] As a session of version 1 receives it; null: not at all. */
  get forVersion1(): Packet | null {
    return this.#former === undefined ? this : this.#former;
  }

  /** The WebSocket text frame: Engine.IO's "4" (message), then the text. */
  get frame(): Buffer {
    this.#frame ??= encodeFrame(ENGINE.message, this.text);
    return this.#frame;
  }

  get byteLength(): number {
    return this.#frame?.length ?? Buffer.byteLength(this.text) + 5;
  }
}

/** Engine.IO's packet types: the first character of each message. */
export const ENGINE = {
  open: 0x30,
  close: 0x31,
  ping: 0x32,
  pong: 0x33,
  message: 0x34,
  upgrade: 0x35,
  noop: 0x36,
  /** Binary data as text. */
  base64: 0x62,
} as const;

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;

/** A WebSocket text frame from the server: `type` of ENGINE, then the text. RFC 6455, 5.2. */
export function encodeFrame(type: number, text: string): Buffer {
  const payloadBytes = Buffer.byteLength(text) + 1;
  const bytes = frameOf(FIN_TEXT, payloadBytes);
  const at = bytes.length - payloadBytes;
  bytes[at] = type;
  bytes.write(text, at + 1, "utf8");
  return bytes;
}

/** A WebSocket binary frame: an attachment of Socket.IO. */
export function encodeBinaryFrame(data: Uint8Array): Buffer {
  const bytes = frameOf(FIN_BINARY, data.length);
  bytes.set(data, bytes.length - data.length);
  return bytes;
}

/** The header, with room for the payload after it. */
function frameOf(opcode: number, payloadBytes: number): Buffer {
  const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headerBytes + payloadBytes);
  bytes[0] = opcode;
  if (headerBytes === 2) {
    bytes[1] = payloadBytes;
  } else if (headerBytes === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(payloadBytes, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt32BE(0, 2);
    bytes.writeUInt32BE(payloadBytes, 6);
  }
  return bytes;
}
