/**
 * Which namespace a packet of Socket.IO is for, read from its text without decoding it.
 * https://socket.io/docs/v4/socket-io-protocol: `<type>[<attachments>-][<namespace>,]…`
 */
import { PacketType } from "socket.io-parser";

/** The namespaces that the application has defined. Empty for almost every server. */
export type NamespaceNames = ReadonlySet<string>;

export interface NamespacedPacket {
  namespace: string;
  isConnect: boolean;
  /** How many binary messages belong to it and are still to come. */
  attachments: number;
}

const SLASH = 0x2f;
const HEADER = /^([0-6])(?:([0-9]{1,3})-)?(\/[^,]*)(?:,|$)/;

/** Null: it is for the main namespace, or for none that is defined. */
export function forNamespace(text: string, names: NamespaceNames): NamespacedPacket | null {
  if (names.size === 0) return null;
  // Most packets are plain ones of the main namespace.
  const type = text.charCodeAt(0) - 0x30;
  const isBinary = type === PacketType.BINARY_EVENT || type === PacketType.BINARY_ACK;
  if (!isBinary && text.charCodeAt(1) !== SLASH) return null;
  const [, , attachments, namespace = ""] = HEADER.exec(text) ?? [];
  if (!names.has(namespace)) return null;
  return {
    namespace,
    isConnect: type === PacketType.CONNECT,
    attachments: isBinary ? Number(attachments ?? 0) : 0,
  };
}
