/** The SDK's signals on a client of the test. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Client } from "../../src/client/client.ts";
import { TroupeError } from "../../src/client/error.ts";
import { createSignals, type Signals } from "../../src/client/signals.ts";
import type { ErrorObject } from "../../src/protocol/errors.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

interface Asked {
  payload: Record<string, unknown>;
  passes(): void;
  fails(error: ErrorObject): void;
}

let clock: FakeClock;
let asked: Asked[];
let listeners: Set<(signal: unknown) => void>;
let connection: { is: string };
let signals: Signals;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  listeners = new Set();
  connection = { is: "online" };
  const client = {
    connection: { get: () => connection },
    ask: (_event: string, payload: Record<string, unknown>) =>
      new Promise<void>((resolve, reject) => {
        const fails = (error: ErrorObject) => reject(new TroupeError(error));
        asked.push({ payload, passes: resolve, fails });
      }),
    on(_name: string, listener: (signal: unknown) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  signals = createSignals(client as unknown as Client, clock);
});

afterEach(() => expect(clock.pending).toBe(0));

const points = () => asked.map(({ payload }) => payload["data"]);

describe("signals", () => {
  it("[SDK90] without a key each is sent at once, and nothing is sent offline", () => {
    signals.send("7", "wave");
    signals.send("7", "wave", { data: { n: 2 }, to: ["2"] });
    connection = { is: "waiting" };
    signals.send("7", "wave");
    expect(asked.map(({ payload }) => payload)).toEqual([
      { conversation_id: "7", type: "wave" },
      { conversation_id: "7", type: "wave", data: { n: 2 }, to: ["2"] },
    ]);
  });

  it("[SDK91] with a key the newest waits for the one on its way, and for 50 ms", async () => {
    const move = (x: number, key = "cursor") => signals.send("7", "cursor", { data: { x }, key });
    for (let x = 0; x < 100; x++) move(x);
    move(0, "other");
    expect(points()).toEqual([{ x: 0 }, { x: 0 }]);
    for (const one of asked) one.passes();
    await clock.advance(49);
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    expect(points().at(-1)).toEqual({ x: 99 });
    asked[2]?.passes();
    await clock.advance(50);
    expect(asked).toHaveLength(3);
    move(100);
    expect(points().at(-1)).toEqual({ x: 100 });
    asked[3]?.passes();
    await clock.advance(50);
  });

  it("[SDK92] one that is refused is not sent again, and a newer one as soon as it may", async () => {
    signals.send("7", "cursor", { data: { x: 1 }, key: "k" });
    signals.send("7", "cursor", { data: { x: 2 }, key: "k" });
    asked[0]?.fails({ code: "rate_limited", message: "", retry_after_ms: 800 });
    await settled();
    await clock.advance(799);
    expect(asked).toHaveLength(1);
    await clock.advance(1);
    expect(points()).toEqual([{ x: 1 }, { x: 2 }]);
    asked[1]?.passes();
    await clock.advance(50);
    expect(asked).toHaveLength(2);
  });

  it("[SDK93] a listener hears its own conversation, until it ends", () => {
    const heard: unknown[] = [];
    const stop = signals.on("7", (signal) => heard.push(signal));
    const comes = (conversation_id: string) => {
      for (const listener of listeners) listener({ conversation_id, type: "wave" });
    };
    comes("7");
    comes("8");
    stop();
    comes("7");
    expect(heard).toEqual([{ conversation_id: "7", type: "wave" }]);
  });
});
