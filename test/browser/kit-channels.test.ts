/** Channels in the kit, in a real Chromium: read by link, joined, left, and looked through. */
import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/protocol/schemas.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { kitPagesForFile, sees, sends } from "../support/kit-pages.ts";
import { axeFaults } from "../support/looks.ts";
import { expectStatus } from "../support/person.ts";
import { PHONE, SLOW_MS, screensForFile } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

describe.skipIf(!hasChromiumFor("tests of channels in the kit"))("channels in the kit", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const kit = kitPagesForFile(troupe, screens);

  it("[KIT20] a channel is read by its address, joined, watched while it is shown, and left", async () => {
    const { ada, grace, linus } = await kit.scene();
    const asked = {
      kind: "channel",
      title: "Stage News",
      audience: "anyone",
      settings: { join: "open" },
      permissions: { send: "member" },
    };
    const channel = expectStatus(
      await ada.api.post<Conversation>("/api/conversations", asked),
      201,
    );
    const path = `/api/conversations/${channel.id}`;
    expectStatus(await linus.api.post<unknown>(`${path}/join`), 200);
    await ada.posts(channel.id, "Curtain at eight");
    const asks: string[] = [];
    const page = await kit.of(grace, `conversationId="${channel.id}"`);
    page.on("request", (request) => asks.push(request.url()));
    await sees(page, "Curtain at eight");
    const row = page.locator(".troupe-row", { hasText: "Stage News" });
    expect(await row.count()).toBe(0);
    expect(await page.locator(".troupe-composer textarea").count()).toBe(0);
    await page.screenshot({ path: screens.shot("kit-channel-guest") });
    expect(await axeFaults(page)).toEqual([]);

    await page.getByRole("button", { name: "Join channel" }).click();
    await row.waitFor({ timeout: SLOW_MS });
    await sends(page, "Seven, I thought");
    await sees(page, "Seven, I thought");
    await page.locator(".troupe-heading", { hasText: "3 members, 1 is watching" }).waitFor({
      timeout: SLOW_MS,
    });

    // Somewhere else it is not watched any more, and what is new is counted.
    await page.locator(".troupe-row", { hasText: "Rehearsal" }).click();
    await sees(page, "Who has the key?");
    let calls = 0;
    await expect
      .poll(
        async () => {
          await linus.posts(channel.id, `Places, everybody ${++calls}`);
          return row.locator(".troupe-row-said").textContent();
        },
        { timeout: SLOW_MS, interval: 1_000 },
      )
      .toMatch(/unread message/);
    await page.screenshot({ path: screens.shot("kit-channel-passive") });
    await row.click();
    await sees(page, "Places, everybody 1");

    await page.getByRole("button", { name: "Members" }).click();
    const members = page.locator(".troupe-members");
    await members.getByText("Grace (You)").waitFor();
    expect(await members.locator("li").count()).toBe(1);
    expect(asks.filter((url) => url.includes("/members"))).toEqual([]);
    await page.getByRole("button", { name: "Leave channel" }).click();
    await page.getByRole("menuitem", { name: "Leave this channel" }).click();
    await row.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Join channel" }).waitFor();
  }, 120_000);

  it("[KIT21] moderators look through the members, a page at a time, and a shut channel says so", async () => {
    const { ada, grace, linus } = await kit.scene();
    const asked = { kind: "channel", title: "Stage News", member_ids: [linus.id] };
    const channel = expectStatus(
      await ada.api.post<Conversation>("/api/conversations", asked),
      201,
    );
    const page = await kit.of(ada, `conversationId="${channel.id}"`);
    await page.getByRole("button", { name: "Members" }).click();
    const members = page.locator(".troupe-members");
    await members.getByText("Linus").waitFor({ timeout: SLOW_MS });
    expect(await members.locator("li").count()).toBe(2);
    await page.getByLabel("Find a member by name").fill("lin");
    await expect.poll(() => members.locator("li").count()).toBe(1);
    await page.screenshot({ path: screens.shot("kit-channel-members") });
    expect(await axeFaults(page)).toEqual([]);

    const stranger = await kit.of(grace, `conversationId="${channel.id}"`, PHONE);
    await stranger.getByRole("button", { name: "Join channel" }).click({ timeout: SLOW_MS });
    await stranger.getByText("There is no such channel").waitFor();
    await stranger.screenshot({ path: screens.shot("kit-channel-shut") });
  }, 120_000);
});
