/** What one user and one address may hold open, whatever the rates: RATE_LIMITS is off here. */
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { eventually, within } from "../support/eventually.ts";
import { troupeForFile } from "../support/suite.ts";

const SESSIONS_MAX = 3;
const CONNECTIONS_MAX = 40;
const troupe = troupeForFile({
  workers: 2,
  env: {
    SESSIONS_PER_USER_MAX: String(SESSIONS_MAX),
    CONNECTIONS_PER_ADDRESS_MAX: String(CONNECTIONS_MAX),
  },
});

describe("sessions of one user", () => {
  it.each(["websocket", "polling"] as const)(
    "[CAP1] [SES5] one more than may be ends the oldest, with its reason (%s)",
    async (transport) => {
      const [ann, bob] = await troupe().users("ann", "bob");
      const direct = await ann!.startsDirect(bob!);
      const oldest = await ann!.connects({ transports: [transport] });
      const others = [await ann!.connects(), await ann!.connects()];
      const newest = await ann!.connects();
      const ended = await oldest.next("session_ended");
      expect(ended).toMatchObject({ code: "too_many_sessions", reconnect: false });
      await oldest.untilDisconnected();
      await bob!.posts(direct.id, "to those that are left");
      for (const session of [...others, newest]) {
        expect(await session.next("message")).toMatchObject({ body: "to those that are left" });
        expect(session.heard("session_ended")).toEqual([]);
      }
    },
  );
});

describe("connections of one address", () => {
  const opened: Socket[] = [];
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.destroy();
  });

  /** A kept connection from an address of its own, and the status it was answered with. */
  async function calls(from: string): Promise<{ socket: Socket; status: string }> {
    const socket = connect({ port: troupe().port, host: "127.0.0.1", localAddress: from });
    opened.push(socket);
    socket.on("error", () => undefined);
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    const status = new Promise<string>((resolve) => {
      socket.once("data", (bytes) => resolve(bytes.toString("latin1").slice(9, 12)));
    });
    return { socket, status: await within("it is answered", status) };
  }

  async function fills(from: string): Promise<Socket[]> {
    const sockets: Socket[] = [];
    for (let n = 0; n < CONNECTIONS_MAX; n++) {
      const { socket, status } = await calls(from);
      expect(status).toBe("200");
      sockets.push(socket);
    }
    expect((await calls(from)).status).toBe("429");
    return sockets;
  }

  it("[CAP2] are bounded over all workers, and one that ends makes room", async () => {
    const sockets = await fills("127.0.0.5");
    expect((await calls("127.0.0.6")).status, "others are served").toBe("200");
    for (const socket of sockets.slice(0, 5)) socket.destroy();
    await eventually("there is room", async () => (await calls("127.0.0.5")).status === "200");
  });

  it("[CAP2] a worker that dies leaves none of its own counted", async () => {
    const sockets = await fills("127.0.0.7");
    await troupe().killWorker(0);
    await eventually("those of the dead worker have ended", () =>
      sockets.some((socket) => socket.destroyed),
    );
    const left = sockets.filter((socket) => !socket.destroyed).length;
    const statuses: string[] = [];
    await eventually("there is room again", async () => {
      const { status } = await calls("127.0.0.7");
      statuses.push(status);
      return status === "200";
    });
    expect(left).toBeLessThan(CONNECTIONS_MAX);
  });
});
