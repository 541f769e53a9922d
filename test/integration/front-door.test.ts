/**
 * How connections reach workers, with real sockets, real worker processes and the real client
 * library, but workers without Troupe inside (test/support/door.ts).
 */
import { readdirSync } from "node:fs";
import { request } from "node:http";
import { io, type Socket } from "socket.io-client";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Door, Wire } from "../support/door.ts";
import { eventually, within } from "../support/eventually.ts";
import { familyOf, isAlive } from "../support/processes.ts";

/** Longer than a busy machine keeps a client from saying its next word. */
const LIMITS = { head: { silentMs: 4000, headMs: 3000 } };
const CLOSED_WITHIN_MS = 10_000;
const GET = "GET /who HTTP/1.1\r\nHost: x\r\n\r\n";

interface Served {
  served: string;
  pid: number;
  incarnation: string;
  url: string;
  bytes: number;
  envSecret: string | null;
}

const clients: Socket[] = [];

function client(door: Door, transports: string[], query: Record<string, string> = {}): Socket {
  const socket = io(`http://127.0.0.1:${door.port}`, {
    transports,
    query,
    forceNew: true,
    reconnectionDelay: 30,
    reconnectionDelayMax: 200,
  });
  clients.push(socket);
  return socket;
}

const hello = (socket: Socket) =>
  within(
    "hello",
    new Promise<{ pid: number; incarnation: string }>((resolve) => socket.once("hello", resolve)),
  );

/** Begins an Engine.IO session over long-polling, by hand. */
async function pollingSid(door: Door): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${door.port}/socket.io/?EIO=4&transport=polling`);
  const sid = /"sid":"([^"]+)"/.exec(await response.text())?.[1];
  expect(sid).toBeDefined();
  return sid!;
}

async function whoServes(door: Door, path = "/who"): Promise<Served> {
  const response = await fetch(`http://127.0.0.1:${door.port}${path}`, {
    headers: { connection: "close" },
  });
  return (await response.json()) as Served;
}

afterEach(() => {
  for (const socket of clients.splice(0)) socket.disconnect();
});

describe("one door, two workers", () => {
  let door: Door;
  beforeAll(async () => {
    door = await Door.opens({ limits: LIMITS, env: { JWT_SECRET: "0123456789".repeat(4) } });
  });
  afterEach(async () => {
    await eventually("the primary holds no socket", async () => (await door.held()) === 0, 3000);
  });
  afterAll(() => door.ends());

  test("[FD1] a head in two reads, microseconds apart, arrives whole", async () => {
    for (let i = 0; i < 40; i++) {
      const wire = await Wire.to(door);
      await wire.says("GET /who HTTP/1.1\r\nHost: x\r\nX-Half: y", "es\r\n\r\n");
      expect(await wire.answers(1)).toContain('"served":"api"');
      wire.socket.destroy();
    }
  });

  test("[FD1] what comes right after the head reaches the worker too", async () => {
    for (let i = 0; i < 20; i++) {
      const wire = await Wire.to(door);
      const head = "POST /who HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n";
      await wire.says(head, "a".repeat(50_000), "b".repeat(50_000));
      expect(await wire.answers(1)).toContain('"bytes":100000');
      wire.socket.destroy();
    }
  });

  test("[FD2] a connection is kept alive, and its requests stay with one worker", async () => {
    const wire = await Wire.to(door);
    await wire.says(GET);
    await wire.answers(1);
    await wire.says(GET);
    const pids = [...(await wire.answers(2)).matchAll(/"pid":(\d+)/g)].map((match) => match[1]);
    expect(pids).toHaveLength(2);
    expect(pids[0]).toBe(pids[1]);
    wire.socket.destroy();
  });

  test("[FD2] pipelined requests are all answered", async () => {
    const wire = await Wire.to(door);
    await wire.says(GET + GET + GET);
    await wire.answers(3);
    wire.socket.destroy();
  });

  test("[FD2] connections go to the workers in turn", async () => {
    const pids: number[] = [];
    for (let i = 0; i < 10; i++) pids.push((await whoServes(door)).pid);
    expect(new Set(pids).size).toBe(2);
    expect(pids.filter((pid) => pid === pids[0])).toHaveLength(5);
  });

  test.each([
    ["bytes of a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"],
    ["a line that is no request", "hello there, is this HTTP\r\n\r\n"],
    ["another protocol's version", "GET / HTTP/2.0\r\n\r\n"],
    ["two session ids", "GET /socket.io/?sid=a&sid=b HTTP/1.1\r\n\r\n"],
  ])("[FD3] %s: 400 and closed", async (_, bytes) => {
    const wire = await Wire.to(door);
    await wire.says(bytes);
    const received = await within("closed", wire.closed);
    expect(received).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid_payload"/s);
  });

  test("[FD3] empty lines ahead of the request are passed over", async () => {
    const wire = await Wire.to(door);
    await wire.says(`\r\n\r\n${GET}`);
    await wire.answers(1);
    wire.socket.destroy();
  });

  test("[FD4] a silent connection is closed, and so is a half-open one", async () => {
    const silent = await Wire.to(door);
    const halfOpen = await Wire.to(door, true);
    halfOpen.socket.end("GET /who HT");
    await within("the silent one is closed", silent.closed, CLOSED_WITHIN_MS);
    await within(
      "the half-open one hears the end",
      halfOpen.socket.readableEnded
        ? Promise.resolve()
        : new Promise<void>((resolve) => halfOpen.socket.once("end", resolve)),
      CLOSED_WITHIN_MS,
    );
    halfOpen.socket.destroy();
  });

  test("[FD4] headers that take too long: 408, and nobody else waits", async () => {
    const slow = await Wire.to(door);
    let isOpen = true;
    void slow.closed.then(() => {
      isOpen = false;
    });
    await slow.says("GET /who HTTP/1.1\r\n");
    await whoServes(door);
    expect(isOpen).toBe(true);
    const said = await within("closed", slow.closed, CLOSED_WITHIN_MS);
    expect(said).toMatch(/^HTTP\/1\.1 408 /);
  });

  test("[FD4] a head of 17 KiB is 431, in one piece or many; one of 15 KiB is served", async () => {
    const head = (bytes: number) =>
      `GET /who HTTP/1.1\r\nHost: x\r\nX-Pad: ${"a".repeat(bytes)}\r\n\r\n`;
    for (const pieces of [[head(17 * 1024)], head(17 * 1024).match(/.{1,3000}/gs)!]) {
      const wire = await Wire.to(door);
      await wire.says(...pieces);
      expect(await within("closed", wire.closed)).toMatch(/^HTTP\/1\.1 431 /);
    }
    const wire = await Wire.to(door);
    await wire.says(...head(15 * 1024).match(/.{1,1000}/gs)!);
    expect(await wire.answers(1)).toContain("200 OK");
    wire.socket.destroy();
  });

  test.each([[["polling"]], [["websocket"]], [["polling", "websocket"]]])(
    "[FD5] socket.io-client over %s",
    async (transports) => {
      const sockets = Array.from({ length: 8 }, () => client(door, transports));
      const hellos = await Promise.all(sockets.map(hello));
      expect(new Set(hellos.map(({ pid }) => pid)).size).toBe(2);
      if (transports.length === 2) {
        await eventually("all have upgraded", () =>
          sockets.every((socket) => socket.io.engine.transport.name === "websocket"),
        );
      }
      for (let round = 0; round < 5; round++) {
        await Promise.all(
          sockets.map(async (socket, i) => {
            const body = "x".repeat(1 + i * 1000);
            const answer = await socket.timeout(5000).emitWithAck("echo", body);
            expect(answer).toEqual({ body, incarnation: hellos[i]!.incarnation });
          }),
        );
      }
      for (const socket of sockets) socket.disconnect();
    },
  );

  test("[FD6] a session id in a cookie or in another parameter does not lead astray", async () => {
    for (let i = 0; i < 6; i++) {
      const sid = await pollingSid(door);
      const other = await pollingSid(door);
      for (const [query, headers] of [
        [`EIO=4&transport=polling&sid=${sid}`, `Cookie: connect.sid=${other}\r\n`],
        [`xsid=${other}&EIO=4&transport=polling&sid=${sid}`, ""],
        [`EIO=4&transport=polling&sid=%${sid.charCodeAt(0).toString(16)}${sid.slice(1)}`, ""],
      ] as const) {
        const wire = await Wire.to(door);
        const body = "40";
        await wire.says(
          `POST /socket.io/?${query} HTTP/1.1\r\nHost: x\r\n${headers}`,
          `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`,
          body,
        );
        await eventually("an answer", () => wire.received.includes("\r\n\r\nok") || undefined);
        wire.socket.destroy();
      }
    }
  });

  test("[FD6] an unknown session id gets the engine's own answer", async () => {
    for (const sid of ["AAAAAAAAAAAAAAAAAAAA", "short"]) {
      const url = `http://127.0.0.1:${door.port}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      for (const method of ["GET", "POST"]) {
        const response = await fetch(url, { method, ...(method === "POST" && { body: "40" }) });
        expect(response.status).toBe(400);
        expect(await response.json()).toEqual({ code: 1, message: "Session ID unknown" });
      }
    }
  });

  test("[FD7] a poll that mentions a length is handed over, not tunnelled", async () => {
    const sid = await pollingSid(door);
    const poll = await Wire.to(door);
    await poll.says(
      `GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
    );
    await eventually("the primary has let go", async () => (await door.held()) === 0);
    poll.socket.destroy();
  });

  test("[FD7] a body without end does not flow through the primary for ever", async () => {
    const sid = await pollingSid(door);
    const wire = await Wire.to(door);
    await wire.says(
      `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `10000\r\n${"a".repeat(65_536)}\r\n`;
    for (let i = 0; i < 200 && !wire.socket.destroyed; i++) await wire.says(chunk);
    await within("closed", wire.closed);
  });

  test("[FD10] no descriptor stays behind in the primary", async () => {
    const descriptors = () => readdirSync(`/proc/${door.pid}/fd`).length;
    await whoServes(door);
    const before = descriptors();
    for (let i = 0; i < 100; i++) {
      const wire = await Wire.to(door);
      if (i % 4 === 0) await wire.says("\0");
      else await wire.says(GET);
      await Promise.race([wire.answers(1), wire.closed]);
      wire.socket.destroy();
    }
    await eventually("as many as before", () => descriptors() <= before);
  });

  test("[SUP5] workers do not carry the primary's secrets in their environment", async () => {
    expect((await whoServes(door)).envSecret).toBeNull();
  });
});

describe("when workers die", () => {
  let door: Door;
  beforeAll(async () => {
    door = await Door.opens({ limits: LIMITS });
  });
  afterAll(() => door.ends());

  test("[SUP9] the workers of a start are in one view at once", async () => {
    const { view } = (await whoServes(door, "/view")) as Served & {
      view: { number: number; workers: unknown[] };
    };
    // The first one is without workers.
    expect(view.number).toBe(2);
    expect(view.workers).toHaveLength(2);
  });

  test("[FD8] killed under long-polling: the clients come back, the primary stays", async () => {
    const sockets = Array.from({ length: 10 }, () => client(door, ["polling"]));
    const hellos = await Promise.all(sockets.map(hello));
    const [first] = await door.onlineWorkers(2);
    const affected = sockets.filter((_, i) => hellos[i]!.pid === first!.pid);
    expect(affected.length).toBeGreaterThan(0);
    const back = affected.map(hello);
    process.kill(first!.pid, "SIGKILL");
    const again = await Promise.all(back);
    expect(again.every(({ pid }) => pid !== first!.pid)).toBe(true);
    await door.onlineWorkers(2);
  });

  test("[FD8] a tunnelled request is cut when its worker dies, not continued elsewhere", async () => {
    const sid = await pollingSid(door);
    const before = await door.onlineWorkers(2);
    const wire = await Wire.to(door);
    await wire.says(
      `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n`,
      "4",
    );
    await eventually("it is tunnelled", async () => (await door.held()) === 1);
    for (const worker of before) process.kill(worker.pid, "SIGKILL");
    expect(await within("closed", wire.closed)).toBe("");
    await door.onlineWorkers(2);
  });

  test("[FD9] connections in line for a worker that dies are served by another", async () => {
    const [stuck] = await door.onlineWorkers(2);
    process.kill(stuck!.pid, "SIGSTOP");
    const wires = await Promise.all(Array.from({ length: 12 }, () => Wire.to(door)));
    await Promise.all(wires.map((wire) => wire.says(GET)));
    // Half of them in turn; one is on its way, for Node passes handles one at a time.
    await eventually("five stand in line", async () => (await door.held()) === 5);
    process.kill(stuck!.pid, "SIGKILL");
    const ends = await Promise.all(
      wires.map((wire) => Promise.race([wire.answers(1), wire.closed.then(() => "closed")])),
    );
    expect(ends.filter((end) => end.includes("200 OK"))).toHaveLength(11);
    // That one is lost with the worker, and told so at once: Node alone would keep it open.
    expect(ends.filter((end) => end === "closed")).toHaveLength(1);
    for (const wire of wires) wire.socket.destroy();
    await eventually("the primary holds no socket", async () => (await door.held()) === 0);
    await door.onlineWorkers(2);
  });

  test("[SUP1] a worker that dies is replaced at once, in its slot, as another life", async () => {
    const before = await door.onlineWorkers(2);
    process.kill(before[0]!.pid, "SIGKILL");
    const after = await eventually("a new life", async () => {
      const online = (await door.workers()).filter((worker) => worker.phase === "online");
      return online.length === 2 && online.every((worker) => worker.pid !== before[0]!.pid)
        ? online
        : undefined;
    });
    expect(after.map((worker) => worker.slot).sort()).toEqual(
      before.map((worker) => worker.slot).sort(),
    );
    expect(after.map((worker) => worker.incarnation)).not.toContain(before[0]!.incarnation);
  });

  test("[SUP2] while no worker is online: 503 with Retry-After", async () => {
    const workers = await door.onlineWorkers(2);
    for (const worker of workers) process.kill(worker.pid, "SIGKILL");
    const answers = await eventually("a 503", async () => {
      const wire = await Wire.to(door);
      await wire.says(GET);
      const end = await Promise.race([wire.answers(1), wire.closed]);
      wire.socket.destroy();
      return end.includes("503") ? end : undefined;
    });
    expect(answers).toMatch(/Retry-After: \d/);
    expect(answers).toContain('"code":"unavailable"');
    await door.onlineWorkers(2);
  });
});

describe("starting, rolling, stopping", () => {
  test("[SUP3] a worker that cannot start refuses the start, and nothing is left", async () => {
    await expect(Door.opens({ env: { DOOR_WORKER: "dies" } })).rejects.toThrow(
      /A worker did not come up \(exit code 7\)/,
    );
    await expect(
      Door.opens({ env: { DOOR_WORKER: "mute" }, limits: { supervisor: { onlineMs: 600 } } }),
    ).rejects.toThrow(/A worker did not come up \(SIGKILL\)/);
  });

  test("[SUP3] a port that is taken refuses the start with what to do", async () => {
    const first = await Door.opens();
    await expect(Door.opens({ env: { PORT: String(first.port) } })).rejects.toThrow(
      /Port \d+ is taken by another program/,
    );
    await first.ends();
  });

  test("[SUP4] a roll replaces every worker, and no request fails meanwhile", async () => {
    const door = await Door.opens();
    try {
      const before = await door.onlineWorkers(2);
      let rolling = true;
      const roll = door.rolls().finally(() => {
        rolling = false;
      });
      let fewest = Number.POSITIVE_INFINITY;
      while (rolling) {
        expect((await whoServes(door)).served).toBe("api");
        const online = (await door.workers()).filter((worker) => worker.phase === "online");
        fewest = Math.min(fewest, online.length);
      }
      await roll;
      const after = await door.onlineWorkers(2);
      expect(fewest).toBeGreaterThanOrEqual(2);
      expect(after.map((worker) => worker.slot)).toEqual(before.map((worker) => worker.slot));
      expect(after.some((one) => before.some((old) => old.pid === one.pid))).toBe(false);
      const { view } = (await whoServes(door, "/view")) as Served & {
        view: { workers: unknown[] };
      };
      expect(view.workers).toEqual(after.map(({ incarnation, slot }) => ({ incarnation, slot })));
    } finally {
      await door.ends();
    }
  });

  test("[SUP6] a roll replaces also who is just starting in the place of one that died", async () => {
    const door = await Door.opens();
    try {
      const [first] = await door.onlineWorkers(2);
      process.kill(first!.pid, "SIGKILL");
      const before = await eventually("a replacement is starting", async () => {
        const workers = await door.workers();
        return workers.some(({ phase }) => phase === "starting") ? workers : undefined;
      });
      await door.rolls();
      const after = await door.onlineWorkers(2);
      const kept = after.filter(({ pid }) => before.some((old) => old.pid === pid));
      expect(kept).toEqual([]);
      expect((await door.workers()).map(({ pid }) => pid)).toEqual(after.map(({ pid }) => pid));
    } finally {
      await door.ends();
    }
  });

  test("[SUP4] a stop tells the sessions first, then closes the port, then ends all", async () => {
    const door = await Door.opens();
    const processes = familyOf(door.pid);
    const sockets = [client(door, ["websocket"]), client(door, ["polling"])];
    for (const socket of sockets) socket.io.reconnection(false);
    await Promise.all(sockets.map(hello));
    const told = sockets.map(
      (socket) => new Promise<void>((resolve) => socket.once("server_draining", resolve)),
    );
    const stopped = door.stops();
    await within("all hear server_draining", Promise.all(told));
    await stopped;
    const refused = await new Promise<string>((resolve) => {
      request({ port: door.port, host: "127.0.0.1" })
        .once("error", (error) => resolve(String(error)))
        .once("response", () => resolve("answered"))
        .end();
    });
    expect(refused).toContain("ECONNREFUSED");
    expect(processes.slice(1).filter(isAlive)).toEqual([]);
    await door.ends();
  });
});
