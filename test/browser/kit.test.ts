/**
 * The kit, `troupe-client/ui`, in a real Chromium: the lines of the guide as they stand there, and
 * `<troupe-chat>` in a page without a build. With TROUPE_SHOTS pictures go there. Skipped, saying
 * so, where no Chromium is found (CHROMIUM_PATH).
 */
import { describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { HEAD, kitPagesForFile, sees, sends } from "../support/kit-pages.ts";
import { axeFaults } from "../support/looks.ts";
import { DESKTOP, PHONE, screensForFile } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

describe.skipIf(!hasChromiumFor("tests of the kit"))("the kit", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const kit = kitPagesForFile(troupe, screens);
  const { opens, scene } = kit;

  it("[KIT1] fifteen lines of the guide are a chat: two people talk, reply, edit and delete", async () => {
    const { ada, grace } = await scene();
    const adas = await opens(await kit.fifteenLines(ada));
    const graces = await opens(await kit.fifteenLines(grace));
    await adas.locator(".troupe-row", { hasText: "Grace" }).click();
    await graces
      .locator(".troupe-row", { hasText: "Ada:" })
      .or(graces.locator(".troupe-row", { hasText: "stage plan" }))
      .first()
      .click();
    await sees(adas, "Did the rehearsal room work out?");
    await sends(adas, "Hello from fifteen lines");
    await sees(graces, "Hello from fifteen lines");
    await adas.locator('.troupe-receipts[data-progress="read"]').last().waitFor();

    await graces.locator(".troupe-composer textarea").pressSequentially("Well");
    await adas.locator('.troupe-typing:text-is("Grace is typing…")').waitFor();
    const said = graces.locator(".troupe-message", { hasText: "Hello from fifteen" });
    await said.hover();
    await said.getByRole("button", { name: "Reply" }).click();
    await graces.press(".troupe-composer textarea", "Enter");
    await adas.locator('.troupe-quote:text-is("Hello from fifteen lines")').waitFor();

    await adas.press(".troupe-composer textarea", "ArrowUp");
    await adas.fill(".troupe-composer textarea", "Hello, edited");
    await adas.press(".troupe-composer textarea", "Enter");
    await sees(graces, "Hello, edited");
    const own = adas.locator(".troupe-message", { hasText: "Hello, edited" }).first();
    await own.hover();
    await own.getByRole("button", { name: "Delete" }).click();
    await adas.getByRole("menuitem", { name: "Delete for everyone" }).click();
    await sees(graces, "This message was deleted");
  }, 120_000);

  it("[KIT2] axe finds nothing, light and dark, on a desk and on a phone, right to left", async () => {
    const { ada } = await scene();
    const looks = [
      ["light", "", DESKTOP],
      ["dark", 'theme="dark"', DESKTOP],
      ["arabic", 'locale="ar" density="compact"', DESKTOP],
      ["phone", 'theme="light"', PHONE],
    ] as const;
    for (const [name, props, options] of looks) {
      const address = await kit.fifteenLines(ada, (lines) =>
        lines.replace("<Chat client", `<Chat ${props} client`),
      );
      const page = await opens(address, options);
      await page.locator(".troupe-row", { hasText: "Rehearsal" }).waitFor();
      if (name === "phone") await page.screenshot({ path: screens.shot("kit-phone-list") });
      await page.locator(".troupe-row", { hasText: "Grace" }).click();
      await sees(page, "Did the rehearsal room work out?");
      await page
        .locator('.troupe-heading:has-text("last seen")')
        .or(page.locator(".troupe-heading:has-text('offline')"))
        .first()
        .waitFor();
      expect(await axeFaults(page), name).toEqual([]);
      await page.screenshot({ path: screens.shot(`kit-${name}`) });
      const overflow = await page
        .locator(".troupe-list, .troupe-scroll")
        .evaluateAll((nodes) => nodes.map((node) => node.scrollWidth - node.clientWidth));
      expect(overflow, `${name}: nothing is wider than its place`).toEqual([0, 0]);
      const dir = await page
        .locator(".troupe")
        .evaluate((node) => getComputedStyle(node).direction);
      expect(dir).toBe(name === "arabic" ? "rtl" : "ltr");
    }
  }, 180_000);

  it("[KIT3] <troupe-chat> is the same in a page without a build", async () => {
    const { ada, grace, direct } = await scene();
    const element = `<troupe-chat server="${troupe().url}" token="${ada.token}"
      conversation-id="${direct.id}" list="off"></troupe-chat>`;
    const script = `<script type="module" src="${troupe().url}/sdk/troupe-chat.js"></script>`;
    const page = await opens(kit.serves("/element", `${HEAD}${script}<main>${element}</main>`));
    await sees(page, "Did the rehearsal room work out?");
    await sends(page, "From an element");
    await eventually("Grace has it", async () => {
      const answer = await grace.api.get<{ items: { body: string }[] }>(
        `/api/conversations/${direct.id}/messages`,
      );
      return answer.body.items.at(-1)?.body === "From an element";
    });
    expect(await page.locator(".troupe-list").count()).toBe(0);
    const shape = await page
      .locator(".troupe-bubble")
      .first()
      .evaluate((node) => {
        const { borderRadius, backgroundColor } = getComputedStyle(node);
        return [borderRadius !== "0px", backgroundColor !== "rgba(0, 0, 0, 0)"];
      });
    expect(shape, "the element is styled inside its shadow root").toEqual([true, true]);
    expect(await axeFaults(page)).toEqual([]);
    await page.screenshot({ path: screens.shot("kit-element") });
    // It ends with its place in the page.
    await page.evaluate(() => document.querySelector("troupe-chat")!.remove());
    expect(await page.locator(".troupe").count()).toBe(0);
  }, 90_000);

  it("[KIT4] a long conversation is virtual: it opens at its end, and older messages come as one scrolls", async () => {
    const { ada, grace, direct } = await scene();
    const count = 260;
    for (let n = 1; n <= count; n++) await grace.posts(direct.id, `Line ${n}`);
    const page = await opens(await kit.fifteenLines(ada));
    await page.locator(".troupe-row", { hasText: "Grace" }).click();
    await sees(page, `Line ${count}`);
    const shown = await page.locator(".troupe-message").count();
    expect(shown).toBeLessThan(60);
    await eventually(
      "the first line is reached",
      async () => {
        await page.locator(".troupe-scroll").evaluate((node) => node.scrollBy(0, -2_000));
        return page.locator('.troupe-body:text-is("Did the rehearsal room work out?")').isVisible();
      },
      60_000,
    );
    expect(await page.locator(".troupe-message").count()).toBeLessThan(60);
    await page.locator(".troupe-to-newest").click();
    await sees(page, `Line ${count}`);
  }, 180_000);
});
