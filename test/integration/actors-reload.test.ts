/**
 * [RLD] The application's files are reloaded.
 *
 * [RLD1] A reload ends no session, loses no call, and lifts states to the new version.
 * [RLD2] A mistake in any file leaves all the older ones running, and is reported with file and line.
 * [RLD3] Hooks, namespaces and the published documents are those of the new files.
 * [RLD4] While namespaces are set up again nobody comes in without a token, and nobody without handlers.
 */
import { Manager, type Socket } from "socket.io-client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTroupe, type Troupe } from "../support/cluster.ts";
import { eventually, within } from "../support/eventually.ts";
import { expectRefusal } from "../support/expectations.ts";
import { expectStatus } from "../support/person.ts";
import { AppFolder, reloads, TALLY } from "../support/tally-files.ts";

const greeter = (word: string) => `import { defineNamespace } from "troupe/actor";
export default defineNamespace("/greet", (namespace) => {
  namespace.on("connection", (socket) => socket.on("hi", (answer) => answer("${word}")));
});
`;
const refusing = (word: string) => `import { defineHooks } from "troupe/actor";
export default defineHooks({
  beforeSend: ({ body }) => ({ action: body === "${word}" ? "refuse" : "allow" }),
});
`;
const FILES = {
  "tally.actor.js": TALLY[1],
  "greet.namespace.js": greeter("hello"),
  "words.hooks.js": refusing("old"),
};

let troupe: Troupe;
let folder: AppFolder;
let manager: Manager;

beforeAll(async () => {
  folder = await AppFolder.make(FILES);
  troupe = await startTroupe({ workers: 2, env: { ACTORS_DIR: folder.dir } });
  manager = new Manager(troupe.url, { transports: ["websocket"], forceNew: true });
});
afterAll(async () => {
  manager?._close();
  await troupe?.stop();
  await folder?.discard();
});

async function enters(token: string, over = manager): Promise<Socket> {
  const socket = over.socket("/greet", { auth: { token } });
  await within(
    "the namespace is entered",
    new Promise<void>((done) => socket.once("connect", done)),
  );
  return socket;
}

it("[RLD1] [RLD3] version 2 takes over under load, and everybody stays", async () => {
  const [ann, bob] = await troupe.users("ann", "bob");
  const sessions = await troupe.sessionOnEachWorker(ann!);
  const watcher = await bob!.connects();
  const at = { kind: "tally", key: "one" };
  await watcher.does("create_actor", { ...at, args: {}, call_id: "make" });
  expect(await watcher.does("watch_actor", at)).toMatchObject({ view: { n: 0, by: 1 } });
  const greeted = await enters(bob!.token);
  let isOver = false;
  let calls = 0;
  const loads = sessions.map(async (session, n) => {
    for (let id = 0; !isOver; id++) {
      await session.does("call", { ...at, action: "add", call_id: `${n}.${id}` });
      calls++;
    }
  });
  await eventually("calls run", () => calls > 20);
  await folder.writes({
    "tally.actor.js": TALLY[2],
    "greet.namespace.js": greeter("welcome"),
    "words.hooks.js": refusing("new"),
  });
  expect(await reloads(troupe.dataDir)).toMatchObject({ code: 0 });
  const before = calls;
  await eventually("calls run on", () => calls > before + 20);
  isOver = true;
  await Promise.all(loads);
  for (const session of sessions) {
    const called = await session.does("call", { ...at, action: "version", call_id: "v" });
    expect(called).toMatchObject({ result: 2, rev: calls });
    expect(session.isConnected).toBe(true);
  }
  await watcher.next("actor_event", ({ rev }) => rev === calls);
  const revs = watcher.heard("actor_event").map(({ rev }) => rev);
  expect(revs).toEqual(Array.from({ length: calls }, (_, n) => n + 1));
  expect(await watcher.does("watch_actor", at)).toMatchObject({ view: { n: calls, by: 2 } });

  const group = await ann!.startsGroup(bob!);
  const path = `/api/conversations/${group.id}/messages`;
  expectStatus<unknown>(await ann!.api.post(path, { client_id: "a", body: "old" }), 201);
  expectRefusal(await ann!.api.post(path, { client_id: "b", body: "new" }), "forbidden");
  const document = await troupe.http.get<{ paths: Record<string, unknown> }>("/api/openapi.json");
  expect(Object.keys(document.body.paths)).toContain("/api/actors/tally/{key}/version");
  expect(greeted.connected).toBe(true);
  expect(await greeted.emitWithAck("hi")).toBe("hello");
  const other = new Manager(troupe.url, { transports: ["websocket"], forceNew: true });
  const later = await enters(bob!.token, other);
  expect(await later.emitWithAck("hi")).toBe("welcome");
  other._close();
});

it("[RLD2] a mistake in one file leaves all of them as they were", async () => {
  const [ann] = await troupe.users("ann");
  const session = await ann!.connects();
  await folder.writes({
    "tally.actor.js": TALLY[1],
    "words.hooks.js":
      'import { defineHooks } from "troupe/actor";\nexport default defineHooks({ afterSend() {} });\n',
  });
  const refused = await reloads(troupe.dataDir);
  expect(refused.code).toBe(1);
  expect(refused.output).toContain("words.hooks.js:2:");
  expect(refused.output).toContain('there is no hook "afterSend"');
  const at = { kind: "tally", key: "one" };
  const called = await session.does("call", { ...at, action: "version", call_id: "still" });
  expect(called).toMatchObject({ result: 2 });

  await folder.writes({ "tally.actor.js": "export default {", "words.hooks.js": refusing("x") });
  expect((await reloads(troupe.dataDir)).output).toContain("tally.actor.js:1:");
  await folder.writes({
    "tally.actor.js": TALLY[2].replace("version: 2", "durable: false, version: 3"),
  });
  expect((await reloads(troupe.dataDir)).output).toContain("cannot change `durable`");

  // A kind whose file is gone is gone, and the signal does what the command does.
  await folder.removes("tally.actor.js");
  troupe.signal("SIGUSR2");
  await eventually("the kind is gone", async () => {
    const answer = await ann!.api.get("/api/actors/tally/one");
    return answer.status === 404;
  });
  await folder.writes({ "tally.actor.js": TALLY[2] });
  expect(await reloads(troupe.dataDir)).toMatchObject({ code: 0 });
  const back = await session.does("call", { ...at, action: "version", call_id: "back" });
  expect(back).toMatchObject({ result: 2 });
});

/** How one attempt to enter ends. The socket stays, with its connection. */
async function tries(namespace: string, auth: object): Promise<{ isIn: boolean; socket: Socket }> {
  const own = new Manager(troupe.url, {
    transports: ["websocket"],
    forceNew: true,
    reconnection: false,
  });
  const socket = own.socket(namespace, { auth });
  const isIn = await within(
    `an answer of ${namespace}`,
    new Promise<boolean>((done) => {
      socket.once("connect", () => done(true));
      socket.once("connect_error", () => done(false));
    }),
    10_000,
  );
  return { isIn, socket };
}

it("[RLD4] a namespace that takes its time to be set up leaves no door open", async () => {
  const [ann] = await troupe.users("ann");
  await folder.writes({
    "a-slow.namespace.js": `import { defineNamespace } from "troupe/actor";
export default defineNamespace("/slow", async (namespace) => {
  await new Promise((done) => setTimeout(done, 3_000));
  namespace.use((socket, next) => {
    socket.data.isChecked = true;
    next();
  });
  namespace.on("connection", (socket) =>
    socket.on("hi", (answer) => answer(socket.data.isChecked ? "checked" : "unchecked")));
});
`,
  });
  let isOver = false;
  const reloaded = reloads(troupe.dataDir).finally(() => {
    isOver = true;
  });
  const early = eventually(
    "the new namespace is entered",
    async () => {
      const { isIn, socket } = await tries("/slow", { token: ann!.token });
      if (isIn) return socket;
      socket.io._close();
      return false;
    },
    30_000,
  );
  const strangers: boolean[] = [];
  while (!isOver) {
    const { isIn, socket } = await tries("/greet", {});
    strangers.push(isIn);
    socket.io._close();
  }
  expect(await reloaded).toMatchObject({ code: 0 });
  expect(strangers.length).toBeGreaterThan(0);
  expect(strangers).not.toContain(true);
  const slow = await early;
  expect(await within("its handler answers", slow.emitWithAck("hi"))).toBe("checked");
  slow.io._close();
});
