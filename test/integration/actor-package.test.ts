/**
 * [APK] The package with which an editor and a test know `troupe/actor`, without a server.
 *
 * [APK1] It is installed from a running Troupe, and its bytes are kept for lockfiles.
 * [APK2] An actor's types follow from its definition, and a mistake is a mistake of the compiler's.
 * [APK3] The test kit runs an actor's turns.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Application } from "../support/client-package.ts";
import { snippetPages } from "../support/snippets.ts";
import { troupeForFile } from "../support/suite.ts";

const troupe = troupeForFile({ shared: true });
const page = snippetPages().find(({ file }) => file.endsWith("docs/actors.md"));
const poll =
  page?.snippets.find(({ text }) => text.includes('kind: "poll",\n  version'))?.text ?? "";
const CONFIG = JSON.stringify({
  compilerOptions: {
    strict: true,
    module: "nodenext",
    target: "es2022",
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: [],
  },
  include: ["*.ts"],
});
let application: Application;

beforeAll(async () => {
  application = await Application.with(troupe().url, ["typebox", "socket.io"], "troupe-actor");
  await application.has({
    "package.json": '{"type":"module"}',
    "tsconfig.json": CONFIG,
    "poll.actor.ts": poll,
    "test.mjs": `
import { testActor, user } from "troupe/actor/test";
import { defineActor, Type } from "troupe/actor";
const tally = testActor(defineActor({
  kind: "tally", version: 1, holdsUsers: false, state: Type.Object({ n: Type.Integer() }),
  create: { args: Type.Object({}), run: () => ({ n: 0 }) }, view: (state) => state,
  events: { counted: Type.Object({ n: Type.Integer() }) },
  actions: { add: { run(ctx) { ctx.state.n++; ctx.emit("counted", { n: ctx.state.n }); } } },
}));
tally.create({}, user("1"));
tally.call("add", {}, user("2"));
console.log(JSON.stringify(tally.events));`,
  });
});
afterAll(() => application?.remove());

it("[APK1] its address leads to bytes that an address with the version keeps", async () => {
  const first = await fetch(`${troupe().url}/sdk/troupe-actor.tgz`, { redirect: "manual" });
  expect(first.status).toBe(302);
  expect(first.headers.get("location")).toMatch(
    /^troupe-actor-\d+\.\d+\.\d+(-[0-9a-f]{12})?\.tgz$/,
  );
});

it("[APK2] the guide's poll compiles against it, and one with a mistake does not", async () => {
  expect(poll).not.toBe("");
  expect(await application.tsc("-p", ".")).toMatchObject({ code: 0, stdout: "" });
  const wrong = poll.replace(
    "{ choice }, caller) {",
    "{ chosen }, caller) {\n        const choice = chosen;",
  );
  await application.has({ "wrong.actor.ts": wrong });
  const { code, stdout } = await application.tsc("-p", ".");
  expect(code).not.toBe(0);
  expect(stdout).toContain("Property 'chosen' does not exist");
}, 200_000);

it("[APK3] the test kit runs from it", async () => {
  expect(await application.node("test.mjs")).toMatchObject({
    code: 0,
    stdout: '[{"rev":1,"name":"counted","data":{"n":1}}]\n',
  });
});
