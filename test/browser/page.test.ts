/**
 * The page at `/`, driven in a real Chromium as two people would: what one does is waited for
 * on the other's screen. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 * Screenshots stay in a scratch directory that is printed.
 */
import type { BrowserContextOptions } from "playwright-core";
import { describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { PASSWORD } from "../support/person.ts";
import { DESKTOP, PHONE, SLOW_MS, screensForFile, WRITING } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

describe.skipIf(!hasChromiumFor("page tests"))("the page", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const screenOf = (options: BrowserContextOptions = DESKTOP) =>
    screens.open(troupe().url, options);

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
    await screen.signsOut();
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
    await adas.page.waitForSelector('.troupe-heading .troupe-presence:text-is("online")');

    await adas.sends("first");
    await graces.page.waitForSelector('.troupe-row .troupe-badge [aria-hidden]:text-is("1")');
    await adas.seesTick("first", "delivered");
    await graces.opens("Ada");
    await adas.seesTick("first", "read");

    await graces.types("an ans");
    await adas.page.waitForSelector('.troupe-typing:text-is("Grace is typing…")');
    await graces.page.fill(WRITING, "");
    await adas.page.waitForSelector(".troupe-typing:empty", { state: "attached" });
    await graces.sends("an answer");
    await adas.sees("an answer");
    await adas.page.screenshot({ path: screens.shot("desktop") });
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
    await graces.page.waitForSelector(".troupe-body[data-gone]");
    expect(await graces.bodies()).toEqual(["first", "This message was deleted"]);
  });

  it("[PAGE4] offline: what was written goes out once, what was missed comes in", async () => {
    const { adas, graces } = await twoTalking();
    await adas.sends("before");
    await graces.sees("before");
    await adas.context.setOffline(true);
    await adas.page.waitForSelector(".troupe-conversation .troupe-banner");
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

  it("[PAGE5] killed workers cost no message: both come back and hold the same", {
    timeout: 120_000,
  }, async () => {
    const { adas, graces } = await twoTalking();
    await adas.sends("before the kill");
    await graces.sees("before the kill");
    for (const _ of troupe().pids().workers) {
      const wasReplaced = troupe().pids().workers.length;
      await troupe().killWorker(0);
      await adas.sends(`after ${await adas.page.locator(".troupe-message").count()}`);
      await eventually(
        "the worker is replaced",
        () => troupe().pids().workers.length >= wasReplaced,
        SLOW_MS,
      );
    }
    // Both reconnect twice, after waits of their own.
    await adas.seesTick("after 2", "read", 3 * SLOW_MS);
    await adas.isOnline();
    await graces.isOnline();
    expect(await adas.bodies()).toEqual(["before the kill", "after 1", "after 2"]);
    expect(await graces.bodies()).toEqual(await adas.bodies());
  });

  it("[PAGE6] earlier messages come in on scrolling up, whole and in order", {
    timeout: 120_000,
  }, async () => {
    const { ada, adas, conversation } = await twoTalking();
    for (let n = 1; n <= 120; n++) await ada.posts(conversation.id, `line ${n}`);
    await adas.sees("line 120");
    await adas.page.reload();
    await adas.sees("line 120");
    const scroller = adas.page.locator(".troupe-scroll");
    const topOf = (text: string) =>
      adas.page.locator(`.troupe-body:text-is("${text}")`).evaluate((node) => {
        return node.getBoundingClientRect().top;
      });
    await eventually("the newest page is there, and the list stands at its end", () =>
      scroller.evaluate(
        (node) =>
          node.dataset["settling"] === undefined &&
          node.scrollHeight > 1_500 &&
          node.scrollHeight - node.scrollTop - node.clientHeight < 48,
      ),
    );
    // The list asks for older ones before their place comes into sight.
    await scroller.evaluate((node) => node.scrollTo(0, 200));
    const inSight = () =>
      scroller.evaluate((node) => {
        const { top, height } = node.getBoundingClientRect();
        const isBelowMiddle = (body: Element) =>
          body.getBoundingClientRect().top > top + height / 2;
        return [...node.querySelectorAll(".troupe-body")].find(isBelowMiddle)?.textContent ?? "";
      });
    await eventually("the list has moved", async () => !["", "line 120"].includes(await inSight()));
    const place = await inSight();
    const beforePx = await topOf(place);
    await eventually("older ones have come in", () =>
      scroller.evaluate((node) => node.scrollTop > 1_000),
    );
    expect(Math.abs((await topOf(place)) - beforePx), "the reader's place").toBeLessThan(3);
    // Only what is in sight is in the page: one reads on, and notes what passes by.
    await scroller.evaluate((node) => node.scrollTo(0, node.scrollHeight));
    await adas.sees("line 120");
    const seen = new Set<string>();
    await eventually(
      "the whole history has passed by",
      async () => {
        for (const body of await adas.bodies()) seen.add(body);
        await scroller.evaluate((node) => node.scrollBy(0, -400));
        if (seen.size < 120) throw new Error(`${seen.size} of 120 messages have passed by`);
        return true;
      },
      3 * SLOW_MS,
    );
    const numberOf = (line: string): number => Number(line.replace("line ", ""));
    expect([...seen].map(numberOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 120 }, (_, n) => n + 1),
    );
    const shown = (await adas.bodies()).map(numberOf);
    expect(shown).toEqual([...shown].sort((a, b) => a - b));
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
    await linuss.page.waitForSelector('.troupe-writer:text-is("Ada")');
    expect(await linuss.bodies()).toEqual([markup]);
    expect(await linuss.page.locator(".troupe-message .troupe-body *").count()).toBe(0);
  });

  it("[PAGE8] on a phone in the dark: one pane at a time, nothing wider than the screen", async () => {
    const { adas, graces } = await twoTalking({ ...PHONE, colorScheme: "dark" });
    await adas.sends("w".repeat(400));
    await graces.page.waitForSelector(".troupe-message");
    expect(await graces.page.locator(".side").isVisible()).toBe(false);
    const widthPx = await graces.page.evaluate(() => document.documentElement.scrollWidth);
    expect(widthPx).toBeLessThanOrEqual(PHONE.viewport.width);
    const background = await graces.page.evaluate(
      () => getComputedStyle(document.body).backgroundColor,
    );
    expect(background).toBe("rgb(23, 20, 24)");
    await graces.page.screenshot({ path: screens.shot("phone-dark-talk") });
    await graces.page.tap('[aria-label="Back to conversations"]');
    await graces.page.waitForSelector(".side");
    await graces.page.screenshot({ path: screens.shot("phone-dark-list") });
  });

  it("[PAGE10] a streamed message grows while it is read, and is stopped with a button", async () => {
    const { adas, grace, conversation } = await twoTalking();
    const writer = await grace.connects({ contract: "1.1" });
    const { message } = await writer.does("send_message", {
      conversation_id: conversation.id,
      client_id: "an answer",
      streaming: true,
    });
    const { conversation_id, seq } = message;
    const at = { conversation_id, seq };
    await writer.does("append_message", { ...at, offset: 0, text: "It grows" });
    await adas.page.waitForSelector('.troupe-message .troupe-body:text-is("It grows")');
    await writer.does("append_message", { ...at, offset: 8, text: ", word by word" });
    await adas.page.waitForSelector(
      '.troupe-message .troupe-body:text-is("It grows, word by word")',
    );
    await adas.page.click(".troupe-growing >> text=Stop");
    expect(await writer.next("signal")).toMatchObject({ type: "stream.stop", data: { seq } });
    await writer.does("end_message", { ...at, state: "cancelled" });
    await adas.page.waitForSelector(".troupe-growing", { state: "hidden" });
    expect(await adas.bodies()).toEqual(["It grows, word by word"]);
  });

  it("[PAGE9] two tabs of one person share the login: signing out in one ends both", async () => {
    const person = await troupe().user("Ada");
    const screen = await screenOf();
    await screen.signsIn(person);
    const second = await screen.context.newPage();
    await second.goto(troupe().url);
    await second.waitForSelector('.shell[data-link="online"]');
    await second.click(".me");
    await second.click(".sign-out");
    await screen.page.waitForSelector("#username");
  });
});
