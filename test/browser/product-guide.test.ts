/**
 * The page of the guide "Chat in your product", as it stands there, behind its own back ends in a
 * real Chromium: Flask, and with TROUPE_TEST_NEXT=1 Next, which is installed from a registry.
 * Skipped, saying so, where no Chromium or no Flask is found.
 */
import { join } from "node:path";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterEach, describe, expect, it } from "vitest";
import type { Conversation, User } from "../../src/protocol/schemas.ts";
import { hasChromiumFor } from "../support/chromium.ts";
import { Application } from "../support/client-package.ts";
import { startTroupe } from "../support/cluster.ts";
import { Issuer, issuerKey } from "../support/issuer.ts";
import { HEAD, sees, sends } from "../support/kit-pages.ts";
import { forTroupe, GuideProgram, mayAskRegistry, snippetWith } from "../support/product-guide.ts";
import { pythonWith } from "../support/python.ts";
import { DESKTOP, SLOW_MS, screensForFile } from "../support/screen.ts";
import { Service } from "../support/service.ts";
import { troupeForFile } from "../support/suite.ts";

const python = pythonWith(["flask", "requests"], "the guide's Flask back end");
const LINES_MAX = 15;

describe.skipIf(!hasChromiumFor("tests of the guide's page"))("the guide's page", () => {
  const troupe = troupeForFile();
  const screens = screensForFile();
  const programs: GuideProgram[] = [];
  afterEach(async () => {
    for (const program of programs.splice(0)) await program.ends();
  });

  /** Opens the page with this session in its cookie. */
  async function opens(address: string, session: string): Promise<Page> {
    const { page } = await screens.open("about:blank", DESKTOP);
    await page.context().addCookies([{ name: "session", value: session, url: address }]);
    await page.goto(address);
    return page;
  }

  async function twoTalkAt(program: GuideProgram, path: string, title: string): Promise<void> {
    const [ann, bo] = [
      await opens(program.url + path, "s17"),
      await opens(program.url + path, "s18"),
    ];
    for (const page of [ann, bo]) {
      await page.locator(".troupe-row", { hasText: title }).click({ timeout: SLOW_MS });
    }

    await sends(ann, "When will it be here?");
    await sees(bo, "When will it be here?");
    await sends(bo, "On Friday");
    await sees(ann, "On Friday");
  }

  it.skipIf(python === null)(
    "[GDE14] its lines are a chat of the product's own users, with the system message of their order",
    async () => {
      const lines = snippetWith("jsx", "react-dom/client");
      expect(lines.trim().split("\n").length).toBeLessThanOrEqual(LINES_MAX);
      const needs = ["react", "react-dom", "socket.io-client", "virtua", "scheduler"];
      const application = await Application.with(troupe().url, needs);
      let bundle: Buffer;
      try {
        await application.has({ "main.jsx": forTroupe(lines, troupe().url) });
        const { outputFiles } = await build({
          entryPoints: [join(application.folder, "main.jsx")],
          bundle: true,
          write: false,
          format: "esm",
          jsx: "automatic",
          target: "es2022",
          define: { "process.env.NODE_ENV": '"production"' },
        });
        bundle = Buffer.from(outputFiles[0]!.contents);
      } finally {
        await application.remove();
      }
      const flask = await GuideProgram.with({
        "shop.py": snippetWith("python", "from flask"),
        "dist/index.html": `${HEAD}<main></main><script type="module" src="/main.js"></script>`,
        "dist/main.js": bundle,
      });
      programs.push(flask);
      const args = (port: string) => ["-m", "flask", "--app", "shop", "run", "--port", port];
      await flask.starts(troupe().url, python!, args);
      await flask.listens();
      expect((await flask.as("s17", "POST", "/orders/5/shipped")).status).toBe(201);
      await twoTalkAt(flask, "/index.html", "Order 5");
      const page = await opens(`${flask.url}/index.html`, "s17");
      await page.locator(".troupe-row", { hasText: "Order 5" }).click({ timeout: SLOW_MS });
      await page.getByText("Your order is on its way.").first().waitFor();
    },
    120_000,
  );

  it("[GDE16] the page at / offers no sign-in where an outside issuer has the accounts", async () => {
    const issuer = await Issuer.publishing(await issuerKey("one"));
    const trusting = await startTroupe({ env: issuer.env });
    try {
      const { page } = await screens.open(trusting.url, DESKTOP);
      await page.getByRole("heading", { name: "Sign in where your account is" }).waitFor();
      expect(await page.locator("input, button").count()).toBe(0);
    } finally {
      await trusting.stop();
      await issuer.goesAway();
    }
  });

  it.skipIf(!mayAskRegistry)(
    "[GDE15] in Next the route gives tokens and the page talks",
    async () => {
      const next = await GuideProgram.with({
        "package.json": '{ "name": "shop", "private": true }',
        "app/layout.jsx": `export default function Layout({ children }) {
  return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;
}`,
        "app/chat/token/route.js": snippetWith("js", "next/headers"),
        "app/chat/page.jsx": forTroupe(snippetWith("jsx", '"use client"'), troupe().url),
      });
      programs.push(next);
      const client = `${troupe().url}/sdk/troupe-client.tgz`;
      await next.installs("next", "react", "react-dom", client);
      const bin = join(next.folder, "node_modules/next/dist/bin/next");
      await next.runs(process.execPath, bin, "build");
      await next.starts(troupe().url, process.execPath, (port) => [bin, "start", "-p", port]);
      await next.listens();
      expect((await next.as(null, "GET", "/chat/token")).status).toBe(401);
      for (const session of ["s17", "s18"]) {
        expect((await next.as(session, "GET", "/chat/token")).status).toBe(200);
      }
      const { api } = await Service.of(troupe(), "users", "act");
      const member_ids = [];
      for (const id of ["17", "18"]) {
        member_ids.push((await api.get<User>(`/api/users/external:${id}`)).body.id);
      }
      const order = { kind: "group", title: "Order 6", member_ids };
      const made = await api.put<Conversation>("/api/conversations/external/order:next", order);
      expect(made.status).toBe(201);
      await twoTalkAt(next, "/chat", "Order 6");
    },
    900_000,
  );
});
