/**
 * `troupe-client` as a running Troupe hands it out, in a browser: in an application of Vite, in
 * development and built, and as `/sdk/troupe.js` in a page without a build. Next, from a registry,
 * with TROUPE_TEST_NEXT=1: its installation alone takes minutes. Skipped, saying so, where no
 * Chromium is found (CHROMIUM_PATH).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hasChromiumFor } from "../support/chromium.ts";
import { Application } from "../support/client-package.ts";
import type { Person } from "../support/person.ts";
import { freePort } from "../support/ports.ts";
import { SLOW_MS, screensForFile } from "../support/screen.ts";
import { ROOT } from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";

const HTML = `<!doctype html><html lang="en"><link rel="icon" href="data:," />
<title>An application</title><main></main>`;

/** A talk of two, on the hooks. Its address says for whom: `#url=…&token=…&talk=…`. */
const REACT_APP = `
import { useState, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "troupe-client";
import { TroupeProvider, useConversation, useTroupe } from "troupe-client/react";

const given = new URLSearchParams(location.hash.slice(1));
const client = connect({ url: given.get("url"), token: given.get("token") });

function Talk({ id }) {
  const client = useTroupe();
  const talk = useConversation(id);
  const [text, setText] = useState("");
  const send = (event) => {
    event.preventDefault();
    client.send(id, text);
    setText("");
  };
  return (
    <form onSubmit={send}>
      {talk?.messages.map((one) => <p key={one.id}>{one.body}</p>)}
      <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
    </form>
  );
}
createRoot(document.querySelector("main")).render(
  <StrictMode>
    <TroupeProvider client={client}>
      <Talk id={given.get("talk")} />
    </TroupeProvider>
  </StrictMode>,
);
`;

/** The same without a build, from another origin. */
const PLAIN_PAGE = (url: string) => `${HTML}
<form><div></div><input aria-label="Message" /></form>
<script type="module">
  import { connect } from "${url}/sdk/troupe.js";
  const given = new URLSearchParams(location.hash.slice(1));
  const client = connect({ url: given.get("url"), token: given.get("token") });
  const id = given.get("talk");
  const talk = client.conversation(id);
  client.open(id);
  talk.subscribe(() => {
    const rows = (talk.get()?.messages ?? []).map(({ body }) => {
      const row = document.createElement("p");
      row.textContent = body;
      return row;
    });
    document.querySelector("div").replaceChildren(...rows);
  });
  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    client.send(id, document.querySelector("input").value);
    document.querySelector("input").value = "";
  });
</script>`;

/** An application of Next: a component of its server, which asks over HTTP, and one of the browser. */
const NEXT_FILES = (url: string) => ({
  "package.json": '{ "name": "application", "private": true }',
  "app/layout.jsx": `export default function Layout({ children }) {
    return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;
  }`,
  "app/page.jsx": `import { createCaller, TroupeError } from "troupe-client";
import { Talk } from "./talk";
export const dynamic = "force-dynamic";
export default async function Page() {
  const refusal = await createCaller({ url: ${JSON.stringify(url)} })("GET /api/me").catch((error) => error);
  return <main><h1>{refusal instanceof TroupeError ? refusal.code : "?"}</h1><Talk /></main>;
}`,
  "app/talk.jsx": `"use client";
import { useEffect, useState } from "react";
import { connect } from "troupe-client";
import { TroupeProvider, useConversation, useTroupe } from "troupe-client/react";
${REACT_APP.slice(REACT_APP.indexOf("function Talk"), REACT_APP.lastIndexOf("createRoot(")).replace("function Talk", "function Shown")}
export function Talk() {
  const [set, begin] = useState(null);
  useEffect(() => {
    const given = new URLSearchParams(location.hash.slice(1));
    const client = connect({ url: given.get("url"), token: given.get("token") });
    begin({ client, id: given.get("talk") });
    return () => client.close();
  }, []);
  return set && <TroupeProvider client={set.client}><Shown id={set.id} /></TroupeProvider>;
}`,
});

const VITE = join(ROOT, "node_modules/vite/bin/vite.js");

describe.skipIf(!hasChromiumFor("tests of the client's package"))("troupe-client in a page", () => {
  const troupe = troupeForFile({ shared: true });
  const screens = screensForFile();
  const children: ChildProcess[] = [];
  const servers: Server[] = [];
  let application: Application;

  beforeAll(async () => {
    application = await Application.with(troupe().url, ["react", "react-dom", "socket.io-client"]);
    await application.has({
      "package.json": '{ "name": "application", "private": true, "type": "module" }',
      "index.html": `${HTML}<script type="module" src="/main.jsx"></script>`,
      "main.jsx": REACT_APP,
      "vite.config.js": "export default { oxc: { jsx: { runtime: 'automatic' } } };",
    });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const gone = once(child, "exit");
      child.kill();
      await gone;
    }
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  });
  afterAll(() => application?.remove());

  /** Ada before `origin`, Ben before another window of it: they see what each other writes. */
  async function twoTalkAt(origin: string): Promise<void> {
    const [ada, ben] = (await troupe().users("ada", "ben")) as [Person, Person];
    const { id } = await ada.startsDirect(ben);
    const pages = [];
    for (const person of [ada, ben]) {
      const about = new URLSearchParams({ url: troupe().url, token: person.token, talk: id });
      const { page } = await screens.open("about:blank");
      await page.goto(`${origin}/#${about}`);
      pages.push(page);
    }
    const [adas, bens] = pages as [(typeof pages)[0], (typeof pages)[0]];
    const hears = async (from: typeof adas, to: typeof adas, text: string) => {
      await from.fill("input", text);
      await from.press("input", "Enter");
      await to.waitForSelector(`p:text-is("${text}")`, { timeout: SLOW_MS });
    };
    await hears(adas, bens, "Hello");
    await hears(bens, adas, "Hello yourself");
  }

  async function vite(...args: string[]): Promise<string> {
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [VITE, ...args, "--host", "127.0.0.1", "--port", String(port), "--strictPort"],
      { cwd: application.folder, stdio: ["ignore", "pipe", "inherit"] },
    );
    children.push(child);
    for await (const chunk of child.stdout) if (String(chunk).includes("127.0.0.1")) break;
    child.stdout.resume();
    return `http://127.0.0.1:${port}`;
  }

  it("[PKG59] two browsers talk in an application of Vite, in development", async () => {
    await twoTalkAt(await vite());
  }, 120_000);

  it("[PKG59] and in the same one built", async () => {
    const built = await application.node(VITE, "build");
    expect(built.code, built.stdout + built.stderr).toBe(0);
    expect(built.stderr).not.toMatch(/warn/i);
    await twoTalkAt(await vite("preview"));
  }, 120_000);

  it.skipIf(!process.env["TROUPE_TEST_NEXT"])(
    "[PKG61] two browsers talk in an application of Next, whose server asks, too",
    async () => {
      const next = await Application.with(troupe().url, []);
      try {
        await next.has(NEXT_FILES(troupe().url));
        const npm = ["install", "--no-audit", "next", "react", "react-dom"];
        const installed = await next.runs("npm", ...npm, `${troupe().url}/sdk/troupe-client.tgz`);
        expect(installed.code, installed.stderr).toBe(0);
        const bin = join(next.folder, "node_modules/next/dist/bin/next");
        const built = await next.node(bin, "build");
        expect(built.code, built.stdout + built.stderr).toBe(0);
        const port = String(await freePort());
        const child = spawn(process.execPath, [bin, "start", "-H", "127.0.0.1", "-p", port], {
          cwd: next.folder,
          stdio: ["ignore", "pipe", "inherit"],
        });
        children.push(child);
        for await (const chunk of child.stdout) if (/Ready/.test(String(chunk))) break;
        child.stdout.resume();
        const origin = `http://127.0.0.1:${port}`;
        expect(await (await fetch(origin)).text()).toContain("<h1>unauthorized</h1>");
        await twoTalkAt(origin);
      } finally {
        await next.remove();
      }
    },
    900_000,
  );

  it("[PKG60] two browsers talk in a page without a build, of another origin", async () => {
    const server = createServer((_, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      response.end(PLAIN_PAGE(troupe().url));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    await twoTalkAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
});
