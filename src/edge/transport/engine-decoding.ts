/**
 * Makes the servers of Socket.IO and Engine.IO decode as ws-connection.ts does: packets through
 * packet-decoder.ts, and binary messages never. Long-polling carries those as base64, which
 * Engine.IO would decode before anything could refuse it.
 */
import { EventEmitter } from "node:events";
import type { Server } from "socket.io";
import { Encoder } from "socket.io-parser";
import { decodeText } from "./packet-decoder.ts";

/** Stands for every binary message of Engine.IO, whose content nobody needs. */
const ATTACHMENT = Buffer.alloc(0);
/** The first character of a binary message in a long-polling payload. */
const BASE64 = "b";
/** Between the packets of a long-polling payload: Engine.IO protocol, revision 4. */
const SEPARATOR = "\x1e";

/** socket.io's `parser` option. */
export const packetParser = {
  Encoder,
  /** One a connection; socket.io closes the connection when `add` throws. */
  Decoder: class extends EventEmitter {
    #attachmentsDue = 0;

    add(data: unknown): void {
      if (typeof data !== "string") {
        if (this.#attachmentsDue === 0) throw new Error("a binary message that belongs to nothing");
        this.#attachmentsDue--;
        return;
      }
      if (this.#attachmentsDue > 0) throw new Error("text where an attachment is due");
      const packet = decodeText(data);
      this.#attachmentsDue = packet.attachments;
      this.emit("decoded", packet);
    }

    destroy(): void {
      this.#attachmentsDue = 0;
    }
  },
};

interface EnginePacket {
  type: string;
  data?: unknown;
}
/** engine.io-parser's functions, as a transport of engine.io calls them. */
interface EngineParser {
  decodePacket(data: unknown): EnginePacket;
  decodePayload(payload: string): EnginePacket[];
}
interface Engine {
  createTransport(name: string, request: unknown): { parser: EngineParser };
}

/** To be called once, before the first connection. */
export function dropBinaryMessages(io: Server): void {
  const engine = io.engine as unknown as Engine;
  const createTransport = engine.createTransport.bind(engine);
  const own = new WeakMap<EngineParser, EngineParser>();
  engine.createTransport = (name, request) => {
    const transport = createTransport(name, request);
    const { parser } = transport;
    let withoutBinary = own.get(parser);
    if (withoutBinary === undefined) {
      withoutBinary = { ...parser, ...decodersOf(parser) };
      own.set(parser, withoutBinary);
    }
    transport.parser = withoutBinary;
    return transport;
  };
}

function decodersOf(parser: EngineParser): EngineParser {
  function decodePacket(data: unknown): EnginePacket {
    if (typeof data !== "string" || data.startsWith(BASE64)) {
      return { type: "message", data: ATTACHMENT };
    }
    return parser.decodePacket(data);
  }
  return {
    decodePacket,
    decodePayload(payload) {
      const packets: EnginePacket[] = [];
      for (const text of payload.split(SEPARATOR)) {
        const packet = decodePacket(text);
        packets.push(packet);
        if (packet.type === "error") break;
      }
      return packets;
    },
  };
}
