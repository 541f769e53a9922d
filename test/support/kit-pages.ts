/**
 * Pages of the kit, `troupe-client/ui`, as an application has them: installed from a running Troupe,
 * bundled, and served by a host of their own.
 */
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { Application } from "./client-package.ts";
import type { Troupe } from "./cluster.ts";
import type { Person } from "./person.ts";
import { DESKTOP, type Screens, SLOW_MS } from "./screen.ts";
import { ROOT } from "./snippets.ts";

const GUIDE = join(ROOT, "src/web/docs/sdk.md");
const LINES_MAX = 15;
export const HEAD = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width" />
<link rel="icon" href="data:," /><title>An application</title>
<style>html, body, main { height: 100%; margin: 0 } h1 { position: absolute; clip-path: inset(50%) }</style>
<header><h1>An application</h1></header>`;

export type KitPages = ReturnType<typeof kitPagesForFile>;

export const sees = (page: Page, text: string) =>
  page.locator(`.troupe-body:text-is("${text}")`).waitFor({ timeout: SLOW_MS });

export async function sends(page: Page, text: string): Promise<void> {
  await page.fill(".troupe-composer textarea", text);
  await page.press(".troupe-composer textarea", "Enter");
}

/** The host lives as long as the tests of one `describe`. */
export function kitPagesForFile(troupe: () => Troupe, screens: Screens) {
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
  async function fifteenLines(
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

  return {
    fifteenLines,
    opens,
    scene,
    /** Serves a page of its own. */
    serves(path: string, html: string): string {
      pages.set(path, { type: "text/html", text: html });
      return origin + path;
    },
    /** The kit's chat of a person in an own page. */
    async of(person: Person, props = "", options: BrowserContextOptions = DESKTOP): Promise<Page> {
      const address = await fifteenLines(person, (lines) =>
        lines.replace("<Chat client", `<Chat ${props} client`),
      );
      return opens(address, options);
    },
  };
}
