/**
 * How often the kit draws, in a real Chromium with React as in production: a client whose server is
 * the page itself, so that nothing else takes time. Skipped, saying so, where no Chromium is found
 * (CHROMIUM_PATH).
 */
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { browserAppForFile } from "../support/browser-app.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import type { Tools } from "../support/kit-renders-app.tsx";
import { SLOW_MS, screensForFile } from "../support/screen.ts";

/** React looks for such a hook when it is loaded, and tells it of each commit. */
const HOOK = `globalThis.__REACT_DEVTOOLS_GLOBAL_HOOK__ = {
  isDisabled: false,
  supportsFiber: true,
  inject: () => 1,
  onCommitFiberRoot: (_, root) => globalThis.onCommit?.(root.current),
  onCommitFiberUnmount: () => undefined,
};`;
const PAGE = `<!doctype html><html lang="en"><link rel="icon" href="data:," /><title>An application</title>
<style>body { margin: 0 } .panes { display: grid; grid-template: 100vh / 250px 1fr }</style>
<main></main><script>${HOOK}</script><script type="module" src="/app.js"></script></html>`;

const RENDERS_MAX = 10;
const FRAME_MAX_MS = 20;
const SCROLL_MS = 3_000;

declare const tools: Tools;

describe.skipIf(!hasChromiumFor("tests of the kit's draws"))("the kit's draws", () => {
  const screens = screensForFile();
  const origin = browserAppForFile("./kit-renders-app.tsx", PAGE, {
    keepNames: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });

  const opens = async (held: number, older = 0): Promise<Page> => {
    const { page } = await screens.open(`${origin()}/?held=${held}&older=${older}`);
    await page.locator(`[data-seq="${held}"]`).waitFor({ timeout: SLOW_MS });
    await page.locator(".troupe-scroll:not([data-settling])").waitFor();
    return page;
  };

  /** What was drawn meanwhile: component and conversation → how often. */
  const drawnBy = async (page: Page, act: () => Promise<unknown>): Promise<Map<string, number>> => {
    const before = await page.evaluate(() => tools.renders());
    await act();
    const after = Object.entries(await page.evaluate(() => tools.renders()));
    const drawn = after.map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
    return new Map(drawn.filter(([, count]) => count > 0));
  };

  it("[KIT40] a burst of 100 messages draws each list at most ten times, and all of it is there", async () => {
    const page = await opens(200);
    const drawn = await drawnBy(page, async () => {
      await page.evaluate(() => tools.says(100, 500));
      await page.locator('[data-seq="300"]').waitFor();
    });
    for (const list of ["List 7", "MessageList 7", "ConversationList page"]) {
      expect(drawn.get(list), list).toBeGreaterThanOrEqual(1);
      expect(drawn.get(list), list).toBeLessThanOrEqual(RENDERS_MAX);
    }
    const fromEnd = await page
      .locator(".troupe-scroll")
      .evaluate((node) => node.scrollHeight - node.scrollTop - node.clientHeight);
    expect(fromEnd, "it stays at its end").toBeLessThan(48);
  }, 30_000);

  it("[KIT41] ten typing events elsewhere draw only the row that shows them, and the list around it", async () => {
    const page = await opens(200);
    const drawn = await drawnBy(page, async () => {
      for (let n = 0; n < 10; n++) {
        const isTyping = n % 2 === 0;
        await page.evaluate((is) => tools.types(is), isTyping);
        const state = isTyping ? "attached" : "detached";
        await page.locator(".troupe-row-said[data-typing]").waitFor({ state });
      }
    });
    expect(drawn.get("OwnRow 8")).toBeGreaterThanOrEqual(10);
    const others = [...drawn.keys()].filter((name) => !name.endsWith(" 8"));
    expect(others).toEqual(["ConversationList page"]);
  }, 30_000);

  it("[KIT43] one who reads keeps the place while older and new messages come together", async () => {
    const page = await opens(300, 100);
    const list = page.locator(".troupe-scroll");
    // Rows that are measured as it opens bring it to its end again.
    await eventually("one reads further up", async () => {
      await list.evaluate((node) => node.scrollTo(0, 500));
      await page.evaluate(() => tools.isMeasured());
      return list.evaluate((node) => node.scrollTop < node.scrollHeight / 4);
    });
    await page.locator(".troupe-to-newest").waitFor();
    await page.waitForFunction(() => tools.isOlderAsked());
    const seq = await list.evaluate((node) => {
      const top = node.getBoundingClientRect().top;
      const shown = [...node.querySelectorAll<HTMLElement>("[data-seq]")];
      const first = shown.find((one) => one.getBoundingClientRect().top >= top)!;
      return Number(first.dataset["seq"]);
    });
    const before = (await page.evaluate((of) => tools.topOf(of), seq))!;
    const height = await list.evaluate((node) => node.scrollHeight);
    await page.evaluate(() => tools.bringsBoth(20));
    await page.waitForFunction(
      (least) => document.querySelector(".troupe-scroll")!.scrollHeight > least,
      height + 1_000,
    );
    await eventually("it stands where it stood", async () => {
      const top = await page.evaluate((of) => tools.topOf(of), seq);
      return top !== null && Math.abs(top - before) <= 2;
    });
    // The new ones are at its end.
    await page.locator(".troupe-to-newest").click();
    await page.locator('[data-seq="320"]').waitFor();
  }, 30_000);

  it("[KIT42] a list of 100,000 messages scrolls at the pace of the screen", async () => {
    const page = await opens(100_000);
    const frames = await page.evaluate((ms) => tools.scrolls(ms), SCROLL_MS);
    expect(frames[frames.length >> 1]).toBeLessThanOrEqual(FRAME_MAX_MS);
    expect(await page.locator('[data-seq="100000"]').count(), "it has moved").toBe(0);
    expect(await page.locator(".troupe-message").count()).toBeLessThan(100);
  }, 30_000);
});
