/**
 * The host of the application's hooks, with a thread that answers when the test says so.
 *
 * [HKP3] At most POSTED_MAX questions are with the thread, and none whose time is up is given to it.
 * [HKF1] Failures are counted by kind, and logged once a second.
 * [HKP4] A host that a reload has retired ends its thread also when its last question fails.
 */
import { EventEmitter } from "node:events";
import pino from "pino";
import { expect, it } from "vitest";
import { HookFailures } from "../../src/base/hook-failures.ts";
import { Tally } from "../../src/base/metrics.ts";
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
  const tally = new Tally();
  const lines: unknown[] = [];
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
    failures: new HookFailures({
      tally,
      clock,
      log: { warn: (line: unknown) => lines.push(line) },
    }),
    clock,
    log: pino({ level: "silent" }),
    startThread(threadData) {
      const thread = new Thread(threadData);
      threads.push(thread);
      return thread;
    },
  });
  const asks = () => host.ask("message.send", CALLER, { body: "hello" });
  const counted = () => {
    const counts: Record<string, number> = {};
    tally.each((hook, kind, count) => {
      counts[`${hook} ${kind}`] = count;
    });
    return counts;
  };
  return { clock, host, threads, asks, lines, counted };
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

it("[HKF1] a hook that fails for every message has one log line a second, with the count", async () => {
  const { clock, threads, asks, lines, counted } = scene();
  const [thread] = threads;
  thread!.emit("message", "ready");
  const fails = async (times: number) => {
    for (let n = 0; n < times; n++) {
      const asked = asks();
      const { ask } = thread!.asked.at(-1)!;
      const verdict = { failed: "failed", why: `it has thrown, ${n}` };
      thread!.emit("message", { ask, verdict });
      expect(await asked).toEqual(FAILED);
    }
  };
  await fails(100);
  const line = { event: "hook_failed", hook: "file", kind: "failed" };
  expect(lines).toEqual([{ ...line, count: 1, why: "it has thrown, 0" }]);
  await clock.advance(1_000);
  expect(lines.slice(1)).toEqual([{ ...line, count: 99, why: "it has thrown, 99" }]);
  await fails(1);
  const late = asks();
  await clock.advance(6_000);
  expect(await late).toEqual(FAILED);
  expect(counted()).toEqual({ "file failed": 101, "file late": 1 });
});
