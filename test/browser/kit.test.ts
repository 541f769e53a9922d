/**
 * The kit, `troupe-client/ui`, in a real Chromium: the lines of the guide as they stand there, and
 * `<troupe-chat>` in a page without a build. With TROUPE_SHOTS pictures go there. Skipped, saying
 * so, where no Chromium is found (CHROMIUM_PATH).
 */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { Application } from "../support/client-package.ts";
import { eventually } from "../support/eventually.ts";
import { axeFaults } from "../support/looks.ts";
import type { Person } from "../support/person.ts";
import { DESKTOP, PHONE, SLOW_MS, screensForFile } from "../support/screen.ts";
import { ROOT } from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";

const GUIDE = join(ROOT, "src/web/docs/sdk.md");
const LINES_MAX = 15;
const HEAD = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width" />
<link rel="icon" href="data:," /><title>An application</title>
<style>html, body, main { height: 100%; margin: 0 } h1 { position: absolute; clip-path: inset(50%) }</style>
<header><h1>An application</h1></header>`;

describe.skipIf(!hasChromiumFor("tests of the kit"))("the kit", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  /** What the page's address may name: the guide's lines for one user, or an element. */
  const pages = new Map<string, { type: string; text: string }>();
  let application: Application;
  let host: Server | undefined;
  let origin: string;

  beforeAll(async () => {
    const needs = ["react", "react-dom", "socket.io-client", "virtua", "scheduler"];
    application = await Application.with(troupe().url, needs);
    host = createServer((request, response) => {
      const page = pages.get(request.url ?? "");
      response.statusCode = page === undefined ? 404 : 200;
      response.setHeader("content-type", page?.type ?? "text/plain");
      response.end(page?.text);
    }).listen(0, "127.0.0.1");
    await once(host, "listening");
    origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await application?.remove();
    if (host === undefined) return;
    host.closeAllConnections();
    host.close();
    await once(host, "close");
  });

  /** The lines of the guide, as they are there but for the server's address and the user. */
  async function linesOfGuide(): Promise<string> {
    const guide = await readFile(GUIDE, "utf8");
    const lines = [...guide.matchAll(/```jsx[^\n]*\n([\s\S]*?)```/g)]
      .map(([, text]) => text!)
      .find((text) => text.includes("<Chat "))!;
    expect(lines.trim().split("\n").length).toBeLessThanOrEqual(LINES_MAX);
    return lines;
  }

  /** `change` is made to the lines first. */
  async function application15(
    person: Person,
    change: (lines: string) => string = (lines) => lines,
  ): Promise<string> {
    const lines = change(await linesOfGuide())
      .replace("http://localhost:3000", troupe().url)
      .replace('"ada"', JSON.stringify(person.user.username));
    const entry = join(application.folder, `${person.user.username}.jsx`);
    await writeFile(entry, lines);
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: "esm",
      jsx: "automatic",
      target: "es2022",
      define: { "process.env.NODE_ENV": '"production"' },
    });
    const name = `/${person.user.username}`;
    pages.set(`${name}.js`, { type: "text/javascript", text: outputFiles[0]!.text });
    const text = `${HEAD}<main></main><script type="module" src="${name}.js"></script>`;
    pages.set(name, { type: "text/html", text });
    return origin + name;
  }

  async function opens(address: string, options: BrowserContextOptions = DESKTOP): Promise<Page> {
    const { page } = await screens.open("about:blank", options);
    await page.goto(address);
    return page;
  }

  const sees = (page: Page, text: string) =>
    page.locator(`.troupe-body:text-is("${text}")`).waitFor({ timeout: SLOW_MS });
  const sends = async (page: Page, text: string) => {
    await page.fill(".troupe-composer textarea", text);
    await page.press(".troupe-composer textarea", "Enter");
  };

  async function scene() {
    const [ada, grace, linus] = (await troupe().users("Ada", "Grace", "Linus")) as [
      Person,
      Person,
      Person,
    ];
    const direct = await ada.startsDirect(grace);
    const group = await linus.startsGroup(ada, grace);
    await linus.api.patch(`/api/conversations/${group.id}`, { title: "Rehearsal" });
    await linus.posts(group.id, "Who has the key?");
    const lines: [Person, string][] = [
      [grace, "Did the rehearsal room work out?"],
      [ada, "It did. Seven o'clock, second floor."],
      [ada, "The plan: https://example.com/stage."],
      [grace, "Then I bring the stage plan, and the lamp that nobody else wants to carry."],
    ];
    for (const [who, line] of lines) await who.posts(direct.id, line);
    return { ada, grace, linus, direct, group };
  }

  it("[KIT1] fifteen lines of the guide are a chat: two people talk, reply, edit and delete", async () => {
    const { ada, grace } = await scene();
    const adas = await opens(await application15(ada));
    const graces = await opens(await application15(grace));
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
      const address = await application15(ada, (lines) =>
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
    pages.set("/element", { type: "text/html", text: `${HEAD}${script}<main>${element}</main>` });
    const page = await opens(`${origin}/element`);
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
    const page = await opens(await application15(ada));
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
