import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import {
  listenForSignals,
  type SignalledProcess,
  type Signals,
} from "../../src/primary/signals.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

/** A process that a test signals, and whose parent it ends. */
class Signalled implements SignalledProcess {
  ppid = 100;
  readonly env: Record<string, string | undefined> = {};
  readonly listeners = new Map<string, (signal: NodeJS.Signals) => void>();

  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
    this.listeners.set(signal, listener);
  }

  off(signal: NodeJS.Signals): void {
    this.listeners.delete(signal);
  }

  gets(signal: NodeJS.Signals): void {
    this.listeners.get(signal)?.(signal);
  }
}

let clock: FakeClock;
let own: Signalled;
let signals: Signals;
let asked: string[];

function listens(env: Record<string, string> = {}): void {
  own = new Signalled();
  Object.assign(own.env, env);
  asked = [];
  signals = listenForSignals(clock, own);
  void signals.stop.then((why) => asked.push(`stop: ${why}`));
  void signals.force.then((why) => asked.push(`force: ${why}`));
}

beforeEach(() => {
  clock = new FakeClock();
});

describe("a stop", () => {
  test("[SIG1] the same request may arrive twice; a second later it is another one", async () => {
    listens();
    own.gets("SIGTERM");
    own.gets("SIGTERM");
    await clock.advance(900);
    own.gets("SIGINT");
    await settled();
    expect(asked).toEqual(["stop: SIGTERM"]);
    await clock.advance(100);
    own.gets("SIGINT");
    await settled();
    expect(asked).toEqual(["stop: SIGTERM", "force: SIGINT"]);
    signals.close();
    expect(own.listeners.size).toBe(0);
  });

  test("[SIG2] under npx the end of the parent process is a request to stop", async () => {
    listens({ npm_lifecycle_event: "npx" });
    await clock.advance(2_000);
    expect(asked).toEqual([]);
    own.ppid = 1;
    await clock.advance(500);
    expect(asked).toEqual(["stop: the end of npx"]);
    expect(clock.pending).toBe(0);
  });

  test("[SIG2] the parent is not watched after the end, nor without npx", async () => {
    listens({ npm_lifecycle_event: "npx" });
    signals.close();
    expect(clock.pending).toBe(0);
    listens({ npm_lifecycle_event: "start" });
    own.ppid = 1;
    await clock.advance(2_000);
    expect(asked).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe("how Troupe is started", () => {
  const read = (path: string) =>
    readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

  test("[SIG3] npm's scripts put the command in the place of their shell", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const name of ["prestart", "start", "dev", "build", "migrate", "chaos", "bench"]) {
      const last = scripts[name]?.split("&&").at(-1)?.trim();
      expect(last, name).toMatch(/^exec node /);
    }
    expect(read("Procfile").trim()).toBe("web: npm start");
  });

  test("[SIG3] the container runs the command itself, without a shell", () => {
    expect(read(".deploy/Dockerfile")).toMatch(/^CMD \["node", "dist\/src\/cli\.js", "start"\]$/m);
  });
});
