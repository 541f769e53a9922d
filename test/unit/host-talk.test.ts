/** Questions between primaries: answered, or given up in time. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HostTalk } from "../../src/primary/host-talk.ts";
import { decodeAt, encode, type Frame } from "../../src/runtime/frames.ts";

/** Two hosts whose frames cross as bytes, while `isUp`. */
class Pair {
  isUp = true;
  readonly faults: unknown[] = [];
  readonly hosts = new Map<string, HostTalk>();

  constructor(answer: (name: string, body: string) => Promise<string> | null) {
    for (const self of ["a", "b"]) {
      this.hosts.set(
        self,
        new HostTalk({
          self,
          answer,
          send: (to, said) => this.#carry(to, said),
          onFault: (fault) => this.faults.push(fault),
        }),
      );
    }
  }

  #carry(to: string, said: Frame): boolean {
    if (!this.isUp) return false;
    const bytes = encode(said);
    queueMicrotask(() => this.hosts.get(to.split(".")[0]!)?.heard(decodeAt(bytes, 0)));
    return true;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("host talk", () => {
  test("[HTK1] each question gets its own answer, however many are under way", async () => {
    const { hosts } = new Pair((name, body) => Promise.resolve(`${name} ${body}`));
    const a = hosts.get("a")!;
    const answers = await Promise.all([1, 2, 3].map((n) => a.ask("b", "ops", `{"n":${n}}`, 1_000)));
    expect(answers).toEqual(['ops {"n":1}', 'ops {"n":2}', 'ops {"n":3}']);
  });

  test("[HTK1] null at the deadline, and at once where the host cannot be reached", async () => {
    const pair = new Pair(() => new Promise(() => undefined));
    const a = pair.hosts.get("a")!;
    const asked = a.ask("b", "ops", "{}", 1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await asked).toBeNull();
    pair.isUp = false;
    expect(await a.ask("b", "ops", "{}", 1_000)).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("[HTK2] what a host does not know it does not answer; a failure to answer is told", async () => {
    const { hosts } = new Pair(() => null);
    const asked = hosts.get("a")!.ask("b", "news", "{}", 500);
    await vi.advanceTimersByTimeAsync(500);
    expect(await asked).toBeNull();

    const failing = new Pair(() => Promise.reject(new Error("no")));
    const lost = failing.hosts.get("a")!.ask("b", "ops", "{}", 500);
    await vi.advanceTimersByTimeAsync(500);
    expect(await lost).toBeNull();
    expect(failing.faults).toHaveLength(1);
  });

  test("[HTK1] closing settles what is still asked", async () => {
    const { hosts } = new Pair(() => new Promise(() => undefined));
    const a = hosts.get("a")!;
    const asked = a.ask("b", "ops", "{}", 60_000);
    a.close();
    expect(await asked).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });
});
