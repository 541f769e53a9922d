import { beforeEach, expect, test } from "vitest";
import { Heartbeat } from "../../src/edge/transport/heartbeat.ts";
import { FakeClock } from "../support/fake-clock.ts";

let clock: FakeClock;
let heartbeat: Heartbeat<One>;
let log: string[];

class One {
  readonly #name: string;
  constructor(name: string) {
    this.#name = name;
  }
  ping(): void {
    log.push(`ping ${this.#name}`);
  }
  terminate(): void {
    log.push(`end ${this.#name}`);
  }
}

beforeEach(() => {
  clock = new FakeClock();
  heartbeat = new Heartbeat(clock);
  log = [];
});

test("[HBT] each is pinged 25 s after it came, and 25 s after each answer", async () => {
  const one = new One("a");
  heartbeat.add(one);
  await clock.advance(24_500);
  expect(log).toEqual([]);
  await clock.advance(1_000);
  expect(log).toEqual(["ping a"]);
  heartbeat.answered(one);
  await clock.advance(24_000);
  expect(log).toEqual(["ping a"]);
  await clock.advance(1_500);
  expect(log).toEqual(["ping a", "ping a"]);
});

test("[HBT] who does not answer within 20 s is ended, once", async () => {
  heartbeat.add(new One("a"));
  await clock.advance(44_500);
  expect(log).toEqual(["ping a"]);
  await clock.advance(1_000);
  expect(log).toEqual(["ping a", "end a"]);
  await clock.advance(100_000);
  expect(log).toEqual(["ping a", "end a"]);
});

test("[HBT] an answer that nobody asked for changes nothing", async () => {
  const one = new One("a");
  heartbeat.add(one);
  await clock.advance(20_000);
  heartbeat.answered(one);
  await clock.advance(5_500);
  expect(log).toEqual(["ping a"]);
});

test("[HBT] who came later is pinged later, and who is forgotten never", async () => {
  const [a, b, c] = [new One("a"), new One("b"), new One("c")];
  heartbeat.add(a);
  await clock.advance(5_000);
  heartbeat.add(b);
  heartbeat.add(c);
  heartbeat.forget(b);
  expect([...heartbeat.all()]).toEqual([a, c]);
  await clock.advance(20_500);
  expect(log).toEqual(["ping a"]);
  heartbeat.forget(a);
  await clock.advance(60_000);
  expect(log).toEqual(["ping a", "ping c", "end c"]);
});

test("[HBT] stopped, it leaves no timer", () => {
  heartbeat.add(new One("a"));
  heartbeat.stop();
  expect(clock.pending).toBe(0);
});
