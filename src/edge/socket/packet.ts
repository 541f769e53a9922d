/**
 * One outgoing Socket.IO packet.
 *
 * [PKT1] Over long-polling it is text, which engine.io encodes itself.
 * [PKT2] Over WebSocket it is a ready frame in one buffer (socket.io writes header and payload
 *        apart).
 * [PKT3] It is encoded once, however many sockets it goes to.
 */
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

  /** The WebSocket text frame: Engine.IO's "4" (message), then the text. RFC 6455, 5.2. */
  get frame(): Buffer {
    this.#frame ??= encodeFrame(this.text);
    return this.#frame;
  }

  get byteLength(): number {
    return this.#frame?.length ?? Buffer.byteLength(this.text) + 5;
  }
}

const FIN_TEXT = 0x81;
const ENGINE_MESSAGE = 0x34;

function encodeFrame(text: string): Buffer {
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
  bytes[headerBytes] = ENGINE_MESSAGE;
  bytes.write(text, headerBytes + 1, "utf8");
  return bytes;
}
