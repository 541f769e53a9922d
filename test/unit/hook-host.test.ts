/**
 * The host of the application's hooks, with a thread that answers when the test says so.
 *
 * [HKP3] At most POSTED_MAX questions are with the thread, and none whose time is up is given to it.
 * [HKP4] A host that a reload has retired ends its thread also when its last question fails.
 */
import { EventEmitter } from "node:events";
import pino from "pino";
import { expect, it } from "vitest";
import type { AskedHook, HookThread, HookThreadData } from "../../src/extensions/hook-asking.ts";
import { HookHost } from "../../src/extensions/hook-host.ts";
import type { HookVerdict } from "../../src/protocol/hooks.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const FAILED: HookVerdict = {
  is: "refuse",
  error: { code: "unavailable", message: "failed" },
};
const CALLER = { user: "1", session: null, service: null };
const FLOOD = 1_000;

class Thread extends EventEmitter implements HookThread {
  readonly asked: AskedHook[] = [];
  readonly running: Int32Array;
  hasEnded = false;

  constructor({ running }: HookThreadData) {
    super();
    this.running = running;
  }

  postMessage(asked: AskedHook): void {
    this.asked.push(asked);
  }

  begins({ ask }: AskedHook): void {
    Atomics.store(this.running, 0, ask);
  }

  allows({ ask }: AskedHook): void {
    Atomics.store(this.running, 0, 0);
    this.emit("message", { ask, verdict: { is: "allow" } });
  }

  async terminate(): Promise<void> {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.emit("exit");
  }
}

function scene() {
  const clock = new FakeClock();
  const threads: Thread[] = [];
  const host = new HookHost({
    extensions: {
      generation: 1,
      dir: "/",
      bundles: [],
      namespaces: [],
      actors: [],
      hooks: ["message.send"],
      redisPrefix: null,
    },
    types: ["message.send"],
    memoryMb: 64,
    failed: FAILED,
    clock,
    log: pino({ level: "silent" }),
    startThread(threadData) {
      const thread = new Thread(threadData);
      threads.push(thread);
      return thread;
    },
  });
  const asks = () => host.ask("message.send", CALLER, { body: "hello" });
  return { clock, host, threads, asks };
}

it("[HKP3] a flood waits at the host, and leaves nothing with the thread when its time is up", async () => {
  const { clock, host, threads, asks } = scene();
  const [thread] = threads;
  thread!.emit("message", "ready");
  const flood = Array.from({ length: FLOOD }, asks);
  const posted = thread!.asked.length;
  expect(posted).toBeLessThan(100);
  thread!.allows(thread!.asked[0]!);
  expect(thread!.asked).toHaveLength(posted + 1);
  await clock.advance(6_000);
  const verdicts = await Promise.all(flood);
  expect(verdicts[0]).toEqual({ is: "allow" });
  expect(verdicts.slice(1)).toEqual(verdicts.slice(1).map(() => FAILED));
  expect(thread!.asked).toHaveLength(posted + 1);
  const next = asks();
  // The thread comes to what it had, and then to the next one.
  for (const asked of thread!.asked.slice(1)) thread!.allows(asked);
  expect(thread!.asked).toHaveLength(posted + 2);
  thread!.allows(thread!.asked.at(-1)!);
  expect(await next).toEqual({ is: "allow" });
  await host.close();
});

it("[HKP4] a retired host ends when its last question hangs, and no thread comes after it", async () => {
  const { clock, host, threads, asks } = scene();
  const [thread] = threads;
  thread!.emit("message", "ready");
  const verdict = asks();
  let hasEnded = false;
  host.retire(() => {
    hasEnded = true;
  });
  thread!.begins(thread!.asked[0]!);
  await clock.advance(10_000);
  expect(await verdict).toEqual(FAILED);
  await settled();
  expect([hasEnded, thread!.hasEnded, threads.length]).toEqual([true, true, 1]);
  expect(clock.pending).toBe(0);
});
