/**
 * One person before one screen of the page at `/`, in a real Chromium, and the browser that a
 * test file shares.
 */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  Locator,
  Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launchChromium } from "./chromium.ts";
import { eventually } from "./eventually.ts";
import { PASSWORD, type Person } from "./person.ts";

export const DESKTOP = { viewport: { width: 1180, height: 760 } };
export const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** The page comes back with jitter, and likes are counted into their notification after 5 s. */
export const SLOW_MS = 20_000;

/** Where one writes to the open conversation. */
export const WRITING = ".troupe-conversation .troupe-composer textarea";

export class Screen {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What no page may ever do: throw, or ask for what its policy forbids. */
  readonly faults: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (line) => {
      if (line.text().includes("Content Security Policy")) this.faults.push(line.text());
    });
  }

  static async open(browser: Browser, url: string, options: BrowserContextOptions) {
    const context = await browser.newContext(options);
    const screen = new Screen(context, await context.newPage());
    await screen.page.goto(url);
    return screen;
  }

  async signsIn(person: Person): Promise<void> {
    await this.fillsIn(person.user.username, PASSWORD);
    await this.isOnline();
  }

  async fillsIn(username: string, password: string): Promise<void> {
    await this.page.fill("#username", username);
    await this.page.fill("#password", password);
    await this.page.press("#password", "Enter");
  }

  async isOnline(): Promise<void> {
    await this.page.waitForSelector('.shell[data-link="online"]', {
      state: "attached",
      timeout: SLOW_MS,
    });
  }

  async opens(title: string): Promise<void> {
    await this.page.click(`.troupe-row:has(.troupe-row-title bdi:text-is("${title}"))`);
    await this.page.waitForSelector(`.troupe-heading h2 bdi:text-is("${title}")`);
  }

  async types(text: string): Promise<void> {
    await this.page.locator(WRITING).pressSequentially(text);
  }

  async sends(text: string): Promise<void> {
    await this.page.fill(WRITING, text);
    await this.page.press(WRITING, "Enter");
  }

  async sees(text: string): Promise<void> {
    await this.page.waitForSelector(`.troupe-message .troupe-body:text-is("${text}")`);
  }

  async seesTick(text: string, tick: string, withinMs = SLOW_MS): Promise<void> {
    const sign: Record<string, string> = {
      sending: '[data-outgoing]:not(:has([role="alert"]))',
      failed: '[data-outgoing]:has([role="alert"])',
    };
    const shown = sign[tick] ?? `:has(.troupe-receipts[data-progress="${tick}"])`;
    const wanted = `.troupe-message${shown}:has(.troupe-body:text-is("${text}"))`;
    try {
      await this.page.waitForSelector(wanted, { timeout: withinMs });
    } catch {
      const all = await this.page
        .locator(".troupe-message")
        .evaluateAll((nodes) => nodes.map((node) => node.outerHTML.slice(0, 1_000)));
      throw new Error(`"${text}" is not shown as ${tick}; shown are:\n${all.join("\n")}`);
    }
  }

  /** What one can do with a message stands in a bar while it is pointed at. */
  async choosesOf(text: string, item: string): Promise<void> {
    const message = this.page.locator(`.troupe-message:has(.troupe-body:text-is("${text}"))`);
    await message.hover();
    await message.getByRole("button", { name: item, exact: true }).click();
    if (item === "Delete") {
      await this.page.getByRole("menuitem", { name: "Delete for everyone" }).click();
    }
  }

  async bodies(): Promise<string[]> {
    return this.page.locator(".troupe-conversation .troupe-body").allTextContents();
  }

  async signsOut(): Promise<void> {
    await this.page.click(".me");
    await this.page.click(".sign-out");
  }

  async opensFeed(): Promise<void> {
    await this.page.click('.rail a:has-text("Feed")');
    await this.page.waitForSelector(".feed-pane");
  }

  /** Finds elements in visible panes only: a post can be in the feed and open at once. */
  shown(selector: string): Locator {
    return this.page.locator(`.pane:not([hidden]) ${selector}`);
  }

  post(id: string): Locator {
    return this.shown(`.post[data-post="${id}"]`);
  }

  async opensPost(id: string): Promise<void> {
    await this.post(id).locator("a.post-action").click();
    await this.page.waitForSelector(`.post-pane .post[data-post="${id}"]`);
  }

  async seesLikes(id: string, count: number, isOwn: boolean): Promise<void> {
    const like = `.like[aria-pressed="${isOwn}"] .post-count:text-is("${count}")`;
    await this.post(id).locator(like).waitFor({ timeout: SLOW_MS });
  }

  async seesComments(id: string, count: number): Promise<void> {
    await this.post(id).locator(`a.post-action .post-count:text-is("${count}")`).waitFor();
  }

  async bellSays(count: number): Promise<void> {
    const badge = this.page.locator(".bell .badge");
    await eventually(
      `the bell says ${count}`,
      async () =>
        count === 0
          ? !(await badge.isVisible())
          : (await badge.getAttribute("data-count")) === String(count),
      SLOW_MS,
    );
  }

  async notices(): Promise<string[]> {
    return this.page.locator(".troupe-notice-text").allTextContents();
  }

  async comments(): Promise<string[]> {
    return this.page.locator(".comment-body").allTextContents();
  }
}

/** A finger rests on it until what that opens is there, and goes. */
export async function longPresses(page: Page, on: Locator): Promise<void> {
  const box = await on.boundingBox();
  if (box === null) throw new Error("what is to be pressed is not there");
  const session = await page.context().newCDPSession(page);
  const [x, y] = [box.x + box.width / 2, box.y + Math.min(20, box.height / 2)];
  await session.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x, y }] });
  await page.waitForSelector(".troupe-popup");
  await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await session.detach();
}

export interface Screens {
  open(url: string, options?: BrowserContextOptions): Promise<Screen>;
  /** Signed in. */
  of(person: Person, options?: BrowserContextOptions): Promise<Screen>;
  /** Where a picture of this name goes: a scratch directory that is printed. */
  shot(name: string): string;
}

/** A browser for the tests of one `describe`; after each test no screen may have had a fault. */
export function screensForFile(): Screens {
  const screens: Screen[] = [];
  let browser: Browser;
  let shots: string;

  beforeAll(async () => {
    shots = process.env["TROUPE_SHOTS"] ?? (await mkdtemp(join(tmpdir(), "troupe-page-")));
    console.info(`screenshots: ${shots}`);
    browser = await launchChromium();
  });

  afterEach(async () => {
    const faults = screens.flatMap((screen) => screen.faults);
    for (const screen of screens.splice(0)) await screen.context.close();
    expect(faults).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
  });

  const open = async (url: string, options: BrowserContextOptions = DESKTOP) => {
    const screen = await Screen.open(browser, url, options);
    screens.push(screen);
    return screen;
  };

  return {
    open,
    async of(person, options) {
      const screen = await open(person.troupe.url, options);
      await screen.signsIn(person);
      return screen;
    },
    shot: (name) => join(shots, `${name}.png`),
  };
}
