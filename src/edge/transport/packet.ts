/**
 * One outgoing Socket.IO packet.
 *
 * [PKT1] Over long-polling it is text, which engine.io encodes itself.
 * [PKT2] Over WebSocket it is a ready frame in one buffer (socket.io writes header and payload
 *        apart).
 * [PKT3] It is encoded once, however many sockets it goes to.
 */
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

  constructor(text: string) {
    this.text = text;
  }

  /** An event of the main namespace. `body` is the payload's JSON text. */
  static event(name: string, body: string): Packet {
    return new Packet(`2["${name}",${body}]`);
  }

  /** The acknowledgement of the client's packet `id`. `body` is the answer's JSON text. */
  static ack(id: number, body: string): Packet {
    return new Packet(`3${id}[${body}]`);
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

/** A WebSocket text frame from the server: `type` of ENGINE, then the text. RFC 6455, 5.2. */
export function encodeFrame(type: number, text: string): Buffer {
  const payloadBytes = Buffer.byteLength(text) + 1;
  const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headerBytes + payloadBytes);
  bytes[0] = FIN_TEXT;
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
  bytes[headerBytes] = type;
  bytes.write(text, headerBytes + 1, "utf8");
  return bytes;
}
