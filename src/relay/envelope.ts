/**
 * What travels in one Redis message: who sent it, its number at that sender for that host (0
 * for topics), and frames. Layout: u8 length of the host id · id · u32 number · frames.
 */
export interface Envelope {
  host: string;
  number: number;
  frames: Buffer;
}

export function sealed(host: string, number: number, frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.allocUnsafe(1 + host.length + 4);
  head[0] = host.length;
  head.write(host, 1, "latin1");
  head.writeUInt32BE(number, 1 + host.length);
  return Buffer.concat([head, ...frames]);
}

export function opened(message: Buffer): Envelope {
  const idEnd = 1 + message[0]!;
  return {
    host: message.toString("latin1", 1, idEnd),
    number: message.readUInt32BE(idEnd),
    frames: message.subarray(idEnd + 4),
  };
}
