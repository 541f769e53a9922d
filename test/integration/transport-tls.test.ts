/** TLS by Troupe itself: both transports, plain bytes on its port, renewal, resumption. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificate, replaceCertificate } from "../support/certificates.ts";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { ownerOfConnection } from "../support/processes.ts";
import { RawConnection } from "../support/raw.ts";
import { noSocketsLeft } from "../support/suite.ts";

let dir: string;
let first: Certificates;
let second: Certificates;
let inUse: Certificates;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "troupe-tls-"));
  first = makeCertificate(dir, "first");
  second = makeCertificate(dir, "second");
  inUse = makeCertificate(dir, "in-use");
  replaceCertificate(inUse, first);
  inUse.ca = first.ca;
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("over TLS", () => {
  let troupe: Troupe;
  beforeAll(async () => {
    troupe = await startTroupe({ tls: inUse, workers: 2 });
  });
  afterEach(() => troupe.closeSessions());
  afterAll(async () => {
    await troupe.stop();
    await noSocketsLeft();
  });

  test.each<["websocket" | "polling"]>([["websocket"], ["polling"]])(
    "[TLS1] people talk over %s",
    async (transport) => {
      const [ada, ben] = await troupe.users("ada", "ben");
      const talk = await ada!.startsDirect(ben!);
      const a = await ada!.connects({ transports: [transport] });
      const b = await ben!.connects({ transports: [transport] });
      for (let i = 0; i < 5; i++) {
        await a.sends(talk.id, `hello ${i}`);
        const heard = await b.next("message");
        expect(heard).toMatchObject({ body: `hello ${i}` });
      }
    },
  );

  test("[TLS1] long-polling upgrades to WebSocket", async () => {
    const ada = await troupe.user("ada");
    const session = await ada.connects({ transports: ["polling", "websocket"] });
    await eventually(
      "it has upgraded",
      () => session.socket.io.engine.transport.name === "websocket",
    );
  });

  test("[TLS1] HTTP connections are kept alive, and Socket.IO shares them", async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: inUse.ca });
    try {
      const ports = new Set<number | undefined>();
      for (const path of ["/healthz", "/socket.io/?EIO=4&transport=polling", "/docs"]) {
        const status = await new Promise<number | undefined>((resolve, reject) => {
          const request = https.get(`${troupe.url}${path}`, { agent }, (response) => {
            ports.add(response.socket.localPort);
            response.resume().on("end", () => resolve(response.statusCode));
          });
          request.on("error", reject);
        });
        expect(status).toBe(200);
      }
      expect(ports.size).toBe(1);
    } finally {
      agent.destroy();
    }
  });

  test("[TLS2] answers over TLS tell browsers to stay with it", async () => {
    for (const path of ["/", "/api/me", "/nothing", "/socket.io/?EIO=4&transport=polling"]) {
      const { headers } = await troupe.http.get(path);
      expect([path, headers["strict-transport-security"]]).toEqual([path, "max-age=31536000"]);
    }
  });

  test("[TLS3] plain HTTP on the TLS port is told so and closed", async () => {
    const plain = await RawConnection.to(troupe.port);
    plain.writes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await plain.untilClosed(5000);
    expect(plain.received).toMatch(/^HTTP\/1\.1 400 .*This port speaks TLS/s);
  });

  test("[TLS3] garbage, and a hello that is none, are closed", async () => {
    for (const bytes of ["\0\0\0\0", "\x16\x03\x01\x00\x05hello", "\x16\x01\x01\x00\x05hello"]) {
      const wire = await RawConnection.to(troupe.port);
      wire.writes(Buffer.from(bytes, "latin1"));
      await wire.untilClosed(8000);
    }
    expect((await troupe.http.get("/healthz")).status).toBe(200);
  });

  test("[TLS3] a client that stops in the middle of the handshake is closed within seconds", async () => {
    const halfway = await stopsMidway(troupe.port);
    const closed = new Promise<void>((resolve) => halfway.once("close", () => resolve()));
    await within("the server closes it", closed, 9000);
  });

  test("[TLS4] TLS 1.1 is refused, 1.2 and 1.3 are spoken, with http/1.1 only", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await shakesHands(troupe.port, {
        minVersion: version,
        maxVersion: version,
        ALPNProtocols: ["h2", "http/1.1"],
      });
      expect(socket.getProtocol()).toBe(version);
      expect(socket.alpnProtocol).toBe("http/1.1");
      socket.destroy();
    }
    await expect(
      shakesHands(troupe.port, {
        minVersion: "TLSv1.1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      }),
    ).rejects.toThrow(/protocol version|unsupported protocol/i);
  });

  test("[TLS5] a session begun at one worker is resumed at any", async () => {
    const { workers } = troupe.pids();
    const ticket = await ticketOf(troupe.port, "127.0.0.1");
    const resumedAt = new Set<number>();
    for (let i = 2; i < 40 && resumedAt.size < workers.length; i++) {
      const from = `127.0.0.${i}`;
      const socket = await shakesHands(troupe.port, {
        localAddress: from,
        session: ticket,
        maxVersion: "TLSv1.2",
      });
      expect(socket.isSessionReused()).toBe(true);
      // The client's last word of a resumed handshake goes out with what follows it.
      socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
      await within("an answer", new Promise((resolve) => socket.once("data", resolve)));
      const pid = ownerOfConnection(troupe.port, socket.localPort ?? 0, workers);
      if (pid !== undefined) resumedAt.add(pid);
      socket.destroy();
    }
    expect(resumedAt.size).toBe(workers.length);
    const metrics = await troupe.http.get<string>("/metrics");
    expect(metrics.text).toMatch(/troupe_tls_handshakes_total\{outcome="resumed"\} [1-9]/);
  });

  test("[TLS6] SIGHUP with a new certificate: new handshakes get it, no session ends", async () => {
    const ada = await troupe.user("ada");
    const session = await ada.connects();
    const pids = troupe.pids().workers;

    replaceCertificate(inUse, second);
    troupe.signal("SIGHUP");
    await eventually("the new certificate is served", () => isServed(troupe.port, second));
    for (let i = 2; i < 12; i++) {
      // Each worker replaces its certificate for itself; an address keeps its worker.
      const from = `127.0.0.${i}`;
      await eventually(`${from} gets it`, () => isServed(troupe.port, second, from));
    }

    writeFileSync(inUse.cert, "not a certificate");
    troupe.signal("SIGHUP");
    await eventually("it says that the certificate is refused", () =>
      troupe.stderr.includes("certificate_refused"),
    );
    expect(await isServed(troupe.port, second)).toBe(true);
    expect(troupe.pids().workers).toEqual(pids);

    replaceCertificate(inUse, first);
    troupe.signal("SIGHUP");
    await eventually("the first is back", () => isServed(troupe.port, first));
    expect(troupe.pids().workers).toEqual(pids);
    expect(session.socket.connected).toBe(true);
    await ada.api.get("/api/me");
  });

  test("[TLS6] SIGHUP without a new certificate replaces the workers, which serve the newest", async () => {
    const before = troupe.pids().workers;
    replaceCertificate(inUse, second);
    troupe.signal("SIGHUP");
    await eventually("the second is served", () => isServed(troupe.port, second));
    troupe.signal("SIGHUP");
    await eventually(
      "all workers are new",
      () => {
        const now = troupe.pids().workers;
        return now.length === before.length && !now.some((pid) => before.includes(pid));
      },
      30_000,
    );
    for (let i = 2; i < 8; i++) {
      expect(await isServed(troupe.port, second, `127.0.0.${i}`)).toBe(true);
    }
    replaceCertificate(inUse, first);
    troupe.signal("SIGHUP");
    await eventually("the first is back", () => isServed(troupe.port, first));
  });
});

/** `localAddress` goes through to net.connect, though the types do not say so. */
type HandshakeOptions = tls.ConnectionOptions & { localAddress?: string };

/** Resolves once the handshake is done. */
function shakesHands(port: number, options: HandshakeOptions = {}): Promise<tls.TLSSocket> {
  return within(
    "the TLS handshake",
    new Promise((resolve, reject) => {
      const socket = tls.connect({
        port,
        host: "127.0.0.1",
        rejectUnauthorized: false,
        ...options,
      });
      socket.once("secureConnect", () => resolve(socket));
      socket.once("error", reject);
    }),
    8000,
  );
}

async function isServed(port: number, certificates: Certificates, from?: string) {
  const options = { ca: certificates.ca, ...(from !== undefined && { localAddress: from }) };
  const socket = await shakesHands(port, options);
  socket.destroy();
  return socket.authorized;
}

/** A TLS 1.2 session to resume; in 1.3 it would come later, and be for one use. */
async function ticketOf(port: number, from: string): Promise<Buffer> {
  const socket = await shakesHands(port, { localAddress: from, maxVersion: "TLSv1.2" });
  const session = socket.getSession();
  socket.destroy();
  if (session === undefined) throw new Error("the server gave no session");
  return session;
}

/** Sends a client's hello, and never another byte. */
async function stopsMidway(port: number): Promise<Socket> {
  const hello = await new Promise<Buffer>((resolve) => {
    const capture = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    tls.connect({ socket: capture, rejectUnauthorized: false });
  });
  const socket = connect({ port, host: "127.0.0.1" });
  // The server may end it by reset; "close" follows.
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.write(hello);
  return socket.resume();
}
