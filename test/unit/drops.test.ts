import { describe, expect, test } from "vitest";
import { Drops } from "../../src/base/drops.ts";
import { Tally } from "../../src/base/metrics.ts";
import { FakeClock } from "../support/fake-clock.ts";

function recorded() {
  const clock = new FakeClock();
  const tally = new Tally();
  const lines: [string, Record<string, unknown>][] = [];
  const log = {
    warn: (line: Record<string, unknown>) => void lines.push(["warn", line]),
    error: (line: Record<string, unknown>) => void lines.push(["error", line]),
  };
  const drops = new Drops({ tally, clock, log: log as never });
  const counts = () => {
    const found: Record<string, number> = {};
    tally.each((source, reason, count) => {
      found[`${source} ${reason}`] = count;
    });
    return found;
  };
  return { clock, drops, lines, counts };
}

describe("drops", () => {
  test("[DRP1] the first is logged at once, the following ones once a second with their count", async () => {
    const { clock, drops, lines, counts } = recorded();
    for (let n = 0; n < 5; n++) drops.note("relay", "signature");
    drops.note("pipe", "malformed");
    expect(lines).toHaveLength(1);
    await clock.advance(1_000);
    expect(lines.slice(1).map(([, { source, count }]) => [source, count])).toEqual([
      ["relay", 4],
      ["pipe", 1],
    ]);
    await clock.advance(5_000);
    expect(lines).toHaveLength(3);
    drops.note("relay", "signature");
    expect(lines).toHaveLength(4);
    expect(counts()).toEqual({ "relay signature": 6, "pipe malformed": 1 });
  });

  test("[DRP1] a handler's own fault is an error, with what it threw", () => {
    const { drops, lines } = recorded();
    const fault = new Error("no");
    drops.note("thread", "failed", fault);
    expect(lines).toEqual([["error", expect.objectContaining({ err: fault, count: 1 })]]);
  });

  test("[DRP1] closed, it still counts, and neither logs nor waits", async () => {
    const { clock, drops, lines, counts } = recorded();
    drops.note("relay", "repeat");
    drops.close();
    drops.note("relay", "repeat");
    await clock.advance(5_000);
    expect(lines).toHaveLength(1);
    expect(counts()).toEqual({ "relay repeat": 2 });
  });
});
