/**
 * The page at `/`, driven in a real Chromium as two people would: what one does is waited for
 * on the other's screen. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 * Screenshots of phone, dark and desktop stay in a scratch directory that is printed.
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
  type Page,
} from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { PASSWORD, type Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.warn(`page tests skipped: no Chromium at ${CHROMIUM}`);

/** A killed worker is replaced with back-off, and the page comes back with jitter. */
const RETURN_DEADLINE_MS = 20_000;
const DESKTOP = { viewport: { width: 1180, height: 760 } };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

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
    await this.page.waitForSelector('.side .chip[data-link="online"]', { state: "attached" });
  }

  async opens(title: string): Promise<void> {
    await this.page.click(`.row:has(.row-title:text-is("${title}"))`);
    await this.page.waitForSelector(`.talk-heading h2:text-is("${title}")`);
  }

  async types(text: string): Promise<void> {
    await this.page.locator(".composer textarea").pressSequentially(text);
  }

  async sends(text: string): Promise<void> {
    await this.page.fill(".composer textarea", text);
    await this.page.press(".composer textarea", "Enter");
  }

  async sees(text: string): Promise<void> {
    await this.page.waitForSelector(`.message .body:text-is("${text}")`);
  }

  async seesTick(text: string, tick: string): Promise<void> {
    await this.page.waitForSelector(`.message[data-tick="${tick}"]:has(.body:text-is("${text}"))`, {
      timeout: RETURN_DEADLINE_MS,
    });
  }

  async choosesOf(text: string, item: string): Promise<void> {
    const message = this.page.locator(`.message:has(.body:text-is("${text}"))`);
    await message.hover();
    await message.locator(".menu-button").click();
    await this.page.click(`[role=menuitem]:text-is("${item}")`);
  }

  async bodies(): Promise<string[]> {
    return this.page.locator(".message .body").allTextContents();
  }
}

describe.skipIf(!hasChromium)("the page", () => {
  const troupe = troupeForFile();
  const screens: Screen[] = [];
  let browser: Browser;
  let shots: string;

  beforeAll(async () => {
    shots = await mkdtemp(join(tmpdir(), "troupe-page-"));
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

  const screenOf = async (options: BrowserContextOptions = DESKTOP): Promise<Screen> => {
    const screen = await Screen.open(browser, troupe().url, options);
    screens.push(screen);
    return screen;
  };

  /** Two who have a direct conversation open, each before an own screen. */
  const twoTalking = async (secondOptions: BrowserContextOptions = DESKTOP) => {
    const [ada, grace] = await troupe().users("Ada", "Grace");
    if (!ada || !grace) throw new Error("two people were asked for");
    const conversation = await ada.startsDirect(grace);
    const adas = await screenOf();
    const graces = await screenOf(secondOptions);
    await adas.signsIn(ada);
    await graces.signsIn(grace);
    await adas.opens("Grace");
    await graces.opens("Ada");
    return { ada, grace, adas, graces, conversation };
  };

  it("[PAGE1] a new person registers, stays signed in over a reload, and signs out", async () => {
    const screen = await screenOf();
    const taken = await troupe().user("taken");
    await screen.page.click("text=Create an account");
    await screen.fillsIn("no", "short");
    await screen.page.waitForSelector("#username[aria-invalid]");
    await screen.fillsIn(taken.user.username, PASSWORD);
    await screen.page.waitForSelector("text=This username is taken");
    await screen.fillsIn(`new_${Date.now()}`, PASSWORD);
    await screen.isOnline();
    await screen.page.waitForSelector("text=No conversations yet");
    await screen.page.reload();
    await screen.isOnline();
    await screen.page.click('[aria-label="Sign out"]');
    await screen.page.waitForSelector("#username");
    await screen.fillsIn(taken.user.username, "not the password");
    await screen.page.waitForSelector("text=Username and password do not match");
  });

  it("[PAGE2] two find each other and talk; typing and ticks show", async () => {
    const [ada, grace] = await troupe().users("Ada", "Grace");
    if (!ada || !grace) throw new Error("two people were asked for");
    const adas = await screenOf();
    const graces = await screenOf();
    await adas.signsIn(ada);
    await graces.signsIn(grace);
    await adas.page.click('[aria-label="New conversation"]');
    await adas.page.fill("#find-username", grace.user.username);
    await adas.page.press("#find-username", "Enter");
    await adas.page.click("text=Start conversation");
    await adas.page.waitForSelector('.talk-header .subtitle:text-is("online")');

    await adas.sends("first");
    await graces.page.waitForSelector('.row .badge:text-is("1")');
    await adas.seesTick("first", "delivered");
    await graces.opens("Ada");
    await adas.seesTick("first", "read");

    await graces.types("an ans");
    await adas.page.waitForSelector(".subtitle[data-typing]");
    await graces.page.fill(".composer textarea", "");
    await adas.page.waitForSelector(".subtitle:not([data-typing])");
    await graces.sends("an answer");
    await adas.sees("an answer");
    await adas.page.screenshot({ path: join(shots, "desktop.png") });
  });

  it("[PAGE3] edits and deletions of one's own messages reach the other", async () => {
    const { adas, graces } = await twoTalking();
    await adas.sends("frist");
    await adas.sends("to be deleted");
    await graces.sees("to be deleted");
    await adas.choosesOf("frist", "Edit");
    await adas.sends("first");
    await graces.sees("first");
    await adas.choosesOf("to be deleted", "Delete");
    await adas.page.click("dialog .button-danger");
    await graces.page.waitForSelector(".message[data-deleted]");
    expect(await graces.bodies()).toEqual(["first", "Message deleted"]);
  });

  it("[PAGE4] offline: what was written goes out once, what was missed comes in", async () => {
    const { adas, graces } = await twoTalking();
    await adas.sends("before");
    await graces.sees("before");
    await adas.context.setOffline(true);
    await adas.page.waitForSelector('.side .chip[data-link="reconnecting"]');
    await adas.sends("written offline");
    await adas.seesTick("written offline", "sending");
    for (const text of ["one", "two", "three"]) await graces.sends(text);
    await graces.seesTick("three", "sent");
    await adas.context.setOffline(false);
    await adas.page.waitForSelector('.banner:has-text("Caught up on 3 messages.")');
    await adas.seesTick("written offline", "read");
    const told = ["before", "one", "two", "three", "written offline"];
    expect(await adas.bodies()).toEqual(told);
    expect(await graces.bodies()).toEqual(told);
  });

  it("[PAGE5] killed workers cost no message: both come back and hold the same", async () => {
    const { adas, graces } = await twoTalking();
    await adas.sends("before the kill");
    await graces.sees("before the kill");
    for (const _ of troupe().pids().workers) {
      const wasReplaced = troupe().pids().workers.length;
      await troupe().killWorker(0);
      await adas.sends(`after ${await adas.page.locator(".message").count()}`);
      await eventually(
        "the worker is replaced",
        () => troupe().pids().workers.length >= wasReplaced,
        RETURN_DEADLINE_MS,
      );
    }
    await adas.seesTick("after 2", "read");
    await adas.isOnline();
    await graces.isOnline();
    expect(await adas.bodies()).toEqual(["before the kill", "after 1", "after 2"]);
    expect(await graces.bodies()).toEqual(await adas.bodies());
  });

  it("[PAGE6] earlier messages come in on scrolling up, whole and in order", async () => {
    const { ada, adas, conversation } = await twoTalking();
    for (let n = 1; n <= 120; n++) await ada.posts(conversation.id, `line ${n}`);
    await adas.sees("line 120");
    await adas.page.reload();
    await adas.sees("line 120");
    const scroller = adas.page.locator(".scroller");
    await eventually("the whole history is there", async () => {
      await scroller.evaluate((node) => node.scrollTo(0, 0));
      return (await adas.bodies()).length === 120;
    });
    expect(await adas.bodies()).toEqual(Array.from({ length: 120 }, (_, n) => `line ${n + 1}`));
  });

  it("[PAGE7] a group: made by names, everyone hears, markup stays text", async () => {
    const [ada, grace, linus] = await troupe().users("Ada", "Grace", "Linus");
    if (!ada || !grace || !linus) throw new Error("three people were asked for");
    const adas = await screenOf();
    const linuss = await screenOf();
    await adas.signsIn(ada);
    await linuss.signsIn(linus);
    await adas.page.click('[aria-label="New conversation"]');
    for (const other of [grace, linus]) {
      await adas.page.fill("#find-username", other.user.username);
      await adas.page.press("#find-username", "Enter");
      await adas.page.waitForSelector(`.chosen [aria-label="Remove ${other.user.username}"]`);
    }
    await adas.page.fill("#group-title", "Rehearsal");
    await adas.page.click("text=Create group");
    await linuss.opens("Rehearsal");
    const markup = "<img src=x onerror=alert(1)> & <b>bold</b>";
    await adas.sends(markup);
    await linuss.page.waitForSelector('.sender:text-is("Ada")');
    expect(await linuss.bodies()).toEqual([markup]);
    expect(await linuss.page.locator(".message .body *").count()).toBe(0);
  });

  it("[PAGE8] on a phone in the dark: one pane at a time, nothing wider than the screen", async () => {
    const { adas, graces } = await twoTalking({ ...PHONE, colorScheme: "dark" });
    await adas.sends("w".repeat(400));
    await graces.page.waitForSelector(".message");
    expect(await graces.page.locator(".side").isVisible()).toBe(false);
    const widthPx = await graces.page.evaluate(() => document.documentElement.scrollWidth);
    expect(widthPx).toBeLessThanOrEqual(PHONE.viewport.width);
    const background = await graces.page.evaluate(
      () => getComputedStyle(document.body).backgroundColor,
    );
    expect(background).toBe("rgb(23, 20, 24)");
    await graces.page.screenshot({ path: join(shots, "phone-dark-talk.png") });
    await graces.page.tap('[aria-label="Back to conversations"]');
    await graces.page.waitForSelector(".side");
    await graces.page.screenshot({ path: join(shots, "phone-dark-list.png") });
  });

  it("[PAGE9] two tabs of one person share the login: signing out in one ends both", async () => {
    const person = await troupe().user("Ada");
    const screen = await screenOf();
    await screen.signsIn(person);
    const second = await screen.context.newPage();
    await second.goto(troupe().url);
    await second.waitForSelector('.side .chip[data-link="online"]');
    await second.click('[aria-label="Sign out"]');
    await screen.page.waitForSelector("#username");
  });
});
