import { EventEmitter } from "node:events";
import { beforeEach, describe, expect, test } from "vitest";
import { contain } from "../../src/edge/namespaces/containing.ts";

let emitter: EventEmitter & { use?: (middleware: (next: unknown) => void) => void };
let reported: unknown[];

beforeEach(() => {
  emitter = new EventEmitter();
  reported = [];
});

const contains = () => contain(emitter, (fault) => reported.push(fault));

describe("an application's listeners", () => {
  test("[NSP4] a throw and a rejection are reported, and the others are called", async () => {
    contains();
    const heard: unknown[] = [];
    emitter.on("x", () => {
      throw new Error("thrown");
    });
    emitter.on("x", async () => {
      throw new Error("rejected");
    });
    emitter.on("x", (value) => heard.push(value));
    emitter.emit("x", 7);
    await Promise.resolve();
    await Promise.resolve();
    expect(reported.map(String)).toEqual(["Error: thrown", "Error: rejected"]);
    expect(heard).toEqual([7]);
  });

  test("[NSP4] a listener is removed by the function that was added, and once is once", () => {
    contains();
    const heard: string[] = [];
    const listener = () => heard.push("on");
    const single = () => heard.push("once");
    emitter.on("x", listener).once("x", single).once("y", single);
    emitter.emit("x").valueOf();
    emitter.emit("x");
    emitter.off("x", listener).off("y", single);
    emitter.emit("x");
    emitter.emit("y");
    expect(heard).toEqual(["on", "once", "on"]);
  });

  test("[NSP4] a middleware that throws refuses by its `next`", () => {
    const refused: unknown[] = [];
    let middleware: (next: unknown) => void = () => undefined;
    emitter.use = (added) => {
      middleware = added;
    };
    contain(
      emitter,
      (fault) => reported.push(fault),
      (next) => refused.push(next),
    );
    emitter.use(() => {
      throw new Error("thrown");
    });
    middleware("next");
    expect([reported.map(String), refused]).toEqual([["Error: thrown"], ["next"]]);
  });
});
