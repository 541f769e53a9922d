import type { Writable } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import * as ws from "ws";
import { Packet } from "../../src/edge/transport/packet.ts";

/** Exported by ws, missing in its types. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

/** Reads a frame as a client's ws library does. */
function read(bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const receiver = new Receiver({ isServer: false });
    receiver.on("message", (message: Buffer) => resolve(message.toString()));
    receiver.on("error", reject);
    receiver.write(bytes);
  });
}

test("[PKT1] an event and an acknowledgement are Socket.IO text", () => {
  expect(Packet.event("typing", '{"a":1}').text).toBe('2["typing",{"a":1}]');
  expect(Packet.ack(12, '{"ok":true}').text).toBe('312[{"ok":true}]');
});

test("[PKT2] the frame says the same text over WebSocket, whatever is in it", async () => {
  const texts = fc.string({ unit: "grapheme", maxLength: 400 });
  await fc.assert(
    fc.asyncProperty(texts, async (body) => {
      const packet = Packet.event("message", JSON.stringify({ body }));
      expect(await read(packet.frame)).toBe(`4${packet.text}`);
    }),
    { numRuns: 50 },
  );
});

test.each([124, 125, 126, 127, 65_534, 65_535, 65_536, 200_000])(
  "[PKT2] a text of %i bytes has the right length in its header",
  async (bytes) => {
    const packet = new Packet("x".repeat(bytes));
    expect(await read(packet.frame)).toBe(`4${packet.text}`);
    expect(packet.byteLength).toBe(packet.frame.length);
  },
);

test("[PKT3] it is encoded once, however many it goes to", () => {
  const packet = Packet.event("message", "{}");
  expect(packet.frame).toBe(packet.frame);
});

test("[PKT4] version 1 receives what it knows, a translation, or nothing", () => {
  const plain = Packet.event("message", "{}");
  expect(plain.forVersion1).toBe(plain);
  const former = { name: "message_updated", body: '{"seq":1}' } as const;
  const translated = Packet.event("reaction", '{"key":"x"}', former).forVersion1;
  expect(translated?.text).toBe('2["message_updated",{"seq":1}]');
  expect(Packet.event("signal", "{}").forVersion1).toBeNull();
});
