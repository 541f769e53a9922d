/**
 * The bench's HTML report as it opens from disk, without a network: light and dark, on a desk
 * and on a phone. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Outcome, Sample } from "../../bench/outcome.ts";
import { AGAINST_PLAIN, compare } from "../../bench/report/comparison.ts";
import { reportPage } from "../../bench/report/page.ts";
import { hasChromiumFor, launchChromium } from "../support/chromium.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const SIZES = { desk: { width: 1200, height: 900 }, phone: { width: 390, height: 800 } };

const sample = (n: number, speed: number): Sample => ({
  atMs: n * 250,
  units: n * speed,
  cpuMs: { primary: n * 5, "worker 1": n * 90, postgres: n * 40 },
  rssKb: { primary: 80_000, "worker 1": 150_000 + n * 900, postgres: 60_000 },
});

const outcome = (scenario: string, subject: string, speed: number): Outcome => ({
  scenario,
  title: `how ${scenario} goes`,
  subject,
  unit: "delivery",
  units: 16 * speed,
  seconds: 4,
  perSecond: 4 * speed,
  latencies: { count: 9, p50: 90 / speed, p90: 200 / speed, p99: 900 / speed, p999: 9, max: 12 },
  latencyOf: "emit → ack",
  cpuMs: { primary: 80, workers: 1440, postgres: 640 },
  cpuUsPerUnit: 2_000_000 / (16 * speed),
  rssMb: 300,
  pssMb: 250,
  extra: { "heard of what was due, %": 100 },
  failures: subject === "plain" ? 3 : 0,
  reasons: [],
  samples: Array.from({ length: 17 }, (_, n) => sample(n, speed)),
});

const outcomes = ["fanout", "durable"].flatMap((scenario) => [
  outcome(scenario, "troupe", 5_000),
  outcome(scenario, "plain", 900),
]);

async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

describe.skipIf(!hasChromiumFor("the bench's report"))("the bench's report", () => {
  let browser: Browser;
  let dir: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "troupe-bench-report-"));
    const html = reportPage({
      circumstances: {
        command: "npm run bench -- fanout durable --against plain",
        commit: "abc1234",
        machine: "2 × a processor, 24 GB",
        startedAt: "2026-01-02T03:04:05.000Z",
      },
      outcomes,
      unmeasured: ["storm plain: Only 10 of 1,000 clients could connect."],
      rows: compare(AGAINST_PLAIN, outcomes, "troupe", "plain"),
      first: "troupe",
      second: "plain",
    });
    await writeFile(join(dir, "report.html"), html);
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser.close();
    await rm(dir, { recursive: true, force: true });
  });

  it.each([
    ["light", "desk"],
    ["dark", "desk"],
    ["light", "phone"],
    ["dark", "phone"],
  ] as const)(
    "[BEN27] it opens offline, whole, and axe finds no fault: %s, %s",
    async (colorScheme, size) => {
      const context = await browser.newContext({
        viewport: SIZES[size],
        colorScheme,
        offline: true,
      });
      try {
        const page = await context.newPage();
        const trouble: string[] = [];
        page.on("console", (message) => trouble.push(message.text()));
        page.on("requestfailed", (request) => trouble.push(request.url()));
        await page.goto(pathToFileURL(join(dir, "report.html")).href);
        expect(await page.getByRole("img").count(), "charts of two scenarios").toBe(12);
        for (const text of ["p99.9", "worker 1", "how fanout goes", "Not measured"]) {
          expect(await page.getByText(text).count(), text).toBeGreaterThan(0);
        }
        const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        expect(paper === "rgb(255, 255, 255)").toBe(colorScheme === "light");
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - globalThis.innerWidth,
        );
        expect(overflow, "nothing sticks out").toBeLessThanOrEqual(0);
        expect(await axeFaults(page)).toEqual([]);
        expect(trouble).toEqual([]);
        const shots = process.env["TROUPE_SHOTS"];
        if (shots) {
          await page.screenshot({
            path: join(shots, `bench-${colorScheme}-${size}.png`),
            fullPage: true,
          });
        }
      } finally {
        await context.close();
      }
    },
  );
});
