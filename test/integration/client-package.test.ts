/**
 * `troupe-client` as a running Troupe hands it out, in the hands of those who use it: Node with
 * `import` and `require`, esbuild, and TypeScript under each resolution. Vite and Chromium are in
 * test/browser/client-package.test.ts.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageVersion } from "../../src/base/version.ts";
import { Application } from "../support/client-package.ts";
import type { Person } from "../support/person.ts";
import { troupeForFile } from "../support/suite.ts";

/** Two users talk; the program prints what arrived. `url`, `tokens`, `peer` come as arguments. */
const TALK = `
  const [url, one, other, peer] = process.argv.slice(2);
  const [ada, ben] = [connect({ url, token: one }), connect({ url, token: other })];
  async function talk() {
    await Promise.all([online(ada), online(ben)]);
    const heard = new Promise((resolve) => onMessage(ben, resolve));
    const { id } = await ada.createConversation([peer]);
    await ada.send(id, "Hello").committed;
    console.log((await heard).body, presenceOf(ada) !== undefined, inboxOf(ben) !== undefined);
    const refusal = await ada.edit(id, 99, "x").catch((error) => error);
    console.log(refusal instanceof TroupeError, refusal.code);
    ada.close();
    ben.close();
  }
  talk();
`;
const NAMES = "connect, online, onMessage, TroupeError";
const ESM = `
  import { ${NAMES} } from "troupe-client";
  import { presenceOf } from "troupe-client/presence";
  import { inboxOf } from "troupe-client/social";
${TALK}`;
const CJS = `
  const { ${NAMES} } = require("troupe-client");
  const { presenceOf } = require("troupe-client/presence");
  const { inboxOf } = require("troupe-client/social");
${TALK}`;
const SAID = "Hello true true\ntrue not_found\n";

const TYPED = `
import { connect, createCaller, online, type Client, type ConversationView } from "troupe-client";
import type { Conversation, Message, User } from "troupe-client";
import { presenceOf } from "troupe-client/presence";
import { inboxOf } from "troupe-client/social";
import { type Push, type PushState, pushOf } from "troupe-client/push";
import { TroupeProvider, useConversation } from "troupe-client/react";

export async function talk(url: string, token: string): Promise<string> {
  const client: Client = connect({ url, token });
  const me: User = await online(client);
  const made: Conversation = await client.createConversation(["7"]);
  const view: ConversationView | null = client.conversation(made.id).get();
  const message: Message | undefined = view?.messages.at(-1);
  const { items } = await client.api("GET /api/conversations/:id/messages", { id: made.id });
  const answer = await client.ask("join_conversation", { conversation_id: made.id });
  const own = connect<{ message: { order: string } }>({ url, token });
  const order: string | undefined = own.conversation(made.id).get()?.messages[0]?.data?.order;
  // @ts-expect-error: the application has no such key.
  own.conversation(made.id).get()?.messages[0]?.data?.bill;
  presenceOf(own).show(order === undefined ? "away" : "online");
  await inboxOf(client).load();
  const push: Push = pushOf(client, { worker: "/push-worker.js" });
  const state: PushState = await push.turnOn();
  // @ts-expect-error: a body is a text.
  client.send(made.id, 7);
  // @ts-expect-error: there is no such call.
  await client.api("GET /api/nothing");
  // @ts-expect-error: a read needs its conversation.
  await client.api("PUT /api/conversations/:id/read", { seq: 1 });
  await createCaller({ url })("POST /api/auth/login", { username: "a", password: "b" });
  return [me.username, state, message?.body, items[0]?.body, answer.has_more].join();
}
export const hooks = [TroupeProvider, useConversation];
`;

describe("troupe-client", () => {
  const troupe = troupeForFile({ shared: true });
  let application: Application;
  let home: string;

  beforeAll(async () => {
    const needs = ["socket.io-client", "react", "@types/react", "csstype", "@types/node"];
    application = await Application.with(troupe().url, needs);
    home = join(application.folder, "node_modules", "troupe-client");
  });
  afterAll(() => application?.remove());

  const given = async (): Promise<string[]> => {
    const [ada, ben] = (await troupe().users("ada", "ben")) as [Person, Person];
    return [troupe().url, ada.token, ben.token, ben.id];
  };

  it("[PKG53] has the server's version and needs nothing of the server", async () => {
    const about = JSON.parse(await readFile(join(home, "package.json"), "utf8"));
    expect(about).toMatchObject({
      name: "troupe-client",
      version: packageVersion(),
      type: "module",
      sideEffects: false,
      peerDependenciesMeta: { react: { optional: true } },
    });
    expect(about.dependencies["socket.io-client"]).toMatch(/^\^4\./);
    const allowed = new Set([...Object.keys(about.dependencies), "react", "react/jsx-runtime"]);
    const files = await readdir(home, { recursive: true });
    const modules = files.filter((file) => /\.(js|d\.ts)$/.test(file));
    expect(modules.length).toBeGreaterThan(20);
    for (const file of modules) {
      const text = await readFile(join(home, file), "utf8");
      const named = text.matchAll(/(?:\bfrom\s*|\brequire\(|\bimport\(?\s*)"([^"]+)"/g);
      for (const [, name] of named) {
        const path = file.endsWith(".d.ts") ? name!.replace(/\.js$/, ".d.ts") : name!;
        if (path.startsWith(".")) expect(files).toContain(join(file, "..", path));
        else expect(allowed, `${file} imports ${name}`).toContain(name);
      }
    }
  });

  it("[PKG54] runs in Node with import and with require", async () => {
    await application.has({ "talk.mjs": ESM, "talk.cjs": CJS });
    for (const program of ["talk.mjs", "talk.cjs"]) {
      const { stdout, stderr } = await application.node(program, ...(await given()));
      expect(stdout, `${program}: ${stderr}`).toBe(SAID);
    }
  });

  it("[PKG55] runs when esbuild has bundled it, and one name costs one name", async () => {
    await application.has({ "entry.mjs": ESM });
    const bundle = (entry: string, out: string) =>
      build({
        entryPoints: [join(application.folder, entry)],
        outfile: join(application.folder, out),
        bundle: true,
        format: "cjs",
        platform: "node",
        metafile: true,
        logLevel: "warning",
      });
    const { warnings } = await bundle("entry.mjs", "bundle.cjs");
    expect(warnings).toEqual([]);
    const { stdout, stderr } = await application.node("bundle.cjs", ...(await given()));
    expect(stdout, stderr).toBe(SAID);

    await application.has({
      "one.mjs": 'import { TroupeError } from "troupe-client"; console.log(TroupeError.name);',
    });
    const { metafile } = await bundle("one.mjs", "one.cjs");
    const [output] = Object.values(metafile.outputs);
    const paid = Object.entries(output!.inputs).filter(([, of]) => of.bytesInOutput > 0);
    expect(paid.map(([path]) => path.replace(/.*\//, "")).sort()).toEqual(["error.js", "one.mjs"]);
  });

  it("[PKG56] is typed under every resolution, strictly, and its declarations are checked, too", async () => {
    const shared = ["--noEmit", "--strict", "--skipLibCheck", "false", "--target", "es2022"];
    const libs = ["--lib", "es2023,dom", "--types", "node", "--exactOptionalPropertyTypes"];
    await application.has({ "typed.mts": TYPED, "typed.cts": TYPED });
    for (const [module, resolution, files] of [
      ["esnext", "bundler", ["typed.mts"]],
      ["node16", "node16", ["typed.mts", "typed.cts"]],
      ["nodenext", "nodenext", ["typed.mts", "typed.cts"]],
    ] as const) {
      const how = ["--module", module, "--moduleResolution", resolution];
      const { code, stdout } = await application.tsc(...shared, ...libs, ...how, ...files);
      expect(code, `${module}: ${stdout}`).toBe(0);
    }
  }, 90_000);

  it("[PKG57] has source maps that hold the sources", async () => {
    const text = await readFile(join(home, "esm/client/link.js"), "utf8");
    const [, map] = /\/\/# sourceMappingURL=(\S+)/.exec(text)!;
    const { sources, sourcesContent } = JSON.parse(
      await readFile(join(home, "esm/client", map!), "utf8"),
    );
    expect(sources).toEqual(["link.ts"]);
    expect(sourcesContent[0]).toContain("export function createLink(");
    await application.has({
      "fails.mjs": `import { createCaller } from "troupe-client";
        await createCaller({ url: ${JSON.stringify(troupe().url)} })("GET /api/me");`,
    });
    const { stderr } = await application.node("--enable-source-maps", "fails.mjs");
    expect(stderr).toMatch(/TroupeError/);
    expect(stderr).toMatch(/client\/api\.ts:\d+/);
  });

  it("[PKG58] tells React's server that the hooks are the client's", async () => {
    for (const format of ["esm", "cjs"]) {
      const text = await readFile(join(home, format, "client/react.js"), "utf8");
      expect(text).toMatch(/^"use client";/);
    }
  });
});
