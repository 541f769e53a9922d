import { Encoder, PacketType } from "socket.io-parser";
import { describe, expect, test } from "vitest";
import { forNamespace } from "../../src/edge/transport/namespace-names.ts";

const NAMES = new Set(["/game", "/a/b.c"]);
const textOf = (packet: object) => new Encoder().encode(packet as never)[0] as string;

describe("the namespace of a packet", () => {
  test("[NSP12] is read as socket.io-parser writes it, attachments included", () => {
    const event = { type: PacketType.EVENT, nsp: "/game", id: 7, data: ["x", { a: "/b,c" }] };
    expect(forNamespace(textOf(event), NAMES)).toEqual({
      namespace: "/game",
      isConnect: false,
      attachments: 0,
    });
    const connect = { type: PacketType.CONNECT, nsp: "/a/b.c", data: { token: "t" } };
    expect(forNamespace(textOf(connect), NAMES)).toMatchObject({
      namespace: "/a/b.c",
      isConnect: true,
    });
    const goodbye = { type: PacketType.DISCONNECT, nsp: "/game" };
    expect(forNamespace(textOf(goodbye), NAMES)).toMatchObject({ namespace: "/game" });
    const bytes = Buffer.from([1]);
    for (const type of [PacketType.EVENT, PacketType.ACK]) {
      const text = textOf({ type, nsp: "/game", id: 12, data: ["x", bytes, [bytes, bytes]] });
      expect(forNamespace(text, NAMES)).toMatchObject({ namespace: "/game", attachments: 3 });
    }
  });

  test("[NSP12] packets of the main namespace, unknown ones and nonsense are none of these", () => {
    const main = { type: PacketType.EVENT, nsp: "/", data: ["x", "/game,"] };
    expect(forNamespace(textOf(main), NAMES)).toBeNull();
    for (const text of ["", "2", "2/", "2/games,[]", "9/game,[]", "5/game", "2[/game,]", "0{}"]) {
      const found = forNamespace(text, NAMES);
      if (text === "5/game") expect(found).toMatchObject({ attachments: 0 });
      else expect([text, found]).toEqual([text, null]);
    }
    expect(forNamespace("2/game,[]", new Set())).toBeNull();
  });
});
