/** The guide "Coming from Socket.IO": its file runs over two workers, and over two hosts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { io, type Socket } from "socket.io-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Troupe } from "../support/cluster.ts";
import { startTroupe } from "../support/cluster.ts";
import { ClusterOfHosts } from "../support/cluster-of-hosts.ts";
import { eventually, within } from "../support/eventually.ts";
import { upTo } from "../support/expectations.ts";
import { whyNoRedis } from "../support/redis.ts";
import { snippetPages } from "../support/snippets.ts";
import { noSocketsLeft } from "../support/suite.ts";

let folder = "";
const sockets: Socket[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-realtime-"));
  const page = snippetPages().find(({ file }) => file.endsWith("namespaces.md"));
  const file = page?.snippets.find(({ text }) => text.includes('defineNamespace("/board"'));
  if (file === undefined) throw new Error("the guide has no board.namespace.ts");
  await writeFile(join(folder, "board.namespace.ts"), file.text);
});

afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await rm(folder, { recursive: true, force: true });
  await noSocketsLeft();
});

/** Everybody draws once on one board; each hears all the others, once. */
async function drawTogether(hosts: readonly Troupe[], count: number): Promise<void> {
  const people = await hosts[0]!.users(...upTo(count).map((n) => `painter${n}`));
  const painters = people.map((person, n) => {
    const { url } = hosts[n % hosts.length]!;
    const socket = io(`${url}/board`, {
      auth: { token: person.token },
      transports: ["websocket"],
      forceNew: true,
    });
    sockets.push(socket);
    const seen: number[] = [];
    socket.on("draw", ({ by }: { by: number }) => seen.push(by));
    return { socket, seen, person };
  });
  for (const { socket, person } of painters) {
    const answer: unknown = await within(
      "the board is joined",
      socket.emitWithAck("join", "landscape"),
    );
    expect(answer).toEqual({ ok: true, as: person.user.username });
  }
  for (const [by, { socket }] of painters.entries()) socket.emit("draw", "landscape", { by });
  await eventually("everybody has seen the others", () =>
    painters.every(({ seen }) => seen.length === count - 1),
  );
  for (const [own, { seen }] of painters.entries()) {
    const others = [...painters.keys()].filter((n) => n !== own);
    expect(seen.sort((a, b) => a - b)).toEqual(others);
  }
  for (const { socket } of painters) socket.disconnect();
}

describe("the guide's namespace", () => {
  it("[NSP10] runs unchanged over two workers", async () => {
    const troupe = await startTroupe({ workers: 2, env: { ACTORS_DIR: folder } });
    try {
      await drawTogether([troupe], 8);
    } finally {
      await troupe.stop();
    }
  });

  it.skipIf(whyNoRedis !== null)("[NSP11] runs unchanged over two hosts", async () => {
    const cluster = await ClusterOfHosts.start(2, { ACTORS_DIR: folder });
    try {
      await drawTogether(cluster.hosts, 6);
    } finally {
      await cluster.discard();
    }
  });
});
