/**
 * Decodes the Socket.IO packets that a client sends (protocol revision 5), for both kinds of
 * connection. Text packets go through socket.io-parser; binary packets do not, because it keeps
 * up to ten attachments of each connection in memory and then hands them over as payloads.
 * https://socket.io/docs/v4/socket-io-protocol
 *
 * [BIN1] A binary event with an acknowledgement id is refused by its header: its JSON is not
 *        parsed, and its attachments are dropped as they arrive.
 * [BIN2] Any other binary packet ends the connection.
 * [BIN3] An acknowledgement id that a number cannot hold exactly ends the connection, because it
 *        could not be echoed.
 */
import { Decoder, PacketType } from "socket.io-parser";
import type { ClientPacket } from "./packet.ts";

export interface DecodedPacket extends ClientPacket {
  nsp: string;
  /** How many binary messages belong to the packet and are still to come. */
  attachments: number;
}

export const NAMESPACE = "/";

/** `5<attachments>-<id>[…`, in the one namespace there is. */
const BINARY_EVENT = /^5([1-9][0-9]{0,2})-([0-9]{1,16})\[/;

/** socket.io-parser decodes a text packet at once, so one decoder serves all connections. */
const textDecoder = new Decoder();
let decoded: { type: number; nsp: string; id?: number; data?: unknown } | null = null;
textDecoder.on("decoded", (packet) => {
  decoded = packet;
});

/** Throws at what is not a packet of Socket.IO, and at binary packets that cannot be answered. */
export function decodeText(text: string): DecodedPacket {
  const type = text.charCodeAt(0) - 0x30;
  const isBinary = type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
  const packet = isBinary ? binaryHeader(text) : textPacket(text);
  if (packet.id !== undefined && !Number.isSafeInteger(packet.id)) {
    throw new Error("the acknowledgement id is too large");
  }
  return packet;
}

function binaryHeader(text: string): DecodedPacket {
  const header = BINARY_EVENT.exec(text);
  if (header === null) throw new Error("a binary packet that cannot be answered");
  const [, attachments, id] = header;
  return {
    type: PacketType.BINARY_EVENT,
    nsp: NAMESPACE,
    id: Number(id),
    data: undefined,
    attachments: Number(attachments),
  };
}

function textPacket(text: string): DecodedPacket {
  decoded = null;
  textDecoder.add(text);
  if (decoded === null) throw new Error("an incomplete packet");
  const { type, nsp, id, data } = decoded as NonNullable<typeof decoded>;
  return { type, nsp, ...(id !== undefined && { id }), data, attachments: 0 };
}
