/**
 * What a page is held to in a real browser, whichever page it is: no fault that axe finds, no
 * layout shift, usable soon, nothing asked of strangers.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { promised } from "./promised.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
export const USABLE_MS_MAX = promised(1_000, 3_000);
/** What Lighthouse calls none at all is 0.1. */
export const SHIFT_MAX = 0.02;

/** What axe has to say, each with where; the page's policy lets no script in, so it is run. */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`),
    );
  });
}

/** Watched from the very start of each load: how much moved, and where anything came from. */
export async function watchesLoads(
  page: Page,
): Promise<{ shift(): Promise<number>; hosts: string[] }> {
  const hosts: string[] = [];
  page.on("request", (request) => hosts.push(new URL(request.url()).host));
  await page.addInitScript(() => {
    const watched = globalThis as unknown as { shift: number };
    watched.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        watched.shift += (entry as PerformanceEntry & { value: number }).value;
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  const shift = () => page.evaluate(() => (globalThis as unknown as { shift: number }).shift);
  return { shift, hosts };
}

/** When, from the start of its load, `input` can be seen and everything of `others` is there. */
export function usableAtMs(page: Page, input: string, ...others: string[]): Promise<number> {
  return page.evaluate(
    ([selector, rest]) =>
      new Promise<number>((resolve) => {
        const look = (): void => {
          const isThere = rest.every((one) => document.querySelector(one) !== null);
          if (isThere && document.querySelector(selector)?.checkVisibility()) {
            resolve(performance.now());
          } else requestAnimationFrame(look);
        };
        look();
      }),
    [input, others] as const,
  );
}
