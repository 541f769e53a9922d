/** What the bench reads and reckons: percentiles, /proc, frames, options, ratios, the report. */
import { spawn } from "node:child_process";
import { describe, expect, it } from "vitest";
import { clientFrame, FrameScanner } from "../../bench/fleet/frames.ts";
import { parseOptions, repeatCommand } from "../../bench/options.ts";
import type { Outcome } from "../../bench/outcome.ts";
import { marksTo } from "../../bench/report/charts.ts";
import { AGAINST_PLAIN, compare } from "../../bench/report/comparison.ts";
import { reportPage } from "../../bench/report/page.ts";
import { markdownSection } from "../../bench/report/results.ts";
import { asText, comparisonTable, outcomeTable, shown } from "../../bench/report/tables.ts";
import { Histogram, medianOf, mergedPercentilesMs } from "../../bench/support/histogram.ts";
import {
  canReadProcesses,
  cpuByKind,
  parsePssKb,
  parseStat,
  parseStatm,
  readParts,
} from "../../bench/support/process-figures.ts";

const outcome = (given: Partial<Outcome>): Outcome => ({
  scenario: "fanout",
  title: "one group",
  subject: "troupe",
  unit: "delivery",
  units: 1000,
  seconds: 2,
  perSecond: 500,
  latencies: { count: 10, p50: 1, p90: 2, p99: 3, p999: 4, max: 5 },
  latencyOf: "emit → ack",
  cpuMs: { primary: 10, workers: 90 },
  cpuUsPerUnit: 100,
  rssMb: 200,
  pssMb: 180,
  extra: {},
  failures: 0,
  reasons: [],
  samples: [
    { atMs: 0, units: 0, cpuMs: { primary: 0 }, rssKb: { primary: 1000 } },
    { atMs: 500, units: 400, cpuMs: { primary: 5 }, rssKb: { primary: 1100 } },
    { atMs: 1000, units: 1000, cpuMs: { primary: 10 }, rssKb: { primary: 1200 } },
  ],
  ...given,
});

describe("percentiles", () => {
  it("[BEN1] a percentile is within 2 % of the true one over six decades", () => {
    const histogram = new Histogram();
    const values = Array.from({ length: 5000 }, (_, i) => Math.round(1.0028 ** i));
    for (const value of values) histogram.add(value);
    for (const share of [0.01, 0.25, 0.5, 0.9, 0.99, 1]) {
      const true_ = values[Math.ceil(share * values.length) - 1]!;
      expect(Math.abs(histogram.at(share) - true_), `p${share * 100}`).toBeLessThanOrEqual(
        Math.max(1, true_ * 0.02),
      );
    }
  });

  it("[BEN2] counts of several processes add up to those of one", () => {
    const [one, first, second] = [new Histogram(), new Histogram(), new Histogram()];
    for (let us = 1; us < 90_000; us += 7) {
      one!.add(us);
      (us % 2 === 0 ? first : second)!.add(us);
    }
    expect(mergedPercentilesMs([first!.dump(), second!.dump()])).toEqual(one!.percentilesMs());
    expect(mergedPercentilesMs([[], []])).toBeNull();
  });

  it("[BEN3] a median is the middle, whatever the order", () => {
    expect(medianOf([9, 1, 5])).toBe(5);
    expect(medianOf([4, 1, 2, 9])).toBe(3);
    expect(medianOf([])).toBeNaN();
  });
});

describe("/proc", () => {
  it("[BEN4] a process' name may hold spaces and parentheses", () => {
    const line = `4711 (a) b (c) S 42 1 1 0 -1 0 0 0 0 0 150 50 7 3 20 0 9 0 100 0 0`;
    expect(parseStat(line)).toEqual({
      pid: 4711,
      parentPid: 42,
      cpuMs: 2000,
      endedChildrenCpuMs: 100,
    });
    expect(parseStat(line.replace(" S ", " Z ")), "a zombie costs nothing more").toBeNull();
    expect(parseStat("")).toBeNull();
  });

  it("[BEN5] pages and shares become kB", () => {
    expect(parseStatm("1000 250 100 5 0 9 0\n")).toEqual({ rssKb: 1000, sharedKb: 400 });
    expect(parsePssKb("Rss:   900 kB\nPss:    123 kB\nPss_Anon: 5 kB\n")).toBe(123);
    expect(parsePssKb("")).toBe(0);
  });

  it.skipIf(!canReadProcesses)("[BEN6] what a child burns is found in its tree", async () => {
    const burn =
      "const t = Date.now(); while (Date.now() - t < 150); console.log('done'); process.stdin.resume();";
    const child = spawn(process.execPath, ["-e", burn], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await new Promise((done) => child.stdout.once("data", done));
      const parts = readParts([{ kind: "host", pid: child.pid! }]);
      expect(parts.map(({ part }) => part)).toEqual(["primary"]);
      expect(cpuByKind(parts)["primary"]).toBeGreaterThanOrEqual(50);
      expect(parts[0]!.rssKb).toBeGreaterThan(5_000);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

describe("frames", () => {
  /** Unmasks what a client sent, as a server does. */
  const unmasked = (frame: Buffer): Buffer => {
    const length = frame[1]! & 0x7f;
    const head = length < 126 ? 2 : length === 126 ? 4 : 10;
    const mask = frame.subarray(head, head + 4);
    const payload = frame.subarray(head + 4).map((byte, i) => byte ^ mask[i & 3]!);
    return Buffer.concat([
      Buffer.from([frame[0]!, frame[1]! & 0x7f]),
      frame.subarray(2, head),
      payload,
    ]);
  };

  it("[BEN7] texts of every length come through whole, however they are cut up", () => {
    const texts = ["2", "x".repeat(125), "ü".repeat(100), "y".repeat(70_000), '42["message",{}]'];
    const stream = Buffer.concat(texts.map((text) => unmasked(clientFrame(text))));
    for (const size of [100, 1000, stream.length]) {
      const heard: string[] = [];
      const scanner = new FrameScanner((bytes, from, to) =>
        heard.push(bytes.toString("utf8", from, to)),
      );
      for (let at = 0; at < stream.length; at += size) {
        scanner.push(Buffer.from(stream.subarray(at, at + size)));
      }
      expect(heard, `in pieces of ${size}`).toEqual(texts);
    }
  });

  it("[BEN15] a frame that comes byte by byte is a frame", () => {
    const stream = Buffer.concat([
      unmasked(clientFrame("2")),
      unmasked(clientFrame("z".repeat(300))),
    ]);
    const heard: string[] = [];
    const scanner = new FrameScanner((bytes, from, to) =>
      heard.push(bytes.toString("utf8", from, to)),
    );
    for (const byte of stream) scanner.push(Buffer.from([byte]));
    expect(heard).toEqual(["2", "z".repeat(300)]);
  });
});

describe("options", () => {
  const good = (...args: string[]) => {
    const parsed = parseOptions(args);
    if (!parsed.ok) throw new Error(parsed.text);
    return parsed.options;
  };

  it("[BEN8] the command that a run prints repeats it", () => {
    for (const args of [
      ["fanout", "likes", "--against", "plain", "--rounds", "5"],
      ["hold", "--clients", "1000"],
      ["latency", "--target", "https://one.example", "--target", "http://two.example:3000"],
    ]) {
      const options = good(...args);
      const again = repeatCommand(options).replace("npm run bench -- ", "").split(" ");
      expect(good(...again)).toEqual(options);
    }
  });

  it("[BEN9] what is wrong is told, all at once", () => {
    const parsed = parseOptions(["fanuot", "--seconds", "none", "--against", "erlang"]);
    expect(parsed).toMatchObject({ ok: false, exitCode: 2 });
    for (const said of ["fanuot", "none", "erlang"]) {
      expect(parsed.ok ? "" : parsed.text).toContain(`"${said}"`);
    }
    expect(parseOptions(["limits", "--against", "plain"]).ok).toBe(false);
    expect(parseOptions(["--target", "ftp://x"]).ok).toBe(false);
  });

  it("[BEN10] --save without a file means the page of results", () => {
    expect(good("--save", "--rounds", "3").savePath).toMatch(/bench\/RESULTS\.md$/);
    expect(good("--save", "/tmp/x.md").savePath).toBe("/tmp/x.md");
  });
});

describe("comparison", () => {
  it("[BEN11] ratios are of medians, and an aim is met on its own side", () => {
    const outcomes = [
      ...[10, 500, 12].map((us) => outcome({ cpuUsPerUnit: us })),
      ...[60, 1, 62].map((us) => outcome({ cpuUsPerUnit: us, subject: "plain" })),
      outcome({ scenario: "likes", perSecond: 50 }),
      outcome({ scenario: "likes", perSecond: 10, subject: "plain" }),
      outcome({ scenario: "durable", subject: "plain" }),
    ];
    const rows = compare(AGAINST_PLAIN, outcomes, "troupe", "plain");
    const row = (figure: string) => rows.find((one) => one.figure === figure);
    expect(row("CPU a delivery, µs")).toMatchObject({
      first: 12,
      second: 60,
      ratio: 0.2,
      isMet: true,
    });
    expect(row("likes a second")).toMatchObject({ ratio: 5, isMet: false });
    expect(row("deliveries a second")).toMatchObject({ isMet: null });
    expect(
      rows.some(({ scenario }) => scenario === "durable"),
      "one side alone is no ratio",
    ).toBe(false);
    const text = asText(comparisonTable(rows, "troupe", "plain"));
    expect(text).toMatch(/likes +likes a second +50\.0 +10\.0 +5\.00× +≥ 6 +NOT MET/);
  });

  it("[BEN12] figures keep three digits that mean something", () => {
    expect([123456.7, 12.34, 1.234, 0.0123, 0, Number.NaN].map(shown)).toEqual([
      "123,457",
      "12.3",
      "1.23",
      "0.012",
      "0",
      "–",
    ]);
    expect(marksTo(87)).toEqual([0, 25, 50, 75, 100]);
  });
});

describe("report", () => {
  const circumstances = {
    command: "npm run bench -- fanout",
    commit: "abc1234",
    machine: "2 × a <processor>",
    startedAt: "2026-01-02T03:04:05.000Z",
  };
  const outcomes = [outcome({}), outcome({ subject: "plain", perSecond: 100, cpuUsPerUnit: 900 })];
  const rows = compare(AGAINST_PLAIN, outcomes, "troupe", "plain");
  const page = reportPage({
    circumstances,
    outcomes,
    unmeasured: ["idle plain: <nobody> could connect."],
    rows,
    first: "troupe",
    second: "plain",
  });

  it("[BEN13] the page opens offline and draws what was measured", () => {
    expect(page.match(/(src|href)=|url\(|@import|<script/g), "nothing is loaded").toBeNull();
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page).toContain("2 × a &#60;processor&#62;");
    expect(page.match(/<svg /g)?.length, "latency, throughput, CPU and memory of two").toBe(6);
    // 600 units in the second half second.
    expect(page).toContain("troupe: 1,200 delivery a second at the end");
    expect(page).toContain("idle plain: &#60;nobody&#62; could connect.");
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("[BEN14] a saved section says what, how, at which commit and where", () => {
    const parsed = parseOptions(["fanout"]);
    if (!parsed.ok) throw new Error(parsed.text);
    const text = markdownSection(
      {
        options: parsed.options,
        startedAt: new Date(),
        outcomes,
        unmeasured: [],
        rows,
        first: "troupe",
        second: "plain",
      },
      circumstances,
    );
    for (const part of ["## fanout\n", "npm run bench -- fanout", "abc1234", "| ratio |"]) {
      expect(text).toContain(part);
    }
    expect(text).toContain(outcomeTable(outcomes).head[0]!);
  });
});
