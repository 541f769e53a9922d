/** Ports for what must come back on the same one. */
import { createServer } from "node:net";

const FROM = 20_000;
const TO = 32_000;
const TRIES_MAX = 50;

/**
 * A free loopback port below the range that outgoing connections take theirs from: a restarted
 * server would else find its port taken by somebody's reconnect.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = FROM + Math.floor(Math.random() * (TO - FROM));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FROM} and ${TO}`);
}

/** The first of so many free ports in a row. */
export async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const first = await freePort();
    const others = Array.from({ length: count - 1 }, (_, i) => isFree(first + 1 + i));
    if ((await Promise.all(others)).every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row between ${FROM} and ${TO}`);
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
