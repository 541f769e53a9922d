/**
 * The first record of a TLS connection, as far as the front door cares: whether these bytes
 * can be a ClientHello, and where its record ends (RFC 8446, 5.1). It reads no more: the
 * worker does the handshake. Pure.
 */
import type { Framing } from "./head-reader.ts";

const HANDSHAKE = 0x16;
const MAJOR = 0x03;
const HEADER_BYTES = 5;

export const TLS_HELLO: Framing = {
  maybe: (bytes) => bytes[0] === HANDSHAKE && (bytes.length < 2 || bytes[1] === MAJOR),
  endOf: (bytes) => {
    if (bytes.length < HEADER_BYTES) return -1;
    const end = HEADER_BYTES + bytes.readUInt16BE(3);
    return bytes.length >= end ? end : -1;
  },
  skipBreaks: false,
};
