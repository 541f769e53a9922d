/**
 * The social half of the page at `/`, driven in a real Chromium: what one does is waited for on
 * the other's screen, live. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 * Screenshots stay in a scratch directory that is printed.
 */
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Post } from "../../src/protocol/social.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, PASSWORD, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.warn(`social page tests skipped: no Chromium at ${CHROMIUM}`);

/** The page comes back with jitter, and likes are counted into their notification after 5 s. */
const SLOW_MS = 20_000;
const DESKTOP = { viewport: { width: 1180, height: 760 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

async function publishes(person: Person, body: string): Promise<Post> {
  return expectStatus(await person.api.post<Post>("/api/posts", { body }), 201);
}

async function does(person: Person, path: string, body?: object): Promise<void> {
  const answer = await person.api.post(path, body);
  if (answer.status >= 300) throw new Error(`${path} was answered ${answer.text}`);
}

/** One person before one screen. */
class Screen {
  readonly page: Page;
  readonly context: BrowserContext;
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

  static async of(browser: Browser, person: Person, options: BrowserContextOptions) {
    const context = await browser.newContext(options);
    const screen = new Screen(context, await context.newPage());
    await screen.page.goto(person.troupe.url);
    await screen.page.fill("#username", person.user.username);
    await screen.page.fill("#password", PASSWORD);
    await screen.page.press("#password", "Enter");
    await screen.isOnline();
    return screen;
  }

  async isOnline(): Promise<void> {
    await this.page.waitForSelector('.side .chip[data-link="online"]', {
      state: "attached",
      timeout: SLOW_MS,
    });
  }

  async opensFeed(): Promise<void> {
    await this.page.click('.rail a:has-text("Feed")');
    await this.page.waitForSelector(".feed-pane");
  }

  /** What of the page is not hidden: a post can stand in the feed and be open. */
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
        count === 0 ? !(await badge.isVisible()) : (await badge.textContent()) === String(count),
      SLOW_MS,
    );
  }

  async notices(): Promise<string[]> {
    return this.page.locator(".notice-text").allTextContents();
  }

  async comments(): Promise<string[]> {
    return this.page.locator(".comment-body").allTextContents();
  }
}

describe.skipIf(!hasChromium)("the page's social half", () => {
  const troupe = troupeForFile();
  const screens: Screen[] = [];
  let browser: Browser;
  let shots: string;

  beforeAll(async () => {
    shots = await mkdtemp(join(tmpdir(), "troupe-page-social-"));
    console.info(`screenshots: ${shots}`);
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
  });

  afterEach(async () => {
    const faults = screens.flatMap((screen) => screen.faults);
    for (const screen of screens.splice(0)) await screen.context.close();
    expect(faults).toEqual([]);
  });

  afterAll(async () => {
    await browser?.close();
  });

  const screenOf = async (person: Person, options: BrowserContextOptions = DESKTOP) => {
    const screen = await Screen.of(browser, person, options);
    screens.push(screen);
    return screen;
  };

  /** Ada follows Grace, who has written a post; each has the feed open before an own screen. */
  const writerAndReader = async (readerOptions: BrowserContextOptions = DESKTOP) => {
    const [ada, grace] = await troupe().users("Ada", "Grace");
    if (!ada || !grace) throw new Error("two people were asked for");
    await does(ada, `/api/users/${grace.id}/follow`);
    const post = await publishes(grace, "A nanosecond is a foot of wire.");
    const adas = await screenOf(ada, readerOptions);
    const graces = await screenOf(grace);
    await adas.opensFeed();
    await graces.opensFeed();
    await adas.post(post.id).waitFor();
    await graces.post(post.id).waitFor();
    return { ada, grace, adas, graces, post };
  };

  it("[PGS1] a like shows at once, counts live on the other's screen, and rings the bell", async () => {
    const { adas, graces, post } = await writerAndReader();
    await adas.post(post.id).locator(".like").click();
    await adas.seesLikes(post.id, 1, true);
    await graces.seesLikes(post.id, 1, false);
    // The follow is the other one.
    await graces.bellSays(2);
    await graces.page.click(".bell");
    await graces.bellSays(0);
    expect(await graces.notices()).toEqual(["Ada liked your post", "Ada follows you now"]);
    expect(await graces.page.locator(".notice[data-fresh]").count()).toBe(2);
    await graces.page.screenshot({ path: join(shots, "bell.png") });
    await adas.post(post.id).locator(".like").click();
    await adas.seesLikes(post.id, 0, false);
    await graces.seesLikes(post.id, 0, false);
    await graces.page.reload();
    await graces.isOnline();
    await graces.bellSays(0);
  });

  it("[PGS2] what one writes, the other comments on; the bell leads to it", async () => {
    const { adas, graces, grace, post } = await writerAndReader();
    await graces.opensPost(post.id);
    await adas.opensPost(post.id);
    const markup = "<b>bold</b> @grace";
    await adas.page.fill("#write-comment", markup);
    await adas.page.press("#write-comment", "Enter");
    await eventually(
      "both see the comment",
      async () => (await adas.comments())[0] === markup && (await graces.comments())[0] === markup,
    );
    await adas.seesComments(post.id, 1);
    await graces.seesComments(post.id, 1);
    expect(await graces.page.locator(".comment-body :not(.mention)").count()).toBe(0);
    await graces.page.click('[aria-label="Back to the feed"]');
    await graces.bellSays(2);
    await graces.page.click(".bell");
    await graces.page.click('.notice:has-text("Ada commented on your post")');
    await graces.page.waitForSelector(".post-pane .comment");
    await graces.page.fill("#write-comment", "True.");
    await graces.page.press("#write-comment", "Enter");
    await eventually("the answer is there", async () => (await adas.comments())[1] === "True.");
    await adas.page.screenshot({ path: join(shots, "post.png") });

    await graces.page.click('[aria-label="Back to the feed"]');
    await graces.page.fill("#write-post", "And a second one.");
    await graces.page.click('.write-box button:text-is("Post")');
    const own = graces.shown('.post:has-text("And a second one.")');
    await own.waitFor();
    await adas.page.click('[aria-label="Back to the feed"]');
    await adas.page.click('[aria-label="Look for new posts"]');
    await adas.shown('.post:has-text("And a second one.")').waitFor();
    expect(await adas.shown(".post .person-name").allTextContents()).toEqual(["Grace", "Grace"]);
    expect(grace.user.display_name).toBe("Grace");
  });

  it("[PGS3] a burst of likes ends in the right count, and in one notification", async () => {
    const { adas, graces, post } = await writerAndReader();
    const crowd = await troupe().users(...Array.from({ length: 14 }, (_, n) => `fan${n}`));
    await adas.post(post.id).locator(".like").click();
    await Promise.all(crowd.map((fan) => does(fan, `/api/posts/${post.id}/like`)));
    await adas.seesLikes(post.id, 15, true);
    await graces.seesLikes(post.id, 15, false);
    await graces.page.click(".bell");
    await eventually(
      "the notification has grown in place",
      async () =>
        (await graces.notices()).some((text) => text.endsWith("and 14 others liked your post")),
      SLOW_MS,
    );
    expect(await graces.notices()).toHaveLength(2);
    // The open list is read as it grows.
    await graces.bellSays(0);
    await adas.page.reload();
    await adas.isOnline();
    await adas.seesLikes(post.id, 15, true);
  });

  it("[PGS4] after being offline counts and bell are true again, and live", async () => {
    const { ada, grace, adas, graces, post } = await writerAndReader();
    await graces.bellSays(1);
    await adas.context.setOffline(true);
    await graces.context.setOffline(true);
    await graces.page.waitForSelector('.chip[data-link="reconnecting"]');
    await does(grace, `/api/posts/${post.id}/like`);
    await does(ada, `/api/posts/${post.id}/comments`, { body: "Seen." });
    await adas.context.setOffline(false);
    await graces.context.setOffline(false);
    await adas.isOnline();
    await graces.isOnline();
    await adas.seesLikes(post.id, 1, false);
    await adas.seesComments(post.id, 1);
    await graces.bellSays(2);
    await does(ada, `/api/posts/${post.id}/comments`, { body: "And again." });
    await adas.seesComments(post.id, 2);
    await graces.bellSays(3);
  });

  it("[PGS5] a deleted post and a blocked person disappear", async () => {
    const { grace, adas, graces, post } = await writerAndReader();
    const second = await publishes(grace, "To stay for a while.");
    await adas.page.click('[aria-label="Look for new posts"]');
    await adas.post(second.id).waitFor();
    await adas.opensPost(post.id);
    await graces.post(post.id).locator(".post-menu").click();
    await graces.page.click('[role=menuitem]:text-is("Delete")');
    await graces.page.click("dialog .button-danger");
    await graces.post(post.id).waitFor({ state: "detached" });
    await adas.page.click(".post-pane .like");
    await adas.page.waitForSelector("text=This post is not there any more");
    await adas.page.click('[aria-label="Back to the feed"]');
    await adas.post(post.id).waitFor({ state: "detached" });

    await adas.post(second.id).locator(".person-name").click();
    await adas.page.waitForSelector('dialog button:text-is("Following")');
    await adas.page.screenshot({ path: join(shots, "person.png") });
    await adas.page.click('dialog button:text-is("Block")');
    await adas.page.click("dialog .button-danger");
    await adas.post(second.id).waitFor({ state: "detached" });
    await adas.page.click('dialog button:text-is("Unblock")');
    await adas.page.click('dialog button:text-is("Follow")');
    await adas.page.waitForSelector('dialog button:text-is("Following")');
    await adas.page.keyboard.press("Escape");
    await adas.post(second.id).waitFor();
  });

  it("[PGS6] on a phone in the dark: a bar at the bottom, nothing wider than the screen", async () => {
    const { adas, graces, post } = await writerAndReader({ ...PHONE, colorScheme: "dark" });
    await graces.page.fill("#write-post", "w".repeat(400));
    await graces.page.click('.write-box button:text-is("Post")');
    await adas.page.tap('[aria-label="Look for new posts"]');
    await adas.shown('.post:has-text("www")').waitFor();
    expect(await adas.page.locator(".side").isVisible()).toBe(false);
    const bar = await adas.page.locator(".rail").boundingBox();
    expect(bar && bar.y + bar.height).toBe(PHONE.viewport.height);
    await adas.page.screenshot({ path: join(shots, "phone-dark-feed.png") });
    await adas.page.tap(".bell");
    await adas.page.waitForSelector("text=Nothing yet");
    await adas.page.tap('.rail a:has-text("Talks")');
    await adas.page.waitForSelector(".side");
    await adas.opensFeed();
    await adas.opensPost(post.id);
    expect(await adas.page.locator(".rail").isVisible()).toBe(false);
    const widthPx = await adas.page.evaluate(() => document.documentElement.scrollWidth);
    expect(widthPx).toBeLessThanOrEqual(PHONE.viewport.width);
    await adas.page.screenshot({ path: join(shots, "phone-dark-post.png") });
  });
});
