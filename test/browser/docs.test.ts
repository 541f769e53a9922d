/**
 * The pages under /docs as a reader has them: on a desktop, on a phone, in the dark, with search
 * and copy buttons. Skipped, saying so, where no Chromium is found. Screenshots stay in a scratch
 * directory.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { addressOf, DOCS_PAGES } from "../../src/edge/http/server/docs-frame.ts";
import type { DocsIndex } from "../../src/web/docs/search.ts";
import { hasChromiumFor, launchChromium } from "../support/chromium.ts";
import { axeFaults } from "../support/looks.ts";
import { troupeForFile } from "../support/suite.ts";

/** Axe looks at each part of each page, and the reference has many. */
const AXE_TEST_MS = 120_000;
const SOME_PAGES = DOCS_PAGES.filter(({ slug }) =>
  ["", "quick-start", "operations"].includes(slug),
);

const DESKTOP = { viewport: { width: 1280, height: 900 } };
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

  it("[GDE17] code is coloured, in colours of its own in dark and light", async () => {
    for (const colorScheme of ["dark", "light"] as const) {
      await reading("/docs/quick-start", { colorScheme }, async (page) => {
        for (const part of [".js .code-keyword", ".js .code-string", ".sh .code-string"]) {
          const [own, around] = await page
            .locator(`main code${part}`)
            .first()
            .evaluate((node) => [
              getComputedStyle(node).color,
              getComputedStyle(node.closest("pre")!).color,
            ]);
          expect(own, part).not.toBe(around);
        }
      });
    }
    await reading("/docs/api", {}, async (page) => {
      expect(await page.locator("main pre .code-attr").count()).toBeGreaterThan(100);
    });
  });

  it("[GDE18] a button copies the code beside it, by keyboard too, and says so", async () => {
    const permissions = ["clipboard-read", "clipboard-write"];
    await reading("/docs/quick-start", { permissions }, async (page) => {
      const blocks = page.locator("main .copyable");
      expect(await blocks.count()).toBe(await page.locator("main pre").count());
      for (const [at, press] of [
        [0, (button: Locator) => button.click()],
        [1, (button: Locator) => button.press("Enter")],
      ] as const) {
        const block = blocks.nth(at);
        await press(block.getByRole("button", { name: /^Copy the code/ }));
        await page.getByRole("status").filter({ hasText: "Copied" }).waitFor({ state: "attached" });
        await block.locator("button.copy", { hasText: "Copied" }).waitFor();
        const copied = await page.evaluate(() => navigator.clipboard.readText());
        expect(copied).toBe(await block.locator("pre").textContent());
        await block.getByRole("button", { name: /^Copy the code/ }).waitFor();
        expect(await page.locator("#docs-copied").textContent()).toBe("");
      }
    });
  });

  it("[GDE19] without scripts there is no button and no field that does nothing", async () => {
    await reading("/docs/quick-start", { javaScriptEnabled: false }, async (page) => {
      expect(await page.locator("main pre").count()).toBeGreaterThan(0);
      expect(await page.locator("button").count()).toBe(0);
      expect(await page.locator("#docs-search").isVisible()).toBe(false);
    });
  });

  const searchField = (page: Page): Locator =>
    page.getByRole("combobox", { name: "Search the documentation" });

  it("[GDE20] the search is reached, used and left with the keyboard, and loads its index once", async () => {
    await reading("/docs/quick-start", DESKTOP, async (page) => {
      const asked: string[] = [];
      page.on("request", (request) => {
        const { pathname } = new URL(request.url());
        // The browser asks for it whenever it likes.
        if (pathname !== "/favicon.svg") asked.push(pathname);
      });
      const field = searchField(page);
      const options = page.getByRole("option");
      expect(await field.isVisible()).toBe(true);
      expect(asked).toEqual([]);

      await page.keyboard.press("/");
      expect(await field.evaluate((node) => node === document.activeElement)).toBe(true);
      expect(await field.inputValue()).toBe("");
      await page.keyboard.type("behind proxy");
      await options.first().waitFor();
      expect(await field.getAttribute("aria-expanded")).toBe("true");
      const first = options.first();
      expect(await first.locator(".result-heading").textContent()).toBe("Behind a proxy");
      expect(await first.locator(".result-page").textContent()).toBe("Deploy");
      expect(await first.locator(".result-passage").textContent()).not.toBe("");
      const marked = await first.locator("mark").allTextContents();
      expect(new Set(marked.map((word) => word.toLowerCase()))).toEqual(
        new Set(["behind", "proxy"]),
      );
      await page.screenshot({ path: join(shots, "search.png") });

      const activeId = () => field.getAttribute("aria-activedescendant");
      await page.keyboard.press("ArrowUp");
      expect(await activeId()).toBe(await options.last().getAttribute("id"));
      await page.keyboard.press("ArrowDown");
      expect(await activeId()).toBe(await first.getAttribute("id"));
      expect(await first.getAttribute("aria-selected")).toBe("true");

      await page.keyboard.press("Escape");
      await options.first().waitFor({ state: "hidden" });
      expect(await field.getAttribute("aria-expanded")).toBe("false");
      expect(await field.inputValue()).toBe("behind proxy");
      await page.keyboard.press("Escape");
      expect(await field.inputValue()).toBe("");

      await page.keyboard.type("qqzzxx");
      await page.getByText("Nothing found for “qqzzxx”.").waitFor();
      await field.fill("behind proxy");
      await options.first().waitFor();
      expect(asked).toEqual(["/docs/search.json"]);
      await page.keyboard.press("Enter");
      await page.waitForURL(`${troupe().url}/docs/deploy#behind-a-proxy`);
    });
  });

  it("[GDE21] a phone's search opens a result of the page that is open already", async () => {
    await reading("/docs/operations", PHONE, async (page) => {
      const field = searchField(page);
      await field.tap();
      await field.fill("erasing user");
      const result = page.getByRole("option").filter({ hasText: "Erasing a user" }).first();
      await result.waitFor();
      const excess = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      expect(excess).toBeLessThanOrEqual(0);
      await page.screenshot({ path: join(shots, "search-phone.png") });
      await result.tap();
      await page.waitForURL(`${troupe().url}/docs/operations#erasing-a-user`);
      await result.waitFor({ state: "hidden" });
      // The heading is not below the field, which stays at the top.
      const [heading, bar] = await Promise.all([
        page.locator("#erasing-a-user").boundingBox(),
        page.locator(".search").boundingBox(),
      ]);
      expect(heading!.y).toBeGreaterThanOrEqual(bar!.y + bar!.height);
    });
  });

  it("[GDE22] every result of the search leads to a place that is there", async () => {
    await reading("/docs", {}, async (page) => {
      const answer = await page.request.get(`${troupe().url}/docs/search.json`);
      expect(answer.status()).toBe(200);
      const index: DocsIndex = await answer.json();
      expect(index.pages.map(({ path }) => path)).toEqual(DOCS_PAGES.map(({ slug }) => slug));
      const texts = await Promise.all(
        DOCS_PAGES.map(async (one) =>
          (await page.request.get(troupe().url + addressOf(one))).text(),
        ),
      );
      for (const [at, one] of DOCS_PAGES.entries()) {
        expect(
          index.sections.some(({ page }) => page === at),
          one.title,
        ).toBe(true);
      }
      const lost = index.sections.filter(
        ({ page, anchor }) => anchor !== "" && !texts[page]!.includes(` id="${anchor}"`),
      );
      expect(lost).toEqual([]);
      const unread = index.sections.filter(({ heading, text }) =>
        /<\/?[a-z]+ class=|&(amp|lt|gt|quot|#)/.test(heading + text),
      );
      expect(unread).toEqual([]);
    });
  });

  it.each([
    ["desktop", "light", DESKTOP, DOCS_PAGES],
    ["desktop", "dark", DESKTOP, SOME_PAGES],
    ["phone", "light", PHONE, SOME_PAGES],
    ["phone", "dark", PHONE, SOME_PAGES],
  ] as const)(
    "[GDE23] axe finds no fault, on a %s, %s",
    {
      timeout: AXE_TEST_MS,
    },
    async (size, colorScheme, options, pages) => {
      await reading("/docs", { ...options, colorScheme }, async (page) => {
        const found: string[] = [];
        for (const one of pages) {
          await page.goto(troupe().url + addressOf(one));
          found.push(...(await axeFaults(page)).map((fault) => `${addressOf(one)}: ${fault}`));
        }
        await page.goto(`${troupe().url}/docs`);
        await searchField(page).fill("conversation");
        await page.getByRole("option").first().waitFor();
        await page.keyboard.press("ArrowDown");
        found.push(...(await axeFaults(page)).map((fault) => `results: ${fault}`));
        await searchField(page).fill("qqzzxx");
        await page.getByText("Nothing found for “qqzzxx”.").waitFor();
        found.push(...(await axeFaults(page)).map((fault) => `nothing found: ${fault}`));
        await page.screenshot({ path: join(shots, `axe-${size}-${colorScheme}.png`) });
        expect(found).toEqual([]);
      });
    },
  );
});
