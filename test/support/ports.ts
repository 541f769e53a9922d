/**
 * Ports for what tests start. Each fork and the global setup draw from parts of their own, and
 * none twice: a port is free also while what it was drawn for is starting, or is down for a while.
 */
import { createServer, type Server } from "node:net";
import { eventually } from "./eventually.ts";

/** Nodes of a Redis Cluster, which take the port so far above as well. */
const NODES = { from: 20_000, to: 22_700 };
const BUS_ABOVE = 10_000;
/** Like the nodes' second ports below 32,768, where outgoing connections take theirs from. */
const OTHERS = { from: 22_700, to: 30_000 };
/** One for each fork of the most at a time (see vitest.config.ts) and one for the global setup. */
const PARTS = 5;
const PART = Number(process.env["VITEST_POOL_ID"] ?? 0) % PARTS;

const drawn = new Set<number>();

/** A port on which nothing listens, also after whoever takes it has gone and come back. */
export function freePort(): Promise<number> {
  return draws(OTHERS, (port) => isPortFree(port, ANYWHERE));
}

/** The same for a node of a Redis Cluster: nothing listens on its second port either. */
export function freeNodePort(): Promise<number> {
  return draws(NODES, async (port) => {
    return (await isPortFree(port, ANYWHERE)) && (await isPortFree(port + BUS_ABOVE, ANYWHERE));
  });
}

const ANYWHERE = "0.0.0.0";

/** Whether nothing listens on the port. */
export async function isPortFree(port: number, address = "127.0.0.1"): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}

function draws(
  { from, to }: { from: number; to: number },
  isFree: (port: number) => Promise<boolean>,
): Promise<number> {
  const size = Math.floor((to - from) / PARTS);
  return eventually("a free port", async () => {
    const port = from + PART * size + Math.floor(Math.random() * size);
    if (drawn.has(port)) return undefined;
    drawn.add(port);
    return (await isFree(port)) ? port : undefined;
  });
}

/** Begins to listen on this machine's own address; the port. */
export function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
      else reject(new Error("it listens on no port"));
    });
  });
}
