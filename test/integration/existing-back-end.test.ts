/**
 * An app that is there already sends notifications with the snippet of README.md: a Node server
 * and a Flask app, each in a process of its own, unchanged but for that import.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Notification } from "../../src/protocol/social.ts";
import { within } from "../support/eventually.ts";
import { pythonWith } from "../support/python.ts";
import { serviceTokenOf } from "../support/service.ts";
import { ROOT, snippetPages } from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";
import { JWT_SECRET } from "../support/tokens.ts";

const START_DEADLINE_MS = 20_000;
const FIXTURES = join(ROOT, "test/support/fixtures");
const python = pythonWith(["flask", "requests"], "Flask test");

describe.each([
  { name: "a Node server", snippet: "notify.mjs", app: "shop.mjs", command: process.execPath },
  { name: "a Flask app", snippet: "notify.py", app: "shop.py", command: python },
])("$name", ({ snippet, app, command }) => {
  const troupe = troupeForFile();
  const shops: Shop[] = [];
  afterEach(async () => {
    for (const shop of shops.splice(0)) await shop.closes();
  });

  it.skipIf(command === null)(
    "[NTF1] notifies with README's snippet: heard live, found later, and refused in words",
    async () => {
      const shop = await Shop.opens(troupe().url, command!, snippet, app);
      shops.push(shop);
      const [ann, bob] = await troupe().users("ann", "bob");
      const [phone, laptop] = [await ann!.connects(), await ann!.connects()];
      const bobs = await bob!.connects();

      const answer = await shop.ships(ann!.id, "A-17");
      expect(answer.status).toBe(201);
      const { notification } = answer.body;
      const expected = {
        id: notification,
        type: "order.shipped",
        message: "Your order is on its way.",
        data: { order_id: "A-17" },
      };
      expect(await phone.next("notification")).toMatchObject(expected);
      expect(await laptop.next("notification")).toMatchObject(expected);
      const kept = await ann!.api.get<{ items: Notification[] }>("/api/notifications");
      expect(kept.body.items).toMatchObject([expected]);

      const unknown = await shop.ships("999999", "A-18");
      expect(unknown).toMatchObject({
        status: 502,
        body: { problem: expect.stringMatching(/user/) },
      });
      // Bob's first notification is this one, so none of the earlier ones reached him.
      await shop.ships(bob!.id, "B-1");
      expect(await bobs.next("notification")).toMatchObject({ data: { order_id: "B-1" } });
    },
  );
});

/** The app's process, its folder with the snippet beside it, and its address. */
class Shop {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #url: string;

  private constructor(child: ChildProcess, folder: string, port: string) {
    this.#child = child;
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}/orders`;
  }

  static async opens(url: string, command: string, snippet: string, app: string): Promise<Shop> {
    const folder = await mkdtemp(join(tmpdir(), "troupe-shop-"));
    await writeFile(
      join(folder, snippet),
      snippetNamed(snippet).replace(/http:\/\/localhost:3000/g, url),
    );
    await copyFile(join(FIXTURES, app), join(folder, app));
    const child = spawn(command, [app], {
      cwd: folder,
      env: { ...process.env, TROUPE_TOKEN: await serviceTokenOf(JWT_SECRET, ["notify"]) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const port = new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
          said += chunk;
          const found = /^listening on (\d+)$/m.exec(said)?.[1];
          if (found !== undefined) resolve(found);
        });
      }
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`${app} ended: ${said}`)));
    });
    return new Shop(child, folder, await within(`${app} listens`, port, START_DEADLINE_MS));
  }

  async ships(customer: string, order: string): Promise<{ status: number; body: Shipped }> {
    const answer = await fetch(this.#url, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify({ customer, order }),
    });
    return { status: answer.status, body: (await answer.json()) as Shipped };
  }

  async closes(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await within("the app ends", gone);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Shipped {
  notification: string;
  problem?: string;
}

function snippetNamed(name: string): string {
  const readme = snippetPages().find(({ file }) => file === "README.md");
  const found = readme?.snippets.find(({ use }) => "saveAs" in use && use.saveAs === name);
  if (found === undefined) throw new Error(`README.md has no ${name}`);
  return found.text;
}
