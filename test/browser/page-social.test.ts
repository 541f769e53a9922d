/**
 * The social half of the page at `/`, driven in a real Chromium: what one does is waited for on
 * the other's screen, live. Skipped, saying so, where no Chromium is found (CHROMIUM_PATH).
 * Screenshots stay in a scratch directory that is printed.
 */
import type { BrowserContextOptions } from "playwright-core";
import { describe, expect, it } from "vitest";
import type { Post } from "../../src/protocol/social.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { eventually } from "../support/eventually.ts";
import { expectStatus, type Person } from "../support/person.ts";
import { DESKTOP, PHONE, SLOW_MS, screensForFile } from "../support/screen.ts";
import { troupeForFile } from "../support/suite.ts";

async function publishes(person: Person, body: string): Promise<Post> {
  return expectStatus(await person.api.post<Post>("/api/posts", { body }), 201);
}

async function does(person: Person, path: string, body?: object): Promise<void> {
  const answer = await person.api.post(path, body);
  if (answer.status >= 300) throw new Error(`${path} was answered ${answer.text}`);
}

describe.skipIf(!hasChromiumFor("social page tests"))("the page's social half", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const screenOf = screens.of;

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
    expect(await graces.page.locator(".troupe-notice[data-fresh]").count()).toBe(2);
    await graces.page.screenshot({ path: screens.shot("bell") });
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
    await graces.page.click('.troupe-notice:has-text("Ada commented on your post")');
    await graces.page.waitForSelector(".post-pane .comment");
    await graces.page.fill("#write-comment", "True.");
    await graces.page.press("#write-comment", "Enter");
    await eventually("the answer is there", async () => (await adas.comments())[1] === "True.");
    await adas.page.screenshot({ path: screens.shot("post") });

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
    await graces.page.waitForSelector(".notice-line .troupe-banner");
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
    await adas.page.screenshot({ path: screens.shot("person") });
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
    await graces.shown('.post:has-text("www")').waitFor();
    await adas.page.tap('[aria-label="Look for new posts"]');
    await adas.shown('.post:has-text("www")').waitFor();
    expect(await adas.page.locator(".side").isVisible()).toBe(false);
    const bar = await adas.page.locator(".rail").boundingBox();
    expect(bar && bar.y + bar.height).toBe(PHONE.viewport.height);
    await adas.page.screenshot({ path: screens.shot("phone-dark-feed") });
    await adas.page.tap(".bell");
    await adas.page.waitForSelector("text=Nothing yet");
    await adas.page.tap('.rail a:has-text("Talks")');
    await adas.page.waitForSelector(".side");
    await adas.opensFeed();
    await adas.opensPost(post.id);
    expect(await adas.page.locator(".rail").isVisible()).toBe(false);
    const widthPx = await adas.page.evaluate(() => document.documentElement.scrollWidth);
    expect(widthPx).toBeLessThanOrEqual(PHONE.viewport.width);
    await adas.page.screenshot({ path: screens.shot("phone-dark-post") });
  });
});
