/**
 * The parts of the kit beside the conversation itself, on the page at `/` in a real Chromium: search,
 * drafts, marks, large files, long presses, settings, groups. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 *
 * [PAGE11] Ctrl+K finds people, conversations and messages, and leads to the place.
 * [PAGE12] A text that was begun on one device is there on another, and gone once it is sent.
 * [PAGE13] On a phone a long press offers what one can do with a message.
 * [PAGE14] A large file goes on after a cut, and after a reload from where it was.
 * [PAGE15] Marks are shown as what they mean, and nothing is read as HTML.
 * [PAGE16] Settings hold: the look over a reload, the name for others.
 * [PAGE17] Members name a group, add people and remove them as their role allows; one who leaves is out.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { axeFaults } from "../support/looks.ts";
import type { Person } from "../support/person.ts";
import {
  DESKTOP,
  longPresses,
  PHONE,
  SLOW_MS,
  screensForFile,
  WRITING,
} from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

const PART_BYTES = 8 * 1024 * 1024;

describe.skipIf(!hasChromiumFor("tests of what the page finds"))("the page", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();

  const three = async () =>
    (await troupe().users("Ada", "Grace", "Linus")) as [Person, Person, Person];

  it("[PAGE11] Ctrl+K finds a person, a conversation and a message, and leads to the place", async () => {
    const [ada, grace, linus] = await three();
    const direct = await ada.startsDirect(grace);
    const group = await linus.startsGroup(ada, grace);
    await linus.api.patch(`/api/conversations/${group.id}`, { title: "Rehearsal" });
    await grace.posts(direct.id, "The xylophone stands in the cellar.");
    for (let n = 1; n <= 130; n++) await grace.posts(direct.id, `line ${n}`);
    const screen = await screens.of(ada);
    const { page } = screen;
    await page.waitForSelector('.troupe-row:has-text("Rehearsal")');
    const search = async (words: string) => {
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox").fill(words);
    };
    await search("rehear");
    await page.getByRole("option", { name: "Rehearsal" }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForSelector('.troupe-heading h2 bdi:text-is("Rehearsal")');

    await search("xylo");
    const found = page.getByRole("group", { name: "Messages" }).getByRole("option");
    await eventually(
      "the message is found",
      async () => {
        // What was just written may not be known to the search yet.
        if (await found.isVisible()) return true;
        await page.getByRole("combobox").fill("xylop");
        await page.getByRole("combobox").fill("xylo");
        await found.waitFor({ timeout: 2_000 }).catch(() => undefined);
        return found.isVisible();
      },
      SLOW_MS,
    );
    expect(await found.locator("mark").allTextContents()).toEqual(["xylo"]);
    expect(await axeFaults(page)).toEqual([]);
    await page.screenshot({ path: screens.shot("search") });
    await found.click();
    await page.waitForSelector('.troupe-heading h2 bdi:text-is("Grace")');
    const place = page.locator('.troupe-body:text-is("The xylophone stands in the cellar.")');
    await place.waitFor({ timeout: SLOW_MS });
    await eventually("it is in sight", () =>
      place.evaluate((node) => {
        const { top, bottom } = node.getBoundingClientRect();
        return top > 60 && bottom < innerHeight - 60;
      }),
    );

    await search(linus.user.username.slice(0, 8));
    await page.getByRole("group", { name: "People" }).getByRole("option").first().click();
    await page.locator(`dialog .person-username:text-is("@${linus.user.username}")`).waitFor();
    await page.keyboard.press("Escape");
    await search("nothing has this name");
    await page.waitForSelector("text=Nothing was found.");
    await page.keyboard.press("Escape");
    await page.getByRole("combobox").waitFor({ state: "detached" });
    // The conversation stays open.
    await page.waitForSelector('.troupe-heading h2 bdi:text-is("Grace")');
  }, 120_000);

  it("[PAGE12] a draft is on the other device, too, and gone once it is sent", async () => {
    const [ada, grace] = await three();
    await ada.startsDirect(grace);
    const desk = await screens.of(ada);
    const phone = await screens.of(ada, PHONE);
    await desk.opens("Grace");
    await desk.types("To be said");
    const row = phone.page.locator('.troupe-row:has-text("Grace") .troupe-row-said');
    await eventually(
      "the list shows it",
      async () => {
        const said = await row.textContent();
        if (said !== "Draft: To be said") throw new Error(`it says ${said}`);
        return true;
      },
      SLOW_MS,
    );
    await phone.opens("Grace");
    await eventually(
      "the field has it",
      async () => (await phone.page.inputValue(WRITING)) === "To be said",
      SLOW_MS,
    );
    await phone.page.fill(WRITING, "To be said twice");
    await eventually(
      "the desk follows",
      async () => (await desk.page.inputValue(WRITING)) === "To be said twice",
      SLOW_MS,
    );
    await desk.page.press(WRITING, "Enter");
    await phone.sees("To be said twice");
    await eventually(
      "it is begun no more",
      async () => (await phone.page.inputValue(WRITING)) === "",
      SLOW_MS,
    );
    await desk.page.reload();
    await desk.sees("To be said twice");
    expect(await desk.page.inputValue(WRITING)).toBe("");
  }, 90_000);

  it("[PAGE13] a long press on a phone offers what one can do with a message", async () => {
    const [ada, grace] = await three();
    const direct = await ada.startsDirect(grace);
    await grace.posts(direct.id, "Press here");
    const screen = await screens.of(ada, PHONE);
    const { page } = screen;
    await screen.opens("Grace");
    await screen.sees("Press here");
    const bubble = page.locator('.troupe-bubble:has-text("Press here")');
    await page.touchscreen.tap(60, 200);
    expect(await page.locator(".troupe-popup").count()).toBe(0);
    await longPresses(page, bubble);
    const items = page.locator(".troupe-popup [role=menuitem]");
    expect(await items.allTextContents()).toEqual(["Reply", "Open thread", "Copy", "Pin"]);
    expect(await axeFaults(page)).toEqual([]);
    await page.screenshot({ path: screens.shot("phone-press") });
    await items.first().tap();
    await page.waitForSelector("text=Replying to Grace");
    await longPresses(page, bubble);
    await page.getByRole("button", { name: "React with 🎉" }).tap();
    await page.waitForSelector('.troupe-reaction[aria-pressed="true"]');
  }, 90_000);

  it("[PAGE14] a large file goes on after a cut, and after a reload from where it was", async () => {
    const [ada, grace] = await three();
    await ada.startsDirect(grace);
    const screen = await screens.of(ada);
    const { page } = screen;
    await screen.opens("Grace");
    const folder = await mkdtemp(join(tmpdir(), "troupe-large-"));
    try {
      const file = join(folder, "concert.bin");
      const bytes = 2 * PART_BYTES + 1_000;
      await writeFile(file, Buffer.alloc(bytes, "concert "));
      const offsets: number[] = [];
      let isCut = true;
      await page.route("**/api/files/tus/*", async (route) => {
        if (route.request().method() !== "PATCH") return route.continue();
        const offset = Number(route.request().headers()["upload-offset"]);
        offsets.push(offset);
        // Each part is cut once; the second one until the page is loaded again.
        const isFirst = offsets.filter((one) => one === offset).length === 1;
        return isFirst || (isCut && offset > 0) ? route.abort() : route.continue();
      });
      const input = page.locator(".troupe-composer input[type=file]");
      await input.setInputFiles(file);
      await eventually("the second part is cut", () => offsets.at(-1) === PART_BYTES, SLOW_MS);
      await page.reload();
      await screen.isOnline();
      isCut = false;
      offsets.length = 0;
      await input.setInputFiles(file);
      await page.locator(".troupe-composer button[type=submit]:enabled").waitFor({
        timeout: SLOW_MS,
      });
      expect(Math.min(...offsets), "what the server has is not sent again").toBe(PART_BYTES);
      await page.press(WRITING, "Enter");
      const address = await page.locator(".troupe-attachments a").getAttribute("href");
      const sent = await fetch(new URL(address ?? "", troupe().url));
      expect((await sent.arrayBuffer()).byteLength).toBe(bytes);
      expect(await page.evaluate(() => Object.keys(localStorage))).not.toContainEqual(
        expect.stringContaining("troupe.upload."),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);

  it("[PAGE15] marks are shown as what they mean, and nothing is read as HTML", async () => {
    const [ada, grace] = await three();
    const direct = await ada.startsDirect(grace);
    const text = `**bold**, \`code\` <b>no</b> [here](https://example.com/x) [no](javascript:alert(1)) @${ada.user.username}`;
    await grace.posts(direct.id, text);
    await grace.posts(direct.id, "> said\n```\n1 < 2 && **not bold**\n```");
    const screen = await screens.of(ada);
    await screen.opens("Grace");
    const bodies = screen.page.locator(".troupe-conversation .troupe-body");
    await bodies.nth(1).waitFor();
    const html = await bodies.first().innerHTML();
    expect(html).toContain("<strong>bold</strong>");
    expect(html).toContain("&lt;b&gt;no&lt;/b&gt;");
    expect(html).toContain("[no](javascript:alert(1))");
    const links = bodies.first().locator("a");
    expect(await links.evaluateAll((all) => all.map((one) => one.getAttribute("href")))).toEqual([
      "https://example.com/x",
    ]);
    await bodies.first().locator(".troupe-mention[data-me]").waitFor();
    expect(await bodies.nth(1).locator(".troupe-code-block").textContent()).toBe(
      "1 < 2 && **not bold**",
    );
    expect(await bodies.nth(1).locator(".troupe-quoted").textContent()).toBe("said");
    await screen.page.screenshot({ path: screens.shot("marks") });
  }, 60_000);

  it("[PAGE16] settings hold: the look over a reload, the name for others", async () => {
    const [ada, grace] = await three();
    await ada.startsDirect(grace);
    const adas = await screens.of(ada);
    await adas.page.click(".me");
    await adas.page.getByRole("button", { name: "Dark" }).click();
    await adas.page.getByRole("button", { name: "Compact" }).click();
    await adas.page.getByLabel("Your name").fill("Ada L.");
    await adas.page.getByRole("button", { name: "Save" }).click();
    await adas.page.waitForSelector('.me-name:text-is("Ada L.")');
    await adas.page.getByRole("button", { name: "Invisible" }).click();
    await adas.page.keyboard.press("Escape");
    await adas.page.reload();
    await adas.isOnline();
    const ground = () => adas.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await ground()).toBe("rgb(23, 20, 24)");
    expect(await adas.page.getAttribute(".page", "data-density")).toBe("compact");
    const graces = await screens.of(grace, { ...DESKTOP, colorScheme: "dark" });
    await graces.page.waitForSelector('.troupe-row-title bdi:text-is("Ada L.")');
  }, 60_000);

  it("[PAGE17] a group is named, and people come and go, as one's role allows", async () => {
    const [ada, grace, linus] = await three();
    const group = await ada.startsGroup(grace);
    await ada.api.patch(`/api/conversations/${group.id}`, { title: "Rehearsal" });
    const adas = await screens.of(ada);
    const graces = await screens.of(grace);
    await adas.opens("Rehearsal");
    await graces.opens("Rehearsal");
    await adas.page.getByRole("button", { name: "Members", exact: true }).click();
    const panel = adas.page.locator(".troupe-panel");
    await panel.getByLabel("Add a member").fill("nobody.at.all");
    await panel.getByLabel("Add a member").press("Enter");
    await panel.getByText("Nobody is called nobody.at.all.").waitFor();
    await panel.getByLabel("Add a member").fill(linus.user.username);
    await panel.getByLabel("Add a member").press("Enter");
    await panel.locator(".troupe-member", { hasText: "Linus" }).waitFor();
    expect(await axeFaults(adas.page)).toEqual([]);
    await adas.page.screenshot({ path: screens.shot("group") });
    await panel.getByLabel("Group name").fill("First night");
    await panel.getByLabel("Group name").press("Enter");
    await graces.page.waitForSelector('.troupe-heading h2 bdi:text-is("First night")');
    const row = panel.locator(".troupe-member", { hasText: "Linus" });
    await row.getByRole("button", { name: "Options of Linus" }).click();
    await adas.page.getByRole("menuitem", { name: "Remove from the group" }).click();
    await row.waitFor({ state: "detached" });
    // A member removes nobody, and leaves.
    await graces.page.getByRole("button", { name: "Members", exact: true }).click();
    await graces.page.locator(".troupe-member", { hasText: "Ada" }).waitFor();
    expect(await graces.page.getByRole("button", { name: "Options of Ada" }).count()).toBe(0);
    await graces.page.getByRole("button", { name: "Leave group" }).click();
    await graces.page.getByRole("menuitem", { name: "Leave this group" }).click();
    await graces.page.waitForSelector("text=Pick a conversation");
  }, 90_000);
});
