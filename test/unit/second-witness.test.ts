import { expect, test } from "vitest";
import type { Witness, WitnessRow } from "../../src/ports/witness.ts";
import { SecondWitness } from "../../src/relay/second-witness.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

/** Records what is asked of it, and answers as the test says. */
class PlayedWitness implements Witness {
  readonly said: string[] = [];
  rows = new Map<string, WitnessRow>();
  /** Null: it answers. */
  trouble: "rejects" | "hangs" | null = null;

  sign = (host: string) => this.#does(`sign ${host}`, undefined);
  leave = (host: string) => this.#does(`leave ${host}`, undefined);
  forget = (host: string) => this.#does(`forget ${host}`, undefined);
  look = (hosts: readonly string[]) => this.#does(`look ${hosts}`, this.rows);
  close = () => this.#does("close", undefined);

  async #does<T>(what: string, answer: T): Promise<T> {
    this.said.push(what);
    if (this.trouble === "rejects") throw new Error("out of reach");
    if (this.trouble === "hangs") await new Promise(() => undefined);
    return answer;
  }
}

function scene() {
  const clock = new FakeClock();
  const witness = new PlayedWitness();
  const warned: unknown[] = [];
  const log = { warn: (line: unknown) => void warned.push(line) };
  const second = new SecondWitness({ clock, witness, host: "a", log: log as never });
  return { clock, witness, warned, second };
}

test("[SWT1] it signs four times a lease while Redis is away, and then takes its row away", async () => {
  const { clock, witness, second } = scene();
  second.rests();
  await clock.advance(5_000);
  expect(witness.said).toEqual([]);
  second.signs();
  second.signs();
  await clock.advance(3_100);
  expect(witness.said).toEqual(Array.from({ length: 5 }, () => "sign a"));
  second.rests();
  second.rests();
  await clock.advance(5_000);
  expect(witness.said.slice(5)).toEqual(["forget a"]);
  expect(clock.pending).toBe(0);
});

test("[SWT1] [SWT4] a signature that failed is tried again at its next time, and said once", async () => {
  const { clock, witness, warned, second } = scene();
  witness.trouble = "rejects";
  second.signs();
  await clock.advance(3_100);
  expect(witness.said).toHaveLength(5);
  expect(warned).toHaveLength(1);
  witness.trouble = null;
  await clock.advance(750);
  witness.trouble = "rejects";
  await clock.advance(750);
  expect(warned).toHaveLength(2);
});

test("[SWT2] rows are read as what they say of their hosts", async () => {
  const { witness, second } = scene();
  witness.rows = new Map<string, WitnessRow>([
    ["b", { is: "signed", ageMs: 700 }],
    ["c", { is: "signed", ageMs: 3_600 }],
    ["d", { is: "left" }],
  ]);
  expect(await second.look(["b", "c", "d", "e"])).toEqual([
    { host: "b", is: "signs" },
    { host: "c", is: "silent" },
    { host: "d", is: "gone" },
    { host: "e", is: "silent" },
  ]);
  expect(second.mayLook).toBe(true);
});

test.each(["rejects", "hangs"] as const)(
  "[SWT2] a look that %s is unknown in time, and the next ones are left to others",
  async (trouble) => {
    const { clock, witness, second } = scene();
    witness.trouble = trouble;
    const looking = second.look(["b"]);
    await clock.advance(800);
    expect(await looking).toEqual([{ host: "b", is: "unknown" }]);
    expect(second.mayLook).toBe(false);
    await clock.advance(2_000);
    expect(second.mayLook).toBe(true);
  },
);

test("[SWT3] closed while it signs it says that it leaves; else nothing", async () => {
  const one = scene();
  one.second.signs();
  await settled();
  await one.second.close();
  expect(one.witness.said).toEqual(["sign a", "leave a", "close"]);
  await one.clock.advance(5_000);
  expect(one.witness.said).toHaveLength(3);
  const other = scene();
  await other.second.close();
  expect(other.witness.said).toEqual(["close"]);
});

test("[SWT3] a witness that hangs holds no stop up", async () => {
  const { clock, witness, second } = scene();
  second.signs();
  await settled();
  witness.trouble = "hangs";
  let isClosed = false;
  void second.close().then(() => {
    isClosed = true;
  });
  witness.close = async () => undefined;
  await clock.advance(600);
  expect(isClosed).toBe(true);
});
