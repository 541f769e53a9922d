/**
 * The parts of the kit, `troupe-client/ui`, that hang on messages and stand beside a conversation:
 * two people before two pages, each waiting for what the other did. With TROUPE_SHOTS pictures go
 * there. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 */
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { kitPagesForFile, sees } from "../support/kit-pages.ts";
import { axeFaults } from "../support/looks.ts";
import type { Person } from "../support/person.ts";
import { DESKTOP, longPresses, PHONE, SLOW_MS, screensForFile } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

/** A blue picture of 240 by 160 pixels. */
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAPAAAACgAQMAAAAIFXMmAAAABlBMVEU6bqX///9cj5sNAAAAHElEQVR42u3BMQEAAADCoPVPbQdvoAAAAACA1wATYAAB+o0sSQAAAABJRU5ErkJggg==",
  "base64",
);

const row = (page: Page, title: string) => page.locator(".troupe-row-place", { hasText: title });
const message = (page: Page, text: string) =>
  page.locator(".troupe-conversation .troupe-message", { hasText: text }).first();
const field = (page: Page, place = ".troupe-conversation") =>
  page.locator(`${place} .troupe-composer textarea`);

async function does(page: Page, text: string, action: string): Promise<void> {
  const of = message(page, text);
  if (await page.evaluate(() => matchMedia("(hover: none)").matches)) {
    await longPresses(page, of.locator(".troupe-bubble"));
    if (action !== "React") await page.getByRole("menuitem", { name: action, exact: true }).click();
    return;
  }
  await of.hover();
  await of.locator(".troupe-actions").getByRole("button", { name: action, exact: true }).click();
}

/** Drops or pastes a file, as the browser tells of it. */
async function hands(page: Page, on: string, event: "drop" | "paste", name: string): Promise<void> {
  await page.locator(on).evaluate(
    (node, [kind, file]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File(["the bytes"], file, { type: "text/plain" }));
      node.dispatchEvent(
        kind === "drop"
          ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
          : new ClipboardEvent("paste", {
              clipboardData: transfer,
              bubbles: true,
              cancelable: true,
            }),
      );
    },
    [event, name] as const,
  );
}

describe.skipIf(!hasChromiumFor("tests of the kit's parts"))("the kit's parts", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const kit = kitPagesForFile(troupe, screens);

  const two = async (ada: Person, grace: Person, title: string) => {
    const adas = await kit.of(ada);
    const graces = await kit.of(grace);
    for (const page of [adas, graces]) await row(page, title).locator(".troupe-row").click();
    await sees(adas, "Who has the key?");
    await sees(graces, "Who has the key?");
    return [adas, graces] as const;
  };

  it("[KIT5] one reacts, and the other joins in and takes it back", async () => {
    const { ada, grace } = await kit.scene();
    const [adas, graces] = await two(ada, grace, "Rehearsal");
    await does(adas, "Who has the key?", "React");
    await adas.getByRole("button", { name: "React with 👀" }).click();
    await adas.locator('.troupe-reaction[aria-pressed="true"]').waitFor();
    const chip = graces.getByRole("button", { name: "👀 1", exact: true });
    await chip.waitFor();
    expect(await chip.getAttribute("aria-pressed")).toBe("false");
    await chip.click();
    await adas.getByRole("button", { name: "👀 2", exact: true }).click();
    await graces.locator('.troupe-reaction[aria-pressed="true"][aria-label="👀 1"]').click();
    await adas.locator(".troupe-reactions").waitFor({ state: "detached" });
    // The picker closes with Escape and gives the focus back.
    await does(adas, "Who has the key?", "React");
    await adas.keyboard.press("Escape");
    expect(await adas.locator(".troupe-popup").count()).toBe(0);
    expect(await adas.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe(
      "React",
    );
  }, 90_000);

  it("[KIT6] a thread: replies, following, what is unread in it", async () => {
    const { ada, grace } = await kit.scene();
    const [adas, graces] = await two(ada, grace, "Rehearsal");
    await does(adas, "Who has the key?", "Open thread");
    await field(adas, ".troupe-thread").fill("I do");
    await field(adas, ".troupe-thread").press("Enter");
    await adas.locator('.troupe-thread .troupe-follow[aria-pressed="true"]').waitFor();
    const link = graces.locator(".troupe-conversation .troupe-thread-link");
    await link.getByText("1 reply").waitFor();
    await link.click();
    await graces.locator('.troupe-thread .troupe-body:text-is("I do")').waitFor();
    // A member who only reads does not follow.
    const follow = graces.locator(".troupe-thread .troupe-follow");
    expect(await follow.getAttribute("aria-pressed")).toBe("false");
    await follow.click();
    await graces.locator('.troupe-follow[aria-pressed="true"]').waitFor();
    await graces.keyboard.press("Escape");
    await graces.locator(".troupe-thread").waitFor({ state: "detached" });
    await field(adas, ".troupe-thread").fill("Come at seven");
    await field(adas, ".troupe-thread").press("Enter");
    await link.locator(".troupe-badge", { hasText: "1 unread message" }).waitFor();
    await link.getByText("2 replies").waitFor({ timeout: SLOW_MS });
    await link.click();
    await graces.locator('.troupe-thread .troupe-body:text-is("Come at seven")').waitFor();
    await link.locator(".troupe-badge").waitFor({ state: "detached" });
    await graces.locator(".troupe-follow").click();
    await graces.locator('.troupe-follow[aria-pressed="false"]').waitFor();
    // Neither list shows the thread as a conversation.
    expect(await adas.locator(".troupe-row").count()).toBe(2);
  }, 90_000);

  it("[KIT7] a pin shows on both sides, leads back to its message, and goes", async () => {
    const { ada, grace, group } = await kit.scene();
    for (let n = 1; n <= 120; n++) await ada.posts(group.id, `Line ${n}`);
    const adas = await kit.of(ada);
    const graces = await kit.of(grace);
    for (const page of [adas, graces]) await row(page, "Rehearsal").locator(".troupe-row").click();
    await sees(adas, "Line 120");
    await graces.getByRole("button", { name: "Pinned messages" }).click();
    await graces.getByText("Nothing is pinned here.").waitFor();
    await ada.api.put(`/api/conversations/${group.id}/pins/1`);
    await does(adas, "Line 120", "Pin");
    await message(adas, "Line 120").locator(".troupe-pin-mark").waitFor();
    const pins = graces.locator(".troupe-pinned .troupe-body");
    await graces.locator(".troupe-pinned", { hasText: "Line 120" }).waitFor();
    expect(await pins.allTextContents()).toEqual(["Line 120", "Who has the key?"]);
    await graces
      .locator(".troupe-pinned", { hasText: "Who has the key?" })
      .getByRole("button", { name: "Show in conversation" })
      .click();
    await message(graces, "Who has the key?").waitFor({ timeout: SLOW_MS });
    await does(adas, "Line 120", "Unpin");
    await graces.locator(".troupe-pinned", { hasText: "Line 120" }).waitFor({ state: "detached" });
  }, 120_000);

  it("[KIT8] files are chosen, dropped and pasted; the other sees pictures and files", async () => {
    const { ada, grace } = await kit.scene();
    const [adas, graces] = await two(ada, grace, "Rehearsal");
    const folder = await mkdtemp(join(tmpdir(), "troupe-kit-"));
    try {
      await writeFile(join(folder, "stage.png"), PNG);
      await writeFile(join(folder, "long.bin"), "");
      // More than FILE_BYTES_MAX, and nothing on the disk.
      await truncate(join(folder, "long.bin"), 100 * 1024 * 1024 + 1);
      const input = adas.locator(".troupe-composer input[type=file]");
      await input.setInputFiles([join(folder, "stage.png"), join(folder, "long.bin")]);
      const uploads = adas.locator(".troupe-uploads .troupe-file");
      await uploads.filter({ hasText: "too large" }).waitFor();
      expect(await adas.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
      await adas.getByRole("button", { name: "Remove long.bin" }).click();
      await hands(adas, ".troupe-conversation", "drop", "plan.txt");
      await hands(adas, ".troupe-composer textarea", "paste", "notes.txt");
      await uploads.nth(2).waitFor();
      await adas.locator(".troupe-composer button[type=submit]:enabled").waitFor();
      expect(await axeFaults(adas)).toEqual([]);
      await field(adas).press("Enter");
      await uploads.first().waitFor({ state: "detached" });
      const shown = graces.locator(".troupe-attachments");
      await shown.locator("img[alt='stage.png']").waitFor();
      const width = await shown
        .locator("img")
        .evaluate((node) =>
          (node as HTMLImageElement).decode().then(() => (node as HTMLImageElement).naturalWidth),
        );
      expect(width).toBe(240);
      expect(await shown.locator(".troupe-file-name").allTextContents()).toEqual([
        "plan.txt",
        "notes.txt",
      ]);
      const address = await shown.locator("a.troupe-file").first().getAttribute("href");
      expect(await (await fetch(address!)).text()).toBe("the bytes");
      await row(graces, "Rehearsal").getByText("Ada: 3 files").waitFor();
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 90_000);

  it("[KIT9] names are completed, and mentions are marked for who is meant", async () => {
    const { ada, grace } = await kit.scene();
    const [adas, graces] = await two(ada, grace, "Rehearsal");
    const { username } = grace.user;
    await field(adas).pressSequentially(`Ask @${username.slice(0, -1)}`);
    const option = adas.getByRole("option", { name: `Grace @${username}` });
    await option.waitFor();
    const active = await field(adas).getAttribute("aria-activedescendant");
    expect(await option.getAttribute("id")).toBe(active);
    expect(await axeFaults(adas)).toEqual([]);
    await field(adas).press("Enter");
    expect(await field(adas).inputValue()).toBe(`Ask @${username} `);
    await field(adas).press("Enter");
    await graces.locator(`.troupe-mention[data-me]:text-is("@${username}")`).waitFor();
    await adas.locator(`.troupe-mention:not([data-me]):text-is("@${username}")`).waitFor();
    // Escape closes the list and keeps the text.
    await field(adas).pressSequentially("@");
    await adas.getByRole("listbox").waitFor();
    await field(adas).press("Escape");
    expect(await adas.getByRole("listbox").count()).toBe(0);
    expect(await field(adas).inputValue()).toBe("@");
  }, 90_000);

  it("[KIT10] the list pins, mutes, archives and marks unread; filters say what is shown", async () => {
    const { ada, grace, linus, group } = await kit.scene();
    const adas = await kit.of(ada);
    /** Another device of the same person. */
    const other = await kit.of(ada);
    await row(adas, "Grace").waitFor();
    const chooses = async (title: string, item: string) => {
      await row(adas, title).hover();
      await row(adas, title)
        .getByRole("button", { name: `Options of ${title}` })
        .click();
      await adas.getByRole("menuitem", { name: item, exact: true }).click();
    };
    const titles = (page: Page) => page.locator(".troupe-row-title").allTextContents();
    expect(await titles(adas)).toEqual(["Grace", "Rehearsal"]);
    await chooses("Rehearsal", "Pin");
    await row(other, "Rehearsal").getByRole("img", { name: "pinned" }).waitFor();
    expect(await titles(other)).toEqual(["Rehearsal", "Grace"]);
    await chooses("Rehearsal", "Mute");
    await row(other, "Rehearsal").getByRole("img", { name: "muted" }).waitFor();

    await row(adas, "Grace").locator(".troupe-row").click();
    await sees(adas, "Did the rehearsal room work out?");
    await row(adas, "Grace").locator(".troupe-badge").waitFor({ state: "detached" });
    await row(adas, "Rehearsal").locator(".troupe-row").click();
    await chooses("Grace", "Mark as unread");
    await row(other, "Grace").locator(".troupe-badge", { hasText: "1 unread" }).waitFor();
    await other.getByRole("button", { name: "Unread", exact: true }).click();
    await row(other, "Rehearsal").waitFor({ state: "detached" });
    expect(await titles(other)).toEqual(["Grace"]);

    await chooses("Grace", "Archive");
    await row(adas, "Grace").waitFor({ state: "detached" });
    await adas.getByRole("button", { name: "Archived", exact: true }).click();
    await row(adas, "Grace").waitFor();
    expect(await axeFaults(adas)).toEqual([]);
    // A new message takes it out of the archive.
    await adas.getByRole("button", { name: "All", exact: true }).click();
    const [direct] = (
      await grace.api.get<{ items: { id: string; kind: string }[] }>("/api/conversations")
    ).body.items.filter(({ kind }) => kind === "direct");
    await grace.posts(direct!.id, "Are you there?");
    await row(adas, "Grace").getByText("Are you there?").waitFor();

    await linus.api.patch(`/api/conversations/${group.id}/members/${grace.id}`, {
      role: "moderator",
    });
    await row(adas, "Rehearsal").locator(".troupe-row").click();
    await adas.getByRole("button", { name: "Members" }).click();
    const members = adas.locator(".troupe-member");
    await members.filter({ hasText: "moderator" }).waitFor();
    expect(await members.locator(".troupe-row-title").allTextContents()).toEqual([
      "Linus",
      "Grace",
      "Ada (You)",
    ]);
    expect(await members.locator(".troupe-role").allTextContents()).toEqual(["owner", "moderator"]);
  }, 120_000);

  it("[KIT11] axe finds nothing in threads, pins, members and pickers, in every look", async () => {
    const { ada, grace, group } = await kit.scene();
    const file = await grace.uploads(PNG, "stage.png");
    const shown = await grace.posts(group.id, "The stage, as it is now", [file]);
    const path = `/api/conversations/${group.id}/messages/${shown.seq}`;
    for (const person of [ada, grace]) {
      await person.api.put(`${path}/reactions/${encodeURIComponent("🎉")}`);
    }
    await ada.api.put(`/api/conversations/${group.id}/pins/${shown.seq}`);
    const thread = await ada.api.post<{ id: string }>(`${path}/thread`);
    await ada.posts(thread.body.id, "The lamp is missing");
    const looks = [
      ["light", 'theme="light"', DESKTOP],
      ["dark", 'theme="dark"', DESKTOP],
      ["arabic", 'locale="ar" theme="light"', DESKTOP],
      ["phone", 'theme="light"', PHONE],
      ["phone-dark", 'theme="dark" locale="he"', PHONE],
    ] as const;
    for (const [name, props, options] of looks) {
      const page = await kit.of(ada, props, options);
      const holds = async (view: string) => {
        expect(await axeFaults(page), `${name}: ${view}`).toEqual([]);
        await page.screenshot({ path: screens.shot(`kit-${name}-${view}`) });
      };
      await row(page, "Rehearsal").locator(".troupe-row").click();
      await page.locator(".troupe-attachments img").waitFor();
      await page.locator(".troupe-thread-link").waitFor();
      await does(page, "The stage, as it is now", "React");
      await page.locator(".troupe-picker").waitFor();
      await holds("picker");
      await page.keyboard.press("Escape");
      await page.locator(".troupe-conversation .troupe-thread-link").click();
      await page.locator('.troupe-thread .troupe-body:text-is("The lamp is missing")').waitFor();
      await holds("thread");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Pinned messages" }).click();
      await page.locator(".troupe-pinned img").waitFor();
      await holds("pins");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Members" }).click();
      await page.locator(".troupe-member", { hasText: "owner" }).waitFor();
      await holds("members");
      await page.keyboard.press("Escape");
      if (options === PHONE) await page.getByRole("button", { name: "Back to" }).click();
      await row(page, "Rehearsal").hover();
      await page.getByRole("button", { name: "Options of Rehearsal" }).click();
      await page.getByRole("menuitem", { name: "Mute" }).waitFor();
      await holds("menu");
    }
  }, 240_000);
});
