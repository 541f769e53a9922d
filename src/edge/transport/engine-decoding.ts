/**
 * Makes the servers of Socket.IO and Engine.IO decode as ws-connection.ts does: packets through
 * packet-decoder.ts, and binary messages never, but for the namespaces that an application defines. Long-polling carries those as base64, which
 * Engine.IO would decode before anything could refuse it.
 */
import { EventEmitter } from "node:events";
import type { Server } from "socket.io";
import { Decoder, Encoder } from "socket.io-parser";
import { forNamespace, type NamespaceNames } from "./namespace-names.ts";
import { decodeText } from "./packet-decoder.ts";

/** A binary message of long-polling, which is decoded only where a namespace waits for it. */
class Base64 {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
/** The first character of a binary message in a long-polling payload. */
const BASE64 = "b";
/** Between the packets of a long-polling payload: Engine.IO protocol, revision 4. */
const SEPARATOR = "\x1e";

/** socket.io's `parser` option. */
export function packetParser(namespaces: NamespaceNames) {
  return {
    Encoder,
    /** One a connection; socket.io closes the connection when `add` throws. */
    Decoder: class extends EventEmitter {
      #attachmentsDue = 0;
      /** Attachments that belong to a packet in one of `namespaces`. */
      #wantedDue = 0;
      #namespaced: Decoder | null = null;

      add(data: unknown): void {
        if (typeof data === "string") this.#text(data);
        else if (this.#wantedDue > 0) {
          this.#wantedDue--;
          this.#ofNamespaces.add(data instanceof Base64 ? Buffer.from(data.text, "base64") : data);
        } else if (this.#attachmentsDue > 0) this.#attachmentsDue--;
        else throw new Error("a binary message that belongs to nothing");
      }

      destroy(): void {
        this.#attachmentsDue = 0;
        this.#wantedDue = 0;
        this.#namespaced?.destroy();
      }

      #text(text: string): void {
        if (this.#attachmentsDue > 0 || this.#wantedDue > 0) {
          throw new Error("text where an attachment is due");
        }
        const namespaced = forNamespace(text, namespaces);
        if (namespaced !== null) {
          this.#wantedDue = namespaced.attachments;
          this.#ofNamespaces.add(text);
          return;
        }
        const packet = decodeText(text);
        this.#attachmentsDue = packet.attachments;
        this.emit("decoded", packet);
      }

      get #ofNamespaces(): Decoder {
        if (this.#namespaced === null) {
          this.#namespaced = new Decoder();
          this.#namespaced.on("decoded", (packet) => this.emit("decoded", packet));
        }
        return this.#namespaced;
      }
    },
  };
}

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
    if (typeof data !== "string") return { type: "message", data };
    if (data.startsWith(BASE64)) return { type: "message", data: new Base64(data.slice(1)) };
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
