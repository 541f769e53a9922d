/**
 * One message between hosts: frames, their sender, and a number. The seal covers the channel and
 * everything after it, so nothing else is read before it has been verified.
 *
 * [ENV1] A message that cannot be read or verified yields a reason, never an exception: anybody
 *        with access to Redis can publish on any channel.
 *
 * Layout (big endian): u8 version · seal (16 bytes) · u8 kind · u48 number · u8 length of the
 * host id · host id (latin1) · frames.
 */
import { isSealed, SEAL_BYTES, type SealKey, sealOf } from "./seal.ts";

export const KIND = {
  /** Events of one topic. */
  events: 0,
  /** To actors and askers of one host. */
  frames: 1,
  /** The same, after a gap: earlier frames of the sender may not have arrived. */
  framesAfterGap: 2,
  /** To one host: topics of which it may not have received every event; a `Doubt` as JSON. */
  doubt: 3,
  /** The cluster's view has a new number: the receiver reads the lease. Carries no frames. */
  news: 4,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];
const KINDS: ReadonlySet<number> = new Set(Object.values(KIND));

export interface Envelope {
  host: string;
  kind: Kind;
  /** Rises with every message that one host sends, across all channels. */
  number: number;
  frames: Buffer;
}

/** Why a message is no envelope of this cluster. */
export type EnvelopeFault = "malformed" | "version" | "signature";

const VERSION = 1;
const SEALED_FROM = 1 + SEAL_BYTES;
const NUMBER_BYTES = 6;
const HOST_LENGTH_AT = SEALED_FROM + 1 + NUMBER_BYTES;
const HEAD_BYTES = HOST_LENGTH_AT + 1;

export function sealedEnvelope(
  key: SealKey,
  channel: string,
  { host, kind, number }: Omit<Envelope, "frames">,
  frames: readonly Uint8Array[],
): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES + host.length);
  head[0] = VERSION;
  head[SEALED_FROM] = kind;
  head.writeUIntBE(number, SEALED_FROM + 1, NUMBER_BYTES);
  head[HOST_LENGTH_AT] = host.length;
  head.write(host, HEAD_BYTES, "latin1");
  const message = Buffer.concat([head, ...frames]);
  sealOf(key, channel, message.subarray(SEALED_FROM)).copy(message, 1);
  return message;
}

export function openedEnvelope(
  key: SealKey,
  channel: string,
  message: Buffer,
): Envelope | EnvelopeFault {
  if (message.length < HEAD_BYTES) return "malformed";
  if (message[0] !== VERSION) return "version";
  const sealed = message.subarray(SEALED_FROM);
  if (!isSealed(key, channel, sealed, message.subarray(1, SEALED_FROM))) return "signature";
  // The seal is valid, so errors from here on are faults of a host of this cluster.
  const kind = message[SEALED_FROM] ?? -1;
  const framesAt = HEAD_BYTES + (message[HOST_LENGTH_AT] ?? 0);
  if (!isKind(kind) || framesAt > message.length) return "malformed";
  return {
    host: message.toString("latin1", HEAD_BYTES, framesAt),
    kind,
    number: message.readUIntBE(SEALED_FROM + 1, NUMBER_BYTES),
    frames: message.subarray(framesAt),
  };
}

function isKind(value: number): value is Kind {
  return KINDS.has(value);
}
