/**
 * The pages under /docs as a reader has them: on a desktop, on a phone, in the dark. Skipped,
 * saying so, where no Chromium is found. Screenshots stay in a scratch directory.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { addressOf, DOCS_PAGES } from "../../src/edge/http/server/docs-frame.ts";
import { hasChromiumFor, launchChromium } from "../support/chromium.ts";
import { troupeForFile } from "../support/suite.ts";

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

describe.skipIf(!hasChromiumFor("tests of the docs"))("the docs", () => {
  const troupe = troupeForFile({ workers: 1 });
  let browser: Browser;
  let shots: string;
  const faults: string[] = [];

  beforeAll(async () => {
    shots = await mkdtemp(join(tmpdir(), "troupe-docs-"));
    console.info(`screenshots: ${shots}`);
    browser = await launchChromium();
  });
  afterEach(() => expect(faults.splice(0)).toEqual([]));
  afterAll(() => browser?.close());

  async function reading(path: string, options: BrowserContextOptions, run: Reading) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (line) => {
      if (line.type() === "error") faults.push(`${page.url()}: ${line.text()}`);
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(troupe().url)) faults.push(`asks ${request.url()}`);
    });
    await page.goto(troupe().url + path);
    await run(page);
    await context.close();
  }
  type Reading = (page: Page) => Promise<void>;

  it("[GDE7] the navigation leads to every page, which shows where one is", async () => {
    await reading("/docs", {}, async (page) => {
      for (const one of DOCS_PAGES) {
        await page
          .getByRole("navigation")
          .getByRole("link", { name: one.title, exact: true })
          .click();
        await page.waitForURL(troupe().url + addressOf(one));
        const current = page.locator('nav [aria-current="page"]');
        expect(await current.textContent()).toBe(one.title);
        expect(await page.locator("h1").count()).toBe(1);
      }
    });
  });

  it("[GDE8] every link between pages leads to a heading that is there", async () => {
    await reading("/docs", {}, async (page) => {
      for (const one of DOCS_PAGES) {
        await page.goto(troupe().url + addressOf(one));
        const links = await page
          .locator('main a[href^="/docs"]')
          .evaluateAll((found) => found.map((link) => (link as HTMLAnchorElement).href));
        for (const link of new Set(links)) {
          const answer = await page.request.get(link);
          expect(answer.status(), link).toBe(200);
          const anchor = new URL(link).hash.slice(1);
          if (anchor !== "") expect(await answer.text(), link).toContain(`id="${anchor}"`);
        }
      }
    });
  });

  it("[GDE9] a phone shows each page without scrolling sideways", async () => {
    await reading("/docs", PHONE, async (page) => {
      for (const one of DOCS_PAGES) {
        await page.goto(troupe().url + addressOf(one));
        const excess = await page.evaluate(
          () => document.documentElement.scrollWidth - window.innerWidth,
        );
        expect(excess, addressOf(one)).toBeLessThanOrEqual(0);
        await page.screenshot({ path: join(shots, `phone-${one.slug || "index"}.png`) });
      }
    });
  });

  it("[GDE10] the reader's dark or light is followed, and text is readable in both", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      await reading("/docs/operations", { colorScheme }, async (page) => {
        const [page_, text] = await page.evaluate(() => {
          const { backgroundColor, color } = getComputedStyle(document.body);
          return [backgroundColor, color].map((one) =>
            (one.match(/\d+/g) ?? []).slice(0, 3).map(Number),
          );
        });
        const light = (rgb: number[] = []) => rgb.reduce((sum, one) => sum + one, 0) / 3;
        const [behind, before] = [light(page_), light(text)];
        expect(colorScheme === "dark" ? before - behind : behind - before).toBeGreaterThan(120);
        await page.screenshot({ path: join(shots, `${colorScheme}.png`) });
      });
    }
  });
});
