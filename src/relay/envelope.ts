/**
 * What travels in one message between hosts: who sent it, what it is, its number at that
 * sender (0 for topics), and frames. Layout: u8 length of the host id · id · u8 kind ·
 * u32 number · frames.
 */
export const KIND = {
  /** Events of one topic. */
  events: 0,
  /** To actors and askers of one host. */
  frames: 1,
  /** The same, after a gap: what the sender said before may not have arrived. */
  framesAfterGap: 2,
  /** To one host: topics of which it may not have received every event; a `Doubt` as JSON. */
  doubt: 3,
} as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

export interface Envelope {
  host: string;
  kind: Kind;
  number: number;
  frames: Buffer;
}

export function sealed(
  host: string,
  kind: Kind,
  number: number,
  frames: readonly Uint8Array[],
): Buffer {
  const head = Buffer.allocUnsafe(6 + host.length);
  head[0] = host.length;
  head.write(host, 1, "latin1");
  head[1 + host.length] = kind;
  head.writeUInt32BE(number, 2 + host.length);
  return Buffer.concat([head, ...frames]);
}

export function opened(message: Buffer): Envelope {
  const idEnd = 1 + message[0]!;
  return {
    host: message.toString("latin1", 1, idEnd),
    kind: message[idEnd] as Kind,
    number: message.readUInt32BE(idEnd + 1),
    frames: message.subarray(idEnd + 5),
  };
}
