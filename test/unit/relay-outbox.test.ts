import { afterEach, describe, expect, test } from "vitest";
import { type Batch, Inbox, Outbox } from "../../src/relay/outbox.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const clock = new FakeClock();

/** A target that gives the prepared answers, and remembers the batches that it received. */
class Target {
  readonly brought: Batch[] = [];
  /** What the next deliveries answer; taken when there is nothing here. */
  readonly answers: (number | "fails" | "hangs")[] = [];
  lost = 0;
  #number = 0;

  outbox(queueBytesMax?: number): Outbox {
    return new Outbox({
      clock,
      nextNumber: () => ++this.#number,
      deliver: async (batch) => {
        this.brought.push(batch);
        const answer = this.answers.length > 1 ? this.answers.shift()! : (this.answers[0] ?? 1);
        if (answer === "fails") throw new Error("no answer");
        if (answer === "hangs") return new Promise(() => undefined);
        return answer;
      },
      onLost: () => this.lost++,
      ...(queueBytesMax !== undefined && { queueBytesMax }),
    });
  }

  get texts(): string[] {
    return this.brought.flatMap(({ frames }) => frames.map((it) => Buffer.from(it).toString()));
  }

  get numbers(): number[] {
    return this.brought.map(({ number }) => number);
  }
}

afterEach(() => expect(clock.pending).toBe(0));

describe("the outbox", () => {
  test("[OBX1] what one turn says is one batch; while it is on its way the next gathers", async () => {
    const target = new Target();
    target.answers.push(0, 1);
    const outbox = target.outbox();
    for (const text of ["a", "b"]) outbox.push(Buffer.from(text));
    await settled();
    for (const text of ["c", "d"]) outbox.push(Buffer.from(text));
    await settled();
    expect(target.texts).toEqual(["a", "b"]);
    await clock.advance(100);
    expect(target.texts).toEqual(["a", "b", "a", "b", "c", "d"]);
    expect(target.numbers).toEqual([1, 1, 2]);
  });

  test("[OBX1] what is pushed is copied: the caller writes on", async () => {
    const target = new Target();
    const bytes = Buffer.from("first");
    target.outbox().push(bytes);
    bytes.write("OTHER");
    await settled();
    expect(target.texts).toEqual(["first"]);
  });

  test("[OBX1] a repeat keeps its number, so that the receiver drops it", async () => {
    const target = new Target();
    target.answers.push("fails", "fails", 1);
    target.outbox().push(Buffer.from("a"));
    await clock.advance(1_000);
    const inbox = new Inbox();
    expect(target.numbers.map((number) => inbox.isNew("h", number))).toEqual([true, false, false]);
  });

  test("[OBX2] nobody takes it for five seconds: it is lost, and said so; the next goes on", async () => {
    const target = new Target();
    target.answers.push(0);
    const outbox = target.outbox();
    outbox.push(Buffer.from("a"));
    await clock.advance(4_900);
    expect(target.lost).toBe(0);
    await clock.advance(300);
    expect(target.lost).toBe(1);
    target.answers[0] = 1;
    outbox.push(Buffer.from("b"));
    await settled();
    expect(target.texts.at(-1)).toBe("b");
    expect(target.numbers.at(-1)).toBe(2);
  });

  test("[OBX3] what waits is bounded, and what is dropped is said", async () => {
    const target = new Target();
    target.answers.push(0);
    const outbox = target.outbox(10);
    outbox.push(Buffer.from("on its way"));
    await settled();
    for (const text of ["123456", "789012", "newest"]) outbox.push(Buffer.from(text));
    expect(target.lost).toBe(1);
    target.answers[0] = 1;
    await clock.advance(200);
    expect(target.texts.at(-1)).toBe("newest");
    expect(target.texts).not.toContain("123456");
  });

  test("[OBX4] a gap goes ahead of what is pushed after it, and alone where nothing is", async () => {
    const target = new Target();
    const outbox = target.outbox();
    outbox.gap();
    await settled();
    outbox.push(Buffer.from("a"));
    await settled();
    outbox.gap();
    outbox.push(Buffer.from("b"));
    await settled();
    expect(target.brought.map(({ isAfterGap, frames }) => [isAfterGap, frames.length])).toEqual([
      [true, 0],
      [false, 1],
      [true, 1],
    ]);
  });

  test("[OBX2] closed, it sends nothing more and does not count that as lost", async () => {
    const target = new Target();
    target.answers.push(0);
    const outbox = target.outbox();
    outbox.push(Buffer.from("a"));
    await settled();
    outbox.push(Buffer.from("b"));
    outbox.close();
    await clock.advance(10_000);
    expect(target.texts).toEqual(["a"]);
    expect(target.lost).toBe(0);
  });

  test("[OBX2] `sent` waits for what is on its way", async () => {
    const target = new Target();
    target.answers.push(0, 1);
    const outbox = target.outbox();
    await outbox.sent();
    outbox.push(Buffer.from("a"));
    let isSent = false;
    void outbox.sent().then(() => {
      isSent = true;
    });
    await settled();
    expect(isSent).toBe(false);
    await clock.advance(100);
    expect(isSent).toBe(true);
  });
});

describe("the inbox", () => {
  test("[OBX1] each host counts for itself, and a number never counts twice", () => {
    const inbox = new Inbox();
    expect(inbox.isNew("a", 5)).toBe(true);
    expect(inbox.isNew("b", 1)).toBe(true);
    expect(inbox.isNew("a", 5)).toBe(false);
    expect(inbox.isNew("a", 4)).toBe(false);
    expect(inbox.isNew("a", 9)).toBe(true);
  });

  test("[OBX1] hosts that were never heard of again are forgotten, those that talk are not", () => {
    const inbox = new Inbox();
    for (let n = 0; n < 3_000; n++) {
      inbox.isNew(`gone${n}`, 1);
      inbox.isNew("talking", n + 1);
    }
    expect(inbox.isNew("talking", 3_000)).toBe(false);
    expect(inbox.isNew("gone0", 1)).toBe(true);
  });
});
